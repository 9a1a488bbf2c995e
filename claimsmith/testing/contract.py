"""The contract as data: the claims, values and scopes that a trigger may return.

Source: "Claims and scopes reference" of ``user-pool-lambda-pre-token-generation`` in the Amazon Cognito developer
guide, and its value types and scope rules. Written from the page and not from ``claimsmith.cognito``, so that a
misreading there is not repeated here.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Token = Literal["access", "id"]
Change = Literal["set", "suppress"]


class Rule(Enum):
    """A rule of the contract: its stable name and its text."""

    RESERVED_CLAIM = "Cognito alone sets this claim; it cannot be added, changed or suppressed"
    OTHER_TOKENS_CLAIM = "this is a claim of the other token; adding it here is not documented"
    SCOPE_CLAIM = "scopes can only be changed with scopesToAdd and scopesToSuppress"
    GROUP_CLAIM = "groups and roles can only be changed with groupOverrideDetails, or by suppressing cognito:groups"
    DEVELOPER_ATTRIBUTE = "a dev: attribute can only be suppressed"
    AUDIENCE = "aud in an access token must be the app client's id"
    BOUND_AUDIENCE = "setting aud in an access token that is bound to a resource is not documented"
    EMPTY_NAME = "a claim needs a name"
    NULL_VALUE = "null is not a claim value"
    ARRAY_MEMBER = "an array may only contain strings, numbers and booleans"
    PLAIN_IN_ID = "this ID token claim cannot be an array or an object"
    SCOPE_BLANK = "a scope contains no white space"
    SCOPE_SYNTAX = "a scope has 1 to 256 characters of RFC 6749 section 3.3"
    ADMIN_SCOPE = "adding aws.cognito.signin.user.admin is not documented"
    MACHINE_OIDC_SCOPE = "adding a scope of OpenID Connect to a machine's token is not documented"
    MACHINE_GROUPS = "a machine has no groups"
    NULL_MEMBER = "the meaning of null is not documented here; leave the member out"
    UNKNOWN_MEMBER = "Cognito does not read this member here, so it has no effect"
    QUOTA = "at most 5,000 claims and scopes, existing and added, over both tokens"


class Violation(NamedTuple):
    """A broken rule and its place in the answer, a path below ``response``. The value is not part of it."""

    rule: Rule
    where: str

    def __str__(self) -> str:
        """The rule's name, the place and the rule's text."""
        return f"{self.rule.name} at {self.where}: {self.rule.value}"


class ClaimRow(NamedTuple):
    """The changes of a claim that a trigger may make: None, or the rule that forbids it."""

    set_access: Rule | None = None
    suppress_access: Rule | None = None
    set_id: Rule | None = None
    suppress_id: Rule | None = None

    def forbids(self, token: Token, change: Change) -> Rule | None:
        """The rule that forbids this change in this token."""
        by_token = {"access": self[:2], "id": self[2:]}
        return by_token[token][0 if change == "set" else 1]


_FREE: Final = ClaimRow()
_RESERVED: Final = ClaimRow(*[Rule.RESERVED_CLAIM] * 4)
_ACCESS_ONLY: Final = ClaimRow(*[Rule.RESERVED_CLAIM] * 2, *[Rule.OTHER_TOKENS_CLAIM] * 2)
_ID_ONLY: Final = ClaimRow(*[Rule.OTHER_TOKENS_CLAIM] * 2, *[Rule.RESERVED_CLAIM] * 2)
_BY_GROUP_BLOCK: Final = ClaimRow(*[Rule.GROUP_CLAIM] * 4)

#: Rules that are not broken by setting a claim to the value that it already has. In the page's table, ``aud`` in the ID
#: token cannot be changed; the page's example "Add claims with complex objects" sets it to the same client id.
AGAINST_OTHER_VALUES: Final = frozenset({Rule.RESERVED_CLAIM, Rule.AUDIENCE})

#: The table, claim by claim. ``aud`` in the access token is checked by its value (``AUDIENCE``, ``BOUND_AUDIENCE``).
CLAIMS: Final[dict[str, ClaimRow]] = {
    "acr": _RESERVED,
    "amr": _RESERVED,
    "at_hash": _ID_ONLY,
    "aud": ClaimRow(None, Rule.RESERVED_CLAIM, Rule.RESERVED_CLAIM, Rule.RESERVED_CLAIM),
    "auth_time": _RESERVED,
    "azp": _RESERVED,
    "client_id": _ACCESS_ONLY,
    "cognito:groups": ClaimRow(set_access=Rule.GROUP_CLAIM, set_id=Rule.GROUP_CLAIM),
    "cognito:preferred_role": _BY_GROUP_BLOCK,
    "cognito:roles": _BY_GROUP_BLOCK,
    "cognito:username": _RESERVED,
    "device_key": _ACCESS_ONLY,
    "event_id": _ACCESS_ONLY,
    "exp": _RESERVED,
    "iat": _RESERVED,
    "identities": _ID_ONLY,
    "iss": _RESERVED,
    "jti": _RESERVED,
    "nbf": _RESERVED,
    "nonce": _RESERVED,
    "origin_jti": _RESERVED,
    "scope": ClaimRow(*[Rule.SCOPE_CLAIM] * 2, *[Rule.OTHER_TOKENS_CLAIM] * 2),
    "sub": _RESERVED,
    "token_use": _RESERVED,
    "username": _ACCESS_ONLY,
    "version": _ACCESS_ONLY,
}

#: Rows for all other names with a prefix.
PREFIXES: Final[dict[str, ClaimRow]] = {
    "cognito:": _RESERVED,
    "dev:": ClaimRow(set_access=Rule.DEVELOPER_ATTRIBUTE, set_id=Rule.DEVELOPER_ATTRIBUTE),
}

#: ID token claims that cannot be an array or an object.
PLAIN_IN_ID: Final = frozenset({"address", "email_verified", "phone_number_verified", "updated_at"})

#: Seconds that Cognito waits for a trigger (cognito-user-pools-working-with-lambda-triggers).
TRIGGER_SECONDS: Final = 5.0

#: Claims and scopes of both tokens in one transaction (quotas).
MAX_CHANGES: Final = 5_000

ADMIN_SCOPE: Final = "aws.cognito.signin.user.admin"
OIDC_SCOPES: Final = frozenset({"openid", "profile", "email", "phone"})

_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")


def claim_row(name: str) -> ClaimRow:
    """The row of the table for a claim."""
    prefixed = (row for prefix, row in PREFIXES.items() if name.startswith(prefix))
    return CLAIMS.get(name) or next(prefixed, _FREE)


def claim_rule(token: Token, change: Change, name: str) -> Rule | None:
    """The rule that forbids this change of a claim, or None."""
    return Rule.EMPTY_NAME if not name else claim_row(name).forbids(token, change)


def value_rule(token: Token, name: str, value: object, client_id: str, *, bound: bool) -> Rule | None:
    """The rule that forbids this value for a claim that may be set, or None.

    Args:
        token: which token.
        name: the claim's name.
        value: a JSON value.
        client_id: the app client.
        bound: whether the access token is bound to a resource.
    """
    if token == "access" and name == "aud":
        if value != client_id:
            return Rule.AUDIENCE
        return Rule.BOUND_AUDIENCE if bound else None
    if token == "id" and name in PLAIN_IN_ID and isinstance(value, list | dict):
        return Rule.PLAIN_IN_ID
    return next(_value_rules(value), None)


def _value_rules(value: object) -> Iterator[Rule]:
    if value is None:
        yield Rule.NULL_VALUE
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, list | dict):
                yield Rule.ARRAY_MEMBER
            else:
                yield from _value_rules(item)
    elif isinstance(value, dict):
        if "" in value:
            yield Rule.EMPTY_NAME
        for item in value.values():
            yield from _value_rules(item)


def scope_rule(scope: str, requested: frozenset[str], *, machine: bool) -> Rule | None:
    """The rule that forbids adding a scope, or None.

    Args:
        scope: the scope to add.
        requested: the scopes of the event; adding one of them again changes nothing.
        machine: whether the token is a machine's.
    """
    if any(character.isspace() for character in scope):
        return Rule.SCOPE_BLANK
    if not _SCOPE.fullmatch(scope):
        return Rule.SCOPE_SYNTAX
    if scope in requested:
        return None
    if scope == ADMIN_SCOPE:
        return Rule.ADMIN_SCOPE
    return Rule.MACHINE_OIDC_SCOPE if machine and scope in OIDC_SCOPES else None


#: Members that Cognito reads, by the object that contains them.
MEMBERS: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"claimsAndScopeOverrideDetails"}),
    "claimsAndScopeOverrideDetails": frozenset({"idTokenGeneration", "accessTokenGeneration", "groupOverrideDetails"}),
    "idTokenGeneration": frozenset({"claimsToAddOrOverride", "claimsToSuppress"}),
    "accessTokenGeneration": frozenset(
        {"claimsToAddOrOverride", "claimsToSuppress", "scopesToAdd", "scopesToSuppress"}
    ),
    "groupOverrideDetails": frozenset({"groupsToOverride", "iamRolesToOverride", "preferredRole"}),
}

"""Applies a trigger's answer as Cognito does: the default tokens, changed by the rules of ``contract``.

AWS documents the shape, the claims that may change, that suppression wins, and the effect of ``groupOverrideDetails``.
It does not document the effect of a broken rule; ``apply`` leaves the change out and reports it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith.testing.contract import (
    AGAINST_OTHER_VALUES,
    MAX_CHANGES,
    MEMBERS,
    Rule,
    Violation,
    claim_rule,
    scope_rule,
    value_rule,
)
from claimsmith.testing.errors import InvalidLambdaResponseException

if TYPE_CHECKING:
    from claimsmith.testing.contract import Token

Members = dict[str, Any]

GROUPS: Final = "cognito:groups"
_ROLES: Final = "cognito:roles"
_PREFERRED_ROLE: Final = "cognito:preferred_role"


@dataclass(frozen=True, slots=True)
class Groups:
    """A user's groups, the IAM roles that come with them, and the preferred one."""

    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    preferred_role: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The tokens without a trigger.

    Attributes:
        access: the access token's claims, without scopes and groups.
        id: the ID token's claims, without groups; None if none is issued.
        scopes: of the access token.
        groups: None for a machine.
        client_id: the app client.
        not_issued: if no ID token is issued, the claims that it would have; the event does not show this to a trigger.
    """

    access: Members
    id: Members | None
    scopes: tuple[str, ...]
    groups: Groups | None
    client_id: str
    not_issued: Members = field(default_factory=dict)

    def has(self, token: Token, claim: str, value: object) -> bool:
        """Whether a token has a claim with exactly this value."""
        claims = self.access if token == "access" else self.not_issued if self.id is None else self.id
        return claim in claims and json.dumps(claims[claim], sort_keys=True) == json.dumps(value, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Applied:
    """The tokens after the trigger.

    Attributes:
        access: the access token's claims.
        id: the ID token's claims; None if none is issued.
        violations: rules that the answer breaks; the changes that break them are not in the tokens.
    """

    access: Members
    id: Members | None
    violations: tuple[Violation, ...] = ()


def unchanged(draft: Draft) -> Applied:
    """The tokens of a pool without a trigger."""
    return _Answer(draft).applied()


def apply(answer: object, draft: Draft) -> Applied:
    """The tokens after a trigger's answer.

    Args:
        answer: the event that the trigger returned, read from JSON.
        draft: the tokens without it.

    Raises:
        InvalidLambdaResponseException: it is not an event, or a member of it has the wrong type.
    """
    reading = _Answer(draft)
    reading.read(answer)
    return reading.applied()


class _Answer:
    """One answer, read member by member."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.violations: list[Violation] = []
        self.claims: dict[Token, Members] = {"access": {}, "id": {}}
        self.suppressed: dict[Token, set[str]] = {"access": set(), "id": set()}
        self.scopes_to_add: list[str] = []
        self.scopes_to_suppress: set[str] = set()
        self.groups = draft.groups

    # Reading.

    def read(self, answer: object) -> None:
        event = _typed(answer, dict)
        # A handler that returns only its answer, and not the event with it, fails every sign-in.
        _typed(event.get("request"), dict)
        response = _typed(event.get("response"), dict)
        self.only_known(response, "")
        details = response.get("claimsAndScopeOverrideDetails")
        # Cognito itself sends null, and the console's sample event an empty list: unchanged, they mean no change.
        if details is None or details == []:
            return
        details = _typed(details, dict)
        self.only_known(details, "claimsAndScopeOverrideDetails")
        self.token_block("access", details, "accessTokenGeneration")
        self.token_block("id", details, "idTokenGeneration")
        if "groupOverrideDetails" in details:
            self.group_block(details["groupOverrideDetails"])

    def only_known(self, block: Members, name: str) -> None:
        for member in block.keys() - MEMBERS[name.rpartition(".")[2]]:
            self.broken(Rule.UNKNOWN_MEMBER, name, member)

    def token_block(self, token: Token, details: Members, name: str) -> None:
        where = f"claimsAndScopeOverrideDetails.{name}"
        block = self.member(details, name, dict, "claimsAndScopeOverrideDetails")
        self.only_known(block, where)
        for claim, value in self.member(block, "claimsToAddOrOverride", dict, where).items():
            bound = "aud" in self.draft.access
            rule = claim_rule(token, "set", claim) or value_rule(token, claim, value, self.draft.client_id, bound=bound)
            if rule is None:
                self.claims[token][claim] = value
            elif rule not in AGAINST_OTHER_VALUES or not self.draft.has(token, claim, value):
                self.broken(rule, where, "claimsToAddOrOverride", claim)
        for claim in self.names(block, "claimsToSuppress", where):
            rule = claim_rule(token, "suppress", claim)
            if rule is None:
                self.suppressed[token].add(claim)
            else:
                self.broken(rule, where, "claimsToSuppress", claim)
        if token == "access":
            self.scope_members(block, where)

    def scope_members(self, block: Members, where: str) -> None:
        requested = frozenset(self.draft.scopes)
        for scope in self.names(block, "scopesToAdd", where):
            rule = scope_rule(scope, requested, machine=self.draft.groups is None)
            if rule is None:
                self.scopes_to_add.append(scope)
            else:
                self.broken(rule, where, "scopesToAdd")
        self.scopes_to_suppress.update(self.names(block, "scopesToSuppress", where))

    def group_block(self, value: object) -> None:
        """Replaces groups, roles and preferred role as a whole: values that are not repeated are removed."""
        where = "claimsAndScopeOverrideDetails.groupOverrideDetails"
        block: Members = {} if value is None else _typed(value, dict)
        self.only_known(block, where)
        groups = self.names(block, "groupsToOverride", where)
        roles = self.names(block, "iamRolesToOverride", where)
        # Cognito itself sends null if there is no preferred role, so echoing it breaks no rule.
        preferred = block.get("preferredRole")
        if self.draft.groups is not None:
            self.groups = Groups(tuple(groups), tuple(roles), None if preferred is None else _typed(preferred, str))
        elif groups or roles or preferred:
            self.broken(Rule.MACHINE_GROUPS, where)

    def member(self, block: Members, name: str, kind: type, where: str) -> Any:  # noqa: ANN401 - of the kind asked for
        """A member of this type; an empty one if it is absent."""
        if name not in block:
            return kind()
        if block[name] is None:
            self.broken(Rule.NULL_MEMBER, where, name)
            return kind()
        return _typed(block[name], kind)

    def names(self, block: Members, name: str, where: str) -> list[str]:
        """A list of strings."""
        return [_typed(item, str) for item in self.member(block, name, list, where)]

    def broken(self, rule: Rule, *where: str) -> None:
        self.violations.append(Violation(rule, ".".join(part for part in where if part)))

    # Building the tokens.

    def applied(self) -> Applied:
        scopes = [*dict.fromkeys([*self.draft.scopes, *self.scopes_to_add])]
        scopes = [scope for scope in scopes if scope not in self.scopes_to_suppress]
        access = {**self.draft.access, **self.group_claims("access"), **self.claims["access"]}
        if scopes:
            access["scope"] = " ".join(sorted(scopes, key=_no_order))
        identity = self.draft.id
        if identity is not None:
            identity = self.without("id", {**identity, **self.group_claims("id"), **self.claims["id"]})
        access = self.without("access", access)
        if len(access) + len(identity or ()) + len(scopes) > MAX_CHANGES:
            self.broken(Rule.QUOTA, "claimsAndScopeOverrideDetails")
        return Applied(access, identity, tuple(self.violations))

    def group_claims(self, token: Token) -> Members:
        """The group claims of a token; empty claims are left out."""
        groups = self.groups
        if groups is None or GROUPS in self.suppressed[token]:
            return {}
        claims: Members = {GROUPS: list(groups.groups)}
        if token == "id":
            claims |= {_ROLES: list(groups.roles), _PREFERRED_ROLE: groups.preferred_role}
        return {name: value for name, value in claims.items() if value}

    def without(self, token: Token, claims: Members) -> Members:
        """Suppression wins over setting."""
        return {name: value for name, value in claims.items() if name not in self.suppressed[token]}


def _typed(value: object, kind: type) -> Any:  # noqa: ANN401 - of the kind asked for
    if not isinstance(value, kind):
        raise InvalidLambdaResponseException("Unrecognizable lambda output")
    return value


def _no_order(scope: str) -> bytes:
    """An unpredictable order: Cognito promises none, so a test must not depend on one."""
    return hashlib.sha256(scope.encode()).digest()

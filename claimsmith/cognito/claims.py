"""Which claims a trigger may set or suppress in which token, and with which values.

The table is "Claims and scopes reference" of ``user-pool-lambda-pre-token-generation``. What Cognito does with a
change it forbids is not documented, so none is ever sent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Token = Literal["access", "id"]

#: The tokens of a sign-in, in the order in which they are always listed.
TOKENS: Final[tuple[Token, Token]] = ("access", "id")

_COGNITO: Final = "Cognito alone sets this claim"
_SCOPES: Final = "scopes are granted by roles, not set as a claim"
_GROUPS: Final = "groups change by groups, not as a claim"
_DEVELOPER: Final = "a dev: attribute can only be suppressed"


class Row(NamedTuple):
    """What a trigger may do to a claim, change by change: None, or why it may not.

    The page does not say whether a name of one token may be added to the other (``client_id`` in an ID token, say), so
    neither may.
    """

    set_access: str | None
    suppress_access: str | None
    set_id: str | None
    suppress_id: str | None


_FREE: Final = Row(None, None, None, None)
_RESERVED: Final = Row(_COGNITO, _COGNITO, _COGNITO, _COGNITO)

#: The table, claim by claim. ``aud`` of the access token takes one value, the client's id, and no policy sets it.
TABLE: Final[Mapping[str, Row]] = {
    **dict.fromkeys(
        [
            "acr",
            "amr",
            "at_hash",
            "aud",
            "auth_time",
            "azp",
            "client_id",
            "device_key",
            "event_id",
            "exp",
            "iat",
            "identities",
            "iss",
            "jti",
            "nbf",
            "nonce",
            "origin_jti",
            "sub",
            "token_use",
            "username",
            "version",
        ],
        _RESERVED,
    ),
    # Changed by ``scopesToAdd`` and ``scopesToSuppress`` only; ``scp`` is what others call the same.
    **dict.fromkeys(["scope", "scp"], Row(_SCOPES, _SCOPES, _SCOPES, _SCOPES)),
    # Suppressing it takes the roles and the preferred role along.
    "cognito:groups": Row(_GROUPS, None, _GROUPS, None),
}

#: Rows for every other name that begins so.
PREFIXES: Final[Mapping[str, Row]] = {
    "cognito:": _RESERVED,
    "aws:": _RESERVED,
    "dev:": Row(_DEVELOPER, None, _DEVELOPER, None),
}

#: Claims about a user that OpenID Connect Core section 5.1 gives a meaning; others trust what is in them.
STANDARD: Final = frozenset(
    [
        "address",
        "birthdate",
        "email",
        "email_verified",
        "family_name",
        "gender",
        "given_name",
        "locale",
        "middle_name",
        "name",
        "nickname",
        "phone_number",
        "phone_number_verified",
        "picture",
        "preferred_username",
        "profile",
        "updated_at",
        "website",
        "zoneinfo",
    ],
)

#: Standard attributes that an app client may let its users write (UpdateUserAttributes): all of them but the marks that
#: Cognito sets itself. A client that names none may write every one, and each client may write those that the pool
#: requires (user-pool-settings-attributes, "Attribute permissions and scopes").
WRITTEN_BY_USERS: Final = STANDARD - {"email_verified", "phone_number_verified"}

#: ID token claims that take no array and no object.
PLAIN_IN_ID: Final = frozenset({"address", "email_verified", "phone_number_verified", "updated_at"})

#: Claims in AWS's own namespaces. AWS STS makes session tags and a source identity of ``https://aws.amazon.com/tags``,
#: ``…/tags/principal_tags/NAME``, ``…/tags/transitive_tag_keys`` and ``…/source_identity`` (IAM user guide, "Passing
#: session tags using AssumeRoleWithWebIdentity" and "Monitor and control actions taken with assumed roles"). Which
#: spellings it takes beyond these is not documented, nor what it will read tomorrow; so any case, either scheme, and
#: every host of AWS's.
_OF_AWS: Final = re.compile(
    r"\s*(?:https?:)?//(?:[^/?#\s]*[.@])?(?:amazon\.com|amazon\.cn|amazonaws\.(?:com|com\.cn|eu))\.?(?:[:/?#\s]|$)",
    re.IGNORECASE,
)

#: What Cognito itself puts into access tokens, whatever a policy says
#: (amazon-cognito-user-pools-using-the-access-token).
OF_ACCESS_TOKENS: Final = frozenset(
    {
        *("auth_time", "client_id", "cognito:groups", "device_key", "event_id", "exp", "iat", "iss", "jti"),
        *("origin_jti", "scope", "sub", "token_use", "username", "version", "aud"),
    }
)

#: Levels of nesting that a value may have; real claims have two or three.
_DEPTH: Final = 16

_NO_NAME: Final = "a claim needs a name"


def row(name: str) -> Row:
    """The row of the table for a claim."""
    found = TABLE.get(name)
    if found is None and ":" in name:
        found = next((PREFIXES[prefix] for prefix in PREFIXES if name.startswith(prefix)), None)
    return found or _FREE


def is_of_aws(name: str) -> bool:
    """Whether AWS may read a claim of this name as its own, and grant by it."""
    return _OF_AWS.match(name) is not None


def refused_name(token: Token, name: str) -> str | None:
    """Why no trigger may set a claim of this name, or None where it may."""
    if name and name.isascii() and ":" not in name and name not in TABLE:
        return None  # most are
    if not name or not _is_text(name):
        return _NO_NAME
    found = row(name)
    return found.set_access if token == TOKENS[0] else found.set_id


def refused_suppression(token: Token, name: str) -> str | None:
    """Why no trigger may suppress a claim of this name, or None where it may."""
    if not name or not _is_text(name):
        return _NO_NAME
    found = row(name)
    return found.suppress_access if token == TOKENS[0] else found.suppress_id


#: Types of an array's members that are taken as they are.
_PLAIN: Final = frozenset({str, bool, int})


def is_plain(name: str, value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Whether this claim takes a value as it is in both tokens, if it may be set there; False says nothing."""
    kind = type(value)
    if kind is list:
        return set(map(type, value)) == {str} and "".join(value).isascii() and name not in PLAIN_IN_ID
    return kind is int or (kind is str and value.isascii())


class UnacceptableError(ValueError):
    """A value that no claim can have; the message gives the reason, without the value."""


def checked(token: Token, name: str, value: object) -> Any:  # noqa: ANN401 - a JSON value
    """The value as Cognito takes it for this claim in this token.

    Raises:
        UnacceptableError: no trigger may set the claim, or Cognito does not take the value.
    """
    return checked_by(token, name, value, accepted)


def checked_by(token: Token, name: str, value: object, accept: Callable[[object], Any]) -> Any:  # noqa: ANN401 - a JSON value
    """As ``checked``, for a caller that keeps the results of ``accepted``.

    Args:
        token: which one.
        name: the claim's.
        value: any.
        accept: stands in for ``accepted``.

    Raises:
        UnacceptableError: as ``checked``.
    """
    why = refused_name(token, name)
    if why is not None:
        raise UnacceptableError(why)
    value = accept(value)
    if isinstance(value, list | dict) and token == TOKENS[1] and name in PLAIN_IN_ID:
        raise UnacceptableError("the ID token takes no array and no object here")
    return value


def accepted(value: object) -> Any:  # noqa: ANN401 - a JSON value
    """The value as Cognito takes it: sets become sorted lists, decimals numbers.

    Version 2 and 3 take strings, numbers, booleans, arrays of these, and objects.

    Raises:
        UnacceptableError: it holds null, a number that JSON has not, bytes, an array inside or of objects, or is
            nested too deeply.
    """
    return _accepted(value, 0)


def _accepted(value: object, depth: int) -> Any:  # noqa: ANN401 - a JSON value
    if depth > _DEPTH:
        raise UnacceptableError(f"nested more than {_DEPTH} levels deep")
    if isinstance(value, str):
        if not _is_text(value):
            raise UnacceptableError("half a character is no text")
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal | float):
        return _number(value)
    if isinstance(value, list | tuple | set | frozenset):
        return _array(value, depth)
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key and _is_text(key) for key in value):
            raise UnacceptableError("an object's names are strings")
        return {key: _accepted(item, depth + 1) for key, item in value.items()}
    raise UnacceptableError("null is not a claim value" if value is None else "not a JSON value")


def _array(values: Collection[Any], depth: int) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN and _is_text("".join([item for item in values if type(item) is str])):
        array = list(values)
    elif any(issubclass(kind, dict | list | tuple | set | frozenset) for kind in kinds):
        raise UnacceptableError("an array holds only strings, numbers and booleans")
    else:
        array = [_accepted(item, depth + 1) for item in values]
    if isinstance(values, set | frozenset):
        array.sort(key=lambda item: (type(item).__name__, item))
    return array


def _is_text(value: str) -> bool:
    """Whether a string is one that UTF-8 can hold; JSON's escapes can express others."""
    return value.isascii() or not _SURROGATE.search(value)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _number(value: Decimal | float) -> int | float:
    if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
        raise UnacceptableError("not a number that JSON has")
    if isinstance(value, float):
        return value
    return int(value) if value == value.to_integral_value() else float(value)

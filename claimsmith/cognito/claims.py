"""Which claims a trigger may set or suppress in which token, and with which values.

The table is "Claims and scopes reference" of ``user-pool-lambda-pre-token-generation``. What Cognito does with a
change it forbids is not documented, so none is ever sent.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Any, Final, Literal

Token = Literal["access", "id"]

#: The tokens of a sign-in, in the order in which they are always told.
TOKENS: Final[tuple[Token, Token]] = ("access", "id")

_BOTH: Final = frozenset(
    ["acr", "amr", "auth_time", "azp", "exp", "iat", "iss", "jti", "nbf", "nonce", "origin_jti", "sub", "token_use"],
)

#: Claims that Cognito alone sets. The page does not say whether a name of one token may be added to the other
#: (``client_id`` in an ID token, say), so neither may.
RESERVED: Final = _BOTH | frozenset(
    ["at_hash", "aud", "client_id", "device_key", "event_id", "identities", "username", "version"],
)

_RESERVED_PREFIXES: Final = ("cognito:", "dev:", "aws:")

#: Changed by ``scopesToAdd`` and ``scopesToSuppress`` only.
SCOPE_CLAIMS: Final = frozenset({"scope", "scp"})

#: ID token claims that take no array and no object.
_PLAIN_IN_ID: Final = frozenset({"address", "email_verified", "phone_number_verified", "updated_at"})

#: Levels of nesting that a value may have; real claims have two or three.
_DEPTH: Final = 16


def refused_name(name: str) -> str | None:
    """Why no trigger may set a claim of this name, or None where it may."""
    if not name:
        return "a claim needs a name"
    if name in RESERVED or name.startswith(_RESERVED_PREFIXES):
        return "Cognito alone sets this claim"
    if name in SCOPE_CLAIMS:
        return "scopes are granted by roles, not set as a claim"
    return None


#: Types of an array's members that are taken as they are.
_PLAIN: Final = frozenset({str, bool, int})


class UnacceptableError(ValueError):
    """A value that no claim can have; the message says why, without the value."""


def checked(token: Token, name: str, value: object) -> Any:  # noqa: ANN401 - a JSON value
    """The value as Cognito takes it for this claim in this token.

    Raises:
        UnacceptableError: no trigger may set the claim, or Cognito does not take the value.
    """
    why = refused_name(name)
    if why is not None:
        raise UnacceptableError(why)
    value = accepted(value)
    if isinstance(value, list | dict) and token == "id" and name in _PLAIN_IN_ID:
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
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal | float):
        return _number(value)
    if isinstance(value, set | frozenset):
        value = sorted(value, key=lambda item: (type(item).__name__, item))
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        if kinds <= _PLAIN:
            return list(value)
        if any(issubclass(kind, dict | list | tuple | set | frozenset) for kind in kinds):
            raise UnacceptableError("an array holds only strings, numbers and booleans")
        return [_accepted(item, depth + 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key for key in value):
            raise UnacceptableError("an object's names are strings")
        return {key: _accepted(item, depth + 1) for key, item in value.items()}
    raise UnacceptableError("null is not a claim value" if value is None else "not a JSON value")


def _number(value: Decimal | float) -> int | float:
    if not isfinite(value):
        raise UnacceptableError("not a number that JSON has")
    if isinstance(value, float):
        return value
    return int(value) if value == value.to_integral_value() else float(value)

"""The two encodings a token is made of, read strictly: base64url and JSON.

Both answer ``None`` instead of raising: the exceptions of the standard library carry the text they could not read, and
unverified content must not travel in an exception, not even as its cause.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from math import isfinite
from types import MappingProxyType
from typing import Any, NoReturn

#: ``-`` and ``_`` become the standard alphabet; what base64url has no place for becomes a character that is no base64.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")


def base64url(segment: bytes) -> bytes | None:
    """The octets of a base64url segment, without padding (RFC 7515 section 2).

    Only the one canonical spelling is read. Python's decoder skips characters it does not know and ignores spare bits,
    so what it read is encoded again and compared.

    Returns:
        ``None`` where the segment is not canonical base64url.
    """
    standard = segment.translate(_TO_STANDARD)
    try:
        octets = a2b_base64(standard + b"==")
    except ValueError:
        return None
    return octets if b2a_base64(octets, newline=False).rstrip(b"=") == standard else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a member occurs twice (RFC 7515 section 4, RFC 7519 section 4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _finite(literal: str) -> float:
    """A number with a fraction or an exponent, unless it is too large for one (``1e999`` would read as infinity)."""
    number = float(literal)
    if not isfinite(number):
        raise ValueError
    return number


def _constant(_literal: str) -> NoReturn:
    """``NaN`` and ``Infinity`` are no JSON, although Python reads them."""
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant)


def json_object(octets: bytes) -> dict[str, Any] | None:
    """The members of a JSON object (RFC 8259), or ``None`` where the octets are anything else.

    Refused: invalid UTF-8, a byte order mark, duplicate members at any depth, NaN and infinities, half of a surrogate
    pair (RFC 7493 section 2.1), nesting deeper than the interpreter can follow.
    """
    try:
        text = octets.decode()
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # the only way a lone surrogate could have come in
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value, with lists as tuples and objects as read-only mappings."""
    if type(value) is list:
        return tuple(frozen(item) for item in value)
    if type(value) is dict:
        return MappingProxyType({name: frozen(item) for name, item in value.items()})
    return value

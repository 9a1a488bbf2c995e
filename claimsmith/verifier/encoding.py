"""The two encodings of a token, parsed strictly: base64url and JSON.

The parsers return ``None`` instead of raising: the exceptions of the standard library contain the text that they could
not parse, and unverified content must not be in an exception, not even as its cause.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from claimsmith.errors import Code, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

#: By the length of the last group, one to four characters: the padding that Python's decoder needs, and the last
#: characters that leave no spare bit set. A group of one character is not base64.
_GROUPS: Final = ((b"", _ALPHABET), (b"", b""), (b"==", _ALPHABET[::16]), (b"=", _ALPHABET[::4]))

#: Characters of standard base64 that base64url does not have. As numbers: a search for one octet is five times as fast
#: as for a string of one.
_PLUS, _SLASH, _EQUALS = b"+/="
_BACKSLASH: Final = ord("\\")

#: How deep a claim that is read may be nested. Without this it would depend on the caller's stack, of which each level
#: takes some: a claim that was read could still be too deep for ``json.dumps`` or ``repr``.
MAX_LEVELS: Final = 100


def to_standard_alphabet(text: bytes) -> bytes | None:
    """Base64url, with or without dots between segments, in the alphabet of standard base64 without padding.

    Returns:
        ``None`` if the text has a character that only standard base64 has.
    """
    if _PLUS in text or _SLASH in text or _EQUALS in text:
        return None
    return text.replace(b"-", b"+").replace(b"_", b"/")


def decode_unpadded(segment: bytes) -> bytes | None:
    """The octets of a segment that ``to_standard_alphabet`` returned.

    Only the canonical form is accepted: no other character and no spare bit set. Python's decoder skips unknown
    characters, so each of them makes the result shorter than it must be.

    Returns:
        ``None`` if the segment is not canonical.
    """
    if not segment:
        return b""
    length = len(segment)
    padding, last = _GROUPS[length & 3]
    if segment[-1] not in last:
        return None
    try:
        octets = a2b_base64(segment + padding)
    except ValueError:
        return None
    return octets if len(octets) == length * 3 >> 2 else None


def base64url(segment: bytes) -> bytes | None:
    """The octets of a base64url segment, without padding (RFC 7515 section 2).

    Returns:
        ``None`` if the segment is not base64url in its canonical form.
    """
    text = to_standard_alphabet(segment)
    return None if text is None else decode_unpadded(text)


def base64(text: str) -> bytes | None:
    """The octets of canonical base64 with padding (RFC 4648 section 4), or ``None`` if the text is something else."""
    try:
        octets = a2b_base64(text.encode(), strict_mode=True)
    except ValueError:
        return None
    return octets if b2a_base64(octets, newline=False) == text.encode() else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a member occurs twice (RFC 7515 section 4, RFC 7519 section 4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _finite(literal: str) -> float:
    """A number with a fraction or an exponent, unless it is too large (``1e999`` would become infinity)."""
    number = float(literal)
    if not isfinite(number):
        raise ValueError
    return number


def _reject_constant(_literal: str) -> NoReturn:
    """``NaN`` and ``Infinity`` are not JSON, although Python accepts them."""
    raise ValueError


#: The scanner of a decoder: ``decode`` itself only adds two regular expressions for white space.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_reject_constant
).scan_once  # type: ignore[attr-defined] # documented in the source only
_WHITE_SPACE: Final = " \t\n\r"  # RFC 8259 section 2


def json_object(octets: bytes) -> dict[str, Any] | None:
    """The members of a JSON object (RFC 8259), or ``None`` if the octets are anything else.

    Refused: invalid UTF-8, a byte order mark, duplicate members at any depth, NaN and infinities, half of a surrogate
    pair (RFC 7493 section 2.1), nesting deeper than the interpreter can follow.
    """
    try:
        text = octets.decode().strip(_WHITE_SPACE)
        value, end = _scan(text, 0)
        if _BACKSLASH in octets and "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can only come from an escape
    except (ValueError, RecursionError, StopIteration):
        return None
    return value if type(value) is dict and end == len(text) else None


def frozen(value: Any, levels: int = MAX_LEVELS) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value, with lists as tuples and objects as read-only mappings.

    Raises:
        VerificationError: ``CLAIMS_MALFORMED``: lists and objects are nested more than ``levels`` deep.
    """
    kind = type(value)
    if kind is not list and kind is not dict:
        return value
    if not levels:
        raise VerificationError(Code.CLAIMS_MALFORMED, "claims", "a claim is nested too deeply")
    if kind is list:
        return tuple(frozen(item, levels - 1) for item in value)
    return MappingProxyType({name: frozen(item, levels - 1) for name, item in value.items()})

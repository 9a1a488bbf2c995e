"""Every difference between Claimsmith's verdict and another library's that is meant, with its reason.

A difference is allowed where a row names the library and the code and its predicate holds for the token. The predicates
read tokens by themselves, leniently, with nothing of the code under test.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tests.differential.mutants import GOOD
from tests.differential.verdicts import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Callable

PYJWT, JOSERFC, AWS = "PyJWT", "joserfc", "aws-jwt-verify"


class Reading:
    """A token, read as leniently as anybody reads it.

    Attributes:
        token: as it is.
        now: epoch seconds of the verdicts.
    """

    def __init__(self, token: str, now: int) -> None:
        self.token = token
        self.now = now

    @cached_property
    def segments(self) -> list[str]:
        return self.token.split(".")

    def text(self, segment: int) -> bytes:
        """The octets of a segment; none where there are none."""
        if segment >= len(self.segments):
            return b""
        part = re.sub(r"[^A-Za-z0-9+/]", "", self.segments[segment].replace("-", "+").replace("_", "/"))
        try:
            return base64.b64decode(part + "=" * (-len(part) % 4))
        except binascii.Error:
            return b""

    def _members(self, segment: int) -> dict[str, Any]:
        text = self.text(segment)
        try:
            value = json.loads(text.decode("utf-8", "replace") if b"\0" not in text[:4] else text.decode("utf-16"))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def header(self) -> dict[str, Any]:
        return self._members(0)

    @cached_property
    def claims(self) -> dict[str, Any]:
        return self._members(1)


# Text.


def other_spelling(reading: Reading) -> bool:
    """Octets of some segment that have another, canonical spelling."""
    spelled = [base64.urlsafe_b64encode(reading.text(at)).rstrip(b"=").decode() for at in range(3)]
    return reading.segments != spelled


def _pairs(reading: Reading) -> list[list[tuple[str, Any]]]:
    """The members of every object in header and payload, as they stand there."""
    seen: list[list[tuple[str, Any]]] = []
    for segment in (0, 1):
        text = reading.text(segment)
        try:
            json.loads(text.decode("utf-8-sig", "replace"), object_pairs_hook=seen.append)
        except (ValueError, RecursionError):
            continue
    return seen


def a_member_twice(reading: Reading) -> bool:
    return any(len({name for name, _ in pairs}) < len(pairs) for pairs in _pairs(reading))


def not_utf8(reading: Reading) -> bool:
    for segment in (0, 1):
        try:
            reading.text(segment).decode()
        except UnicodeDecodeError:
            return True
    return False


def a_byte_order_mark(reading: Reading) -> bool:
    return any(reading.text(segment).startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) for segment in (0, 1))


def _numbers(value: object) -> list[float]:
    if isinstance(value, float):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [number for item in value for number in _numbers(item)] if isinstance(value, list) else []


def a_number_that_is_none(reading: Reading) -> bool:
    """NaN, an infinity, or a number so large that it reads as one."""
    return any(not math.isfinite(number) for part in (reading.header, reading.claims) for number in _numbers(part))


def half_a_surrogate(reading: Reading) -> bool:
    text = json.dumps([reading.header, reading.claims], ensure_ascii=False)
    return any("\ud800" <= character <= "\udfff" for character in text)


def size(reading: Reading) -> bool:
    return len(reading.token) > 16_384 or len(reading.segments[0]) > 1_024


# The header.


def must_be_understood(reading: Reading) -> bool:
    return "crit" in reading.header or "b64" in reading.header


def another_algorithm(reading: Reading) -> bool:
    """Of an RSA key whose set does not say which algorithm it is for."""
    return (
        reading.header.get("alg") in {"RS384", "RS512", "ES256", "EdDSA"} and reading.header.get("kid") == "without-alg"
    )


def another_type(reading: Reading) -> bool:
    return str(reading.header.get("typ")).lower() not in {"jwt", "at+jwt", "application/at+jwt"}


def a_key_for_something_else(reading: Reading) -> bool:
    return reading.header.get("kid") not in GOOD


def an_unknown_member(reading: Reading) -> bool:
    """Anything but the parameters that RFC 7515 section 4.1 registers, or one of them with a value of no use."""
    known = {"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"}
    return not reading.header.keys() <= known or not isinstance(reading.header.get("cty", ""), str)


def a_header_over_512(reading: Reading) -> bool:
    return len(reading.segments[0]) > 512


# Claims.

_LISTS: Final = ("cognito:groups", "roles")
_NAMES: Final = ("sub", "client_id", "jti", "origin_jti", "username", "cognito:username", "tenant_id")
_TIMES: Final = ("exp", "nbf", "iat", "auth_time")


def no_exp(reading: Reading) -> bool:
    return "exp" not in reading.claims


def no_sub(reading: Reading) -> bool:
    return "sub" not in reading.claims


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**53


def a_time_that_is_none(reading: Reading) -> bool:
    return any(name in reading.claims and not _is_time(reading.claims[name]) for name in _TIMES)


def _is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def a_claim_of_another_type(reading: Reading) -> bool:
    claims = reading.claims
    aud = claims.get("aud", "")
    return (
        any(name in claims and not (isinstance(claims[name], str) and claims[name]) for name in _NAMES)
        or any(name in claims and not _is_list_of_strings(claims[name]) for name in _LISTS)
        or not isinstance(claims.get("scope", ""), str)
        or not (isinstance(aud, str) or _is_list_of_strings(aud))
    )


def for_another_resource(reading: Reading) -> bool:
    claims = reading.claims
    aud = claims.get("aud")
    bound = aud if isinstance(aud, list) else [aud]
    return "aud" in claims and (not bound or any(name != claims.get("client_id") for name in bound))


def from_the_future(reading: Reading) -> bool:
    return _is_time(reading.claims.get("iat")) and reading.claims["iat"] > reading.now


def a_list_for_a_name(reading: Reading) -> bool:
    return any(isinstance(reading.claims.get(name), list) for name in ("token_use", "client_id"))


@dataclass(frozen=True)
class Difference:
    """A row of the table.

    Attributes:
        ours: Claimsmith's verdict: a code, or "accepted".
        when: what is true of the token.
        libraries: whose verdict is the other one.
        what: of the tokens, in words.
        reason: why it is meant.
    """

    ours: str
    when: Callable[[Reading], bool]
    libraries: frozenset[str]
    what: str
    reason: str

    def explains(self, library: str, ours: str, reading: Reading) -> bool:
        """Whether this row allows that verdicts differ."""
        return library in self.libraries and ours == self.ours and self.when(reading)


def _row(ours: str, when: Callable[[Reading], bool], libraries: str, what: str, reason: str) -> Difference:
    known = {PYJWT: "P", JOSERFC: "J", AWS: "A"}
    return Difference(ours, when, frozenset(name for name, mark in known.items() if mark in libraries), what, reason)


#: Marks: P is PyJWT, J joserfc, A aws-jwt-verify.
ALLOWED: Final = (
    _row("TOKEN_TOO_LARGE", size, "PJA", "over 16,384 characters, or a header over 1,024", "work is bounded first"),
    _row(
        "TOKEN_MALFORMED", other_spelling, "PA", "padding, spare bits, other characters",
        "one token has one spelling (RFC 7515 section 2)",
    ),
    _row(
        "TOKEN_MALFORMED", a_member_twice, "PJA", "a member twice",
        "two readers must not see two tokens (RFC 7515 section 4)",
    ),
    _row(
        "TOKEN_MALFORMED", not_utf8, "PJA", "text that is not UTF-8",
        "RFC 7515 sections 3 and 5.2, RFC 7519 section 7.2",
    ),
    _row("TOKEN_MALFORMED", a_byte_order_mark, "PJ", "a byte order mark", "RFC 8259 section 8.1"),
    _row(
        "TOKEN_MALFORMED", a_number_that_is_none, "PJA", "NaN, Infinity, 1e400",
        "not JSON (RFC 8259 section 6), or not the same number for every reader",
    ),
    _row(
        "TOKEN_MALFORMED", half_a_surrogate, "PJA", "a lone surrogate",
        "RFC 7493 section 2.1; programs that pass it on may fail",
    ),
    _row(
        "CRITICAL_HEADER", must_be_understood, "PJA", "`crit`, or `b64`",
        "no extension is understood (RFC 7515 section 4.1.11); `b64` must be critical (RFC 7797 section 6)",
    ),
    _row(
        "ALGORITHM_NOT_ALLOWED", another_algorithm, "A",
        "RS384 or RS512, or an RS256 signature called ES256 or EdDSA, of a key without `alg`",
        "the verifier chooses the algorithm, not the token (RFC 8725 section 3.1)",
    ),
    _row(
        "TYPE_NOT_ALLOWED", another_type, "PJA", "a `typ` that is no JWT's",
        "another kind of token (RFC 8725 section 3.11)",
    ),
    _row(
        "KEY_UNUSABLE", a_key_for_something_else, "PJA", "a key of 1024 bits, or for something else",
        "RFC 7518 section 3.3, RFC 7517 sections 4.2 to 4.4",
    ),
    _row("CLAIMS_MALFORMED", no_exp, "A", "no `exp`", "valid for ever"),
    _row("CLAIMS_MALFORMED", no_sub, "PJA", "no `sub`", "nobody's token; Cognito always sets it"),
    _row(
        "CLAIMS_MALFORMED", a_time_that_is_none, "PJA", "a time that is not a plain number",
        "nothing is converted, `true` is not a time",
    ),
    _row(
        "CLAIMS_MALFORMED", a_claim_of_another_type, "PJA", "a claim of another type",
        "what is read later has the type that it promises",
    ),
    _row(
        "WRONG_AUDIENCE", for_another_resource, "PJA", "an `aud` other than its own client",
        "it is for another resource (RFC 9068 section 4, RFC 8707)",
    ),
    _row("TOKEN_FROM_FUTURE", from_the_future, "A", "`iat` ahead of the clock", "no honest issuer has issued it yet"),
    _row("WRONG_TOKEN_USE", a_list_for_a_name, "J", "a list in place of `token_use`", "the value must be a string"),
    _row(
        ACCEPTED, an_unknown_member, "J", "a header member that RFC 7515 does not know",
        "RFC 7515 section 4: what is not understood is ignored, unless critical",
    ),
    _row(ACCEPTED, a_header_over_512, "J", "a header between 512 and 1,024 characters", "a different limit"),
)  # fmt: skip


def table() -> str:
    """The rows in Markdown."""
    lines = ["| Claimsmith says | the token has | the other verdict is of | reason |", "|---|---|---|---|"]
    for row in ALLOWED:
        others = ", ".join(name for name in (PYJWT, JOSERFC, AWS) if name in row.libraries)
        lines.append(f"| {row.ours.lower()} | {row.what} | {others} | {row.reason} |")
    return "\n".join(lines)

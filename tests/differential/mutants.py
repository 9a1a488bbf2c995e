"""Tokens with something done to them: to the header, the claims, the text, the encoding, the signature, the key.

Structure-aware: a mutation changes what it is about and leaves the rest as Cognito would make it; where it is about
content the token is signed again, so that the checks behind the signature get to see it. One to three mutations each.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from tests.unit.verifier.minting import CLIENT, ISSUER, UPDATED_ISSUER, access_claims, b64, jwk, private_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric import rsa

#: Seconds. Times are further than this from any boundary, so that the verdict does not depend on how long a run takes.
FAR: Final = 900

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Text(str):
    """JSON text that stands for itself in a claim or a header: what ``json.dumps`` would not write."""

    __slots__ = ()


@dataclass
class Draft:
    """A token in the making.

    Attributes:
        header: members in order; names may repeat.
        claims: likewise.
        now: epoch seconds.
        header_text: what is done to the header's JSON text.
        payload_text: what is done to the payload's.
        sign: makes the signature of the octets; ``None``: the pool's first key does.
        finish: what is done to the finished token.
        done: the mutations by name.
    """

    header: list[tuple[str, Any]]
    claims: list[tuple[str, Any]]
    now: int
    header_text: list[Callable[[bytes], bytes]] = field(default_factory=list)
    payload_text: list[Callable[[bytes], bytes]] = field(default_factory=list)
    sign: Callable[[bytes], bytes] | None = None
    finish: list[Callable[[str], str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mutant:
    """A token, what was done to it, and whether its signature is a genuine RS256 one by a key of the set."""

    token: str
    done: tuple[str, ...]
    signed_again: bool


# Keys. The set has good ones and one of every kind that must not be used.


@cache
def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _elliptic_jwk() -> dict[str, Any]:
    numbers = elliptic().public_key().public_numbers()
    x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "kid": "elliptic", "use": "sig", "alg": "ES256", "x": x, "y": y}


SIGNERS: Final[dict[str, tuple[str, int]]] = {
    "key-1": ("first", 2048),
    "key-2": ("second", 2048),
    "small": ("small", 1024),
    "for-encryption": ("enc", 2048),
    "no-verify": ("ops", 2048),
    "of-rs512": ("rs512", 2048),
    "without-alg": ("plain", 2048),
    "large": ("large", 3072),
}
GOOD: Final = ("key-1", "key-2", "without-alg", "large")
_MEMBERS: Final[dict[str, dict[str, Any]]] = {
    "for-encryption": {"use": "enc"},
    "no-verify": {"use": None, "key_ops": ["encrypt"]},
    "of-rs512": {"alg": "RS512"},
    "without-alg": {"alg": None, "use": None},
}


def signer(kid: str) -> rsa.RSAPrivateKey:
    name, bits = SIGNERS[kid]
    return private_key(name, bits)


@cache
def key_set() -> dict[str, Any]:
    """The pool's JWK Set."""
    return {"keys": [*(jwk(signer(kid), kid, **_MEMBERS.get(kid, {})) for kid in SIGNERS), _elliptic_jwk()]}


@cache
def rs256(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    """Signs; what only the finished text is changed of is signed once."""

    @lru_cache(maxsize=64)
    def sign(signed: bytes) -> bytes:
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    return sign


# Text.


def _object(members: list[tuple[str, Any]]) -> bytes:
    parts = (f"{json.dumps(name)}:{value if isinstance(value, Text) else json.dumps(value)}" for name, value in members)
    return f"{{{','.join(parts)}}}".encode()


def _put(members: list[tuple[str, Any]], name: str, value: object) -> list[tuple[str, Any]]:
    """The members with this one changed in its place, or added."""
    if any(other == name for other, _ in members):
        return [(other, value if other == name else old) for other, old in members]
    return [*members, (name, value)]


def _without(members: list[tuple[str, Any]], name: str) -> list[tuple[str, Any]]:
    return [(other, value) for other, value in members if other != name]


# Mutations of content: signed again.

_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 1.5, "", " ", "x", "ünïcode", "\u0000", [], {}, ["x"], [1], [None], {"a": 1},
    "9999999999", 1e300, -1e300, 2**53 + 1, -(2**60), Text("1e400"), Text("NaN"), Text("-Infinity"), Text("01"),
    Text("1E3"), Text('"\\ud800"'), Text('"\\u0041"'), Text('{"a":1,"a":2}'), [["x"]],
)  # fmt: skip
_CLAIMS: Final = (
    "sub", "iss", "client_id", "aud", "token_use", "scope", "exp", "nbf", "iat", "auth_time", "jti", "origin_jti",
    "username", "cognito:username", "cognito:groups", "roles", "tenant_id", "version", "custom",
)  # fmt: skip
_ISSUERS: Final = (
    UPDATED_ISSUER, ISSUER + "/", ISSUER.upper(), ISSUER + "x", ISSUER[:-1], ISSUER.replace("https", "http"),
    "https://login.example.com", ISSUER.replace("eu-central-1.", "eu-west-1."), [ISSUER], " " + ISSUER,
)  # fmt: skip
_ALGORITHMS: Final = (
    "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256",
    "RS256 ", "Rs256", None, 256, ["RS256"], {"alg": "RS256"}, True, "RSA-OAEP", "dir",
)  # fmt: skip
_KEY_IDS: Final = (
    None, "", "unknown", "KEY-1", "key-1 ", "../../../../dev/null", "key-1' OR '1'='1", 1, ["key-1"], {"kid": "key-1"},
    "key-1\u0000", True,
)  # fmt: skip
_TYPES: Final = ("JWT", "jwt", "at+jwt", "application/at+jwt", "logout+jwt", "JOSE", "JWE", "", 1, None, ["JWT"])


def _claim(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(_CLAIMS)
    value = rng.choice(_ODD)
    draft.claims = _put(draft.claims, name, value)
    return f"claim {name}"


def _no_claim(draft: Draft, rng: random.Random) -> str:
    name = rng.choice([name for name, _ in draft.claims] or ["sub"])
    draft.claims = _without(draft.claims, name)
    return f"without {name}"


def _time(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(("exp", "nbf", "iat", "auth_time"))
    away = rng.choice((-(10**9), -10 * FAR, -FAR, FAR, FAR + 0.5, 10 * FAR, 10**8, 10**11))
    draft.claims = _put(draft.claims, name, draft.now + away)
    return f"time {name}"


def _issuer(draft: Draft, rng: random.Random) -> str:
    draft.claims = _put(draft.claims, "iss", rng.choice(_ISSUERS))
    return "issuer"


def _audience(draft: Draft, rng: random.Random) -> str:
    client = rng.choice((CLIENT, "other", CLIENT.upper(), CLIENT + " ", [CLIENT], ["other", CLIENT], None))
    draft.claims = _put(draft.claims, rng.choice(("client_id", "aud")), client)
    return "client"


def _use(draft: Draft, rng: random.Random) -> str:
    draft.claims = _put(draft.claims, "token_use", rng.choice(("id", "refresh", "ACCESS", "", "access ", ["access"])))
    return "token_use"


def _harmless(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(("custom:plan", "x", "__proto__", "constructor", "ключ", "version"))
    draft.claims = [*draft.claims, (name, rng.choice((1, "x", None, [1, {"a": None}], {"b": {"c": []}}, 1.25, True)))]
    return "another claim"


def _twice(draft: Draft, rng: random.Random) -> str:
    name, value = rng.choice(draft.claims or [("sub", "x")])
    other = rng.choice((value, "other", 1))
    at = rng.randrange(len(draft.claims) + 1)
    draft.claims = [*draft.claims[:at], (name, other), *draft.claims[at:]]
    return "claim twice"


def _order(draft: Draft, rng: random.Random) -> str:
    rng.shuffle(draft.claims)
    rng.shuffle(draft.header)
    return "order"


def _replaced(*pairs: tuple[bytes, bytes]) -> list[Callable[[bytes], bytes]]:
    return [lambda text, old=old, new=new: text.replace(old, new, 1) for old, new in pairs]  # type: ignore[misc] # defaults


_TEXT: Final[dict[str, Callable[[bytes], bytes]]] = {
    "white space": lambda text: b" \t\r\n" + text.replace(b",", b" ,\n") + b"\n",
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "invalid UTF-8": lambda text: text.replace(b"e", b"\xff", 1),
    "invalid UTF-8 in a value": lambda text: text.replace(b'"}', b'\xc3"}').replace(b'"]', b'\xed\xa0\x80"]'),
    "UTF-16": lambda text: text.decode("utf-8", "replace").encode("utf-16"),
    "an escaped name": lambda text: text.replace(b'"e', b'"\\u0065', 1).replace(b'"a', b'"\\u0061', 1),
    "an escaped name twice": lambda text: text[:-1] + b',"\\u0073ub":"admin","\\u006bid":"key-2"}',
    "a comma too many": lambda text: text[:-1] + b",}",
    "a comment": lambda text: text[:-1] + b"/**/}",
    "something after it": lambda text: text + b"{}",
    "a null octet after it": lambda text: text + b"\x00",
    "vertical white space": lambda text: text + b"\x0b",
    "cut off": lambda text: text[: len(text) // 2],
    "an array around it": lambda text: b"[" + text + b"]",
    "nothing": lambda _text: b"",
    "null": lambda _text: b"null",
    "a string": lambda text: json.dumps(text.decode("utf-8", "replace")).encode(),
    "depth": lambda text: text[:-1] + b',"d":' + b"[" * 300 + b"]" * 300 + b"}",
    "too much depth": lambda text: text[:-1] + b',"d":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a control character": lambda text: text[:-1] + b',"c":"\x01"}',
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "size": lambda text: text[:-1] + b',"filler":"' + b"x" * 20_000 + b'"}',
}


def _payload_text(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(list(_TEXT))
    draft.payload_text.append(_TEXT[name])
    return f"payload: {name}"


def _header_text(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(list(_TEXT))
    draft.header_text.append(_TEXT[name])
    return f"header: {name}"


def _algorithm(draft: Draft, rng: random.Random) -> str:
    draft.header = _put(draft.header, "alg", rng.choice(_ALGORITHMS))
    return "alg"


def _key_id(draft: Draft, rng: random.Random) -> str:
    draft.header = _put(draft.header, "kid", rng.choice(_KEY_IDS))
    return "kid"


def _kind(draft: Draft, rng: random.Random) -> str:
    draft.header = _put(draft.header, "typ", rng.choice(_TYPES))
    return "typ"


def _critical(draft: Draft, rng: random.Random) -> str:
    draft.header = _put(draft.header, "crit", rng.choice(([], ["exp"], ["b64"], ["x"], "x", None, {}, [1])))
    draft.header = _put(draft.header, rng.choice(("b64", "x", "exp")), rng.choice((True, False, 1)))
    return "crit"


def _embedded(draft: Draft, rng: random.Random) -> str:
    """Keys that the token brings along, and signs with where it can."""
    foreign = private_key("foreign")
    brought = rng.choice(("jwk", "jku", "x5u", "x5c"))
    value = {
        "jwk": jwk(foreign),
        "jku": "https://attacker.example/jwks.json",
        "x5u": "https://attacker.example/x5u.pem",
        "x5c": ["MIIB"],
    }[brought]
    draft.header = _put(draft.header, brought, value)
    if rng.random() < 0.5:
        draft.sign = rs256(foreign)
    return f"embedded {brought}"


def _other_header(draft: Draft, rng: random.Random) -> str:
    name = rng.choice(("cty", "zip", "enc", "b64", "iv", "x", "epk", "url", "nonce", "p2c"))
    draft.header = _put(draft.header, name, rng.choice(("JWT", "DEF", "A256GCM", False, 2**31, {"a": [1]}, "x" * 200)))
    return f"header {name}"


def _header_twice(draft: Draft, rng: random.Random) -> str:
    name, value = rng.choice(draft.header or [("alg", "RS256")])
    draft.header.insert(rng.randrange(len(draft.header) + 1), (name, rng.choice((value, "none", "HS256", "key-2"))))
    return "header twice"


def _large_header(draft: Draft, rng: random.Random) -> str:
    draft.header = _put(draft.header, "filler", "x" * rng.choice((400, 900, 3000)))
    return "large header"


def _signer(draft: Draft, rng: random.Random) -> str:
    """Another key of the set, under its own id: some may, some must not."""
    kid = rng.choice(list(SIGNERS))
    draft.header = _put(draft.header, "kid", kid)
    draft.sign = rs256(signer(kid))
    return f"signed by {kid}"


def _algorithm_of_the_key(draft: Draft, rng: random.Random) -> str:
    """The key's set does not say what its algorithm is, so that the header could."""
    key = signer("without-alg")
    digests = {"RS384": hashes.SHA384(), "RS512": hashes.SHA512(), "ES256": hashes.SHA256(), "PS256": hashes.SHA256()}
    algorithm = rng.choice(list(digests))
    draft.header = _put(_put(draft.header, "kid", "without-alg"), "alg", algorithm)
    draft.sign = lambda signed: key.sign(signed, padding.PKCS1v15(), digests[algorithm])
    return "signature: an algorithm of the key's own"


# Mutations of the signature.


def _hmac(secret: bytes, digest: Callable[..., Any] = hashlib.sha256) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, digest)


@cache
def _secrets() -> tuple[bytes, ...]:
    public = signer("key-1").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return (pem, pem.strip(), json.dumps(key_set()["keys"][0]).encode(), b"", b"secret")


def _signature(draft: Draft, rng: random.Random) -> str:
    key = signer("key-1")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    modulus = key.public_key().public_numbers().n
    ways: dict[str, Callable[[bytes], bytes]] = {
        "a foreign key": rs256(private_key("foreign")),
        "the other key": rs256(signer("key-2")),
        "an HMAC": _hmac(rng.choice(_secrets())),
        "PSS": lambda signed: key.sign(signed, pss, hashes.SHA256()),
        "SHA-512": lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA512()),
        "ECDSA": lambda signed: elliptic().sign(signed, ec.ECDSA(hashes.SHA256())),
        "nothing": lambda _signed: b"",
        "zeros": lambda _signed: bytes(256),
        "ones": lambda _signed: b"\xff" * 256,
        "one": lambda _signed: bytes(255) + b"\x01",
        "a leading zero": lambda signed: b"\x00" + rs256(key)(signed),
        "a trailing zero": lambda signed: rs256(key)(signed) + b"\x00",
        "an octet less": lambda signed: rs256(key)(signed)[:-1],
        "the modulus added": lambda signed: (int.from_bytes(rs256(key)(signed), "big") + modulus).to_bytes(257, "big"),
        "another message": lambda signed: rs256(key)(signed + b" "),
        "noise": lambda _signed: rng.randbytes(256),
    }
    name = rng.choice(list(ways))
    draft.sign = ways[name]
    if name == "an HMAC" and rng.random() < 0.7:
        draft.header = _put(draft.header, "alg", "HS256")
    elif name == "nothing" and rng.random() < 0.7:
        draft.header = _put(draft.header, "alg", rng.choice(("none", "None", "NONE")))
    elif name == "PSS" and rng.random() < 0.5:
        draft.header = _put(draft.header, "alg", "PS256")
    elif name == "ECDSA" and rng.random() < 0.7:
        draft.header = _put(_put(draft.header, "alg", "ES256"), "kid", "elliptic")
    return f"signature: {name}"


# Mutations of the finished text.


def _finish(draft: Draft, rng: random.Random) -> str:
    at, other, segment = rng.random(), rng.choice(ALPHABET), rng.randrange(3)
    strange = rng.choice(("=", "==", "+", "/", "\n", " ", "\t", "!", ".", "\u00e9", "\u0130", "\x00", "%2E", "\u200b"))
    foreign = b64(_object([("alg", "none"), ("kid", "key-1")]))

    def spare_bits(token: str) -> str:
        return token[:-1] + ALPHABET[(ALPHABET.find(token[-1:]) & 0x3C) | (1 + int(at * 3))]

    def of_segment(change: Callable[[str], str]) -> Callable[[str], str]:
        def apply(token: str) -> str:
            parts = token.split(".")
            parts[segment % len(parts)] = change(parts[segment % len(parts)])
            return ".".join(parts)

        return apply

    def plain_base64(part: str) -> str:
        return part.replace("-", "+").replace("_", "/")

    def at_place(token: str) -> int:
        return int(at * len(token))

    ways: dict[str, Callable[[str], str]] = {
        "a character changed": lambda token: token[: at_place(token)] + other + token[at_place(token) + 1 :],
        "a character less": lambda token: token[: at_place(token)] + token[at_place(token) + 1 :],
        "a character more": lambda token: token[: at_place(token)] + strange + token[at_place(token) :],
        "something at the end": lambda token: token + strange,
        "something before it": lambda token: strange + token,
        "spare bits": spare_bits,
        "padding": of_segment(lambda part: part + "=" * (-len(part) % 4 or 4)),
        "plain base64": of_segment(plain_base64),
        "a segment empty": of_segment(lambda _part: ""),
        "a segment in other case": of_segment(str.swapcase),
        "a segment more": lambda token: token + "." + token.rpartition(".")[2],
        "a segment before": lambda token: f"{foreign}.{token}",
        "a segment less": lambda token: token.rpartition(".")[0],
        "another header": lambda token: f"{foreign}.{token.partition('.')[2]}",
        "five segments": lambda token: f"{token}.AAAA.AAAA",
        "JSON serialization": lambda token: json.dumps(
            dict(zip(("protected", "payload", "signature"), token.split("."), strict=False))
        ),
        "only a prefix": lambda token: token[: at_place(token)],
        "twice": lambda token: token + token,
        "with its scheme": lambda token: "Bearer " + token,
        "in quotes": lambda token: f'"{token}"',
        "upper case": str.upper,
    }
    name = rng.choice(list(ways))
    draft.finish.append(ways[name])
    return f"text: {name}"


#: How often each kind is drawn.
_MUTATIONS: Final[tuple[tuple[Callable[[Draft, random.Random], str], int], ...]] = (
    (_claim, 16), (_no_claim, 6), (_time, 8), (_issuer, 4), (_audience, 5), (_use, 3), (_harmless, 5), (_twice, 4),
    (_order, 2), (_payload_text, 8), (_header_text, 4), (_algorithm, 5), (_key_id, 4), (_kind, 4), (_critical, 3),
    (_embedded, 3), (_other_header, 3), (_header_twice, 3), (_large_header, 1), (_signer, 6),
    (_algorithm_of_the_key, 2), (_signature, 14), (_finish, 26),
)  # fmt: skip


def mutant(rng: random.Random, now: int) -> Mutant:
    """One token."""
    fresh = {"exp": now + 10 * FAR, "iat": now - FAR, "auth_time": now - FAR}
    draft = Draft([("kid", "key-1"), ("alg", "RS256")], list(access_claims(**fresh).items()), now)
    kinds, weights = zip(*_MUTATIONS, strict=True)
    for kind in rng.choices(kinds, weights, k=rng.choice((1, 1, 1, 2, 2, 3))):
        draft.done.append(kind(draft, rng))
    header, payload = _object(draft.header), _object(draft.claims)
    for change in draft.header_text:
        header = change(header)
    for change in draft.payload_text:
        payload = change(payload)
    signed = f"{b64(header)}.{b64(payload)}"
    token = f"{signed}.{b64((draft.sign or rs256(signer('key-1')))(signed.encode()))}"
    for finish in draft.finish:
        token = finish(token)
    genuine = not draft.finish and not any(name.startswith(("signature:", "embedded")) for name in draft.done)
    return Mutant(token, tuple(draft.done), genuine)


def mutants(seed: int, count: int, now: int) -> Iterator[Mutant]:
    """That many tokens, the same ones for the same seed but for keys and times."""
    rng = random.Random(seed)  # noqa: S311 - no secret is made of it
    for _ in range(count):
        yield mutant(rng, now)

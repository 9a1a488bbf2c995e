"""RS256 signatures made by hand, well and badly: judged as cryptography's own ``verify`` judges them."""

from __future__ import annotations

from hashlib import sha256
from itertools import count

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from claimsmith.errors import VerificationError
from claimsmith.verifier.jws import check_signature
from tests.unit.verifier.minting import private_key

KEY = private_key()
PUBLIC = KEY.public_key()
OCTETS = KEY.key_size // 8
NUMBERS = KEY.private_numbers()
N = NUMBERS.public_numbers.n

SIGNED = b"header.payload"
HASH = sha256(SIGNED).digest()
OTHER_HASH = sha256(b"header.other").digest()
INFO = bytes.fromhex("3031300d060960864801650304020105000420")
WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20"
SHA_1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


def filled(content: bytes, *, kind: bytes = b"\x01", fill: bytes = b"\xff", zero: bytes = b"\x00") -> bytes:
    """An encoded message (RFC 8017 section 9.2) of the key's length, with as much filling as there is room for."""
    return b"\x00" + kind + fill * (OCTETS - 2 - len(zero) - len(content)) + zero + content


def signature(encoded: bytes) -> bytes:
    return pow(int.from_bytes(encoded, "big"), NUMBERS.d, N).to_bytes(OCTETS, "big")


RIGHT = signature(filled(INFO + HASH))

WRONG = {
    "of another message": signature(filled(INFO + OTHER_HASH)),
    "the hash alone": signature(filled(HASH)),
    "without NULL in DigestInfo": signature(filled(WITHOUT_NULL + HASH)),
    "SHA-1's DigestInfo": signature(filled(SHA_1_INFO + HASH[:20])),
    "the hash cut short": signature(filled(INFO + HASH[:-1])),
    "more after the hash": signature(filled(INFO + HASH + b"\x00")),
    "little padding, and garbage after the hash": signature(
        b"\x00\x01" + b"\xff" * 8 + b"\x00" + INFO + HASH + bytes(OCTETS - 11 - len(INFO + HASH))
    ),
    "padded for encryption": signature(filled(INFO + HASH, kind=b"\x02")),
    "padded with zeros": signature(filled(INFO + HASH, kind=b"\x00", fill=b"\x00")),
    "padded with something else": signature(filled(INFO + HASH, fill=b"\xfe")),
    "no end of the padding": signature(filled(INFO + HASH, zero=b"")),
    "an octet in front": b"\x00" + RIGHT,
    "an octet behind": RIGHT + b"\x00",
    "the last octet left out": RIGHT[:-1],
    "plus the modulus": (int.from_bytes(RIGHT, "big") + N).to_bytes(OCTETS + 1, "big"),
    "zero": bytes(OCTETS),
    "one": (1).to_bytes(OCTETS, "big"),
    "the modulus": N.to_bytes(OCTETS, "big"),
    "nothing": b"",
}


def accepts(made: bytes, signed: bytes = SIGNED) -> bool:
    try:
        check_signature(made, signed, (PUBLIC,))
    except VerificationError:
        return False
    return True


def is_accepted_by_cryptography(made: bytes, signed: bytes = SIGNED) -> bool:
    try:
        PUBLIC.verify(made, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def test_what_the_key_signs_is_what_is_made_here() -> None:
    assert KEY.sign(SIGNED, PKCS1v15(), SHA256()) == RIGHT
    assert accepts(RIGHT)
    assert not accepts(RIGHT, SIGNED + b".")


@pytest.mark.parametrize("made", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_refused(made: bytes) -> None:
    assert not is_accepted_by_cryptography(made)
    assert not accepts(made)


def test_a_signature_that_begins_with_zero_is_as_long_as_any() -> None:
    for number in count():
        signed = b"%d" % number
        made = KEY.sign(signed, PKCS1v15(), SHA256())
        if made[0] == 0:
            break
    assert accepts(made, signed)
    assert not is_accepted_by_cryptography(made[1:], signed)
    assert not accepts(made[1:], signed)

"""The length of a token, to the octet: against a payload written out in full, and against base64url itself."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from claimsmith.cognito import size
from claimsmith.cognito.event import parse
from claimsmith.cognito.response import Changes, TokenChanges
from claimsmith.cognito.tokens import issued
from tests.events import API_SCOPES, HOSTED, MACHINE, REFRESH, SIGN_IN, event

DEVICE = "TokenGeneration_AuthenticateDevice"
POOL = "eu-central-1_aBcDeFgHi"
UUID = "5c1b8f6e-9d6b-4a3e-8a57-0d6b2f0c9e11"

#: What every token has besides, as long as it really is.
ALWAYS: dict[str, Any] = {
    "iss": f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}",
    "exp": 1_700_000_000,
    "iat": 1_700_000_000,
    "jti": UUID,
}
USERS = {"auth_time": 1_700_000_000, "event_id": UUID, "origin_jti": UUID}
VERSION, HASH, KEY = {"version": 2}, {"at_hash": "x" * 22}, {"device_key": f"eu-central-1_{UUID}"}
BOTH_ALIKE: tuple[dict[str, Any], dict[str, Any]] = ({}, {})


def octets(claims: dict[str, Any]) -> int:
    return len(json.dumps(claims, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("source", "scopes", "besides"),
    [
        (HOSTED, ("openid", "orders/read"), (VERSION, HASH)),
        (HOSTED, ("openid", *API_SCOPES), (VERSION, HASH)),
        (REFRESH, ("openid",), (VERSION, HASH)),
        (SIGN_IN, API_SCOPES, BOTH_ALIKE),
        (REFRESH, API_SCOPES, BOTH_ALIKE),
        (DEVICE, API_SCOPES, (KEY, {})),
    ],
)
@pytest.mark.parametrize(
    "more", [{}, {"roles": ["editor", "viewer"]}, {"name": "Ärger"}], ids=["no claim", "roles", "beyond ASCII"]
)
def test_a_users_tokens_are_as_long_as_they_will_be(
    source: str, scopes: tuple[str, ...], besides: tuple[dict[str, Any], dict[str, Any]], more: dict[str, Any]
) -> None:
    request = parse(event(source, scopes=scopes, groups=["Staff"]))
    tokens = issued(request, Changes(TokenChanges(more), TokenChanges(more)))
    assert all(tokens)
    for claims, of_this in zip(tokens, besides, strict=True):
        assert size.payload(claims, request) == octets({**claims, **ALWAYS, **USERS, **of_this})


def test_a_machines_token_is_as_long_as_it_will_be() -> None:
    request = parse(event(MACHINE))
    claims, _ = issued(request, Changes(TokenChanges({"kind": "machine"})))
    assert size.payload(claims, request) == octets({**claims, **ALWAYS})


@pytest.mark.parametrize("length", range(9))
def test_a_payload_becomes_base64url_without_padding_between_header_and_signature(length: int) -> None:
    def encoded(data: bytes) -> int:
        return len(urlsafe_b64encode(data).rstrip(b"="))

    header = encoded(json.dumps({"kid": "x" * 44, "alg": "RS256"}, separators=(",", ":")).encode())
    assert size.signed(length) == header + 1 + encoded(b"x" * length) + 1 + encoded(b"x" * 256)


def test_claims_are_measured_as_compact_json_without_the_braces() -> None:
    assert size.encoded({}) == 0
    assert size.encoded({"a": 1, "b": [True, "ü"]}) == len('"a":1,"b":[true,"\\u00fc"]')

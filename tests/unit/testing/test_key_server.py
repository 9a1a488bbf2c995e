"""Keys on loopback: the documents, rotation, and ``claimsmith.verifier.Verifier`` with keys fetched from there."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier import ANY, Verifier
from tests.unit.testing.handlers import MACHINE, NOW, USER, WEB, pool

if TYPE_CHECKING:
    from claimsmith.testing import CognitoKit, KeyServer


def fetched(address: str) -> Any:  # noqa: ANN401 - a JSON value
    with urllib.request.urlopen(address, timeout=60) as response:  # noqa: S310 - an address of the test's own server
        assert response.headers["Content-Type"] == "application/json"
        return json.load(response)


def verifier(kit: CognitoKit, server: KeyServer, **changes: Any) -> Verifier:  # noqa: ANN401 - arguments of Verifier
    arguments = {"token_use": ANY, "client_ids": [WEB, MACHINE], "revocations": ANY, "clock": lambda: NOW + 1}
    return Verifier(issuers={kit.issuer: server.jwks_uri}, **{**arguments, **changes})


def test_the_key_set_is_served_on_loopback() -> None:
    kit = pool()
    with kit.serve() as server:
        assert urlsplit(server.jwks_uri).hostname == "127.0.0.1"
        assert fetched(server.jwks_uri) == kit.jwks
        assert list(server.requests) == ["/eu-central-1_CognitoKit/.well-known/jwks.json"]


def test_discovery_names_issuer_and_key_set_and_no_introspection() -> None:
    kit = pool()
    with kit.serve() as server:
        document = fetched(server.discovery_uri)
        assert (document["issuer"], document["jwks_uri"]) == (kit.issuer, server.jwks_uri)
        assert "introspection_endpoint" not in document


def test_nothing_else_is_served_and_nothing_after_the_block() -> None:
    with pool().serve() as server:
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            fetched(server.url)
        caught.value.close()
    with pytest.raises(urllib.error.URLError):
        fetched(server.jwks_uri)


def test_the_served_address_can_be_the_issuer_while_it_is_served() -> None:
    kit = pool()
    before = kit.issuer
    with kit.serve(as_issuer=True) as server:
        assert kit.issuer == server.url
        assert kit.sign_in(USER, WEB).access["iss"] == server.url
        assert fetched(server.discovery_uri)["issuer"] == server.url
    assert kit.issuer == before


def test_claimsmiths_verifier_accepts_all_three_kinds_of_token() -> None:
    kit = pool()
    tokens = kit.sign_in(USER, WEB, by="authorization_code")
    with kit.serve() as server:
        verify = verifier(kit, server).verify
        assert set(verify(tokens.access_token).scopes) == set(tokens.access["scope"].split())
        assert verify(str(tokens.id_token)).groups == ("Staff", "Admins")
        assert verify(kit.client_credentials(MACHINE).access_token)["sub"] == MACHINE
        assert len(server.requests) == 1, "the keys are fetched once"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clock": lambda: NOW + 3_600}, Code.TOKEN_EXPIRED),
        ({"client_ids": ["another"]}, Code.WRONG_CLIENT),
        ({"token_use": "id"}, Code.WRONG_TOKEN_USE),
    ],
)
def test_claimsmiths_verifier_refuses_wrong_tokens(changes: dict[str, Any], code: Code) -> None:
    kit = pool()
    token = kit.sign_in(USER, WEB).access_token
    with kit.serve() as server, pytest.raises(VerificationError) as caught:
        verifier(kit, server, **changes).verify(token)
    assert caught.value.code == code


def test_a_token_of_another_pool_is_refused() -> None:
    kit, another = pool(), pool(pool_id="eu-central-1_Another")
    another.issuer = kit.issuer
    with kit.serve() as server, pytest.raises(VerificationError) as caught:
        verifier(kit, server).verify(another.sign_in(USER, WEB).access_token)
    assert caught.value.code == Code.KEY_NOT_FOUND


def test_after_rotation_old_tokens_verify_until_the_old_keys_retire() -> None:
    kit = pool()
    old = kit.sign_in(USER, WEB)
    kit.rotate_keys()
    new = kit.sign_in(USER, WEB)
    with kit.serve() as server:
        assert len(fetched(server.jwks_uri)["keys"]) == 4
        for tokens in (old, new):
            verifier(kit, server).verify(tokens.access_token)
        kit.rotate_keys(retire=True)
        assert len(fetched(server.jwks_uri)["keys"]) == 2
        with pytest.raises(VerificationError) as caught:
            verifier(kit, server).verify(old.access_token)
        assert caught.value.code == Code.KEY_NOT_FOUND
        verifier(kit, server).verify(kit.sign_in(USER, WEB).access_token)

"""The tokens are what Cognito signs: header, claims, types, and two keys. PyJWT, which shares no code, reads them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from claimsmith.testing import CognitoKit, InvalidOAuthFlowException, InvalidParameterException
from tests.unit.testing.handlers import MACHINE, NOW, READER, SUB, USER, WEB, WRITER, machine_tokens, pool, signed_in

if TYPE_CHECKING:
    from claimsmith.testing import Tokens

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_CognitoKit"

#: New in every token.
IDS = {"jti", "origin_jti", "event_id", "at_hash", "device_key"}


def header(token: str | None) -> dict[str, Any]:
    return jwt.get_unverified_header(str(token))


def verified(kit: CognitoKit, token: str | None, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of PyJWT
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(kit.jwks).keys}
    options: Any = {"verify_aud": "audience" in arguments, "verify_exp": False, "verify_iat": False}
    key = keys[header(token)["kid"]]
    return jwt.decode(str(token), key, algorithms=["RS256"], issuer=kit.issuer, options=options, **arguments)


def without_ids(claims: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of a token
    return {name: value for name, value in claims.items() if name not in IDS}


def test_the_access_token_of_a_managed_login() -> None:
    claims = dict(signed_in().access)
    assert set(claims.pop("scope").split()) == {"openid", "email", "orders/read", "orders/write"}
    assert without_ids(claims) == {
        "sub": SUB,
        "iss": ISSUER,
        "client_id": WEB,
        "token_use": "access",
        "username": USER,
        "cognito:groups": ["Staff", "Admins"],
        "version": 2,
        "auth_time": NOW,
        "iat": NOW,
        "exp": NOW + 3_600,
    }
    assert {"jti", "origin_jti", "event_id"} <= claims.keys()


def test_the_id_token_of_a_managed_login() -> None:
    tokens = pool().sign_in(USER, WEB, by="authorization_code", nonce="n-1")
    assert without_ids(tokens.id) == {
        "sub": SUB,
        "iss": ISSUER,
        "aud": WEB,
        "token_use": "id",
        "cognito:username": USER,
        "cognito:groups": ["Staff", "Admins"],
        "cognito:roles": [READER, WRITER],
        "cognito:preferred_role": READER,
        "email": "ada@example.com",
        "email_verified": True,
        "custom:plan": "7",
        "dev:note": "x",
        "nonce": "n-1",
        "auth_time": NOW,
        "iat": NOW,
        "exp": NOW + 3_600,
    }
    digest = hashlib.sha256(tokens.access_token.encode()).digest()[:16]
    assert tokens.id["at_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_an_api_sign_in_has_no_version_no_nonce_and_no_hash() -> None:
    tokens = pool().sign_in(USER, WEB)
    assert "version" not in tokens.access
    assert not {"nonce", "at_hash"} & tokens.id.keys()


def test_both_tokens_have_the_same_session_and_event_and_their_own_jti() -> None:
    tokens = signed_in()
    assert tokens.access["origin_jti"] == tokens.id["origin_jti"]
    assert tokens.access["event_id"] == tokens.id["event_id"]
    assert tokens.access["jti"] != tokens.id["jti"]


def test_a_machines_token_names_its_client_as_its_subject_and_has_nothing_to_revoke() -> None:
    tokens = machine_tokens()
    claims = dict(tokens.access)
    assert set(claims.pop("scope").split()) == {"orders/read", "orders/write"}
    assert claims.pop("jti")
    assert claims == {
        "sub": MACHINE,
        "iss": ISSUER,
        "client_id": MACHINE,
        "token_use": "access",
        "iat": NOW,
        "exp": NOW + 3_600,
    }
    assert (tokens.id_token, tokens.id, tokens.refresh_token) == (None, {}, None)


def test_managed_login_without_openid_gives_no_id_token() -> None:
    tokens = pool().sign_in(USER, WEB, by="authorization_code", scopes=["orders/read"])
    assert (tokens.id_token, tokens.id) == (None, {})
    refreshed = pool_refresh_without_openid()
    assert refreshed.id_token is None


def pool_refresh_without_openid() -> Tokens:
    kit = pool()
    begun = kit.sign_in(USER, WEB, by="authorization_code", scopes=["orders/read"])
    return kit.refresh(str(begun.refresh_token), WEB)


def test_a_device_sign_in_names_the_device() -> None:
    tokens = pool().sign_in(USER, WEB, by="DEVICE_PASSWORD_VERIFIER")
    assert tokens.access["device_key"].startswith("eu-central-1_")
    assert "device_key" not in tokens.id


def test_without_token_revocation_tokens_have_no_jti() -> None:
    kit = pool()
    kit.add_client(WEB, token_revocation=False)
    tokens = kit.sign_in(USER, WEB)
    assert not {"jti", "origin_jti"} & (tokens.access.keys() | tokens.id.keys())


def test_the_id_token_has_the_attributes_that_the_app_client_may_read() -> None:
    kit = pool()
    kit.add_client(WEB, readable_attributes=frozenset({"email"}))
    tokens = kit.sign_in(USER, WEB)
    assert tokens.id["email"] == "ada@example.com"
    assert not {"custom:plan", "email_verified"} & tokens.id.keys()
    assert tokens.event is None


def test_identities_are_text_in_the_event_and_an_array_in_the_id_token() -> None:
    kit = pool(lambda event, _context: event)
    identities = [{"providerName": "Okta", "primary": "true", "issuer": None}]
    kit.users[USER].attributes["identities"] = json.dumps(identities)
    tokens = kit.sign_in(USER, WEB)
    assert tokens.id["identities"] == identities
    assert tokens.event is not None
    assert isinstance(tokens.event["request"]["userAttributes"]["identities"], str)


def test_unverified_is_false_and_not_a_text() -> None:
    kit = pool()
    kit.users[USER].attributes |= {"email_verified": "false", "phone_number_verified": "true"}
    claims = kit.sign_in(USER, WEB).id
    assert (claims["email_verified"], claims["phone_number_verified"]) == (False, True)


def test_the_header_has_only_the_key_id_and_the_algorithm() -> None:
    tokens = signed_in()
    for token in (tokens.access_token, tokens.id_token):
        assert header(token).keys() == {"kid", "alg"}
        assert header(token)["alg"] == "RS256"


def test_access_and_id_tokens_are_signed_with_two_keys_of_2048_bits() -> None:
    kit = pool()
    tokens = kit.sign_in(USER, WEB)
    assert header(tokens.access_token)["kid"] != header(tokens.id_token)["kid"]
    keys = jwt.PyJWKSet.from_dict(kit.jwks).keys
    assert [key.key.key_size for key in keys] == [2_048, 2_048]
    assert {key.key_id for key in keys} == {header(tokens.access_token)["kid"], header(tokens.id_token)["kid"]}
    for key in kit.jwks["keys"]:
        assert key.keys() == {"alg", "e", "kid", "kty", "n", "use"}
        assert (key["alg"], key["kty"], key["use"], key["e"]) == ("RS256", "RSA", "sig", "AQAB")


def test_pyjwt_verifies_both_tokens_and_reads_the_same_claims() -> None:
    kit = pool()
    tokens = kit.sign_in(USER, WEB, by="authorization_code")
    assert verified(kit, tokens.access_token) == tokens.access
    assert verified(kit, tokens.id_token, audience=WEB) == tokens.id


def test_a_changed_token_does_not_verify() -> None:
    kit = pool()
    head, _, signature = kit.sign_in(USER, WEB).access_token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"iss": kit.issuer}).encode()).decode().rstrip("=")
    with pytest.raises(jwt.InvalidSignatureError):
        verified(kit, f"{head}.{forged}.{signature}")


def test_pools_of_other_ids_have_other_keys_and_pools_of_one_id_the_same() -> None:
    another = CognitoKit(pool_id="us-east-1_Another")
    assert {key["kid"] for key in pool().jwks["keys"]} == {key["kid"] for key in pool().jwks["keys"]}
    assert not {key["kid"] for key in pool().jwks["keys"]} & {key["kid"] for key in another.jwks["keys"]}
    assert another.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Another"


def test_the_updated_issuer_has_another_host() -> None:
    kit = pool(issuer_type="UPDATED")
    assert kit.sign_in(USER, WEB).access["iss"].startswith("https://issuer-cognito-idp.eu-central-1.amazonaws.com/")


def test_printing_tokens_prints_no_token() -> None:
    tokens = signed_in()
    assert tokens.access_token not in repr(tokens)
    assert str(tokens.refresh_token) not in repr(tokens)


def test_a_pool_id_has_a_region_and_a_name() -> None:
    with pytest.raises(InvalidParameterException):
        CognitoKit(pool_id="nowhere")


@pytest.mark.parametrize(
    ("flows", "secret"), [(["client_credentials", "code"], "invented"), (["client_credentials"], None)]
)
def test_an_app_client_of_a_machine_has_a_secret_and_no_users(flows: list[str], secret: str | None) -> None:
    with pytest.raises(InvalidOAuthFlowException):
        pool().add_client(flows=flows, secret=secret)


def test_an_app_client_gets_an_id_of_cognitos_shape() -> None:
    assert len(pool().add_client().id) == 26

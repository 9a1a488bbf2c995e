"""A request's bearer token for any back end: RFC 6750."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier import ANY, KeySource, Requirement, Verifier
from claimsmith.verifier.bearer import Bearer, BearerError
from tests.unit.verifier.introspecting import DOWN, POOL, SOURCE, Revoked
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, access_claims


def verifier(source: KeySource = SOURCE, revocations: Any = ANY) -> Verifier:  # noqa: ANN401 - a store or ANY
    return Verifier(issuers=source, client_ids=[CLIENT], token_use="access", revocations=revocations, clock=lambda: NOW)


def refused(bearer: Bearer, *authorization: str, scopes: tuple[str, ...] = ()) -> tuple[int, str | None, str]:
    with pytest.raises(BearerError) as caught:
        bearer.verify(authorization, scopes=scopes)
    error = caught.value
    assert isinstance(error, VerificationError)
    assert error.__cause__ is None
    assert (error.status == 503) == ("Retry-After" in error.headers)
    return error.status, error.error, error.headers.get("WWW-Authenticate", "")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_section_2_1_the_token_is_in_the_authorization_header(scheme: str) -> None:
    claims = Bearer(verifier()).verify([f"{scheme} {POOL.sign()}"], scopes=["orders/read"])
    assert (claims.tenant_id, claims.username) == ("acme", "ada")


@pytest.mark.parametrize("authorization", [[], ["Basic eDp5"], ["Digest x"], [""], ["Bearerx y"]])
def test_section_3_1_without_a_bearer_token_the_challenge_names_no_error(authorization: list[str]) -> None:
    assert refused(Bearer(verifier()), *authorization) == (401, None, 'Bearer realm="api"')


@pytest.mark.parametrize(
    "authorization",
    [
        [f"Bearer {POOL.sign()}", f"Bearer {POOL.sign()}"],
        [f"Bearer {POOL.sign()}, Bearer {POOL.sign()}"],
        [f"Bearer {POOL.sign()}", "Basic eDp5"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer a b"],
        ["bearer\ta"],
    ],
)
def test_section_3_1_not_exactly_one_token_is_an_invalid_request(authorization: list[str]) -> None:
    challenge = 'Bearer realm="api", error="invalid_request"'
    assert refused(Bearer(verifier()), *authorization) == (400, "invalid_request", challenge)


@pytest.mark.parametrize(
    "token", ["x", POOL.sign(access_claims(exp=NOW)), POOL.sign(access_claims(client_id="other")), POOL.sign() + "A"]
)
def test_section_3_1_a_bad_token_is_an_invalid_token(token: str) -> None:
    challenge = 'Bearer realm="orders", error="invalid_token"'
    assert refused(Bearer(verifier(), realm="orders"), f"Bearer {token}") == (401, "invalid_token", challenge)


@pytest.mark.parametrize(
    "require",
    [
        Requirement(any_scope=["orders/delete"]),
        Requirement(any_group=["Admins"]),
        Requirement(any_role=["owner"]),
        Requirement(tenant="globex"),
    ],
)
def test_section_3_1_a_valid_but_insufficient_token_is_403(require: Requirement) -> None:
    challenge = 'Bearer realm="api", error="insufficient_scope"'
    result = refused(Bearer(verifier(), require=require), f"Bearer {POOL.sign()}")
    assert result == (403, "insufficient_scope", challenge)


def test_section_3_1_a_token_for_another_resource_is_an_invalid_token_and_a_requirement_may_name_ours() -> None:
    bound = f"Bearer {POOL.sign(access_claims(aud='https://api.example.com'))}"
    challenge = 'Bearer realm="api", error="invalid_token"'
    assert refused(Bearer(verifier()), bound) == (401, "invalid_token", challenge)
    ours = Bearer(verifier(), require=Requirement(audience=["https://api.example.com"]))
    assert ours.verify([bound])["aud"] == "https://api.example.com"
    assert refused(ours, f"Bearer {POOL.sign()}") == (401, "invalid_token", challenge)


def test_section_3_the_challenge_names_the_scopes_that_are_needed() -> None:
    result = refused(Bearer(verifier()), f"Bearer {POOL.sign()}", scopes=("orders/read", "orders/delete"))
    assert result[2] == 'Bearer realm="api", error="insufficient_scope", scope="orders/read orders/delete"'
    quoted = refused(Bearer(verifier()), f"Bearer {POOL.sign()}", scopes=('a"b',))
    assert quoted[2] == 'Bearer realm="api", error="insufficient_scope"'


def test_rfc_9728_section_5_1_every_challenge_names_the_metadata_of_the_resource() -> None:
    bearer = Bearer(verifier(), resource="https://api.example.com/mcp")
    named = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"'
    token = f"Bearer {POOL.sign()}"
    refusals = [
        refused(bearer, *sent, scopes=("orders/delete",)) for sent in ((), ("Bearer x",), (token,) * 2, (token,))
    ]
    assert [status for status, _, _ in refusals] == [401, 401, 400, 403]
    assert all(challenge.endswith(f", {named}") for _, _, challenge in refusals)


@pytest.mark.parametrize(
    "configured",
    [
        verifier(revocations=Revoked({}, DOWN)),
        verifier(KeySource([ISSUER], preloaded={}, fetch=lambda _uri, _timeout: b"no keys")),
    ],
    ids=["no revocations", "no keys"],
)
def test_a_failed_lookup_is_503(configured: Verifier) -> None:
    assert refused(Bearer(configured), f"Bearer {POOL.sign()}") == (503, "temporarily_unavailable", "")


def test_the_log_has_the_code_and_nothing_from_the_token(caplog: pytest.LogCaptureFixture) -> None:
    token = POOL.sign(access_claims(exp=NOW))
    with caplog.at_level(logging.INFO):
        refused(Bearer(verifier()), f"Bearer {token}")
        refused(Bearer(verifier()))
    assert [record.message for record in caplog.records] == [
        f"bearer token refused: {Code.TOKEN_EXPIRED}",
        f"bearer token refused: {Code.TOKEN_MALFORMED}",
    ]


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "\u00e9", "a\r\nb"])
def test_a_realm_that_cannot_be_quoted_is_refused_at_once(realm: str) -> None:
    with pytest.raises(ConfigurationError, match="realm"):
        Bearer(verifier(), realm=realm)


@given(st.lists(st.text(max_size=40) | st.text(max_size=40).map(lambda text: f"Bearer {text}"), max_size=3))
def test_any_bad_header_is_refused_with_a_status(authorization: list[str]) -> None:
    status, error, challenge = refused(Bearer(verifier()), *authorization)
    assert (status, error) in {(401, None), (401, "invalid_token"), (400, "invalid_request")}
    assert challenge.startswith('Bearer realm="api"')
    assert challenge.isprintable()

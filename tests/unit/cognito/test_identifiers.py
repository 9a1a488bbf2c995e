"""An issuer or a client id that no token can have is refused, with the one that was meant."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.identifiers import check_client_id, check_issuer, pool_issuer, pool_issuers
from claimsmith.environment import VerifierEnvironment
from claimsmith.errors import ConfigurationError
from claimsmith.verifier import ANY, Verifier

POOL = "us-east-1_Abc123"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
UPDATED = f"https://issuer-cognito-idp.us-east-1.amazonaws.com/{POOL}"
REPLICA = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"

#: What is configured, and the issuer that the message says.
WRONG_ISSUERS = [
    (POOL, ISSUER),
    (POOL.upper().replace("ABC", "Abc"), ISSUER),
    (f"{ISSUER}/", ISSUER),
    (f"{UPDATED}/", UPDATED),
    (f"{REPLICA}/", REPLICA),
    (f"{ISSUER}//", ISSUER),
    (f"{ISSUER}/.well-known/jwks.json", ISSUER),
    (f"{ISSUER}/.well-known/openid-configuration", ISSUER),
    (f"{ISSUER}?client_id=x", ISSUER),
    (ISSUER.replace("https", "http"), ISSUER),
    (ISSUER.replace("https", "HTTPS"), ISSUER),
    (ISSUER.removeprefix("https://"), ISSUER),
    (ISSUER.replace("cognito-idp", "COGNITO-IDP"), ISSUER),
    (ISSUER.replace("/us-east-1", "/US-EAST-1"), ISSUER),
    (ISSUER.replace(".com/", ".com:443/"), ISSUER),
    (ISSUER.replace(".com/", ".com./"), ISSUER),
    (ISSUER.replace("cognito-idp", "cognito-idp-fips"), ISSUER),
    (ISSUER.replace("amazonaws.com", "api.aws"), ISSUER),
    (ISSUER.replace("cognito-idp.us-east-1.", "vpce-0a1b.cognito-idp.us-east-1.vpce."), ISSUER),
    (ISSUER.replace("us-east-1", "cn-north-1"), pool_issuer("cn-north-1_Abc123")),
    (f"https://myapp.auth.us-east-1.amazoncognito.com/{POOL}", ISSUER),
    ("https://myapp.auth.us-east-1.amazoncognito.com", "https://cognito-idp.REGION.amazonaws.com/POOL_ID"),
    ("https://myapp.auth-fips.us-gov-west-1.amazoncognito.com/", "https://cognito-idp.REGION.amazonaws.com/POOL_ID"),
    ("https://cognito-idp.us-east-1.amazonaws.com/", "https://cognito-idp.REGION.amazonaws.com/POOL_ID"),
    ("https://cognito-identity.amazonaws.com", "https://cognito-idp.REGION.amazonaws.com/POOL_ID"),
    ("https://login.example.com/pool/.well-known/jwks.json", "https://login.example.com/pool"),
    ("http://127.0.0.1:9229/local_1/.well-known/jwks.json", "http://127.0.0.1:9229/local_1"),
    ("https://Login.Example.com/Tenant", "https://login.example.com/Tenant"),
]

#: Pools of every partition, a replica; local stacks; another provider, whose issuer may end in a slash.
POSSIBLE_ISSUERS = [
    ISSUER,
    UPDATED,
    REPLICA,
    "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Abc123",
    "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Abc123",
    "https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_Abc123",
    "https://cognito-idp.us-iso-east-1.c2s.ic.gov/us-iso-east-1_Abc123",
    "https://cognito-idp.us-isob-east-1.sc2s.sgov.gov/us-isob-east-1_Abc123",
    "http://127.0.0.1:4566/eu-west-1_Abc123",
    "http://localhost:9229/local_2D4gvA2k",
    "https://login.example.com/",
    "https://cognito-stand-in.s3.eu-west-1.amazonaws.com/issuer",
    "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE",
]

WRONG_CLIENT_IDS = [
    *("*", "ANY", "any", '"*"', "'ANY'"),
    *("", " ", "web app", "web-app", "1example*", "1example?", '"1example23456789"', "1example;2example", "1example\n"),
    *(POOL, f"arn:aws:cognito-idp:us-east-1:123456789012:userpool/{POOL}", "1éxample", "1" * 129),
]


def _verifier(issuer: str = ISSUER, client_id: str = "1example23456789") -> None:
    Verifier(issuers=[issuer], client_ids=[client_id], token_use="access", revocations=ANY)


def _started(issuer: str = ISSUER, client_id: str = "1example23456789") -> VerifierEnvironment:
    return VerifierEnvironment.read(
        {"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ISSUERS": issuer, "CLAIMSMITH_CLIENT_IDS": f"2example,{client_id}"}
    )


@pytest.mark.parametrize(("issuer", "meant"), WRONG_ISSUERS)
def test_an_issuer_that_no_token_has_is_refused_with_the_one_that_was_meant(issuer: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(meant) + r"[,. ]") as refused:
        _verifier(issuer)
    assert refused.value.code == "CS4001"
    with pytest.raises(ConfigurationError, match=f"CLAIMSMITH_ISSUERS: .*{re.escape(meant)}"):
        _started(issuer)


@pytest.mark.parametrize("issuer", POSSIBLE_ISSUERS)
def test_an_issuer_that_a_token_may_have_is_taken(issuer: str) -> None:
    _verifier(issuer)
    assert _started(issuer).issuers == ((issuer, None),)


def test_a_region_that_is_not_the_pools_is_a_warning_since_a_replica_may_have_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _verifier()
    assert not caplog.records
    _verifier(REPLICA)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert REPLICA in caplog.text


def test_what_stands_before_the_host_of_an_address_is_in_no_message() -> None:
    for issuer in ("https://user:secret@login.example.com/.well-known/x", f"https://user:secret@{ISSUER[8:]}"):
        with pytest.raises(ConfigurationError) as refused:
            _verifier(issuer)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("client_id", WRONG_CLIENT_IDS)
def test_what_cannot_be_the_id_of_a_client_is_refused_and_not_repeated(client_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"app client") as refused:
        _verifier(client_id=client_id)
    assert refused.value.code == "CS4001"
    if client_id.strip() == client_id != "":  # the variable's entries are stripped, and empty ones are none
        with pytest.raises(ConfigurationError, match="CLAIMSMITH_CLIENT_IDS: "):
            _started(client_id=client_id)


@given(st.from_regex(r"[\w+]{1,128}", fullmatch=True, alphabet=st.characters(max_codepoint=127)))
def test_every_id_that_cognito_allows_is_taken_but_the_word_any(client_id: str) -> None:
    if client_id.casefold() != "any":
        check_client_id(client_id)


REGIONS = ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-isof-south-1"]


@given(st.sampled_from(REGIONS), st.from_regex(r"[0-9A-Za-z]{1,55}", fullmatch=True), st.data())
def test_of_all_that_is_one_character_away_only_another_pools_issuer_is_taken(
    region: str, name: str, data: st.DataObject
) -> None:
    """Whatever is still the address of Cognito's has its exact form, or is refused."""
    issuer = pool_issuer(f"{region}_{name}", updated=data.draw(st.booleans()))
    check_issuer(issuer)
    host = issuer.index("/", 8)
    at = data.draw(st.integers(0, len(issuer) - 1))
    changed = issuer[:at] + data.draw(st.sampled_from("/.:?#%-_ A")) + issuer[at + data.draw(st.integers(0, 1)) :]
    if host < at or changed[: host + 1].lower() == issuer[: host + 1]:
        try:
            check_issuer(changed)
        except ConfigurationError:
            assert pool_issuers(changed) is None
        else:
            assert changed in (pool_issuers(changed) or ())

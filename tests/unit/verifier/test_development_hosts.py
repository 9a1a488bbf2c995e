"""Issuers of local stacks that are no loopback address and have no https: only where a setting names their host."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier import ANY, KeySource, OidcIssuer, Verifier
from tests.unit.verifier.minting import ISSUER, NOW, access_claims
from tests.unit.verifier.realm import API, CERTS, WEB, Realm, bearer_claims, key_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.verifier.issuers import Issuers

REALM = Realm()

#: The server is on this machine. This address leads to it on Linux, and is none of those that count as this machine.
HOST = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.fixture
def issuer() -> Iterator[str]:
    with key_server(REALM) as local:
        yield local.replace("127.0.0.1", HOST)


def verifier(issuers: Issuers, *hosts: str) -> Verifier:
    return Verifier(
        issuers=issuers,
        client_ids=ANY,
        token_use="access",
        revocations=ANY,
        development_hosts=hosts,
        clock=lambda: NOW,
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://cognito:9229/local_2D4gvA2k",
        "http://localhost.localstack.cloud:4566/us-east-1_db01",
        "http://host.docker.internal:9229/local_1",
    ],
)
def test_a_name_of_docker_compose_is_accepted_only_if_it_is_named(address: str) -> None:
    host = address.split("/")[2].partition(":")[0]
    verifier(address, host)
    for hosts in ((), ("localhost",), (host.partition(".")[0] + "2",)):
        with pytest.raises(ConfigurationError, match="development_hosts"):
            verifier(address, *hosts)


def test_its_keys_are_fetched_without_tls(issuer: str) -> None:
    token = REALM.sign(access_claims(iss=issuer))
    assert verifier(issuer, HOST).verify(token).issuer == issuer


def test_so_are_those_of_a_pool_whose_keys_it_serves_and_of_an_oidc_issuer(issuer: str) -> None:
    served = verifier([(ISSUER, issuer + CERTS)], HOST)
    assert served.verify(REALM.sign(access_claims())).issuer == ISSUER
    rules = OidcIssuer(issuer, audience=[API], client_ids=[WEB])
    token = REALM.sign(bearer_claims(iss=issuer))
    # The metadata names 127.0.0.1, which is as local as the issuer is here.
    with pytest.raises(VerificationError) as caught:
        verifier(rules, HOST).verify(token)
    assert caught.value.code == Code.KEYS_UNAVAILABLE, "it is the metadata of another issuer"
    explicit = OidcIssuer(issuer, audience=[API], client_ids=[WEB], jwks_uri=issuer + CERTS)
    assert verifier(explicit, HOST).verify(token).client_id == WEB


def test_without_the_name_nothing_is_sent_there(issuer: str) -> None:
    for issuers in (issuer, [(ISSUER, issuer + CERTS)], OidcIssuer(issuer, audience=[API], client_ids=ANY)):
        with pytest.raises(ConfigurationError):
            verifier(issuers)


def test_a_development_host_does_not_serve_the_keys_of_an_oidc_issuer_elsewhere() -> None:
    rules = OidcIssuer("https://sso.example.com", audience=[API], client_ids=ANY, jwks_uri="http://keycloak:8080/certs")
    with pytest.raises(ConfigurationError, match="cannot be on this machine"):
        verifier(rules, "keycloak")


def test_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        verifier(ISSUER, "cognito", "keycloak")
    assert "without https from cognito, keycloak" in caplog.text


@pytest.mark.parametrize(
    "hosts", ["cognito", None, ["http://cognito"], ["cognito:9229"], ["*"], [""], ["Cognito"], [5]]
)
def test_what_is_no_list_of_hosts_is_refused(hosts: Any) -> None:  # noqa: ANN401 - wrong ones
    with pytest.raises(ConfigurationError, match="development"):
        KeySource([ISSUER], development_hosts=hosts)


def test_a_source_of_keys_has_its_own() -> None:
    with pytest.raises(ConfigurationError, match="of the KeySource"):
        verifier(KeySource([ISSUER]), "cognito")  # type: ignore[arg-type] # a Verifier takes both

"""A function's environment: required variables are required, closed sets are closed, defaults are the safe ones."""

from __future__ import annotations

import pytest

from claimsmith.environment import PublisherEnvironment, TriggerEnvironment, VerifierEnvironment
from claimsmith.errors import ConfigurationError

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"


def test_a_failure_denies_unless_the_deployment_chooses_otherwise() -> None:
    assert TriggerEnvironment.read({"CLAIMSMITH_TABLE": "t"}).on_failure == "deny"
    chosen = TriggerEnvironment.read({"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ON_FAILURE": "unenriched"})
    assert chosen.on_failure == "unenriched"


@pytest.mark.parametrize(
    "environ", [{}, {"CLAIMSMITH_TABLE": " "}, {"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ON_FAILURE": "allow"}]
)
def test_a_trigger_with_invalid_variables_does_not_start(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_"):
        TriggerEnvironment.read(environ)


def test_the_publisher_needs_both_tables() -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_AUDIT_TABLE"):
        PublisherEnvironment.read({"CLAIMSMITH_TABLE": "t"})


def test_a_verifier_reads_issuers_with_and_without_a_key_address() -> None:
    settings = VerifierEnvironment.read(
        {
            "CLAIMSMITH_TABLE": "t",
            "CLAIMSMITH_ISSUERS": f"{ISSUER}, {ISSUER}2=http://127.0.0.1:4566/jwks.json",
            "CLAIMSMITH_CLIENT_IDS": "a, b",
        }
    )
    assert settings.issuers == ((ISSUER, None), (f"{ISSUER}2", "http://127.0.0.1:4566/jwks.json"))
    assert settings.client_ids == ("a", "b")
    assert settings.authorizer_response == "simple"
    assert settings.audience == ()


def test_a_verifier_reads_the_resources_that_tokens_may_be_bound_to() -> None:
    settings = VerifierEnvironment.read(
        {**VERIFIER, "CLAIMSMITH_AUDIENCE": "https://a.example/mcp, https://b.example,"}
    )
    assert settings.audience == ("https://a.example/mcp", "https://b.example")


@pytest.mark.parametrize("listed", ["", " , ", ","])
def test_an_allow_list_of_nothing_is_refused(listed: str) -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_ISSUERS"):
        VerifierEnvironment.read({"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ISSUERS": listed, "CLAIMSMITH_CLIENT_IDS": "a"})


VERIFIER = {"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ISSUERS": ISSUER, "CLAIMSMITH_CLIENT_IDS": "a"}


def test_a_verifier_checks_every_token_and_refuses_without_a_response_unless_configured_otherwise() -> None:
    settings = VerifierEnvironment.read(VERIFIER)
    assert (settings.revocation, settings.revocation_on_failure, settings.authorizer_cached_by) == (
        "strict",
        "deny",
        (),
    )
    chosen = VerifierEnvironment.read(
        {
            **VERIFIER,
            "CLAIMSMITH_REVOCATION": "cached",
            "CLAIMSMITH_REVOCATION_CACHE_SECONDS": "300",
            "CLAIMSMITH_REVOCATION_ON_FAILURE": "allow",
            "CLAIMSMITH_AUTHORIZER_CACHED_BY": "$request.header.Authorization, $context.path",
        }
    )
    assert (chosen.revocation, chosen.revocation_cache_seconds, chosen.revocation_on_failure) == (
        "cached",
        300,
        "allow",
    )
    assert chosen.authorizer_cached_by == ("$request.header.Authorization", "$context.path")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REVOCATION", "none"),
        ("REVOCATION", "STRICT"),
        ("REVOCATION_ON_FAILURE", "ignore"),
        *(("REVOCATION_CACHE_SECONDS", value) for value in ("0", "301", "-1", "1.5", "1e2", "x", "\u0663", "9" * 5000)),
    ],
)
def test_a_verifier_with_an_invalid_revocation_setting_does_not_start(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"CLAIMSMITH_{name}"):
        VerifierEnvironment.read({**VERIFIER, f"CLAIMSMITH_{name}": value})

"""A function's environment: required variables are required, closed sets are closed, defaults are the safe ones."""

from __future__ import annotations

import pytest

from claimsmith.environment import (
    DynamoDBEndpoint,
    PublisherEnvironment,
    TriggerEnvironment,
    VerifierEnvironment,
    aws_credentials,
    dynamodb_endpoint,
)
from claimsmith.errors import ConfigurationError
from claimsmith.oidc import OidcIssuer

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"


def test_a_failure_denies_unless_the_deployment_chooses_otherwise() -> None:
    assert TriggerEnvironment.read({"CLAIMSMITH_TABLE": "t"}).on_failure == "deny"
    for value in ("unenriched", "unchanged"):
        assert TriggerEnvironment.read({"CLAIMSMITH_TABLE": "t", "CLAIMSMITH_ON_FAILURE": value}).on_failure == value


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
            "CLAIMSMITH_CLIENT_IDS": "a, b@eu-central-1_B",
        }
    )
    assert settings.issuers == ((ISSUER, None), (f"{ISSUER}2", "http://127.0.0.1:4566/jwks.json"))
    assert settings.client_ids == (("a", None), ("b", "eu-central-1_B"))
    assert settings.authorizer_response == "simple"
    assert settings.audience == ()


def test_a_verifier_reads_the_resources_that_tokens_may_be_bound_to() -> None:
    settings = VerifierEnvironment.read(
        {**VERIFIER, "CLAIMSMITH_AUDIENCE": "https://a.example/mcp, https://b.example,"}
    )
    assert settings.audience == ("https://a.example/mcp", "https://b.example")


def test_signed_answers_name_their_issuer() -> None:
    assert VerifierEnvironment.read(VERIFIER).signing_keys == ()
    keys = {**VERIFIER, "CLAIMSMITH_SIGNING_KEYS": "arn:aws:kms:a, arn:aws:kms:b"}
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_SIGNING_ISSUER"):
        VerifierEnvironment.read(keys)
    settings = VerifierEnvironment.read({**keys, "CLAIMSMITH_SIGNING_ISSUER": "https://api.example.com"})
    assert settings.signing_keys == ("arn:aws:kms:a", "arn:aws:kms:b")
    assert settings.signing_issuer == "https://api.example.com"


def test_a_verifier_reads_the_rules_of_other_issuers() -> None:
    written = '[{"issuer":"https://sso.example.com/realms/acme","audience":["orders"],"client_ids":["web"]}]'
    (rules,) = VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_OIDC_ISSUERS": written}).oidc_issuers
    assert rules == OidcIssuer("https://sso.example.com/realms/acme", audience=["orders"], client_ids=["web"])


def test_development_hosts_are_none_unless_a_variable_names_them() -> None:
    assert VerifierEnvironment.read(VERIFIER).development_hosts == ()
    named = VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_DEVELOPMENT_HOSTS": "cognito, keycloak"})
    assert named.development_hosts == ("cognito", "keycloak")


@pytest.mark.parametrize("written", ["https://sso.example.com", "{}", "[", '[{"issuer":"https://sso.example.com"}]'])
def test_rules_that_are_incomplete_or_no_json_are_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_OIDC_ISSUERS"):
        VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_OIDC_ISSUERS": written})


def test_a_share_of_callers_is_a_whole_number() -> None:
    assert VerifierEnvironment.read(VERIFIER).requests_per_second == 50
    for value, number in (("0", 0), ("1000", 1_000)):
        settings = VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_REQUESTS_PER_SECOND": value})
        assert settings.requests_per_second == number
    for wrong in ("-1", "1001", "0.5", "many"):
        with pytest.raises(ConfigurationError, match="CLAIMSMITH_REQUESTS_PER_SECOND must be a number from 0 to 1000"):
            VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_REQUESTS_PER_SECOND": wrong})


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
    assert settings.revocation_shared_seconds == 5
    at_once = VerifierEnvironment.read({**VERIFIER, "CLAIMSMITH_REVOCATION_SHARED_SECONDS": "0"})
    assert at_once.revocation_shared_seconds == 0
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
        ("REVOCATION_SHARED_SECONDS", "61"),
        *(("REVOCATION_CACHE_SECONDS", value) for value in ("0", "301", "-1", "1.5", "1e2", "x", "\u0663", "9" * 5000)),
    ],
)
def test_a_verifier_with_an_invalid_revocation_setting_does_not_start(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"CLAIMSMITH_{name}"):
        VerifierEnvironment.read({**VERIFIER, f"CLAIMSMITH_{name}": value})


#: What Lambda puts into a function's environment, as far as it concerns AWS.
LAMBDA = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_SESSION_TOKEN": "t",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


@pytest.mark.parametrize(
    ("changed", "host", "port", "tls"),
    [
        ({}, "dynamodb.eu-central-1.amazonaws.com", 443, True),
        ({"AWS_DEFAULT_REGION": "us-gov-west-1"}, "dynamodb.us-gov-west-1.amazonaws.com", 443, True),
        ({"AWS_DEFAULT_REGION": "cn-north-1"}, "dynamodb.cn-north-1.amazonaws.com.cn", 443, True),
        ({"AWS_DEFAULT_REGION": "eusc-de-east-1"}, "dynamodb.eusc-de-east-1.amazonaws.eu", 443, True),
        ({"AWS_ENDPOINT_URL": "http://localhost:4566/"}, "localhost", 4566, False),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1", "SSL_CERT_FILE": "/ca.pem"}, "127.0.0.1", 80, False),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "https://b.example"}, "b.example", 443, True),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            "dynamodb.eu-central-1.amazonaws.com",
            443,
            True,
        ),
        ({"AWS_USE_FIPS_ENDPOINT": "false", "NO_PROXY": "*"}, "dynamodb.eu-central-1.amazonaws.com", 443, True),
    ],
)
def test_a_plain_client_finds_dynamodb(changed: dict[str, str], host: str, port: int, tls: bool) -> None:  # noqa: FBT001
    environ = LAMBDA | changed
    assert dynamodb_endpoint(environ) == DynamoDBEndpoint(host, port, tls, environ["AWS_DEFAULT_REGION"])


@pytest.mark.parametrize(
    "changed",
    [
        {"CLAIMSMITH_DYNAMODB_CLIENT": "botocore"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/creds"},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_DEFAULT_REGION": ""},
        {"AWS_DEFAULT_REGION": "us-iso-east-1"},
        {"AWS_DEFAULT_REGION": "eu-central-1.example"},
        {"AWS_PROFILE": "p"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/creds"},
        {"AWS_CREDENTIAL_EXPIRATION": "2026-12-01T00:00:00Z"},
        {"https_proxy": "http://proxy.example:3128"},
        {"HTTP_PROXY": "http://proxy.example:3128", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_CA_BUNDLE": "/ca.pem"},
        {"REQUESTS_CA_BUNDLE": "/ca.pem"},
        {"SSL_CERT_FILE": "/ca.pem"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "True"},
        {"AWS_ENDPOINT_DISCOVERY_ENABLED": "yes"},
        {"AWS_CONFIG_FILE": __file__},
        {"AWS_SHARED_CREDENTIALS_FILE": __file__},
        {"AWS_ENDPOINT_URL": "http://dynamodb.example"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1.example"},
        {"AWS_ENDPOINT_URL": "https://user@b.example"},
        {"AWS_ENDPOINT_URL": "https://b.example/path"},
        {"AWS_ENDPOINT_URL": "https://b.example\r\nx: y"},
        {"AWS_ENDPOINT_URL": "b.example"},
    ],
)
def test_what_is_unusual_is_left_to_botocore_and_named(changed: dict[str, str]) -> None:
    why = dynamodb_endpoint(LAMBDA | changed)
    assert isinstance(why, str)
    assert any(value in why for pair in changed.items() for value in pair if value)


def test_the_client_is_one_of_two() -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_DYNAMODB_CLIENT must be one of: auto, botocore"):
        dynamodb_endpoint(LAMBDA | {"CLAIMSMITH_DYNAMODB_CLIENT": "boto3"})


def test_credentials_are_those_that_botocore_would_find() -> None:
    assert aws_credentials(LAMBDA) == ("a", "s", "t")
    assert aws_credentials(LAMBDA | {"AWS_SECURITY_TOKEN": "old"}) == ("a", "s", "old")
    assert aws_credentials(LAMBDA | {"AWS_SESSION_TOKEN": ""}) == ("a", "s", None)

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from claimsmith_cdk.pool_settings import LITE_REFUSAL
from infra.config import Config, OptionError
from infra.construct_options import CapacityOptions
from infra.domain import Domain
from tests.infra.template import PRODUCTION
from tests.pages import Page

SAML = {"type": "saml", "name": "acme", "metadata_url": "https://a.example/"}
SOURCES = ["$request.header.Authorization", "$context.routeKey", "$context.path"]


def _read(**options: object) -> Config:
    return Config.from_options({**PRODUCTION, **options})


def test_everything_that_is_not_said_is_the_safe_choice() -> None:
    said = {"account", "region", "callback_urls"}
    assert _read().model_dump(exclude=said) == {
        "setting": "production",
        "stack_suffix": None,
        "tags": {},
        "arch": "arm64",
        "python": "3.13",
        "trigger_version": "V2_0",
        "on_failure": "deny",
        "feature_plan": "ESSENTIALS",
        "domain": None,
        "logout_urls": (),
        "resource_servers": {"orders": {"read": "Read orders", "write": "Change orders"}},
        "token_minutes": 15,
        "email": None,
        "identity_providers": (),
        "rest_api": False,
        "authorizer_cache_seconds": 0,
        "authorizer_identity_sources": ("$request.header.Authorization",),
        "token_from": (),
        "cookie_origins": (),
        "client_ids": (),
        "audience": (),
        "oidc_issuers": (),
        "discovery": {
            "introspection_endpoint": None,
            "authorization_servers": (),
            "scopes_supported": True,
            "resource_metadata": None,
        },
        "revocation": "strict",
        "revocation_cache_seconds": 30,
        "revocation_shared_seconds": 5,
        "revocation_on_failure": "deny",
        "sign_introspection": False,
        "introspection_requests_per_second": 50,
        "development_hosts": (),
        "jwks_endpoint": None,
        "web_acl_arn": None,
        "dashboard": None,
        "alarm_thresholds": {},
        "log_level": "INFO",
        "tracing": False,
        "alarm_emails": (),
        "releases": None,
        "trigger_capacity": vars(CapacityOptions()),
        "verifier_capacity": vars(CapacityOptions()),
        "probe": None,
        "sign_outs": None,
        "trusted_attributes": (),
    }


@pytest.mark.parametrize("missing", PRODUCTION)
def test_production_names_its_account_its_region_and_its_addresses(missing: str) -> None:
    with pytest.raises(OptionError, match=f'{missing} must be set for setting = "production"'):
        Config.from_options({name: value for name, value in PRODUCTION.items() if name != missing})


def test_only_development_calls_back_to_this_computer() -> None:
    development = Config.from_options({"setting": "development"})
    assert development.callback_urls == ("http://localhost:3000/callback",)
    assert development.logout_urls == ("http://localhost:3000/callback",)
    assert not development.production
    with pytest.raises(OptionError, match='only setting = "development" may use http'):
        _read(callback_urls=["http://localhost/"])


@pytest.mark.parametrize("plan", ["LITE", "lite"])
def test_the_lite_plan_is_refused_with_the_reason(plan: str) -> None:
    with pytest.raises(OptionError, match=re.escape(LITE_REFUSAL.removesuffix("."))):
        _read(feature_plan=plan)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("setting", "prod", "'production' or 'development'"),
        ("account", "1111", "twelve digits"),
        ("region", "eu", 'as in "eu-central-1"'),
        ("stack_suffix", "_x", "letters, digits and hyphens"),
        ("tags", {"aws:team": "a"}, "begins with aws:"),
        ("tags", {"team": "AWS:a"}, "begins with aws:"),
        ("tags", {"": "a"}, "the name of '' has 0 characters; use 1 to 128"),
        ("tags", {"a" * 129: "a"}, "use 1 to 128"),
        ("tags", {"team": ""}, "the value of 'team' has 0 characters; use 1 to 256"),
        ("tags", {"team": "a" * 257}, "use 1 to 256"),
        ("tags", {"team": "a\tb"}, "use letters, digits, spaces and _.:/=+-@"),
        ("tags", {"team#": "a"}, "use letters, digits, spaces and _.:/=+-@"),
        ("tags", {"team": "a", "Team": "b"}, "differ only by case"),
        ("tags", {f"a{number}": "b" for number in range(51)}, "AWS takes 50"),
        ("web_acl_arn", "arn:aws:wafv2:us-east-1:111122223333:global/webacl/a/b", "scope REGIONAL"),
        ("web_acl_arn", "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/a/b", "needs rest_api = true"),
        ("alarm_thresholds", {"behind": 1}, "no threshold behind; did you mean behind_minutes?"),
        ("alarm_thresholds", {"behind_minutes": 0}, "behind_minutes=0"),
        ("client_ids", [""], "write ID, or ID@POOL_ID"),
        ("trusted_attributes", [""], "name an attribute of the pool"),
        ("log_level", "DEBUG", "'INFO', 'WARNING' or 'ERROR'"),
        ("arch", "aarch64", "'arm64' or 'x86_64'"),
        ("python", 3.13, "'3.11', '3.12', '3.13' or '3.14'"),
        ("trigger_version", "V1_0", "'V2_0' or 'V3_0'"),
        ("feature_plan", "FREE", "'ESSENTIALS' or 'PLUS'"),
        ("domain", {}, 'has either prefix = "…", or name'),
        ("domain", {"prefix": "a", "name": "auth.example.com", "certificate_arn": "arn:aws:acm:us-east-1:"}, "either"),
        ("domain", {"name": "auth.example.com"}, "with its certificate_arn"),
        ("domain", {"prefix": "Sign-In"}, "lower-case letters, digits and inner hyphens"),
        ("domain", {"prefix": "-in"}, "lower-case letters, digits and inner hyphens"),
        ("domain", {"prefix": "a" * 64}, "1 to 63"),
        ("domain", {"prefix": "my-cognito"}, "without the words aws, amazon, cognito"),
        ("resource_servers", {"or ders": {"read": "Read"}}, "can be no identifier"),
        ("resource_servers", {"Claimsmith": {"read": "Read"}}, "is the app's own"),
        ("resource_servers", {"orders": {}}, "must have 1 to 100 scopes"),
        ("resource_servers", {"orders": {"read/all": "Read"}}, "without slashes"),
        ("resource_servers", {"orders": {"read": ""}}, "needs a description"),
        ("resource_servers", {f"api{number}": {"read": "Read"} for number in range(25)}, "at most 24"),
        ("token_minutes", 4, "greater than or equal to 5"),
        ("callback_urls", "https://a.example/", 'is not a list; write ["…"]'),
        ("callback_urls", ["https://a.example/call back"], "write %20 for a space"),
        ("callback_urls", ["https://a.example/call\tback"], "cannot be seen"),
        ("callback_urls", ["https://a.example/\n"], "cannot be seen"),
        ("callback_urls", ["https://a.example/" + "a" * 1007], "Cognito takes 1024"),
        ("callback_urls", [f"https://a.example/{number}" for number in range(101)], "at most 100"),
        ("callback_urls", ["https://"], "names no host"),
        ("callback_urls", ["/callback"], "absolute"),
        ("callback_urls", ["https://a.example/#part"], "fragment"),
        ("callback_urls", ["https://*.example/"], "absolute"),
        ("callback_urls", ["javascript:alert(1)"], "absolute"),
        ("callback_urls", ["http://[::1"], "not an address"),
        ("callback_urls", ["http://a.example/"], "use https"),
        ("logout_urls", ["http://a.example/"], "use https"),
        ("rest_api", 1, "boolean"),
        ("authorizer_cache_seconds", 301, "300"),
        ("authorizer_cache_seconds", True, "integer"),
        ("authorizer_cache_seconds", 60, "would open another"),
        ("authorizer_identity_sources", ["$context.routeKey"], "every answer depends on the token"),
        ("token_from", ["header:x"], "bearer, bare, cookie:NAME"),
        ("token_from", ["cookie:id"], "needs the origins"),
        ("token_from", ["query:token"], "authorizer_identity_sources must be []"),
        ("cookie_origins", ["https://app.example.com"], "only a cookie's token"),
        ("authorizer_identity_sources", [*SOURCES, "$request.body"], "$request.header.NAME"),
        ("audience", ["*"], "absolute"),
        ("audience", ["https://a.example/#x"], "fragment"),
        ("audience", ["https://a.example/a,b"], "comma"),
        ("oidc_issuers", [{"issuer": "https://sso.example.com"}], "issuer, audience and client_ids"),
        (
            "oidc_issuers",
            [{"issuer": "http://sso.example.com", "audience": ["orders"], "client_ids": ["web"]}],
            "https only",
        ),
        (
            "oidc_issuers",
            [
                {
                    "issuer": "https://sso.example.com",
                    "audience": ["orders"],
                    "client_ids": ["web"],
                    "jwks_uri": "https://169.254.169.254/certs",
                }
            ],
            "No issuer has its keys at 169.254.169.254",
        ),
        ("discovery", {"introspection_endpoint": "/introspect"}, "https://api.example.com"),
        ("discovery", {"authorization_servers": ["https://a.example,b"]}, "authorization_servers: "),
        (
            "discovery",
            {"authorization_servers": ["https://acme.auth.eu-central-1.amazoncognito.com/eu-central-1_EXAMPLE"]},
            "The issuer of a user pool is https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE",
        ),
        ("discovery", {"resource_metadata": "https://a.example/'"}, "resource_metadata: "),
        ("discovery", {"resource_metadata": "https://a.example/"}, "needs rest_api = true"),
        ("revocation", "never", "'strict', 'cached' or 'off'"),
        ("revocation_cache_seconds", 0, "1"),
        ("revocation_on_failure", "ignore", "'deny' or 'allow'"),
        ("development_hosts", ["cognito"], 'setting = "development"'),
        ("development_hosts", ["http://cognito"], "no scheme"),
        ("jwks_endpoint", "http://127.0.0.1:4566", 'setting = "development"'),
        ("alarm_emails", ["on-call"], "write an address"),
        ("alarm_emails", ["a@example.com", "b@example.com", "A@example.com"], "A@example.com is listed twice"),
        ("email", {"from_address": "x"}, "write an address"),
        ("email", {"from_address": "a@example.com", "region": "Ireland"}, "the name of a Region"),
        ("email", {"from_address": "a@example.com", "verified_domain": "example.org"}, "which is example.com"),
        ("identity_providers", [{"type": "ldap", "name": "acme"}], "'oidc', 'saml'"),
        ("identity_providers", [{**SAML, "name": "_acme"}], "an underscore only as the second"),
        ("identity_providers", [{**SAML, "name": "Cognito"}], "choose another"),
        ("identity_providers", [SAML, SAML], "two are named acme"),
        (
            "identity_providers",
            [{**SAML, "attributes": {"custom:t": "t"}}],
            "custom:t: this app's pool has no such attribute",
        ),
    ],
)
def test_an_impossible_value_is_refused_with_the_remedy(name: str, value: object, remedy: str) -> None:
    with pytest.raises(OptionError, match=re.escape(remedy)) as raised:
        _read(**{name: value})
    assert name in str(raised.value)


def test_what_aws_takes_is_taken() -> None:
    tags = {"Équipe 1": "a_b.c:d/e=f+g-h@i", "a" * 128: "b" * 256}
    assert _read(tags=tags).tags == tags
    long = "https://a.example/ü?a=%20" + "a" * 999
    assert _read(callback_urls=[long]).callback_urls == (long,)
    assert _read(identity_providers=[SAML, {**SAML, "name": "a_b"}]).identity_providers[1].name == "a_b"


def test_an_address_at_ses_has_a_region() -> None:
    options = {"setting": "development", "email": {"from_address": "a@example.com"}}
    with pytest.raises(OptionError, match=r"region in \[email\], or the stage's"):
        Config.from_options(options)
    for told in ({"region": "eu-west-1"}, {"email": {"from_address": "a@example.com", "region": "eu-west-1"}}):
        assert Config.from_options({**options, **told}).email is not None


def test_a_misspelt_option_does_not_silently_mean_the_default() -> None:
    with pytest.raises(OptionError, match=r"alarm_email: there is no such option; did you mean alarm_emails\?"):
        _read(alarm_email="on-call@example.com")


def test_everything_that_is_wrong_is_said_at_once_and_no_value_that_may_be_a_secret() -> None:
    with pytest.raises(OptionError) as raised:
        _read(arch="mips", identity_providers=[{"type": "oidc", "name": "acme", "client_secret": "hunter 2"}])
    said = str(raised.value)
    assert {line.partition(":")[0] for line in said.splitlines()} == {
        "arch",
        "identity_providers.0.oidc.issuer",
        "identity_providers.0.oidc.client_id",
        "identity_providers.0.oidc.client_secret",
    }
    assert "hunter" not in said


@pytest.mark.parametrize(
    "sources",
    [
        SOURCES[:1],
        SOURCES[:2],
        [SOURCES[0], "$request.header.authorization", SOURCES[1]],
        [SOURCES[0], SOURCES[2]],
        [SOURCES[0], "$request.header.X-Tenant"],
        # A parameter may come several times; by which of its values answers are kept, AWS does not say.
        [*SOURCES[:2], "$request.querystring.tenant"],
    ],
)
def test_an_answer_that_would_open_another_route_or_tenant_is_not_cached(sources: list[str]) -> None:
    with pytest.raises(OptionError, match="would open another"):
        _read(authorizer_cache_seconds=60, authorizer_identity_sources=sources)
    assert _read(authorizer_identity_sources=sources).authorizer_cache_seconds == 0


@pytest.mark.parametrize("tenant", ["$context.path", "$request.header.X-Tenant"])
def test_an_answer_may_be_cached_by_token_route_and_tenant(tenant: str) -> None:
    config = _read(authorizer_cache_seconds=60, authorizer_identity_sources=[*SOURCES[:2], tenant])
    assert config.authorizer_identity_sources[-1] == tenant


def _local(endpoint: Any) -> Config:  # noqa: ANN401 - wrong ones too
    return Config.from_options({"setting": "development", "jwks_endpoint": endpoint})


def test_the_stage_of_the_recipe_for_postman_is_possible() -> None:
    [stage] = [block.text for block in Page("docs/how-to/recipes/postman.md").blocks if block.language == "toml"]
    assert "https://oauth.pstmn.io/v1/callback" in Config.from_options(tomllib.loads(stage)).callback_urls


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://127.0.0.1:4566/", "https://[::1]:4566"])
def test_a_local_stack_may_serve_the_keys(endpoint: str) -> None:
    assert _local(endpoint).jwks_endpoint == endpoint.rstrip("/")


def test_a_local_stack_with_a_name_serves_them_if_the_name_is_listed() -> None:
    options = {"setting": "development", "jwks_endpoint": "http://localstack:4566"}
    assert Config.from_options({**options, "development_hosts": ["localstack"]}).development_hosts == ("localstack",)
    with pytest.raises(OptionError, match="development_hosts"):
        Config.from_options({**options, "development_hosts": ["cognito"]})


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://192.0.2.1:4566",
        "https://keys.example",
        "http://localhost.example:4566",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://user@127.0.0.1:4566",
        "http://127.0.0.1:4566/keys",
        "http://127.0.0.1:4566?x",
        "ftp://127.0.0.1",
        "http://[::1",
        4566,
    ],
)
def test_nobody_else_serves_the_keys(endpoint: object) -> None:
    with pytest.raises(OptionError, match="jwks_endpoint"):
        _local(endpoint)


def test_a_domain_is_a_prefix_or_a_host_or_none() -> None:
    assert _read(domain={"prefix": "sign-in"}).domain == Domain(prefix="sign-in")
    assert _read(domain="none").domain == "none"


def test_a_token_that_is_not_in_the_header_is_asked_for_without_one() -> None:
    config = _read(token_from=["cookie:id"], cookie_origins=["https://app.example.com"], authorizer_identity_sources=[])
    assert config.authorizer.environment() == {
        "CLAIMSMITH_TOKEN_FROM": "cookie:id",
        "CLAIMSMITH_COOKIE_ORIGINS": "https://app.example.com",
    }

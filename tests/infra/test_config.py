from __future__ import annotations

import re

import pytest

from claimsmith_cdk.pool_settings import LITE_REFUSAL
from infra.config import NO_CALLBACK, Config, ContextError

SAFE_SOURCES = "$request.header.Authorization,$context.routeKey,$context.path"


def test_without_context_everything_is_the_safe_choice() -> None:
    assert Config.from_context({}) == Config(
        setting="production",
        arch="arm64",
        python="3.13",
        trigger_version="V2_0",
        on_failure="deny",
        feature_plan="ESSENTIALS",
        domain_prefix=None,
        callback_urls=(NO_CALLBACK,),
        logout_urls=(),
        rest_api=False,
        authorizer_cache_seconds=0,
        authorizer_identity_sources=("$request.header.Authorization",),
        audience=(),
        revocation="strict",
        revocation_cache_seconds=30,
        revocation_shared_seconds=5,
        revocation_on_failure="deny",
        jwks_endpoint=None,
        alarm_email=None,
    )


def test_context_chooses() -> None:
    context = {
        "setting": "production",
        "arch": "x86_64",
        "python": "3.11",
        "trigger_version": "V3_0",
        "on_failure": "unenriched",
        "feature_plan": "PLUS",
        "domain_prefix": "sign-in",
        "callback_urls": "https://a.example/callback, https://b.example/callback",
        "logout_urls": ["com.example.app:/bye"],
        "rest_api": "true",
        "authorizer_cache_seconds": "60",
        "authorizer_identity_sources": SAFE_SOURCES,
        "client_ids": "1example23456789, 2example@eu-central-1_B",
        "audience": "https://a.example/mcp, https://b.example",
        "revocation": "cached",
        "revocation_cache_seconds": "300",
        "revocation_shared_seconds": "0",
        "revocation_on_failure": "allow",
        "alarm_email": "on-call@example.com",
    }
    assert Config.from_context(context) == Config(
        setting="production",
        arch="x86_64",
        python="3.11",
        trigger_version="V3_0",
        on_failure="unenriched",
        feature_plan="PLUS",
        domain_prefix="sign-in",
        callback_urls=("https://a.example/callback", "https://b.example/callback"),
        logout_urls=("com.example.app:/bye",),
        rest_api=True,
        authorizer_cache_seconds=60,
        authorizer_identity_sources=("$request.header.Authorization", "$context.routeKey", "$context.path"),
        client_ids=("1example23456789", "2example@eu-central-1_B"),
        audience=("https://a.example/mcp", "https://b.example"),
        revocation="cached",
        revocation_cache_seconds=300,
        revocation_shared_seconds=0,
        revocation_on_failure="allow",
        alarm_email="on-call@example.com",
    )


def test_only_the_development_setting_calls_back_to_this_computer() -> None:
    development = Config.from_context({"setting": "development"})
    assert development.callback_urls == ("http://localhost:3000/callback",)
    assert development.logout_urls == ("http://localhost:3000/callback",)
    assert not development.production


@pytest.mark.parametrize("plan", ["LITE", "lite"])
def test_the_lite_plan_is_refused_with_the_reason(plan: str) -> None:
    with pytest.raises(ContextError, match=re.escape(LITE_REFUSAL)):
        Config.from_context({"feature_plan": plan})


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("setting", "prod", "-c setting=production|development"),
        ("arch", "aarch64", "-c arch=arm64|x86_64"),
        ("python", "3.10", "-c python=3.11|3.12|3.13|3.14"),
        ("python", 3.13, "-c python=3.11|3.12|3.13|3.14"),
        ("trigger_version", "V1_0", "-c trigger_version=V2_0|V3_0"),
        ("on_failure", "", "-c on_failure=deny|unenriched|unchanged"),
        ("feature_plan", "FREE", "-c feature_plan=ESSENTIALS|PLUS"),
        ("domain_prefix", "Sign-In", "lower-case letters, digits and inner hyphens"),
        ("domain_prefix", "-in", "lower-case letters, digits and inner hyphens"),
        ("domain_prefix", "a" * 64, "1 to 63"),
        ("domain_prefix", "my-cognito", "without the words aws, amazon, cognito"),
        ("domain_prefix", 7, "lower-case"),
        ("callback_urls", 7, "-c callback_urls=https://…"),
        ("callback_urls", "https://", "names no host"),
        ("callback_urls", "/callback", "absolute"),
        ("callback_urls", "https://a.example/#part", "fragment"),
        ("callback_urls", "https://*.example/", "absolute"),
        ("callback_urls", "javascript:alert(1)", "absolute"),
        ("callback_urls", "http://[::1", "not an address"),
        ("callback_urls", "http://a.example/", "use https"),
        ("callback_urls", "http://localhost/", "Only -c setting=development"),
        ("logout_urls", "http://a.example/", "use https"),
        ("rest_api", "yes", "-c rest_api=true|false"),
        ("rest_api", 1, "-c rest_api=true|false"),
        ("authorizer_cache_seconds", "301", "0 to 300"),
        ("authorizer_cache_seconds", "-1", "0 to 300"),
        ("authorizer_cache_seconds", "\u0663", "0 to 300"),
        ("authorizer_cache_seconds", True, "0 to 300"),
        ("authorizer_cache_seconds", None, "0 to 300"),
        ("authorizer_cache_seconds", "60", "-c authorizer_identity_sources="),
        ("authorizer_identity_sources", "$context.routeKey", "every answer depends on the token"),
        ("authorizer_identity_sources", "$request.header.Authorization,$request.body", "$request.header.NAME"),
        ("authorizer_identity_sources", 7, "commas"),
        ("client_ids", 7, "-c client_ids=1example23456789"),
        ("audience", "*", "-c audience=https://"),
        ("audience", "api.example.com", "absolute"),
        ("audience", "https://a.example/#x", "fragment"),
        ("audience", ["https://a.example/a,b"], "comma"),
        ("audience", 7, "-c audience=https://"),
        ("revocation", "never", "-c revocation=strict|cached|off"),
        ("revocation_cache_seconds", "0", "1 to 300"),
        ("revocation_cache_seconds", "301", "1 to 300"),
        ("revocation_cache_seconds", "9" * 5000, "1 to 300"),
        ("revocation_cache_seconds", False, "1 to 300"),
        ("revocation_shared_seconds", "61", "0 to 60"),
        ("revocation_on_failure", "ignore", "-c revocation_on_failure=deny|allow"),
        ("jwks_endpoint", "http://127.0.0.1:4566", "-c setting=development"),
        ("alarm_email", "on-call", "one address"),
        ("alarm_email", "a@example.com,b@example.com", "one address"),
        ("alarm_email", "", "one address"),
    ],
)
def test_an_impossible_value_is_refused_with_the_remedy(key: str, value: object, remedy: str) -> None:
    with pytest.raises(ContextError, match=re.escape(remedy)) as raised:
        Config.from_context({key: value})
    assert key in str(raised.value)


def test_plain_http_leaves_this_computer_in_no_setting() -> None:
    with pytest.raises(ContextError, match="only on this computer"):
        Config.from_context({"setting": "development", "callback_urls": "http://a.example/"})


def test_a_misspelt_key_does_not_silently_mean_the_default() -> None:
    with pytest.raises(ContextError, match="did you mean 'setting'"):
        Config.from_context({"seting": "development"})


def test_keys_of_other_tools_are_ignored() -> None:
    assert Config.from_context({"aws:cdk:bundling-stacks": ["*"], "@aws-cdk/core:newStyle": True}) == Config()


@pytest.mark.parametrize(
    "sources",
    [
        "$request.header.Authorization",
        "$request.header.Authorization,$context.routeKey",
        "$request.header.Authorization,$request.header.authorization,$context.routeKey",
        "$request.header.Authorization,$context.path",
        "$request.header.Authorization,$request.header.X-Tenant",
        # A parameter may come several times; by which of its values answers are kept, AWS does not say.
        "$request.header.Authorization,$context.routeKey,$request.querystring.tenant",
    ],
)
def test_an_answer_that_would_open_another_route_or_tenant_is_not_cached(sources: str) -> None:
    context = {"authorizer_cache_seconds": "60", "authorizer_identity_sources": sources}
    with pytest.raises(ContextError, match="would open another"):
        Config.from_context(context)
    assert Config.from_context({**context, "authorizer_cache_seconds": "0"}).authorizer_cache_seconds == 0


@pytest.mark.parametrize("tenant", ["$context.path", "$request.header.X-Tenant"])
def test_an_answer_may_be_cached_by_token_route_and_tenant(tenant: str) -> None:
    sources = f"$request.header.Authorization, $context.routeKey, {tenant}"
    config = Config.from_context({"authorizer_cache_seconds": 60, "authorizer_identity_sources": sources})
    assert config.authorizer_identity_sources[-1] == tenant


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://127.0.0.1:4566/", "https://[::1]:4566"])
def test_a_local_stack_may_serve_the_keys(endpoint: str) -> None:
    config = Config.from_context({"setting": "development", "jwks_endpoint": endpoint})
    assert config.jwks_endpoint == endpoint.rstrip("/")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://192.0.2.1:4566",
        "https://keys.example",
        "http://localhost.example:4566",
        "http://127.0.0.1.example:4566",
        "http://127.0.0.1@keys.example",
        "http://user@127.0.0.1:4566",
        "http://127.0.0.1:4566/path",
        "http://127.0.0.1:4566?a=b",
        "http://127.0.0.1:4566#a",
        "http://127.0.0.1:0",
        "http://127.0.0.1:port",
        "http://[::1",
        "ftp://127.0.0.1",
        "127.0.0.1:4566",
        "",
        4566,
    ],
)
def test_keys_come_from_no_other_computer(endpoint: object) -> None:
    with pytest.raises(ContextError, match="use an address of this computer"):
        Config.from_context({"setting": "development", "jwks_endpoint": endpoint})


def test_a_switch_may_be_written_without_quotes() -> None:
    assert Config.from_context({"rest_api": True}).rest_api
    assert not Config.from_context({"rest_api": False}).rest_api

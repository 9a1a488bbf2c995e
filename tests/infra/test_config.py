from __future__ import annotations

import re

import pytest

from infra.config import LITE_REFUSAL, NO_CALLBACK, Config, ContextError


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
        ("on_failure", "", "-c on_failure=deny|unenriched"),
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

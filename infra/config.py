"""What a deployment can choose, read from the CDK context (``-c key=value``, or ``context`` in ``cdk.json``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal, cast, get_args
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Setting = Literal["production", "development"]
Arch = Literal["arm64", "x86_64"]
PythonVersion = Literal["3.11", "3.12", "3.13", "3.14"]
TriggerVersion = Literal["V2_0", "V3_0"]
OnFailure = Literal["deny", "unenriched"]
FeaturePlan = Literal["ESSENTIALS", "PLUS"]

LITE_REFUSAL: Final = (
    "A pool on the LITE plan cannot customize access tokens: pre token generation events V2_0 and V3_0 need "
    "the ESSENTIALS or PLUS plan."
)

#: Nothing resolves below ``.invalid`` (RFC 6761, section 6.4): until an address is given, no code is sent anywhere.
NO_CALLBACK: Final = "https://callback.invalid/"

_LOCAL_CALLBACK = "http://localhost:3000/callback"
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRIPT_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PREFIX_RESERVED = ("aws", "amazon", "cognito")


class ContextError(ValueError):
    """A context value that cannot be used; the message names it and says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a deployment can choose.

    Attributes:
        setting: ``production`` keeps data and logs, ``development`` can be destroyed without a trace.
        arch: the processor of the functions, in the words of ``uname -m`` but for ``arm64``, which AWS calls so.
        python: the functions' runtime.
        trigger_version: of the event Cognito sends; ``V3_0`` also sends client credentials (and is billed for it).
        on_failure: what a sign-in gets while the table cannot be read.
        feature_plan: the user pool's plan.
        domain_prefix: of the pool's domain; without one it is made from the stack's id.
        callback_urls: where the authorization code may be sent.
        logout_urls: where a browser may be sent after logout.
    """

    setting: Setting = "production"
    arch: Arch = "arm64"
    python: PythonVersion = "3.13"
    trigger_version: TriggerVersion = "V2_0"
    on_failure: OnFailure = "deny"
    feature_plan: FeaturePlan = "ESSENTIALS"
    domain_prefix: str | None = None
    callback_urls: tuple[str, ...] = (NO_CALLBACK,)
    logout_urls: tuple[str, ...] = ()

    @property
    def production(self) -> bool:
        """Whether data, keys and logs outlive the stack."""
        return self.setting == "production"

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Config:
        """Read it.

        Raises:
            ContextError: a value is not one that can be used, or a key looks like one of these misspelt.
        """
        _refuse_misspelt_keys(context)
        setting = cast("Setting", _one_of(context, "setting", get_args(Setting), "production"))
        if str(context.get("feature_plan", "")).upper() == "LITE":
            raise ContextError(LITE_REFUSAL)
        local = () if setting == "production" else (_LOCAL_CALLBACK,)
        return cls(
            setting=setting,
            arch=cast("Arch", _one_of(context, "arch", get_args(Arch), "arm64")),
            python=cast("PythonVersion", _one_of(context, "python", get_args(PythonVersion), "3.13")),
            trigger_version=cast(
                "TriggerVersion", _one_of(context, "trigger_version", get_args(TriggerVersion), "V2_0")
            ),
            on_failure=cast("OnFailure", _one_of(context, "on_failure", get_args(OnFailure), "deny")),
            feature_plan=cast("FeaturePlan", _one_of(context, "feature_plan", get_args(FeaturePlan), "ESSENTIALS")),
            domain_prefix=_domain_prefix(context),
            callback_urls=_urls(context, "callback_urls", setting) or local or (NO_CALLBACK,),
            logout_urls=_urls(context, "logout_urls", setting) or local,
        )


def _refuse_misspelt_keys(context: Mapping[str, object]) -> None:
    """A misspelt key would silently mean the default; other tools' keys are none of our business."""
    known = [field.name for field in fields(Config)]
    for key in context:
        if key not in known and (meant := get_close_matches(key, known, n=1, cutoff=0.8)):
            raise ContextError(f"The context key {key!r} is unknown; did you mean {meant[0]!r}?")


def _one_of(context: Mapping[str, object], key: str, allowed: tuple[str, ...], default: str) -> str:
    value = context.get(key, default)
    if value not in allowed:
        raise ContextError(f"{key}={value!r} is not possible; choose one with -c {key}={'|'.join(allowed)}.")
    return str(value)


def _domain_prefix(context: Mapping[str, object]) -> str | None:
    value = context.get("domain_prefix")
    if value is None:
        return None
    if not isinstance(value, str) or not _PREFIX.fullmatch(value) or any(word in value for word in _PREFIX_RESERVED):
        raise ContextError(
            f"domain_prefix={value!r} is not possible; use 1 to 63 lower-case letters, digits and inner hyphens, "
            f"without the words {', '.join(_PREFIX_RESERVED)}."
        )
    return value


def _urls(context: Mapping[str, object], key: str, setting: Setting) -> tuple[str, ...]:
    """The addresses of a comma-separated text or a list."""
    value = context.get(key, "")
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ContextError(f"{key} is not possible; write addresses with commas between: -c {key}=https://…,https://…")
    urls = tuple(entry.strip() for entry in entries if entry.strip())
    for url in urls:
        _check_url(key, url, setting)
    return urls


def _check_url(key: str, url: str, setting: Setting) -> None:
    """What Cognito asks of a redirect address, and no plain http off this computer or in production."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ContextError(f"{key}: {url!r} is not an address.") from None
    if not parts.scheme or parts.scheme in _SCRIPT_SCHEMES or "#" in url or "*" in url:
        raise ContextError(f"{key}: {url!r} is not an absolute address without a fragment.")
    if parts.scheme == "https" and not host:
        raise ContextError(f"{key}: {url!r} names no host.")
    if parts.scheme == "http" and (setting == "production" or host not in _LOCAL_HOSTS):
        raise ContextError(
            f"{key}: {url!r} is not encrypted; use https. Only -c setting=development may use http, "
            "and only on this computer."
        )

"""The options of a deployment, read from the CDK context (``-c key=value``, or ``context`` in ``cdk.json``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal, cast, get_args
from urllib.parse import urlsplit

from claimsmith.environment import (
    DEFAULT_REVOCATION_CACHE_SECONDS,
    DEFAULT_REVOCATION_SHARED_SECONDS,
    MAX_REVOCATION_CACHE_SECONDS,
    MAX_REVOCATION_SHARED_SECONDS,
    OnFailure,
    RevocationMode,
    RevocationOnFailure,
)
from claimsmith_cdk.claim_customizer import CustomizerProps
from claimsmith_cdk.claims_authorizer import IDENTITY_SOURCES, MAX_CACHE_SECONDS, AuthorizerProps
from claimsmith_cdk.hosting import Arch, Hosting, PythonVersion
from claimsmith_cdk.pool_settings import LITE_REFUSAL
from claimsmith_cdk.user_pools import TriggerVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

Setting = Literal["production", "development"]
Switch = Literal["true", "false"]
FeaturePlan = Literal["ESSENTIALS", "PLUS"]

#: No name below ``.invalid`` resolves (RFC 6761 section 6.4): without a configured address, no code is sent anywhere.
NO_CALLBACK: Final = "https://callback.invalid/"

_LOCAL_CALLBACK = "http://localhost:3000/callback"
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRIPT_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PREFIX_RESERVED = ("aws", "amazon", "cognito")
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_EMAIL = re.compile(r"[^\s@,]{1,64}@[^\s@,]+\.[^\s@,]+")
_IDENTITY_SOURCE = re.compile(
    r"\$request\.(?:header|querystring)\.[A-Za-z0-9_-]+|\$context\.(?:routeKey|httpMethod|path)"
)
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#,*]+")
_ROUTE_SOURCE = "$context.routeKey"
#: Sources that can name a tenant: the path, and headers other than the token's. A parameter may occur several times,
#: and AWS does not document which of its values is in the cache key.
_TENANT_SOURCE = re.compile(r"\$context\.path|\$request\.header\.(?!authorization$).+", re.IGNORECASE)


class ContextError(ValueError):
    """An invalid context value; the message has its key and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The options of a deployment.

    Attributes:
        setting: ``production`` keeps data and logs, ``development`` can be deleted completely.
        arch: the processor of the functions, with AWS's name.
        python: the functions' runtime.
        trigger_version: the version of Cognito's event; ``V3_0`` includes client credentials, which is billed.
        on_failure: the result of a sign-in while the table cannot be read.
        feature_plan: the user pool's plan.
        domain_prefix: of the pool's domain; by default derived from the stack's id.
        callback_urls: where the authorization code may be sent.
        logout_urls: where a browser may be sent after logout.
        rest_api: whether the verifier's sample is also deployed as a REST API.
        authorizer_cache_seconds: how long an HTTP API may cache an answer of the authorizer; 0 for no caching.
        authorizer_identity_sources: the cache key of an HTTP API.
        client_ids: app clients that verifiers accept beside those of the policy: ``ID`` or ``ID@POOL_ID``.
        audience: the resources that access tokens may be bound to, unless route or caller names others.
        revocation: whether the authorizers look up revocations for every token, cache them, or do not look them up.
        revocation_cache_seconds: how long they cache them, with ``cached``: the delay of a revocation.
        revocation_shared_seconds: how long verifiers that check every token remember the rows of clients and tenants.
        revocation_on_failure: the result for a token while revocations cannot be read.
        jwks_endpoint: the address at which a local stack serves the pool's keys, instead of Cognito.
        alarm_email: an address that receives alarms; without one, subscribe to the topic.
        trusted_attributes: as in the policy's settings; synth checks that no client may write one of them.
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
    rest_api: bool = False
    authorizer_cache_seconds: int = 0
    authorizer_identity_sources: tuple[str, ...] = IDENTITY_SOURCES
    client_ids: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    revocation: RevocationMode = "strict"
    revocation_cache_seconds: int = DEFAULT_REVOCATION_CACHE_SECONDS
    revocation_shared_seconds: int = DEFAULT_REVOCATION_SHARED_SECONDS
    revocation_on_failure: RevocationOnFailure = "deny"
    jwks_endpoint: str | None = None
    alarm_email: str | None = None
    trusted_attributes: tuple[str, ...] = ()

    @property
    def production(self) -> bool:
        """Whether data, keys and logs outlive the stack."""
        return self.setting == "production"

    @property
    def hosting(self) -> Hosting:
        """How the constructs are hosted."""
        return Hosting(arch=self.arch, python=self.python, retain=self.production)

    @property
    def customizer(self) -> CustomizerProps:
        """What the trigger does."""
        return CustomizerProps(trigger_version=self.trigger_version, on_failure=self.on_failure)

    @property
    def authorizer(self) -> AuthorizerProps:
        """How the authorizers look up revocations."""
        return AuthorizerProps(
            revocation=self.revocation,
            revocation_cache_seconds=self.revocation_cache_seconds,
            revocation_shared_seconds=self.revocation_shared_seconds,
            revocation_on_failure=self.revocation_on_failure,
        )

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Config:
        """Read the options from the CDK context.

        Raises:
            ContextError: a value is invalid, or a key looks like a misspelt option.
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
            rest_api=_one_of(context, "rest_api", get_args(Switch), "false") == "true",
            authorizer_cache_seconds=(seconds := _cache_seconds(context)),
            authorizer_identity_sources=_identity_sources(context, seconds),
            client_ids=_listed(context, "client_ids", "1example23456789,…"),
            audience=_audience(context),
            revocation=cast("RevocationMode", _one_of(context, "revocation", get_args(RevocationMode), "strict")),
            revocation_cache_seconds=_revocation_cache_seconds(context),
            revocation_shared_seconds=_revocation_shared_seconds(context),
            revocation_on_failure=cast(
                "RevocationOnFailure",
                _one_of(context, "revocation_on_failure", get_args(RevocationOnFailure), "deny"),
            ),
            jwks_endpoint=_jwks_endpoint(context, setting),
            alarm_email=_alarm_email(context),
            trusted_attributes=_trusted_attributes(context),
        )


def _refuse_misspelt_keys(context: Mapping[str, object]) -> None:
    """Refuse misspelt keys, which would silently mean the default; ignore keys of other tools."""
    known = [field.name for field in fields(Config)]
    for key in context:
        if key not in known and (similar := get_close_matches(key, known, n=1, cutoff=0.8)):
            raise ContextError(f"The context key {key!r} is unknown; did you mean {similar[0]!r}?")


def _one_of(context: Mapping[str, object], key: str, allowed: tuple[str, ...], default: str) -> str:
    value = context.get(key, default)
    if isinstance(value, bool):  # cdk.json may have it without quotes
        value = str(value).lower()
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


def _cache_seconds(context: Mapping[str, object]) -> int:
    return _seconds(context, "authorizer_cache_seconds", 0, least=0, most=MAX_CACHE_SECONDS)


def _revocation_cache_seconds(context: Mapping[str, object]) -> int:
    key = "revocation_cache_seconds"
    return _seconds(context, key, DEFAULT_REVOCATION_CACHE_SECONDS, least=1, most=MAX_REVOCATION_CACHE_SECONDS)


def _revocation_shared_seconds(context: Mapping[str, object]) -> int:
    key = "revocation_shared_seconds"
    return _seconds(context, key, DEFAULT_REVOCATION_SHARED_SECONDS, least=0, most=MAX_REVOCATION_SHARED_SECONDS)


def _seconds(context: Mapping[str, object], key: str, default: int, *, least: int, most: int) -> int:
    value = context.get(key, default)
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most))
    seconds = int(cast("str", value)) if digits else value
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not least <= seconds <= most:
        raise ContextError(
            f"{key}={value!r} is not possible; use {least} to {most}. A revoked token still works for that time."
        )
    return seconds


def _identity_sources(context: Mapping[str, object], cache_seconds: int) -> tuple[str, ...]:
    """The cache key: the token and, if answers are cached, everything else that they depend on."""
    key = "authorizer_identity_sources"
    sources = _listed(context, key, "$request.header.Authorization,…") or IDENTITY_SOURCES
    for source in sources:
        if not _IDENTITY_SOURCE.fullmatch(source):
            raise ContextError(
                f"{key}: {source!r} is not possible; use $request.header.NAME, $request.querystring.NAME, "
                "$context.routeKey, $context.httpMethod and $context.path."
            )
    if IDENTITY_SOURCES[0] not in sources:
        raise ContextError(f"{key} must include {IDENTITY_SOURCES[0]}: every answer depends on the token.")
    if cache_seconds and not (_ROUTE_SOURCE in sources and any(map(_TENANT_SOURCE.fullmatch, sources))):
        raise ContextError(
            f"authorizer_cache_seconds={cache_seconds} is not possible with these {key}: a cached answer for one route "
            "or tenant would open another. Name the route and the place of the tenant in your routes' tenant_from (not "
            "a query parameter: it may occur twice), as in "
            f"-c {key}='$request.header.Authorization,$context.routeKey,$context.path'."
        )
    return sources


def _audience(context: Mapping[str, object]) -> tuple[str, ...]:
    """The resources in ``aud``: absolute URIs without a fragment (RFC 8707 section 2)."""
    key = "audience"
    resources = _listed(context, key, "https://api.example.com/mcp,…")
    for resource in resources:
        if not _RESOURCE.fullmatch(resource):
            raise ContextError(
                f"{key}: {resource!r} is not possible; use absolute addresses without a fragment or a comma, as in "
                f"-c {key}=https://api.example.com/mcp. A token bound to nothing is accepted in any case."
            )
    return resources


def _jwks_endpoint(context: Mapping[str, object], setting: Setting) -> str | None:
    """The address of a local stack. The server of the keys decides which tokens are valid, so it must be local."""
    value = context.get("jwks_endpoint")
    if value is None:
        return None
    if setting != "development":
        raise ContextError("jwks_endpoint is for local stacks only: -c setting=development, or leave it out.")
    if not isinstance(value, str) or not _is_here(value):
        raise ContextError(
            f"jwks_endpoint={value!r} is not possible; use an address of this computer, as in http://127.0.0.1:4566."
        )
    return value.removesuffix("/")


def _is_here(address: str) -> bool:
    """Whether an address has only scheme, host and port, and is on this computer."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    bare = address.removesuffix("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return bare and parts.scheme in {"http", "https"} and parts.hostname in _LOOPBACK and port != 0


def _alarm_email(context: Mapping[str, object]) -> str | None:
    value = context.get("alarm_email")
    if value is not None and not (isinstance(value, str) and _EMAIL.fullmatch(value)):
        raise ContextError("alarm_email is not possible; use one address, as in -c alarm_email=on-call@example.com.")
    return value


def _trusted_attributes(context: Mapping[str, object]) -> tuple[str, ...]:
    key, prefix = "trusted_attributes", "user.attributes."
    names = _listed(context, key, "custom:unit,…")
    for name in names:
        if name.startswith(prefix):
            raise ContextError(f"{key}: {name!r} is not possible; name it as in the pool: {name.removeprefix(prefix)}.")
    return names


def _listed(context: Mapping[str, object], key: str, example: str) -> tuple[str, ...]:
    """The entries of a comma-separated text or a list."""
    value = context.get(key, "")
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ContextError(f"{key} is not possible; separate the entries with commas: -c {key}={example}")
    return tuple(entry.strip() for entry in entries if entry.strip())


def _urls(context: Mapping[str, object], key: str, setting: Setting) -> tuple[str, ...]:
    urls = _listed(context, key, "https://…,https://…")
    for url in urls:
        _check_url(key, url, setting)
    return urls


def _check_url(key: str, url: str, setting: Setting) -> None:
    """Check Cognito's rules for redirect addresses; http only on this computer, and not in production."""
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

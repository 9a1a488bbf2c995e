"""The options of a deployment, as the file of its stage has them (``stages/NAME.toml``)."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from claimsmith.addresses import check_hosts
from claimsmith.environment import (
    DEFAULT_REQUESTS_PER_SECOND,
    DEFAULT_REVOCATION_CACHE_SECONDS,
    DEFAULT_REVOCATION_SHARED_SECONDS,
    MAX_REQUESTS_PER_SECOND,
    MAX_REVOCATION_CACHE_SECONDS,
    MAX_REVOCATION_SHARED_SECONDS,
    OnFailure,
    RevocationMode,
    RevocationOnFailure,
    parse_client_ids,
)
from claimsmith.errors import ConfigurationError
from claimsmith.oidc import OidcIssuer
from claimsmith.places import places
from claimsmith_cdk.alarms import AlarmThresholds
from claimsmith_cdk.capacity import Capacity
from claimsmith_cdk.claim_customizer import CustomizerProps
from claimsmith_cdk.claims_authorizer import IDENTITY_SOURCES, MAX_CACHE_SECONDS, AuthorizerProps
from claimsmith_cdk.discovery import DiscoveryProps, check_address
from claimsmith_cdk.firewall import WEB_ACL
from claimsmith_cdk.hosting import Arch, Hosting, LogLevel, PythonVersion
from claimsmith_cdk.pool_settings import LITE_REFUSAL
from claimsmith_cdk.releases import Releases, Shift, check_capacity
from claimsmith_cdk.sign_in_probe import NAME, ProbeProps
from claimsmith_cdk.user_pools import TriggerVersion
from infra.identity_providers import PROVIDER_NAME, IdentityProvider
from infra.resource_servers import check_resource_servers
from infra.tags import check_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic_core import ErrorDetails

Setting = Literal["production", "development"]
FeaturePlan = Literal["ESSENTIALS", "PLUS"]

_LOCAL_CALLBACK = "http://localhost:3000/callback"
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRIPT_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PREFIX_RESERVED = ("aws", "amazon", "cognito")
_MAX_URL = 1024
_MAX_URLS = 100
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_EMAIL = r"^[^\s@,]{1,64}@[^\s@,]+\.[^\s@,]+$"
_HOST = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
_ACCOUNT = r"^[0-9]{12}$"
_REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
_CERTIFICATE = r"^arn:[a-z-]+:acm:us-east-1:"
_SUFFIX = r"^(?:[A-Za-z0-9-]{0,40})$"
#: How to write what a pattern asks for.
_FORMS = {
    _ACCOUNT: 'the twelve digits of an account, as in "111122223333"',
    _REGION: 'the name of a Region, as in "eu-central-1"',
    _CERTIFICATE: "the ARN of a certificate in us-east-1: Cognito takes no other for a custom domain",
    _EMAIL: 'an address, as in "on-call@example.com"',
    _HOST: 'a host in lower case, as in "auth.example.com"',
    _SUFFIX: 'at most 40 letters, digits and hyphens, as in "-production"',
    PROVIDER_NAME: "3 to 32 letters, digits, dots and hyphens; an underscore only as the second character",
}
_IDENTITY_SOURCE = re.compile(
    r"\$request\.(?:header|querystring)\.[A-Za-z0-9_-]+|\$context\.(?:routeKey|httpMethod|path)"
)
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#,*]+")
_ROUTE_SOURCE = "$context.routeKey"
#: Sources that can name a tenant: the path, and headers other than the token's. A parameter may occur several times,
#: and AWS does not document which of its values is in the cache key.
_TENANT_SOURCE = re.compile(r"\$context\.path|\$request\.header\.(?!authorization$).+", re.IGNORECASE)


class OptionError(ValueError):
    """Options that are not possible; the message has a line for each, with its name and the remedy."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Address = Annotated[str, StringConstraints(pattern=_EMAIL)]


class Domain(_Options):
    """Where the pool serves ``/oauth2/token`` and the sign-in pages.

    Attributes:
        prefix: of ``PREFIX.auth.REGION.amazoncognito.com``.
        name: a host of one's own, whose parent domain has an A record.
        certificate_arn: its certificate, in us-east-1.
    """

    prefix: str | None = None
    name: Annotated[str, StringConstraints(pattern=_HOST)] | None = None
    certificate_arn: Annotated[str, StringConstraints(pattern=_CERTIFICATE)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.prefix is None) == (self.name is None) or (self.name is None) != (self.certificate_arn is None):
            raise ValueError('has either prefix = "…", or name = "auth.example.com" with its certificate_arn')
        prefix = self.prefix
        if prefix is not None and (not _PREFIX.fullmatch(prefix) or any(word in prefix for word in _PREFIX_RESERVED)):
            raise ValueError(
                f"prefix {prefix!r} is not possible; use 1 to 63 lower-case letters, digits and inner hyphens, "
                f"without the words {', '.join(_PREFIX_RESERVED)}"
            )
        return self


class Email(_Options):
    """How the pool sends e-mail: by Amazon SES. Cognito's own sender is limited to a few messages a day.

    Attributes:
        from_address: an identity that is verified at SES.
        from_name: shown beside it.
        reply_to: where answers go.
        region: of SES; the stage's by default.
        verified_domain: where the domain is verified instead of the address.
    """

    from_address: Address
    from_name: str | None = None
    reply_to: Address | None = None
    region: Annotated[str, StringConstraints(pattern=_REGION)] | None = None
    verified_domain: Annotated[str, StringConstraints(pattern=_HOST)] | None = None

    @model_validator(mode="after")
    def _from_the_verified_domain(self) -> Self:
        if self.verified_domain not in {None, domain := self.from_address.partition("@")[2]}:
            raise ValueError(
                f"verified_domain must be the domain of from_address, which is {domain}; or leave it out and verify "
                "the address"
            )
        return self


class ReleaseOptions(_Options):
    """How trigger and verifiers are released (``Releases``)."""

    shift: Shift | None = None
    prepare: bool = False


class ProbeOptions(_Options):
    """What the probe does (``ProbeProps``)."""

    minutes: int = ProbeProps().minutes
    expects: dict[str, str | list[str]] = {"tenant_id": NAME}

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props  # noqa: B018 - refuses what is not possible
        return self

    @property
    def props(self) -> ProbeProps:
        """The same for a construct.

        Raises:
            PropsError: it is not possible.
        """
        return ProbeProps(minutes=self.minutes, expects=self.expects)


class SignOutOptions(_Options):
    """Whose sign-outs in the user pool reach verifiers (``PoolSignOuts``)."""

    revoke_token: bool = False


class DiscoveryOptions(_Options):
    """What documents say (``DiscoveryProps``).

    Attributes:
        resource_metadata: the address of the REST API's metadata, which its 401 names.
    """

    introspection_endpoint: str | None = None
    authorization_servers: Annotated[tuple[str, ...], Field(strict=False)] = ()
    scopes_supported: bool = True
    resource_metadata: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props({}, ())
        if self.resource_metadata is not None:
            check_address("resource_metadata", self.resource_metadata)
        return self

    def props(self, logins: Mapping[str, str], token_from: tuple[str, ...]) -> DiscoveryProps:
        """The same for a construct.

        Args:
            logins: the address of each pool's domain, by the pool's id.
            token_from: as of the authorizer.

        Raises:
            PropsError: it is not possible.
        """
        return DiscoveryProps(
            logins=logins,
            introspection_endpoint=self.introspection_endpoint,
            authorization_servers=self.authorization_servers,
            scopes_supported=self.scopes_supported,
            token_from=token_from,
        )


class CapacityOptions(_Options):
    """What a function gets of Lambda (``Capacity``)."""

    memory_mib: int = Capacity().memory_mib
    reserved_concurrency: int | None = None
    provisioned_concurrency: int | None = None
    snap_start: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.props  # noqa: B018 - refuses what is not possible
        return self

    @property
    def props(self) -> Capacity:
        """The same for a construct.

        Raises:
            PropsError: it is not possible.
        """
        return Capacity(**self.model_dump())


def _url(url: str) -> str:
    """Check Cognito's rules for redirect addresses (``RedirectUrlType``); http only on this computer."""
    if len(url) > _MAX_URL:
        raise ValueError(f"an address has {len(url)} characters; Cognito takes {_MAX_URL}")
    if not all(unicodedata.category(character)[0] in "LMNPS" for character in url):
        raise ValueError(f"{url!r} has a space or a character that cannot be seen; remove it, or write %20 for a space")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError(f"{url!r} is not an address") from None
    if not parts.scheme or parts.scheme in _SCRIPT_SCHEMES or "#" in url or "*" in url:
        raise ValueError(f"{url!r} is not an absolute address without a fragment")
    if parts.scheme == "https" and not host:
        raise ValueError(f"{url!r} names no host")
    if parts.scheme == "http" and host not in _LOCAL_HOSTS:
        raise ValueError(f"{url!r} is not encrypted; use https: http is for this computer only, in development")
    return url


def _resource(resource: str) -> str:
    """Check a resource in ``aud``: an absolute URI without a fragment (RFC 8707 section 2)."""
    if not _RESOURCE.fullmatch(resource):
        raise ValueError(
            f"{resource!r} is not possible; use absolute addresses without a fragment or a comma, as in "
            '["https://api.example.com/mcp"]. A token bound to nothing is accepted in any case'
        )
    return resource


def _identity_source(source: str) -> str:
    if not _IDENTITY_SOURCE.fullmatch(source):
        raise ValueError(
            f"{source!r} is not possible; use $request.header.NAME, $request.querystring.NAME, $context.routeKey, "
            "$context.httpMethod and $context.path"
        )
    return source


def _web_acl(arn: str) -> str:
    if not WEB_ACL.fullmatch(arn):
        raise ValueError(
            f"{arn!r} is not possible; use the ARN of a web ACL with the scope REGIONAL: "
            "arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID"
        )
    return arn


def _thresholds(given: dict[str, int]) -> dict[str, int]:
    known = AlarmThresholds.__slots__
    for name in given.keys() - set(known):
        similar = get_close_matches(name, known, n=1, cutoff=0.6)
        raise ValueError(f"there is no threshold {name}" + (f"; did you mean {similar[0]}?" if similar else ""))
    AlarmThresholds(**given)
    return given


def _client_id(entry: str) -> str:
    try:
        parse_client_ids([entry])
    except ConfigurationError:
        raise ValueError(f"{entry!r} is not possible; write ID, or ID@POOL_ID") from None
    return entry


def _oidc_issuer(given: dict[str, Any]) -> dict[str, Any]:
    try:
        OidcIssuer.from_json(given)
    except ConfigurationError as error:
        raise ValueError(error.message) from None
    return given


def _each_once(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse an address that is listed twice: a subscription of SNS exists once."""
    seen: set[str] = set()
    for address in addresses:
        if address.lower() in seen:
            raise ValueError(f"{address} is listed twice; keep one")
        seen.add(address.lower())
    return addresses


def _names_differ(providers: tuple[IdentityProvider, ...]) -> tuple[IdentityProvider, ...]:
    names = [provider.name for provider in providers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two are named {name}; give each a name of its own")
    return providers


def _attribute(name: str) -> str:
    if not name:
        raise ValueError("'' is not possible; name an attribute of the pool")
    if name.startswith(prefix := "user.attributes."):
        raise ValueError(f"{name!r} is not possible; name it as in the pool: {name.removeprefix(prefix)}")
    return name


def _host(name: str) -> str:
    try:
        check_hosts([name])
    except ConfigurationError as error:
        raise ValueError(error.message) from None
    return name


def _bare(address: str) -> str:
    """Check that an address has only scheme, host and port."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        port, parts = 0, urlsplit("")
    bare = address.removesuffix("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    if not (bare and parts.scheme in {"http", "https"} and parts.hostname and port != 0):
        raise ValueError(f"{address!r} is not possible; use an address of this computer, as in http://127.0.0.1:4566")
    return address.removesuffix("/")


def _of(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


# TOML has arrays, so strict models read them; what is kept cannot be changed.
Urls = Annotated[tuple[Annotated[str, _of(_url)], ...], Field(strict=False, max_length=_MAX_URLS)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]


class Config(_Options):
    """The options of a deployment.

    Attributes:
        setting: ``production`` keeps data and logs, ``development`` can be deleted completely.
        account: of AWS, twelve digits; required in production, so that no deployment lands in another.
        region: of AWS; required in production.
        stack_suffix: of the stacks' names, by default a hyphen and the stage's name.
        tags: of everything that is deployed.
        arch: the processor of the functions, with AWS's name.
        python: the functions' runtime.
        trigger_version: the version of Cognito's event; ``V3_0`` includes client credentials, which is billed.
        on_failure: the result of a sign-in while the table cannot be read.
        feature_plan: the user pool's plan.
        domain: the pool's; by default a prefix derived from the stack's id.
        callback_urls: where the authorization code may be sent; required in production.
        logout_urls: where a browser may be sent after logout.
        resource_servers: APIs by their identifiers in the pool, each with its scopes and their descriptions.
        token_minutes: how long access and ID tokens live.
        email: how the pool sends e-mail; without it Cognito sends a few messages a day.
        identity_providers: by which users of other organizations sign in, through the code client.
        rest_api: whether the verifier's sample is also deployed as a REST API.
        web_acl_arn: the web ACL of AWS WAF on the REST API.
        authorizer_cache_seconds: how long an HTTP API may cache an answer of the authorizer; 0 for no caching.
        authorizer_identity_sources: the cache key of an HTTP API.
        token_from: where requests to the HTTP API have their token, as in ``AuthorizerProps``.
        cookie_origins: origins of pages that may cause requests with a token in a cookie and an unsafe method.
        client_ids: app clients that verifiers accept beside those of the policy: ``ID`` or ``ID@POOL_ID``.
        audience: the resources that access tokens may be bound to, unless route or caller names others.
        oidc_issuers: issuers that are no user pools, whose access tokens authorizers accept, as in ``OidcIssuer``.
        discovery: what documents say by which clients find out where to sign in.
        revocation: whether the authorizers look up revocations for every token, cache them, or do not look them up.
        revocation_cache_seconds: how long they cache them, with ``cached``: the delay of a revocation.
        revocation_shared_seconds: how long verifiers that check every token remember the rows of clients and tenants.
        revocation_on_failure: the result for a token while revocations cannot be read.
        sign_introspection: whether introspection signs its answers for callers that ask for that (RFC 9701), with a key
            of AWS KMS.
        introspection_requests_per_second: how often a caller of introspection may ask in each process of the function,
            unless its row has a number of its own; 0 for any number.
        development_hosts: hosts of local stacks, such as ``cognito`` in docker compose, that need no https.
        jwks_endpoint: the address at which a local stack serves the pool's keys, instead of Cognito.
        log_level: the least important lines that the functions write.
        tracing: whether functions and the REST API record X-Ray traces.
        alarm_emails: addresses that receive alarms; without one, subscribe to the topic.
        releases: how trigger and verifiers are released; without it, callers get their newest code at once.
        trigger_capacity: what the trigger gets of Lambda.
        verifier_capacity: what each authorizer and introspection get of Lambda.
        dashboard: whether there are dashboards; by default in production.
        alarm_thresholds: when alarms ring, by the names of ``AlarmThresholds``.
        probe: whether a synthetic user signs in on a schedule, and what its token must have.
        sign_outs: whether sign-outs in the user pool revoke users; the account needs a trail of management events.
        trusted_attributes: as in the policy's settings; synth checks that no client may write one of them.
    """

    setting: Setting = "production"
    account: Annotated[str, StringConstraints(pattern=_ACCOUNT)] | None = None
    region: Annotated[str, StringConstraints(pattern=_REGION)] | None = None
    stack_suffix: Annotated[str, StringConstraints(pattern=_SUFFIX)] | None = None
    tags: Annotated[dict[str, str], AfterValidator(check_tags)] = Field(default_factory=dict)
    arch: Arch = "arm64"
    python: PythonVersion = "3.13"
    trigger_version: TriggerVersion = "V2_0"
    on_failure: OnFailure = "deny"
    feature_plan: FeaturePlan = "ESSENTIALS"
    domain: Domain | Literal["none"] | None = None
    callback_urls: Urls = ()
    logout_urls: Urls = ()
    resource_servers: Annotated[dict[str, dict[str, str]], AfterValidator(check_resource_servers)] = Field(
        default_factory=lambda: {"orders": {"read": "Read orders", "write": "Change orders"}}
    )
    token_minutes: Annotated[int, Field(ge=5, le=24 * 60)] = 15
    email: Email | None = None
    identity_providers: Annotated[tuple[IdentityProvider, ...], Field(strict=False), AfterValidator(_names_differ)] = ()
    rest_api: bool = False
    web_acl_arn: Annotated[str, _of(_web_acl)] | None = None
    authorizer_cache_seconds: Annotated[int, Field(ge=0, le=MAX_CACHE_SECONDS)] = 0
    authorizer_identity_sources: Annotated[tuple[Annotated[str, _of(_identity_source)], ...], Field(strict=False)] = (
        IDENTITY_SOURCES
    )
    token_from: Texts = ()
    cookie_origins: Texts = ()
    client_ids: Annotated[tuple[Annotated[str, _of(_client_id)], ...], Field(strict=False)] = ()
    audience: Annotated[tuple[Annotated[str, _of(_resource)], ...], Field(strict=False)] = ()
    oidc_issuers: Annotated[
        tuple[Annotated[dict[str, Any], AfterValidator(_oidc_issuer)], ...], Field(strict=False)
    ] = ()
    discovery: DiscoveryOptions = DiscoveryOptions()
    revocation: RevocationMode = "strict"
    revocation_cache_seconds: Annotated[int, Field(ge=1, le=MAX_REVOCATION_CACHE_SECONDS)] = (
        DEFAULT_REVOCATION_CACHE_SECONDS
    )
    revocation_shared_seconds: Annotated[int, Field(ge=0, le=MAX_REVOCATION_SHARED_SECONDS)] = (
        DEFAULT_REVOCATION_SHARED_SECONDS
    )
    revocation_on_failure: RevocationOnFailure = "deny"
    sign_introspection: bool = False
    introspection_requests_per_second: Annotated[int, Field(ge=0, le=MAX_REQUESTS_PER_SECOND)] = (
        DEFAULT_REQUESTS_PER_SECOND
    )
    development_hosts: Annotated[tuple[Annotated[str, _of(_host)], ...], Field(strict=False)] = ()
    jwks_endpoint: Annotated[str, _of(_bare)] | None = None
    log_level: LogLevel = "INFO"
    tracing: bool = False
    alarm_emails: Annotated[tuple[Address, ...], Field(strict=False), AfterValidator(_each_once)] = ()
    releases: ReleaseOptions | None = None
    trigger_capacity: CapacityOptions = CapacityOptions()
    verifier_capacity: CapacityOptions = CapacityOptions()
    dashboard: bool | None = None
    alarm_thresholds: Annotated[dict[str, int], AfterValidator(_thresholds)] = Field(default_factory=dict)
    probe: ProbeOptions | None = None
    sign_outs: SignOutOptions | None = None
    trusted_attributes: Annotated[tuple[Annotated[str, _of(_attribute)], ...], Field(strict=False)] = ()

    @property
    def production(self) -> bool:
        """Whether data, keys and logs outlive the stack."""
        return self.setting == "production"

    @property
    def hosting(self) -> Hosting:
        """How the constructs are hosted."""
        return Hosting(
            arch=self.arch,
            python=self.python,
            retain=self.production,
            log_level=self.log_level,
            tracing=self.tracing,
        )

    @property
    def has_dashboard(self) -> bool:
        """Whether there are dashboards."""
        return self.production if self.dashboard is None else self.dashboard

    @property
    def thresholds(self) -> AlarmThresholds:
        """When alarms ring."""
        return AlarmThresholds(**self.alarm_thresholds)

    @property
    def customizer(self) -> CustomizerProps:
        """What the trigger does."""
        return CustomizerProps(trigger_version=self.trigger_version, on_failure=self.on_failure)

    @property
    def authorizer(self) -> AuthorizerProps:
        """How the authorizers look up revocations."""
        return AuthorizerProps(
            token_from=self.token_from,
            cookie_origins=self.cookie_origins,
            revocation=self.revocation,
            revocation_cache_seconds=self.revocation_cache_seconds,
            revocation_shared_seconds=self.revocation_shared_seconds,
            revocation_on_failure=self.revocation_on_failure,
        )

    @property
    def release_props(self) -> Releases | None:
        """How trigger and verifiers are released."""
        return None if self.releases is None else Releases(**self.releases.model_dump())

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> Self:
        """Check options.

        Args:
            options: by their names, as in a stage's file.

        Raises:
            OptionError: one is unknown or not possible, or they are not possible together.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise OptionError("\n".join(_sentences(error.errors()))) from None

    @model_validator(mode="after")
    def _production_is_complete(self) -> Self:
        if not self.production:
            return self
        missing = [name for name in ("account", "region", "callback_urls") if not getattr(self, name)]
        if missing:
            raise ValueError(f'{" and ".join(missing)} must be set for setting = "production"')
        if any(url.startswith("http:") for url in (*self.callback_urls, *self.logout_urls)):
            raise ValueError('callback_urls and logout_urls: use https; only setting = "development" may use http')
        if self.jwks_endpoint is not None:
            raise ValueError('jwks_endpoint is for local stacks only: setting = "development", or leave it out')
        return self

    @model_validator(mode="after")
    def _email_has_a_region(self) -> Self:
        if self.email is not None and self.email.region is None and self.region is None:
            raise ValueError("email needs its region, that of the identity at SES: region in [email], or the stage's")
        return self

    @model_validator(mode="after")
    def _keys_are_local_or_encrypted(self) -> Self:
        """Keys come from this computer or a development host, and those only in development."""
        if self.production and self.development_hosts:
            raise ValueError('development_hosts are for local stacks only: setting = "development", or leave it out')
        host = None if self.jwks_endpoint is None else urlsplit(self.jwks_endpoint).hostname
        if host is not None and host not in {*_LOOPBACK, *self.development_hosts}:
            raise ValueError(
                f"jwks_endpoint: {self.jwks_endpoint!r} is not possible; use an address of this computer, as in "
                "http://127.0.0.1:4566, or name its host in development_hosts"
            )
        for issuer in self.oidc_issuers:
            try:
                OidcIssuer.from_json(issuer).check_addresses(frozenset(self.development_hosts))
            except ConfigurationError as error:
                raise ValueError(f"oidc_issuers: {error.message}") from None
        return self

    @model_validator(mode="after")
    def _cache_opens_nothing(self) -> Self:
        """The cache key has everything that an answer depends on: the token and, if it is cached, route and tenant."""
        key, sources = "authorizer_identity_sources", self.authorizer_identity_sources
        try:
            in_header = places(self.token_from, self.cookie_origins).in_header
        except ConfigurationError as error:
            raise ValueError(f"token_from and cookie_origins: {error.message}") from None
        if not in_header and (self.authorizer_cache_seconds or IDENTITY_SOURCES[0] in sources):
            raise ValueError(f"{key} must be [], without a cache: token_from puts the token elsewhere than in a header")
        if in_header and sources and IDENTITY_SOURCES[0] not in sources:
            raise ValueError(f"{key} must include {IDENTITY_SOURCES[0]}: every answer depends on the token")
        tenant = any(map(_TENANT_SOURCE.fullmatch, sources))
        if self.authorizer_cache_seconds and not (_ROUTE_SOURCE in sources and tenant):
            raise ValueError(
                f"authorizer_cache_seconds = {self.authorizer_cache_seconds} is not possible with these {key}: a "
                "cached answer for one route or tenant would open another. Name the route and the place of the tenant "
                "in your routes' tenant_from (not a query parameter: it may occur twice), as in "
                f'{key} = ["$request.header.Authorization", "$context.routeKey", "$context.path"]'
            )
        return self

    @model_validator(mode="after")
    def _only_a_rest_api_has_a_firewall(self) -> Self:
        if self.web_acl_arn is not None and not self.rest_api:
            raise ValueError(
                "web_acl_arn needs rest_api = true: AWS WAF protects no HTTP API; put CloudFront in front of that"
            )
        return self

    @model_validator(mode="after")
    def _only_a_rest_api_has_a_challenge(self) -> Self:
        if self.discovery.resource_metadata is not None and not self.rest_api:
            raise ValueError(
                "discovery.resource_metadata needs rest_api = true: the 401 of an HTTP API has no challenge"
            )
        return self

    @model_validator(mode="after")
    def _capacity_is_possible(self) -> Self:
        for capacity in (self.trigger_capacity, self.verifier_capacity):
            check_capacity(capacity.props, self.release_props, self.python)
        return self

    @model_validator(mode="before")
    @classmethod
    def _plan_and_local_callback(cls, options: object) -> object:
        if not isinstance(options, dict):
            return options
        if str(options.get("feature_plan", "")).upper() == "LITE":
            raise ValueError(LITE_REFUSAL.removesuffix("."))
        if options.get("setting") == "development":
            local = {"callback_urls": (_LOCAL_CALLBACK,), "logout_urls": (_LOCAL_CALLBACK,)}
            return {**local, **options}
        return options


def _sentences(errors: list[ErrorDetails]) -> Iterator[str]:
    """A sentence for each error; a value is not repeated, for it may be a secret that was put into the wrong place."""
    for error in errors:
        where = ".".join(map(str, error["loc"]))
        said = error["msg"].removeprefix("Value error, ").rstrip(".")
        pattern = error.get("ctx", {}).get("pattern")
        if pattern in _FORMS:
            said = f"is not possible; write {_FORMS[pattern]}"
        elif error["type"] == "tuple_type":
            said = 'is not a list; write ["…"]'
        elif error["type"] == "extra_forbidden":
            similar = get_close_matches(where, Config.model_fields, n=1, cutoff=0.6)
            said = "there is no such option" + (f"; did you mean {similar[0]}?" if similar else "")
        yield f"{where}: {said}" if where else said

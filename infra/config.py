"""The options of a deployment, as the file of its stage has them (``stages/NAME.toml``)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator

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
from claimsmith_cdk.alarms import AlarmThresholds
from claimsmith_cdk.claim_customizer import CustomizerProps
from claimsmith_cdk.claims_authorizer import IDENTITY_SOURCES, MAX_CACHE_SECONDS, AuthorizerProps
from claimsmith_cdk.firewall import WEB_ACL
from claimsmith_cdk.hosting import Arch, Hosting, LogLevel, PythonVersion
from claimsmith_cdk.pool_settings import LITE_REFUSAL
from claimsmith_cdk.releases import Releases, check_capacity
from claimsmith_cdk.user_pools import TriggerVersion
from infra.addresses import bare_address, check_host, check_redirect, check_resource
from infra.cache_key import check_cache_key, check_identity_source
from infra.construct_options import CapacityOptions, DiscoveryOptions, ProbeOptions, ReleaseOptions, SignOutOptions
from infra.domain import Domain, Email
from infra.identity_providers import IdentityProvider
from infra.options import FORMS, Account, Address, Options, Region, Suffix
from infra.resource_servers import check_resource_servers
from infra.tags import check_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic_core import ErrorDetails

Setting = Literal["production", "development"]
FeaturePlan = Literal["ESSENTIALS", "PLUS"]

_LOCAL_CALLBACK = "http://localhost:3000/callback"
_MAX_URLS = 100
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class OptionError(ValueError):
    """Options that are not possible; the message has a line for each, with its name and the remedy."""


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


def _of(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


# TOML has arrays, so strict models read them; what is kept cannot be changed.
Urls = Annotated[tuple[Annotated[str, _of(check_redirect)], ...], Field(strict=False, max_length=_MAX_URLS)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]


class Config(Options):
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
    account: Account | None = None
    region: Region | None = None
    stack_suffix: Suffix | None = None
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
    authorizer_identity_sources: Annotated[
        tuple[Annotated[str, _of(check_identity_source)], ...], Field(strict=False)
    ] = IDENTITY_SOURCES
    token_from: Texts = ()
    cookie_origins: Texts = ()
    client_ids: Annotated[tuple[Annotated[str, _of(_client_id)], ...], Field(strict=False)] = ()
    audience: Annotated[tuple[Annotated[str, _of(check_resource)], ...], Field(strict=False)] = ()
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
    development_hosts: Annotated[tuple[Annotated[str, _of(check_host)], ...], Field(strict=False)] = ()
    jwks_endpoint: Annotated[str, _of(bare_address)] | None = None
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
        check_cache_key(
            self.authorizer_identity_sources, self.authorizer_cache_seconds, self.token_from, self.cookie_origins
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
        if pattern in FORMS:
            said = f"is not possible; write {FORMS[pattern]}"
        elif error["type"] == "tuple_type":
            said = 'is not a list; write ["…"]'
        elif error["type"] == "extra_forbidden":
            similar = get_close_matches(where, Config.model_fields, n=1, cutoff=0.6)
            said = "there is no such option" + (f"; did you mean {similar[0]}?" if similar else "")
        yield f"{where}: {said}" if where else said

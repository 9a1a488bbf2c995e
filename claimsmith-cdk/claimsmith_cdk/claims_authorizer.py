"""The authorizer of APIs: for an HTTP API, a REST API, a WebSocket API or an AppSync API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_appsync as appsync

from claimsmith import environment as variables
from claimsmith.errors import ConfigurationError
from claimsmith.places import places
from claimsmith_cdk.authorizer_caches import check_authorizer_caches
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.discovery import check_address
from claimsmith_cdk.grants import authorizer_statements
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.props import PropsError, check_choice, check_kind, check_seconds
from claimsmith_cdk.tokens import AcceptedTokens
from claimsmith_cdk.verifier import Verifier, check_once, check_shared_seconds, shared_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from constructs import Construct

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Releases

Api = Literal["http", "rest", "websocket", "appsync"]

_TIMEOUT: Final = Duration.seconds(5)

#: What an HTTP API requires in a request before it calls the authorizer; also its cache key.
IDENTITY_SOURCES: Final = ("$request.header.Authorization",)
#: A handshake may have the token in a header or, from a browser, in the query.
_WEBSOCKET_SOURCES: Final = ("route.request.header.Authorization",)

#: Of a challenge: what needs no escape, in a header or in API Gateway's own quotes.
_REALM: Final = re.compile(r"[A-Za-z0-9 ._:/-]{1,128}")

#: The longest time for which an answer may be cached: the delay of a revocation.
MAX_CACHE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizerProps:
    """Where an authorizer finds the token, and how it looks up revocations.

    Attributes:
        token_from: where requests have their token: ``bearer``, ``bare``, ``cookie:NAME``, and for WebSockets
            ``subprotocol:NAME`` and ``query:NAME``. By default in the ``Authorization`` header; for a WebSocket also in
            the parameter ``access_token``.
        cookie_origins: origins of pages that may cause requests with a token in a cookie and an unsafe method.
        revocation: ``strict``: for every token; ``cached``: it keeps what it found; ``off``: not at all.
        revocation_cache_seconds: how long it keeps it, with ``cached``: the delay of a revocation. 1 to 300.
        revocation_shared_seconds: how long it remembers the rows of clients and tenants, with ``strict``. 0 to 60.
        revocation_on_failure: the result for a token while revocations cannot be read.

    Raises:
        PropsError: a value is not possible.
    """

    token_from: Sequence[str] = ()
    cookie_origins: Sequence[str] = ()
    revocation: variables.RevocationMode = "strict"
    revocation_cache_seconds: int = variables.DEFAULT_REVOCATION_CACHE_SECONDS
    revocation_shared_seconds: int = variables.DEFAULT_REVOCATION_SHARED_SECONDS
    revocation_on_failure: variables.RevocationOnFailure = "deny"

    def __post_init__(self) -> None:
        for name in ("token_from", "cookie_origins"):
            if isinstance(getattr(self, name), str):
                raise PropsError(f"{name} is one text; give a list or a tuple of them.")
        try:
            places(self.token_from, self.cookie_origins)
        except ConfigurationError as error:
            raise PropsError(error.message) from None
        check_choice("revocation", self.revocation, get_args(variables.RevocationMode))
        check_choice("revocation_on_failure", self.revocation_on_failure, get_args(variables.RevocationOnFailure))
        check_seconds(
            "revocation_cache_seconds",
            self.revocation_cache_seconds,
            least=1,
            most=variables.MAX_REVOCATION_CACHE_SECONDS,
        )
        check_shared_seconds(self.revocation_shared_seconds)

    def environment(self) -> dict[str, str]:
        """The variables of the function; defaults are left out."""
        if self.revocation == "strict":
            found = shared_seconds(self.revocation_shared_seconds)
        else:
            found = {variables.REVOCATION: self.revocation}
        if self.revocation == "cached":
            found[variables.REVOCATION_CACHE_SECONDS] = str(self.revocation_cache_seconds)
        if self.revocation != "off" and self.revocation_on_failure != "deny":
            found[variables.REVOCATION_ON_FAILURE] = self.revocation_on_failure
        for name, listed in ((variables.TOKEN_FROM, self.token_from), (variables.COOKIE_ORIGINS, self.cookie_origins)):
            if listed:
                found[name] = ",".join(listed)
        return found


DEFAULT_PROPS: Final = AuthorizerProps()


class ClaimsAuthorizer(Verifier):
    """Allows requests whose token is sufficient for their route.

    The form of its answers is set once, so it serves APIs of one kind; several APIs of that kind may share it.

    Attributes:
        api: the kind of API that it serves.
        issuers: ``iss`` of the tokens that it accepts.
    """

    def __init__(  # noqa: PLR0913 - resources and choices
        self,
        scope: Construct,
        construct_id: str,
        *,
        api: Api,
        table: dynamodb.ITable,
        tokens: AcceptedTokens,
        props: AuthorizerProps = DEFAULT_PROPS,
        hosting: Hosting = DEFAULT_HOSTING,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
    ) -> None:
        """Create the function.

        Args:
            scope: where.
            construct_id: its id, with which the names of its alarms begin.
            api: the kind of API that it serves.
            table: the customizer's table: policy in force and revocations.
            tokens: which tokens it accepts.
            props: how it looks up revocations.
            hosting: what it runs on.
            capacity: what it gets of Lambda.
            releases: how it is released; None: APIs call its newest code at once.

        Raises:
            PropsError: a value is not possible.
        """
        check_choice("api", api, get_args(Api))
        check_kind("tokens", tokens, AcceptedTokens)
        check_kind("props", props, AuthorizerProps)
        response: variables.AuthorizerResponse = "simple" if api == "http" else "iam"
        super().__init__(
            scope,
            construct_id,
            module="lambdas.verifier.authorizer",
            description="Allows requests whose token is sufficient for their route.",
            timeout=_TIMEOUT,
            environment={
                variables.TABLE: table.table_name,
                **tokens.environment(),
                variables.AUTHORIZER_RESPONSE: response,
                **props.environment(),
            },
            statements=authorizer_statements(table),
            hosting=hosting,
            capacity=capacity,
            releases=releases,
            raises_refusals=api in ("rest", "websocket"),
        )
        self.api: Api = api
        self.issuers = (*tokens.pool_issuers, *(issuer.issuer for issuer in tokens.oidc_issuers))
        self._in_header = places(props.token_from, props.cookie_origins).in_header
        check_once(Stack.of(self), "authorizer-caches", check_authorizer_caches)

    def for_http_api(
        self, *, cache_seconds: int = 0, identity_sources: Sequence[str] = IDENTITY_SOURCES
    ) -> authorizers.HttpLambdaAuthorizer:
        """The authorizer of routes of an HTTP API.

        Args:
            cache_seconds: how long API Gateway keeps an answer, up to 300: the delay of a revocation. 0 for not at all.
            identity_sources: what a request must have, and the cache key. With a cache it must have the route and the
                place of the tenant, too; synth checks it. Empty if a request may have its token elsewhere than in
                ``Authorization``, or may come without one, for a public route.

        Raises:
            PropsError: it serves another kind of API, cannot be cached so long, or would be called only for requests
                with a header in which they have no token.
        """
        self._refuse_other("http")
        if not self._in_header and (cache_seconds or IDENTITY_SOURCES[0] in identity_sources):
            raise PropsError("The token is not in the Authorization header: pass identity_sources=[], and no cache.")
        check_seconds("cache_seconds", cache_seconds, least=0, most=MAX_CACHE_SECONDS)
        return authorizers.HttpLambdaAuthorizer(
            "Authorizer",
            self.live,
            response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
            identity_source=list(identity_sources),
            results_cache_ttl=Duration.seconds(cache_seconds),
        )

    def for_rest_api(self, scope: Construct, construct_id: str = "Authorizer") -> rest.TokenAuthorizer:
        """The authorizer of methods of a REST API.

        Args:
            scope: where; a new one for each API.
            construct_id: its id.

        Raises:
            PropsError: it serves another kind of API.
        """
        self._refuse_other("rest")
        return rest.TokenAuthorizer(
            scope,
            construct_id,
            handler=self.live,
            # Answers name one method's ARN, and the cache key of a TOKEN authorizer is the token alone: a cached one
            # would refuse every other method.
            results_cache_ttl=Duration.seconds(0),
        )

    def add_challenge(
        self, api: rest.RestApi, *, realm: str = "api", resource_metadata: str | None = None
    ) -> rest.GatewayResponse:
        """Put a challenge into a REST API's 401 (RFC 6750 section 3), which an authorizer cannot do.

        An HTTP API has nothing of the kind: its 401 has no challenge.

        Args:
            api: the API; it has one challenge for all its methods.
            realm: of the challenge.
            resource_metadata: the address of the resource's metadata (RFC 9728 section 5.1), such as
                ``https://api.example.com/.well-known/oauth-protected-resource``.

        Raises:
            PropsError: it serves another kind of API, or a value cannot be quoted.
        """
        self._refuse_other("rest")
        if not _REALM.fullmatch(realm):
            raise PropsError(f"realm: {realm!r} is not possible; use letters, digits, spaces and . _ : / -")
        parameters = {"realm": realm, "resource_metadata": resource_metadata}
        if resource_metadata is not None:
            check_address("resource_metadata", resource_metadata)
        written = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)
        return api.add_gateway_response(
            "Challenge",
            type=rest.ResponseType.UNAUTHORIZED,
            status_code="401",
            response_headers={"WWW-Authenticate": f"'Bearer {written}'"},
        )

    def for_websocket_api(
        self, *, identity_sources: Sequence[str] = _WEBSOCKET_SOURCES
    ) -> authorizers.WebSocketLambdaAuthorizer:
        """The authorizer of the ``$connect`` route of a WebSocket API.

        Args:
            identity_sources: what a handshake must have; ``route.request.querystring.access_token`` for browsers,
                which cannot set a header.

        Raises:
            PropsError: it serves another kind of API.
        """
        self._refuse_other("websocket")
        return authorizers.WebSocketLambdaAuthorizer("Authorizer", self.live, identity_source=list(identity_sources))

    def for_appsync_api(self) -> appsync.LambdaAuthorizerConfig:
        """The Lambda authorizer of an AppSync API: AppSync keeps no answer.

        Raises:
            PropsError: it serves another kind of API.
        """
        self._refuse_other("appsync")
        return appsync.LambdaAuthorizerConfig(handler=self.live, results_cache_ttl=Duration.seconds(0))

    def metric_allowed(self) -> cloudwatch.Metric:
        """Requests that were allowed."""
        return self.metric("Allowed")

    def metric_forbidden(self) -> cloudwatch.Metric:
        """Requests whose token is valid and not sufficient (403)."""
        return self.metric("Forbidden")

    def metric_unauthorized(self) -> cloudwatch.Metric:
        """Requests without a valid token (401)."""
        return self.metric("Unauthorized")

    def _refuse_other(self, api: Api) -> None:
        if api != self.api:
            raise PropsError(f"{self.node.path} answers {self.api} APIs: create another ClaimsAuthorizer(api={api!r}).")

"""Token introspection (RFC 7662) and discovery, and their routes in an HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, Token
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations

from claimsmith import environment as variables
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.discovery import DEFAULT_PROPS, WELL_KNOWN, DiscoveryProps
from claimsmith_cdk.grants import introspection_statements, signing_statements
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.props import PropsError, check_kind
from claimsmith_cdk.signing_keys import check_signing_keys
from claimsmith_cdk.tokens import AcceptedTokens
from claimsmith_cdk.verifier import Verifier, check_shared_seconds, shared_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Releases

_TIMEOUT: Final = Duration.seconds(10)

#: Its path, unless the API has another.
_INTROSPECT: Final = "/introspect"

_FOR_ANYBODY: Final = "A client without a token reads here where to get one (RFC 8414 section 3, RFC 9728 section 3)."


class Introspection(Verifier):
    """Answers whether a token is active, and for whom. It reads revocations for every token.

    Attributes:
        issuers: ``iss`` of the tokens that it knows.
    """

    def __init__(  # noqa: PLR0913 - what an endpoint can be told
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        tokens: AcceptedTokens,
        revocation_shared_seconds: int = variables.DEFAULT_REVOCATION_SHARED_SECONDS,
        discovery: DiscoveryProps = DEFAULT_PROPS,
        hosting: Hosting = DEFAULT_HOSTING,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
        signing_keys: Sequence[kms.IKey] = (),
        issuer: str | None = None,
        requests_per_second: int = variables.DEFAULT_REQUESTS_PER_SECOND,
    ) -> None:
        """Create the function.

        Args:
            scope: where.
            construct_id: its id, with which the names of its alarms begin.
            table: the customizer's table: policy in force, revocations, callers and directory.
            tokens: which tokens it accepts.
            revocation_shared_seconds: how long it remembers the rows of clients and tenants.
            discovery: what it says of pools and resources, with ``add_discovery``.
            hosting: what it runs on.
            capacity: what it gets of Lambda.
            releases: how it is released; None: APIs call its newest code at once.
            signing_keys: KMS keys for signed answers (RFC 9701), RSA of 2048 bits or more or P-256, with the usage
                ``SIGN_VERIFY``; no aliases. The first one signs; the others are published beside it, while one replaces
                another.
            issuer: the value of ``iss`` in signed answers, a URL; by default that of the API of ``add_route``.
            requests_per_second: how often a caller may ask, on average, in each process of the function, unless its row
                has a number of its own. 0 to 1,000; 0 for any number.

        Raises:
            PropsError: a value is not possible.
        """
        check_kind("tokens", tokens, AcceptedTokens)
        check_kind("discovery", discovery, DiscoveryProps)
        check_shared_seconds(revocation_shared_seconds)
        _check_share(requests_per_second)
        if issuer is not None and not signing_keys:
            raise PropsError("issuer is that of signed answers: name signing_keys, too.")
        check_signing_keys(signing_keys)
        self._issuer = issuer
        self._signs = bool(signing_keys)
        super().__init__(
            scope,
            construct_id,
            module="lambdas.verifier.introspection",
            description="Token introspection (RFC 7662).",
            timeout=_TIMEOUT,
            environment={
                variables.TABLE: table.table_name,
                **tokens.environment(),
                **shared_seconds(revocation_shared_seconds),
                **({variables.SIGNING_KEYS: ",".join(key.key_arn for key in signing_keys)} if signing_keys else {}),
                **({variables.SIGNING_ISSUER: issuer} if issuer is not None else {}),
                **_share(requests_per_second),
                **discovery.environment(),
            },
            statements=[*introspection_statements(table), *signing_statements(signing_keys)],
            hosting=hosting,
            capacity=capacity,
            releases=releases,
        )
        self.issuers = tokens.pool_issuers
        self._discovery = discovery

    def add_route(self, api: apigateway.HttpApi, path: str = _INTROSPECT) -> apigateway.CfnRoute:
        """Add its route to an HTTP API. It needs no authorizer: introspection authenticates its callers itself.

        With ``signing_keys``, the keys of signed answers are served below it, at ``jwks.json``.

        Raises:
            PropsError: the API has the route already; or answers are signed, and two APIs have it, so that ``issuer``
                must be said.
        """
        _check_free(api, "POST", path)
        if path != _INTROSPECT and self._discovery.introspection_endpoint is None:
            self.function.add_environment(variables.INTROSPECTION_ENDPOINT, path)
        integration = integrations.HttpLambdaIntegration("Introspection", self.live)
        (route,) = api.add_routes(path=path, methods=[apigateway.HttpMethod.POST], integration=integration)
        if self._signs:
            self._serve_keys(api, path, integration)
        resource = route.node.default_child
        assert isinstance(resource, apigateway.CfnRoute)  # noqa: S101 - the resource of an HttpRoute
        acknowledge(
            resource,
            "APIG4",
            "Introspection authenticates its callers itself, by secret or token (RFC 7662 section 2.1); an authorizer "
            "would recognise only some of them.",
        )
        return resource

    def _serve_keys(self, api: apigateway.HttpApi, path: str, integration: integrations.HttpLambdaIntegration) -> None:
        if self._issuer is None:
            self._issuer = api.api_endpoint
            self.function.add_environment(variables.SIGNING_ISSUER, self._issuer)
        elif self._issuer != api.api_endpoint and Token.is_unresolved(self._issuer):
            raise PropsError("Two APIs have introspection's route: say with issuer which address its answers name.")
        (keys,) = api.add_routes(path=f"{path}/jwks.json", methods=[apigateway.HttpMethod.GET], integration=integration)
        resource = keys.node.default_child
        assert isinstance(resource, apigateway.CfnRoute)  # noqa: S101 - the resource of an HttpRoute
        acknowledge(resource, "APIG4", "Public keys, with which anybody may verify introspection's answers.")

    def add_discovery(self, api: apigateway.HttpApi) -> tuple[apigateway.CfnRoute, ...]:
        """Add the routes of the documents to an HTTP API: of pools, and of the resources that tokens are bound to.

        Anybody may read them. The API is best at the address of the resources: clients look there.

        Raises:
            PropsError: the API has one of the routes already.
        """
        integration = integrations.HttpLambdaIntegration("Discovery", self.live, scope_permission_to_route=False)
        found = []
        for path in (place for document in WELL_KNOWN for place in (document, f"{document}/{{path+}}")):
            _check_free(api, "GET", path)
            (route,) = api.add_routes(path=path, methods=[apigateway.HttpMethod.GET], integration=integration)
            resource = route.node.default_child
            assert isinstance(resource, apigateway.CfnRoute)  # noqa: S101 - the resource of an HttpRoute
            acknowledge(resource, "APIG4", _FOR_ANYBODY)
            found.append(resource)
        return tuple(found)

    def add_rest_discovery(self, api: rest.RestApi) -> tuple[rest.Method, ...]:
        """The same for a REST API, which is best at the address of the resources too.

        At the API's own address the stage comes first, and clients do not look behind it: there, only a challenge
        (``ClaimsAuthorizer.add_challenge``) leads to ``https://HOST/STAGE/.well-known/oauth-protected-resource``.

        Raises:
            PropsError: the API has one of the methods already.
        """
        integration = rest.LambdaIntegration(self.live, allow_test_invoke=False)
        found = []
        for document in WELL_KNOWN:
            place = api.root.resource_for_path(document)
            for resource in (place, place.get_resource("{path+}") or place.add_resource("{path+}")):
                if resource.node.try_find_child("GET") is not None:
                    raise _taken(api, "GET", resource.path)
                method = resource.add_method("GET", integration, authorization_type=rest.AuthorizationType.NONE)
                for rule in ("APIG4", "COG4"):
                    acknowledge(method, rule, _FOR_ANYBODY)
                found.append(method)
        return tuple(found)

    def metric_active(self) -> cloudwatch.Metric:
        """Questions about tokens that are active."""
        return self.metric("Active")

    def metric_rate_limited(self) -> cloudwatch.Metric:
        """Requests that got 429, because their caller has used up its share; the log names the caller."""
        return self.metric("RateLimited")


def _check_free(api: apigateway.HttpApi, method: str, path: str) -> None:
    """Refuse a route that an API has already, by the id that the CDK gives it."""
    if api.node.try_find_child(f"{method}{path}") is not None:
        raise _taken(api, method, path)


def _taken(api: Construct, method: str, path: str) -> PropsError:
    return PropsError(
        f"{api.node.path} has {method} {path} already. Add the routes of introspection and of discovery once to an "
        "API, and none of your own in their place."
    )


def _check_share(number: object) -> None:
    most = variables.MAX_REQUESTS_PER_SECOND
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise PropsError(f"requests_per_second={number!r} is not possible; use 0 to {most}. 0 is any number.")


def _share(number: int) -> dict[str, str]:
    """The variable for how often a caller may ask; none if it is the default."""
    return {} if number == variables.DEFAULT_REQUESTS_PER_SECOND else {variables.REQUESTS_PER_SECOND: str(number)}

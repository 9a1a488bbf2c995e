"""Answers of authorizers are kept only by everything that decides them; synth fails where they would not be.

Looks at the resources that are made, whoever made them: a route that is added by hand, or an authorizer whose cache is
on because AWS turns it on by default (300 seconds), is seen too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import Stack, Token
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as http
from constructs import IValidation

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORIZATION: Final = "$request.header.authorization"
_ROUTE: Final = "$context.routeKey"
_METHOD: Final = "$context.httpMethod"
_PATH: Final = "$context.path"


@jsii.implements(IValidation)
class AuthorizerCaches:
    """Says what is wrong with the caches of a stack's authorizers.

    Answers of an HTTP API's authorizer are words, or policies of an ARN that AWS does not promise to be the path's;
    both open whatever API Gateway uses them for. So they are kept by the token, the route and method, the path where a
    route has variables in it, and the tenant. A REST API's are not kept at all: its TOKEN authorizer is asked by the
    token alone, and the policy for one method would refuse every other. A WebSocket API keeps none.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def validate(self) -> list[str]:
        """The problems, a sentence each."""
        found = self._stack.node.find_all()
        problems: list[str] = []
        for construct in found:
            if isinstance(construct, rest.CfnAuthorizer) and construct.type in ("TOKEN", "REQUEST"):
                problems += _kept_by_rest(construct)
            if isinstance(construct, http.CfnAuthorizer) and construct.authorizer_type == "REQUEST":
                routes = [route for route in found if isinstance(route, http.CfnRoute)]
                problems += self._kept_by_http(construct, [route for route in routes if self._asks(route, construct)])
        return problems

    def _asks(self, route: http.CfnRoute, authorizer: http.CfnAuthorizer) -> bool:
        return bool(self._stack.resolve(route.authorizer_id) == self._stack.resolve(authorizer.ref))

    def _kept_by_http(self, authorizer: http.CfnAuthorizer, routes: list[http.CfnRoute]) -> Iterator[str]:
        websocket = authorizer.authorizer_payload_format_version is None
        if websocket or authorizer.authorizer_result_ttl_in_seconds == 0:
            return
        sources = {_folded(source) for source in authorizer.identity_source or ()}
        where = f"The answers of {authorizer.node.path} are kept"
        if _AUTHORIZATION not in sources:
            yield f"{where}, but not by the token: one caller's answer would be given to others."
        if _ROUTE not in sources:
            yield f"{where}, but not by the route ({_ROUTE}): an answer for one route would open another."
        if not any(source == _PATH or source.startswith("$request.header.") for source in sources - {_AUTHORIZATION}):
            yield f"{where}, but not by the tenant ({_PATH} or a header): an answer for one tenant would open another."
        for route in routes:
            method, _, path = route.route_key.partition(" ")
            if _METHOD not in sources and (Token.is_unresolved(route.route_key) or method in ("ANY", "$default")):
                yield f"{where}, but not by the method ({_METHOD}), and {route.node.path} is for any."
            if _PATH not in sources and ("{" in path or not path):
                yield f"{where}, but not by the path ({_PATH}), and {route.node.path} is for many."


def _kept_by_rest(authorizer: rest.CfnAuthorizer) -> Iterator[str]:
    if authorizer.authorizer_result_ttl_in_seconds != 0:
        yield (
            f"The answers of {authorizer.node.path} are kept, but name one method: they would refuse every other one. "
            "Set AuthorizerResultTtlInSeconds to 0."
        )


def _folded(source: str) -> str:
    return source.lower() if source.startswith("$request.header.") else source

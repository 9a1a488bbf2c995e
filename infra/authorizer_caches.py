"""Answers of authorizers are kept only by everything that decides them; synth fails where they would not be.

Looks at the resources that are made, whoever made them: a route that is added by hand, or an authorizer whose cache is
on because AWS turns it on by default (300 seconds), is seen too.

What synth cannot know are the rows, which say in which header a tenant is named. The function behind the authorizer
does, so it is told by what its answers are kept, and gives none that would open another request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import Aspects, IAspect, Stack, Token
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct, IValidation

from claimsmith.environment import AUTHORIZER_CACHED_BY

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORIZATION: Final = "$request.header.authorization"
_ROUTE: Final = "$context.routeKey"
_METHOD: Final = "$context.httpMethod"
_PATH: Final = "$context.path"


def see_to_caches(stack: Stack) -> None:
    """Tell the functions behind a stack's caching authorizers of it, and fail the synth where that is not enough."""
    caches = AuthorizerCaches(stack)
    Aspects.of(stack).add(caches)
    stack.node.add_validation(caches)


@jsii.implements(IAspect, IValidation)
class AuthorizerCaches:
    """Says what is wrong with the caches of a stack's authorizers, and tells their functions of them.

    Answers of an HTTP API's authorizer are words, or policies of an ARN that AWS does not promise to be the path's;
    both open whatever API Gateway uses them for. So they are kept by the token, the route and method, the path where a
    route has variables in it, and the tenant. A REST API's are not kept at all: its TOKEN authorizer is asked by the
    token alone, and the policy for one method would refuse every other. A WebSocket API keeps none.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def visit(self, node: IConstruct) -> None:
        """Tell a function by what its answers are kept. By an override: what it is told else cannot be read here."""
        if not isinstance(node, lambda_.CfnFunction):
            return
        for authorizer in self._keeping():
            if self._is_behind(node, authorizer):
                told = ",".join(authorizer.identity_source or ())
                node.add_property_override(f"Environment.Variables.{AUTHORIZER_CACHED_BY}", told)

    def validate(self) -> list[str]:
        """The problems, a sentence each."""
        found = self._stack.node.find_all()
        problems: list[str] = []
        for construct in found:
            if isinstance(construct, rest.CfnAuthorizer) and construct.type in ("TOKEN", "REQUEST"):
                problems += _kept_by_rest(construct)
        routes = [route for route in found if isinstance(route, http.CfnRoute)]
        functions = [function for function in found if isinstance(function, lambda_.CfnFunction)]
        for authorizer in self._keeping():
            problems += _kept_by_http(authorizer, [route for route in routes if self._asks(route, authorizer)])
            behind = [function for function in functions if self._is_behind(function, authorizer)]
            problems += self._told(authorizer, behind)
        return problems

    def _keeping(self) -> list[http.CfnAuthorizer]:
        """The authorizers of HTTP APIs whose answers are kept; one without a payload format is a WebSocket API's."""
        return [
            authorizer
            for authorizer in self._stack.node.find_all()
            if isinstance(authorizer, http.CfnAuthorizer)
            and authorizer.authorizer_type == "REQUEST"
            and authorizer.authorizer_payload_format_version is not None
            and authorizer.authorizer_result_ttl_in_seconds != 0
        ]

    def _asks(self, route: http.CfnRoute, authorizer: http.CfnAuthorizer) -> bool:
        names = [self._stack.resolve(name) for name in (authorizer.ref, authorizer.attr_authorizer_id)]
        return self._stack.resolve(route.authorizer_id) in names

    def _is_behind(self, function: lambda_.CfnFunction, authorizer: http.CfnAuthorizer) -> bool:
        arn, uri = (json.dumps(self._stack.resolve(name)) for name in (function.attr_arn, authorizer.authorizer_uri))
        return arn in uri

    def _told(self, authorizer: http.CfnAuthorizer, behind: list[lambda_.CfnFunction]) -> Iterator[str]:
        where = f"The answers of {authorizer.node.path} are kept"
        if not behind:
            yield f"{where}, but its function is none of this stack, so not told ({AUTHORIZER_CACHED_BY})."
        for other in self._keeping():
            shared = any(self._is_behind(function, other) for function in behind)
            if shared and _sources(other) != _sources(authorizer):
                yield f"{where} by other sources than those of {other.node.path}, but one function gives both."


def _kept_by_http(authorizer: http.CfnAuthorizer, routes: list[http.CfnRoute]) -> Iterator[str]:
    sources = _sources(authorizer)
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


def _sources(authorizer: http.CfnAuthorizer) -> set[str]:
    """By what its answers are kept; names of headers in lower case, since their case is nothing."""
    return {
        source.lower() if source.startswith("$request.header.") else source
        for source in authorizer.identity_source or ()
    }

"""Answers of authorizers are kept only by everything that decides them; synth fails where they would not be.

Reads the finished templates, whoever wrote them: an authorizer that is changed by an override, written as a generic
resource or in an OpenAPI document is seen too, and so is one whose cache is on because AWS turns it on by default (300
seconds). What cannot be read is refused.

What synth cannot know are the rows, which say in which header a tenant is named. The function behind the authorizer
does, so it is told by what its answers are kept, and gives none that would open another request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import Aspects, IAspect, Stack
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_

from claimsmith.environment import AUTHORIZER_CACHED_BY
from infra.authorizers import kept_in, unreadable_in
from infra.template_check import check_templates
from infra.templates import mapping, possible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from constructs import IConstruct

    from infra.authorizers import Kept
    from infra.template_check import Findings
    from infra.templates import Resource, Templates

_AUTHORIZATION: Final = "$request.header.authorization"
_ROUTE: Final = "$context.routeKey"
_METHOD: Final = "$context.httpMethod"
_PATH: Final = "$context.path"

#: Of a route that is for any method and path.
_ANY: Final = "$default"

_FUNCTIONS: Final = ("AWS::Lambda::Function", "AWS::Serverless::Function")


def see_to_caches(stack: Stack) -> None:
    """Tell the functions behind a stack's caching authorizers of it, and fail the synth where that is not enough."""
    Aspects.of(stack).add(_Teller(stack))
    check_templates(stack, "authorizer-caches", problems)


@jsii.implements(IAspect)
class _Teller:
    """Tells functions by what their answers are kept, as far as the constructs say; the finished templates decide."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def visit(self, node: IConstruct) -> None:
        """Tell a function by what its answers are kept. By an override: what it is told else cannot be read here."""
        if not isinstance(node, lambda_.CfnFunction):
            return
        arn = json.dumps(self._stack.resolve(node.attr_arn))
        for authorizer in self._stack.node.find_all():
            if (
                isinstance(authorizer, http.CfnAuthorizer)
                and authorizer.authorizer_type == "REQUEST"
                and authorizer.authorizer_payload_format_version is not None
                and authorizer.authorizer_result_ttl_in_seconds != 0
                and arn in json.dumps(self._stack.resolve(authorizer.authorizer_uri))
            ):
                told = ",".join(authorizer.identity_source or ())
                node.add_property_override(f"Environment.Variables.{AUTHORIZER_CACHED_BY}", told)


def problems(templates: Templates) -> Findings:
    """What is wrong with the caches of authorizers: of all in the stack, and of those elsewhere that ask its functions.

    Answers of an HTTP API's authorizer are words, or policies of an ARN that AWS does not promise to be the path's;
    both open whatever API Gateway uses them for. So they are kept by the token, the route and method, the path where a
    route has variables in it, and the tenant. A REST API's are not kept at all: its TOKEN authorizer is asked by the
    token alone, and the policy for one method would refuse every other. A WebSocket API keeps none.
    """
    for template in templates.own:
        for resource, reason in unreadable_in(template):
            yield (
                resource,
                f"Whether {templates.name(resource)} has authorizers that keep answers cannot be read: {reason}.",
            )
    for template in (*templates.own, *templates.others):
        for kept in kept_in(template):
            behind = [found for found in templates.targets(template, kept.uri) if found.type in _FUNCTIONS]
            if template in templates.own or any(found.template in templates.own for found in behind):
                for sentence in dict.fromkeys(_wrong(kept, behind, templates)):
                    yield kept.resource, sentence


def _wrong(kept: Kept, behind: list[Resource], templates: Templates) -> Iterator[str]:
    name = templates.name(kept.resource)
    where = f"The answers of {name} are kept"
    if kept.api == "REST":
        yield (
            f"{where}, but name one method: they would refuse every other one. Set AuthorizerResultTtlInSeconds to 0."
        )
    elif kept.api == "SAM":
        yield f"{where}, but SAM does not say by what. Set ReauthorizeEvery of the authorizer's Identity to 0."
    elif kept.sources is None:
        yield f"{where}, but by what cannot be read: write its identity sources as plain texts."
    else:
        yield from _kept_by_http(where, kept.sources, _routes(kept, templates))
        yield from _told(where, kept.sources, behind, templates)


def _kept_by_http(where: str, listed: tuple[str, ...], routes: Iterable[tuple[str, str]]) -> Iterator[str]:
    sources = _sources(listed)
    if _AUTHORIZATION not in sources:
        yield f"{where}, but not by the token: one caller's answer would be given to others."
    if _ROUTE not in sources:
        yield f"{where}, but not by the route ({_ROUTE}): an answer for one route would open another."
    if not any(source == _PATH or source.startswith("$request.header.") for source in sources - {_AUTHORIZATION}):
        yield f"{where}, but not by the tenant ({_PATH} or a header): an answer for one tenant would open another."
    for key, name in routes:
        method, _, path = key.partition(" ")
        if _METHOD not in sources and method in ("ANY", _ANY):
            yield f"{where}, but not by the method ({_METHOD}), and {name} is for any."
        if _PATH not in sources and ("{" in path or not path):
            yield f"{where}, but not by the path ({_PATH}), and {name} is for many."


def _routes(kept: Kept, templates: Templates) -> Iterator[tuple[str, str]]:
    """The keys and names of the routes that ask an authorizer, or may ask it.

    The routes of an OpenAPI document are not read: there may be any. A route elsewhere whose authorizer cannot be read
    may ask this one.
    """
    if not kept.separate:
        yield _ANY, templates.name(kept.resource)
    for template in (*templates.own, *templates.others):
        for route in template.resources():
            properties = route.properties
            if route.type == "AWS::ApiGatewayV2::ApiGatewayManagedOverrides":  # the route that AWS makes: $default
                properties = {"RouteKey": _ANY, **mapping(properties.get("Route"))}
            elif route.type != "AWS::ApiGatewayV2::Route":
                continue
            asked = properties.get("AuthorizerId")
            named = templates.targets(template, asked)
            if kept.resource in named or (asked is not None and not named and kept.resource.template is template):
                for key in possible(properties.get("RouteKey")):
                    yield key if isinstance(key, str) else _ANY, templates.name(route)


def _told(where: str, sources: tuple[str, ...], behind: list[Resource], templates: Templates) -> Iterator[str]:
    if not any(found.template in templates.own for found in behind):
        yield f"{where}, but its function is none of this stack, so not told ({AUTHORIZER_CACHED_BY})."
    for function in behind:
        variables = mapping(mapping(function.properties.get("Environment")).get("Variables"))
        told = variables.get(AUTHORIZER_CACHED_BY)
        if not isinstance(told, str) or _sources(told.split(",")) != _sources(sources):
            yield (
                f"{where}, but its function {templates.name(function)} is not told by what: its variable "
                f"{AUTHORIZER_CACHED_BY} must be {','.join(sources)}. One function cannot answer for caches that keep "
                "by different sources."
            )


def _sources(listed: Iterable[str]) -> set[str]:
    """By what answers are kept; names of headers in lower case, since their case is nothing."""
    stripped = (source.strip() for source in listed)
    return {source.lower() if source.lower().startswith("$request.header.") else source for source in stripped}

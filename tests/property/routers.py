"""Real routers behind API Gateway, and what they are sent: Starlette by Mangum, Flask by apig-wsgi, Powertools' own.

A back end has one handler for every route row. Routers that decide by order get theirs in the order of the rows' rank.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from apig_wsgi import make_lambda_handler
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, ApiGatewayResolver, APIGatewayRestResolver
from flask import Flask
from flask import request as flask_request
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.unit.verifier.gateway_events import http1, http2, rest_request, rest_token

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
TENANT_HEADER = "X-Tenant"


@dataclass(frozen=True)
class Row:
    """A route row, and the handler that it is for."""

    path: str
    method: str
    scope: str
    tenant_from: str | None = None

    def attributes(self) -> dict[str, object]:
        tenant = {} if self.tenant_from is None else {"tenant_from": self.tenant_from}
        return {"path": self.path, "method": self.method, "any_scope": [self.scope], **tenant}

    def methods(self) -> list[str]:
        return METHODS if self.method == "ANY" else [self.method]

    def rank(self) -> tuple[object, ...]:
        """Literals first, the rest last; a method of its own first, HEAD before what answers it as well."""
        parts = [2 if "+" in part else 1 if "{" in part else 0 for part in self.path[1:].split("/")]
        return parts, ["HEAD", "GET", "POST", "ANY"].index(self.method)

    def in_words_of(self, one: str, rest: str, literal: Callable[[str], str] = str) -> str:
        """The path as a router has it, where a variable is written so."""
        written = []
        for part in self.path.split("/"):
            name = part.strip("{+}")
            written.append(rest.format(name) if "+" in part else one.format(name) if "{" in part else literal(part))
        return "/".join(written)


class Reached(NamedTuple):
    """A handler that was called: for which row, with which variables, and what it sees as the tenant's header."""

    row: Row
    variables: Mapping[str, str]
    tenant_header: str | None


@dataclass(frozen=True)
class Sent:
    """What a client sends, and how API Gateway passes it on.

    Attributes:
        path: as the client spells it.
        backend_decoded: whether API Gateway decodes the path for the service behind; an HTTP API with format 2.0 does.
        arn_decoded: whether it does so in the ARN, for its authorizer.
        own_domain: whether the service behind does not know the stage's name (None), or takes it off wherever a path
            begins with it: an HTTP API with such a stage is asked at its own address (False) or at a custom domain.
    """

    kind: str
    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    backend_decoded: bool = False
    arn_decoded: bool = False
    own_domain: bool | None = None

    def asked(self, authorization: str) -> dict[str, Any]:
        """The authorizer's event."""
        in_arn = unquote(self.path) if self.arn_decoded else self.path
        if self.kind == "REST TOKEN":
            return rest_token(authorization, self.path, self.method)
        if self.kind == "HTTP 2.0":
            event = self.called() | {"identitySource": [authorization]}
            event["headers"] = {"authorization": authorization, **event["headers"]}
            stage = event["requestContext"]["stage"]
            arn = f"arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/{stage}/{self.method}{in_arn}"
            return event | {"routeArn": arn}
        event = (rest_request if self.kind == "REST REQUEST" else http1)(authorization, in_arn, self.method)
        event |= self._headers()
        event["headers"]["Authorization"] = authorization
        event["multiValueHeaders"]["Authorization"] = [authorization]
        return event | {"path": self._told(), "resource": "/{proxy+}"}

    def called(self) -> dict[str, Any]:
        """The event of the service behind."""
        if self.kind == "HTTP 2.0":
            raw = unquote(self.path)
            stage = "$default" if self.own_domain is None else "prod"
            event = http2(None, raw if self.own_domain is not False else "/prod" + raw, self.method)
            event["headers"] = {name: ",".join(values) for name, values in self.headers.items()}
            event["requestContext"]["stage"] = stage
            return event | {"routeKey": "$default", "isBase64Encoded": False}
        path = unquote(self.path) if self.backend_decoded else self.path
        event = rest_request(None, path, self.method, resource="/{proxy+}", isBase64Encoded=False)
        event |= self._headers() | {"pathParameters": {"proxy": path[1:]}, "path": self._told()}
        event["requestContext"]["identity"] = {"sourceIp": "127.0.0.1"}
        return event | ({"version": "1.0"} if self.kind == "HTTP 1.0" else {})

    def _told(self) -> str:
        """The path of payload format 1.0: that of an HTTP API begins with the stage at the API's own address."""
        path = unquote(self.path) if self.backend_decoded else self.path
        return "/prod" + path if self.kind == "HTTP 1.0" and self.own_domain is False else path

    def _headers(self) -> dict[str, Any]:
        return {
            "headers": {name: values[-1] for name, values in self.headers.items()},
            "multiValueHeaders": {name: list(values) for name, values in self.headers.items()},
        }


def by_starlette(rows: Sequence[Row], sent: Sent) -> list[Reached]:
    reached: list[Reached] = []

    def handler(row: Row) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            reached.append(Reached(row, request.path_params, request.headers.get(TENANT_HEADER)))
            return Response()

        return handle

    routes = [Route(row.in_words_of("{{{}}}", "{{{}:path}}"), handler(row), methods=row.methods()) for row in rows]
    base = "/" if sent.own_domain is None else "/prod"
    with current_event_loop():
        Mangum(Starlette(routes=routes), lifespan="off", api_gateway_base_path=base)(sent.called(), None)  # type: ignore[arg-type] # no context is read
    return reached


@contextmanager
def current_event_loop() -> Iterator[None]:
    """Mangum asks for the current one; from Python 3.12 on there is one only where somebody has made it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def by_flask(rows: Sequence[Row], sent: Sent) -> list[Reached]:
    reached: list[Reached] = []

    def handler(row: Row) -> Callable[..., str]:
        def handle(**variables: str) -> str:
            reached.append(Reached(row, variables, flask_request.headers.get(TENANT_HEADER)))
            return ""

        return handle

    app = Flask("behind")
    for row in rows:
        rule = row.in_words_of("<{}>", "<path:{}>")
        app.add_url_rule(rule, endpoint=repr(row), view_func=handler(row), methods=row.methods())
    called = sent.called()
    if sent.own_domain is not None:  # apig-wsgi leaves the stage to middleware
        path = "rawPath" if sent.kind == "HTTP 2.0" else "path"
        called[path] = called[path].removeprefix("/prod")
    with suppress(UnicodeEncodeError):  # apig-wsgi takes no path that is decoded and beyond Latin-1
        make_lambda_handler(app)(called, None)
    return reached


def by_powertools(rows: Sequence[Row], sent: Sent) -> list[Reached]:
    """It does not decode; so a literal for it is written as it is sent, or as an HTTP API decodes it."""
    reached: list[Reached] = []
    stripped: list[str | re.Pattern[str]] | None = None if sent.own_domain is None else ["/prod"]
    app: ApiGatewayResolver = (
        APIGatewayHttpResolver() if sent.kind == "HTTP 2.0" else APIGatewayRestResolver(strip_prefixes=stripped)
    )

    def handler(row: Row) -> Callable[..., dict[str, str]]:
        def handle(**variables: str) -> dict[str, str]:
            reached.append(Reached(row, variables, app.current_event.headers.get(TENANT_HEADER)))
            return {}

        return handle

    taken: set[tuple[str, str]] = set()
    for row in rows:
        for rule in dict.fromkeys(row.in_words_of("<{}>", "(.+)", literal) for literal in (str, quote)):
            methods = [method for method in row.methods() if (rule, method) not in taken]
            taken.update((rule, method) for method in methods)
            app.route(rule, method=methods)(handler(row))
    app.resolve(sent.called(), None)  # type: ignore[arg-type] # no context is read
    return reached


ROUTERS: dict[str, Callable[[Sequence[Row], Sent], list[Reached]]] = {
    "Starlette": by_starlette,
    "Flask": by_flask,
    "Powertools": by_powertools,
}

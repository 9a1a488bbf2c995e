"""Reads the authorizer events of API Gateway and AppSync, of every kind, into one type.

AWS describes them for `HTTP APIs`_, `REST APIs`_, `WebSocket APIs`_ and `AppSync`_. An event has its path in up to
three places, some as sent and some decoded, and the back end receives one of them; so all of them count.

.. _HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
.. _REST APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
.. _WebSocket APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
.. _AppSync: https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html#aws-lambda-authorization
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote

from claimsmith.errors import Code, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.routes import segments
from claimsmith.verifier.headers import header_values
from claimsmith.verifier.routes import Request

#: ``arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>``; for a WebSocket API the third part
#: is the route key, and there is no fourth.
_ARN: Final = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:([^/:]+)/([^/]+)/([^/]+)(/.*)?", re.DOTALL)

#: ``GET /orders``: the route key of an HTTP API; ``$default`` has neither method nor path.
_ROUTE_KEY: Final = re.compile(r"([A-Z]+) (/.*)", re.DOTALL)

#: The route of an AppSync API: it has one address, to which clients post (GraphQL over HTTP).
_GRAPHQL: Final = "/graphql"

#: A path that matches no row.
_NO_PATH: Final = ""

#: How often a back end may remove the stage from a path: an adapter may do it, and then a framework.
_MAX_STRIPPED: Final = 2


class Call(NamedTuple):
    """An authorizer event.

    Attributes:
        arn: the requested resource, as API Gateway wrote it.
        credentials: the value of every ``Authorization`` header.
        kind: the form of the answer: a boolean, policies only, policies and an error for 401, or AppSync's.
        route_key: method and path of the API's own route, for an HTTP API if the event has it.
        exact: whether ``arn`` in a policy determines method and path.
        cookies: of an HTTP API's event, which has them apart from the headers.
        handshake: whether it is the handshake of a WebSocket.
        takes_json: whether the answer's context may have numbers, lists and objects.
    """

    request: Request
    arn: str
    credentials: tuple[str, ...]
    kind: Literal["simple", "policies", "errors", "appsync"]
    route_key: tuple[str, str] | None = None
    exact: bool = True
    cookies: tuple[str, ...] = ()
    handshake: bool = False
    takes_json: bool = False


def read(event: object, *, simple: bool) -> Call:
    """Read an event of any kind.

    Args:
        event: the event of the function call.
        simple: whether an HTTP API with payload format 2.0 gets a boolean.

    Raises:
        VerificationError: ``REQUEST_MALFORMED``: it is not an authorizer event.
    """
    if not isinstance(event, Mapping):
        raise _malformed()
    if event.get("version") == "2.0":
        return _read_http(event, simple=simple)
    if "methodArn" not in event and "type" not in event and "authorizationToken" in event:
        return _read_appsync(event)
    arn = _text(event, "methodArn")
    api, stage, method, path = _parse_arn(arn)
    if event.get("type") == "TOKEN":
        request = Request(api, method, path or "/", spellings=_stripped(path or "/", stage))
        return Call(request, arn, (_text(event, "authorizationToken"),), "errors")
    if event.get("type") != "REQUEST":
        raise _malformed()
    headers = _values(event, "headers", "multiValueHeaders")
    query = _values(event, "queryStringParameters", "multiValueQueryStringParameters")
    credentials = header_values(headers, "authorization")
    if path is None and method.startswith("$"):
        # RFC 6455 section 4.1: the handshake is a GET.
        request = Request(api, "GET", f"/{method}", headers, query, by_name=True)
        return Call(request, arn, credentials, "errors", handshake=True)
    template = event.get("resource")
    further = (event.get("path"), _members(event, "requestContext").get("path"))
    read_path, spellings = _spellings(path or "/", further, stage)
    request = Request(
        api,
        method,
        read_path,
        headers,
        query,
        template if isinstance(template, str) else None,
        _path_parameters(event),
        spellings,
    )
    if event.get("version") == "1.0":
        return Call(request, arn, credentials, "policies", exact=False)
    return Call(request, arn, credentials, "errors")


def _read_appsync(event: Mapping[str, Any]) -> Call:
    """An AppSync API's event: no path, no method, and a token that is sent with or without ``Bearer``."""
    api = _text(_members(event, "requestContext"), "apiId")
    headers = _values(event, "requestHeaders", "")
    token = _text(event, "authorizationToken")
    # Only a row with exactly this path opens it, as with a WebSocket: it was not written for paths of another API.
    return Call(Request(api, "POST", _GRAPHQL, headers, by_name=True), "", (token,), "appsync")


def _read_http(event: Mapping[str, Any], *, simple: bool) -> Call:
    """An HTTP API's event of payload format 2.0, whose path may begin with the stage."""
    context = _members(event, "requestContext")
    http = _members(context, "http")
    arn = _text(event, "routeArn")
    api, _stage, _method, arn_path = _parse_arn(arn)
    stage = _text(context, "stage")
    raw = _text(event, "rawPath")
    path, spellings = _spellings(_without_stage(raw, stage, arn_path or "/"), (arn_path, http.get("path")), stage)
    if path == raw and stage != "$default" and raw[len(stage) + 1 :].startswith("/"):
        # Powertools cuts off as many characters as the stage has, without comparing them.
        spellings = (*spellings, raw[len(stage) + 1 :])
    route_key, domain = event.get("routeKey"), context.get("domainName")
    route = _ROUTE_KEY.fullmatch(route_key) if isinstance(route_key, str) else None
    cookies = event.get("cookies") or ()
    if not isinstance(cookies, list | tuple) or not all(isinstance(cookie, str) for cookie in cookies):
        raise _malformed()
    request = Request(
        api,
        _text(http, "method"),
        path,
        _values(event, "headers", ""),
        _query(event),
        None if route is None else route[2],
        _path_parameters(event),
        spellings,
        mapped=isinstance(domain, str) and domain.partition(".")[0] != api,
    )
    return Call(
        request,
        arn,
        header_values(request.headers, "authorization"),
        "simple" if simple else "policies",
        None if route is None else (route[1], route[2]),
        exact=False,
        cookies=tuple(cookies),
        takes_json=True,
    )


def _without_stage(path: str, stage: str, arn_path: str) -> str:
    """The path of an HTTP API's event, without the stage at its beginning.

    At the API's own address the path begins with the stage; at a custom domain it does not, but its first segment may
    have the same name. The ARN, whose path never has the stage, shows which it is. If it matches neither, the result
    matches no row, since either reading could be wrong.
    """
    if stage == "$default" or not (path + "/").startswith(f"/{stage}/"):
        return path
    rest = path[len(stage) + 1 :] or "/"
    expected = _plain(arn_path)
    return path if _plain(path) == expected else rest if _plain(rest) == expected else _NO_PATH


def _stripped(path: str, stage: str) -> tuple[str, ...]:
    """A path without the stage's name at its beginning, for a back end that always removes it.

    Back ends do so because an HTTP API sends the stage before the path. They do not know whether the first segment is
    the stage: at a custom domain, and for a REST API, it is part of the path.
    """
    found: list[str] = []
    for _ in range(_MAX_STRIPPED):
        first, _, rest = path[1:].partition("/")
        if unquote(first) != stage:
            break
        path = f"/{rest}"
        found.append(path)
    return tuple(found)


def _spellings(path: str, further: tuple[object, ...], stage: str) -> tuple[str, tuple[str, ...]]:
    """The path, or one that matches no row if another path of the event cannot be read; and its other spellings.

    Another path of the event may begin with the stage or a custom domain's mapping; then it is no spelling of this one.
    """
    others = [other for other in further if isinstance(other, str) and other not in ("", path)]
    if any(segments(other) is None for other in others):
        return _NO_PATH, ()
    others = [other for other in others if _plain(other) == _plain(path)]
    return path, (*others, *(rest for spelling in (path, *others) for rest in _stripped(spelling, stage)))


def _plain(path: str) -> str:
    """A path for comparison: API Gateway may send it decoded or encoded, and with or without a trailing slash."""
    return unquote(path).removesuffix("/")


def _malformed() -> VerificationError:
    return VerificationError(Code.REQUEST_MALFORMED, "structure")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise _malformed()
    return value


def _members(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an event; API Gateway writes null for an empty one."""
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _malformed()
    return value


def _values(event: Mapping[str, Any], single: str, several: str) -> dict[str, tuple[str, ...]]:
    """Every value of every header or parameter.

    If an event has both forms, one has all values and the other has one of them; a back end may read either.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in _members(event, several).items():
        found[name] = tuple(value) if isinstance(value, list) else (value,)
    for name, value in _members(event, single).items():
        if value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), *(value if isinstance(value, list) else (value,)))
    if not all(isinstance(value, str) for values in found.values() for value in values):
        raise _malformed()
    return found


def _query(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Every value of every parameter of an HTTP API's event, which also has the query as it was sent.

    Back ends read the query as sent. AWS does not document whether names are decoded in the other form: ``%74enant`` is
    ``tenant`` to a back end, so it counts as a further value.
    """
    found = _values(event, "queryStringParameters", "")
    raw = event.get("rawQueryString") or ""
    if not isinstance(raw, str):
        raise _malformed()
    for name, value in parse_qsl(raw, keep_blank_values=True):
        if value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found


def _path_parameters(event: Mapping[str, Any]) -> dict[str, str]:
    """The values of the variables of API Gateway's own route."""
    parameters = _members(event, "pathParameters")
    if not all(isinstance(value, str) for value in parameters.values()):
        raise _malformed()
    return dict(parameters)


def _parse_arn(arn: str) -> tuple[str, str, str, str | None]:
    """API, stage, method and path of a method's ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _malformed()
    return match[1], match[2], match[3], match[4]

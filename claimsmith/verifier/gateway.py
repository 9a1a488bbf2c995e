"""API Gateway's authorizer events, of every kind, read into one shape.

AWS describes them for `HTTP APIs`_, `REST APIs`_ and `WebSocket APIs`_. One event tells its path up to three times,
here as it was sent and there decoded, and the service behind is told one of these; so all of them count.

.. _HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
.. _REST APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
.. _WebSocket APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote

from claimsmith.errors import Code, VerificationError
from claimsmith.routes import segments
from claimsmith.verifier.headers import named
from claimsmith.verifier.routes import Request

#: ``arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>``; of a WebSocket API the third part
#: is the route's key, and there is no fourth.
_ARN: Final = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:([^/:]+)/([^/]+)/([^/]+)(/.*)?", re.DOTALL)

#: ``GET /orders``: the key of an HTTP API's route; ``$default`` has neither method nor path.
_ROUTE_KEY: Final = re.compile(r"([A-Z]+) (/.*)", re.DOTALL)

#: A path that matches no row.
_NO_PATH: Final = ""

#: How often the stage may be taken off a path by the service behind: an adapter may do it, and then a framework.
_STRIPPED: Final = 2


class Call(NamedTuple):
    """An event, read.

    Attributes:
        arn: of what is asked for, as API Gateway wrote it.
        credentials: the value of every ``Authorization`` header.
        kind: how the API is answered: with a word, with policies only, or with policies and an error for 401.
        route_key: the API's own route, by method and path, where it is of an HTTP API and the event tells it.
        exact: whether a policy that names ``arn`` says method and path.
    """

    request: Request
    arn: str
    credentials: tuple[str, ...]
    kind: Literal["simple", "policies", "errors"]
    route_key: tuple[str, str] | None = None
    exact: bool = True


def read(event: object, *, simple: bool) -> Call:
    """Read an event of any kind.

    Args:
        event: what the function was called with.
        simple: whether an HTTP API with payload format 2.0 is answered with a word.

    Raises:
        VerificationError: ``REQUEST_MALFORMED``: it is of none.
    """
    if not isinstance(event, Mapping):
        raise _malformed()
    if event.get("version") == "2.0":
        return _read_http(event, simple=simple)
    arn = _text(event, "methodArn")
    api, stage, method, path = _taken_apart(arn)
    if event.get("type") == "TOKEN":
        request = Request(api, method, path or "/", spellings=_stripped(path or "/", stage))
        return Call(request, arn, (_text(event, "authorizationToken"),), "errors")
    if event.get("type") != "REQUEST":
        raise _malformed()
    headers = _values(event, "headers", "multiValueHeaders")
    query = _values(event, "queryStringParameters", "multiValueQueryStringParameters")
    credentials = named(headers, "authorization")
    if path is None and method.startswith("$"):
        # A browser cannot set headers here; RFC 6750 section 2.3 names the parameter.
        credentials += tuple(f"Bearer {token}" for token in query.get("access_token", ()))
        # RFC 6455 section 4.1: the handshake is a GET.
        return Call(Request(api, "GET", f"/{method}", headers, query, by_name=True), arn, credentials, "errors")
    template = event.get("resource")
    told = (event.get("path"), _members(event, "requestContext").get("path"))
    asked, spellings = _spellings(path or "/", told, stage)
    request = Request(
        api,
        method,
        asked,
        headers,
        query,
        template if isinstance(template, str) else None,
        _taken(event),
        spellings,
    )
    if event.get("version") == "1.0":
        return Call(request, arn, credentials, "policies", exact=False)
    return Call(request, arn, credentials, "errors")


def _read_http(event: Mapping[str, Any], *, simple: bool) -> Call:
    """An HTTP API's event of payload format 2.0, whose path may begin with the stage."""
    context = _members(event, "requestContext")
    http = _members(context, "http")
    arn = _text(event, "routeArn")
    api, _stage, _method, arn_path = _taken_apart(arn)
    stage = _text(context, "stage")
    raw = _text(event, "rawPath")
    path, spellings = _spellings(_without_stage(raw, stage, arn_path or "/"), (arn_path, http.get("path")), stage)
    if path == raw and stage != "$default" and raw[len(stage) + 1 :].startswith("/"):
        # Powertools cuts as many characters off as the stage has, whatever they are.
        spellings = (*spellings, raw[len(stage) + 1 :])
    route_key, domain = event.get("routeKey"), context.get("domainName")
    route = _ROUTE_KEY.fullmatch(route_key) if isinstance(route_key, str) else None
    request = Request(
        api,
        _text(http, "method"),
        path,
        _values(event, "headers", ""),
        _query(event),
        None if route is None else route[2],
        _taken(event),
        spellings,
        mapped=isinstance(domain, str) and domain.partition(".")[0] != api,
    )
    return Call(
        request,
        arn,
        named(request.headers, "authorization"),
        "simple" if simple else "policies",
        None if route is None else (route[1], route[2]),
        exact=False,
    )


def _without_stage(path: str, stage: str, arn_path: str) -> str:
    """The path of an HTTP API's event without the stage that it may begin with.

    It begins with the stage at the API's own address and not at a custom domain, where a path may begin with the same
    word and mean it. The ARN tells which it is, since the stage is no part of the path there. Where it tells neither,
    what is left is no path: each reading could be meant for another one.
    """
    if stage == "$default" or not (path + "/").startswith(f"/{stage}/"):
        return path
    rest = path[len(stage) + 1 :] or "/"
    asked = _plain(arn_path)
    return path if _plain(path) == asked else rest if _plain(rest) == asked else _NO_PATH


def _stripped(path: str, stage: str) -> tuple[str, ...]:
    """What is left of a path that begins with the stage's name, for a service that takes it off wherever it finds it.

    Services do so because an HTTP API tells them the stage before the path. They do not know whether the name that a
    path begins with is the stage: at a custom domain, and for a REST API, it is a part of the path.
    """
    found: list[str] = []
    for _ in range(_STRIPPED):
        first, _, rest = path[1:].partition("/")
        if unquote(first) != stage:
            break
        path = f"/{rest}"
        found.append(path)
    return tuple(found)


def _spellings(path: str, told: tuple[object, ...], stage: str) -> tuple[str, tuple[str, ...]]:
    """The path, or one that matches no row where the event also tells one that cannot be read; and how else it is told.

    What is told beside it may have the stage or a custom domain's mapping before it, and is then another path.
    """
    others = [other for other in told if isinstance(other, str) and other not in ("", path)]
    if any(segments(other) is None for other in others):
        return _NO_PATH, ()
    others = [other for other in others if _plain(other) == _plain(path)]
    return path, (*others, *(rest for spelling in (path, *others) for rest in _stripped(spelling, stage)))


def _plain(path: str) -> str:
    """To compare: API Gateway may tell a path decoded here and encoded there, and end it with a slash or not."""
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

    Where an event has both forms, one has all the values and the other one of them; a back end reads either.
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
    """Every value of every parameter of an HTTP API's event, which has the query as it was sent, too.

    A service behind reads that one. AWS does not say whether names are decoded in the other: ``%74enant`` is ``tenant``
    to the service, so it counts as a further value.
    """
    found = _values(event, "queryStringParameters", "")
    raw = event.get("rawQueryString") or ""
    if not isinstance(raw, str):
        raise _malformed()
    for name, value in parse_qsl(raw, keep_blank_values=True):
        if value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found


def _taken(event: Mapping[str, Any]) -> dict[str, str]:
    """What API Gateway has taken out of the path for its route's variables."""
    taken = _members(event, "pathParameters")
    if not all(isinstance(value, str) for value in taken.values()):
        raise _malformed()
    return dict(taken)


def _taken_apart(arn: str) -> tuple[str, str, str, str | None]:
    """API, stage, method and path of a method's ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _malformed()
    return match[1], match[2], match[3], match[4]

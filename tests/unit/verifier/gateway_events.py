"""API Gateway's authorizer events, one maker a kind, as AWS documents them; and what reads the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.authorizer import Answer, Authorizer
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POOL = Pool()
API = "a1b2c3d4e5"
SOURCE = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks}, clock=lambda: NOW)
VERIFIER = Verifier(issuers=SOURCE, client_ids=[CLIENT], token_use="access", revocations=ANY, clock=lambda: NOW)
TOKEN = POOL.sign()
BEARER = f"Bearer {TOKEN}"
READ = {"path": "/orders/{id}", "method": "GET", "any_scope": ["orders/read"]}


def arn(method: str = "GET", path: str = "/orders/1", partition: str = "aws", stage: str = "prod") -> str:
    return f"arn:{partition}:execute-api:eu-central-1:123456789012:{API}/{stage}/{method}{path}"


def http2(
    authorization: str | None = BEARER, path: str = "/orders/1", method: str = "GET", **changes: object
) -> dict[str, Any]:
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": arn(method, path, stage="$default"),
        "identitySource": [authorization],
        "routeKey": "ANY /{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "example.com"} | ({} if authorization is None else {"authorization": authorization}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": API,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
            "stage": "$default",
            "routeKey": "ANY /{proxy+}",
        },
        **changes,
    }


def rest_request(
    authorization: str | None = BEARER, path: str = "/orders/1", method: str = "GET", **changes: object
) -> dict[str, Any]:
    headers = {} if authorization is None else {"Authorization": authorization}
    return {
        "type": "REQUEST",
        "methodArn": arn(method, path),
        "resource": "/orders/{id}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "pathParameters": {},
        "stageVariables": {},
        "requestContext": {"path": "/prod" + path, "stage": "prod", "apiId": API, "httpMethod": method},
        **changes,
    }


def http1(
    authorization: str | None = BEARER, path: str = "/orders/1", method: str = "GET", **changes: object
) -> dict[str, Any]:
    return {"version": "1.0", "identitySource": authorization, **rest_request(authorization, path, method, **changes)}


def rest_token(authorization: str | None = BEARER, path: str = "/orders/1", method: str = "GET") -> dict[str, Any]:
    return {"type": "TOKEN", "methodArn": arn(method, path), "authorizationToken": authorization or ""}


def websocket(authorization: str | None = BEARER, **changes: object) -> dict[str, Any]:
    headers = {"Host": "example.com"} | ({} if authorization is None else {"Authorization": authorization})
    return {
        "type": "REQUEST",
        "methodArn": f"arn:aws:execute-api:eu-central-1:123456789012:{API}/prod/$connect",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"routeKey": "$connect", "eventType": "CONNECT", "stage": "prod", "apiId": API},
        **changes,
    }


#: The kinds that turn an error into 401, and those for which AWS documents no such thing.
BY_ERROR: list[Callable[..., dict[str, Any]]] = [rest_request, rest_token, websocket]
BY_DENIAL: list[Callable[..., dict[str, Any]]] = [http2, http1]

#: Those whose routes are paths.
OF_PATHS = [event for event in (*BY_DENIAL, *BY_ERROR) if event is not websocket]


def authorizer(
    *rows: Mapping[str, object],
    response: Any = "iam",  # noqa: ANN401 - a literal
    verifier: Verifier = VERIFIER,
    cached_by: tuple[str, ...] = (),
) -> Authorizer:
    return Authorizer(verifier, lambda: rows, response=response, cached_by=cached_by)


def policy(answer: Answer) -> tuple[str, str]:
    (statement,) = answer.response["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert answer.response["policyDocument"]["Version"] == "2012-10-17"
    return statement["Effect"], statement["Resource"]

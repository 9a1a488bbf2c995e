"""Requests to an API as API Gateway shows them to the Lambda authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCOUNT = "111122223333"


def event(
    method: str, target: str, token: str | None, headers: Mapping[str, str], *, api: str, region: str
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

    Args:
        method: of HTTP.
        target: path, and a query if there is one.
        token: of the Authorization header; None sends none.
        headers: further ones.
        api: the API's id.
        region: where it is.
    """
    path, _, query = target.partition("?")
    sent = {name.lower(): value for name, value in headers.items()}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"arn:aws:execute-api:{region}:{_ACCOUNT}:{api}/$default/{method}{path}",
        "identitySource": [sent["authorization"]] if token is not None else [],
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": api,
            "domainName": f"{api}.execute-api.{region}.amazonaws.com",
            "domainPrefix": api,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "routeKey": "$default",
            "stage": "$default",
        },
    }

"""The sample service: it answers with what the authorizer says of the caller, behind either kind of API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.sample.handler import handler

CALLER = {"sub": "1", "tenant_id": "acme", "roles": "editor viewer", "scope": "orders/read orders/write"}


def _http(context: dict[str, Any]) -> dict[str, Any]:
    return {"version": "2.0", "requestContext": {"authorizer": {"lambda": context}}}


def _rest(context: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestContext": {"authorizer": {**context, "principalId": "1", "integrationLatency": 7}},
        "pathParameters": None,
    }


@pytest.mark.parametrize("event", [_http, _rest])
def test_the_caller_is_that_of_the_authorizers_context(event: Any) -> None:  # noqa: ANN401 - one of two functions
    answer = handler(event(CALLER), None)
    assert answer["statusCode"] == 200
    assert answer["headers"] == {"Content-Type": "application/json", "Cache-Control": "no-store"}
    assert json.loads(answer["body"]) == {
        "tenant": None,
        "sub": "1",
        "tenant_id": "acme",
        "roles": ["editor", "viewer"],
        "scope": ["orders/read", "orders/write"],
    }


def test_the_tenant_of_the_path_is_named_beside_the_callers() -> None:
    answer = handler({**_http(CALLER), "pathParameters": {"tenant": "acme"}}, None)
    assert json.loads(answer["body"])["tenant"] == "acme"


def test_a_caller_without_tenant_and_roles_has_none() -> None:
    said = json.loads(handler(_http({"sub": "1", "roles": "", "scope": ""}), None)["body"])
    assert (said["tenant_id"], said["roles"], said["scope"]) == (None, [], [])


@pytest.mark.parametrize("context", [{}, {"authorizer": None}])
def test_without_an_authorizer_there_is_no_answer(context: dict[str, Any]) -> None:
    with pytest.raises((KeyError, AttributeError)):
        handler({"requestContext": context}, None)

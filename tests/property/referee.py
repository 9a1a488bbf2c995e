"""Cognito's side of the contract, written a second time and sharing no line with ``claimsmith.cognito``.

Source: "Claims and scopes reference" and the response parameters of ``user-pool-lambda-pre-token-generation``.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

_NOBODY = {
    "access": {
        "acr", "amr", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat", "iss", "jti", "nbf",
        "nonce", "origin_jti", "scope", "sub", "token_use", "username", "version",
    },
    "id": {
        "acr", "amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "identities", "iss", "jti", "nbf", "nonce",
        "origin_jti", "sub", "token_use",
    },
}  # fmt: skip

_PLAIN_ID_CLAIMS = {"address", "email_verified", "phone_number_verified", "updated_at"}

_SCOPE = re.compile(r"[!#-\[\]-~]{1,256}")

_GENERATION = {"claimsToAddOrOverride", "claimsToSuppress"}
_SCOPE_LISTS = {"scopesToAdd", "scopesToSuppress"}


def check(event: dict[str, Any], response: dict[str, Any]) -> None:
    """Fail where Cognito would not accept this response to this event, or would do something else than it says."""
    assert json.loads(json.dumps(response)) == response, "the response is not JSON"
    _no_null(response)
    assert set(response) == {"claimsAndScopeOverrideDetails"}
    details = response["claimsAndScopeOverrideDetails"]
    machine = event["triggerSource"] == "TokenGeneration_ClientCredentials"
    allowed = {"accessTokenGeneration", "idTokenGeneration", "groupOverrideDetails"}
    assert set(details) <= allowed - ({"idTokenGeneration", "groupOverrideDetails"} if machine else set())
    if "groupOverrideDetails" in details:
        assert details["groupOverrideDetails"], "an empty groupOverrideDetails removes all groups"
    client_id = event["callerContext"]["clientId"]
    access, identity = details.get("accessTokenGeneration", {}), details.get("idTokenGeneration", {})
    assert set(access) <= _GENERATION | _SCOPE_LISTS
    assert set(identity) <= _GENERATION, "scopes belong to the access token"
    _check_claims("access", access, client_id)
    _check_claims("id", identity, client_id)
    _check_scopes(event["request"]["scopes"], access)


def scopes_issued(event: dict[str, Any], response: dict[str, Any]) -> set[str]:
    """The scopes of the access token that Cognito makes of this response."""
    access = response["claimsAndScopeOverrideDetails"].get("accessTokenGeneration", {})
    asked = {*event["request"]["scopes"], *access.get("scopesToAdd", ())}
    return asked - set(access.get("scopesToSuppress", ()))


def _check_claims(token: str, generation: dict[str, Any], client_id: str) -> None:
    claims, suppressed = generation.get("claimsToAddOrOverride", {}), generation.get("claimsToSuppress", [])
    for name, value in claims.items():
        assert name, "a claim without a name"
        if token == "access" and name == "aud":
            assert value == client_id, "aud may only be the app client's id"
            continue
        assert not name.startswith(("cognito:", "dev:")), name
        assert name not in _NOBODY[token], name
        _check_value(value, top=True)
        if token == "id" and name in _PLAIN_ID_CLAIMS:
            assert not isinstance(value, list | dict), name
    for name in suppressed:
        assert name == "cognito:groups" or not name.startswith("cognito:"), name
        assert name not in _NOBODY[token], name
    assert len(set(suppressed)) == len(suppressed)
    assert not claims.keys() & set(suppressed), "suppression wins, so what is both set and suppressed is lost"


def _check_value(value: object, *, top: bool) -> None:
    if isinstance(value, list):
        assert all(isinstance(item, str | int | float | bool) for item in value)
    elif isinstance(value, dict):
        assert all(value), "an object with an empty name"
    else:
        assert isinstance(value, str | int | float | bool), type(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_value(item, top=False)
    assert not isinstance(value, float) or isfinite(value), f"not a JSON number, at the top: {top}"


def _check_scopes(requested: list[str], access: dict[str, Any]) -> None:
    added, suppressed = access.get("scopesToAdd", []), access.get("scopesToSuppress", [])
    for scope in added:
        assert _SCOPE.fullmatch(scope), "Cognito does not take this scope"
    assert len(set(added)) == len(added)
    assert len(set(suppressed)) == len(suppressed)
    assert not set(added) & set(suppressed), "suppression wins, so what is both added and suppressed is lost"
    assert not set(added) & set(requested), "a scope is added that is there"
    assert set(suppressed) <= set(requested), "a scope is suppressed that is not there"


def _no_null(value: object) -> None:
    assert value is not None, "null in a response"
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _no_null(item)

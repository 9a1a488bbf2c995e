"""The OAuth endpoints on loopback, as clients use them."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from claimsmith.m2m import MachineTokenError, MachineTokens
from claimsmith.testing.errors import TokenEndpointError
from claimsmith.testing.managed_login import ManagedLogin
from tests.unit.testing.handlers import NOW, USER, WEB, access, pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.testing import CognitoKit

BACK = "http://127.0.0.1:3000/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": WEB,
    "redirect_uri": BACK,
    "response_type": "code",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "s t",
}
SECRET = "s:e c"


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kit() -> CognitoKit:
    return pool()


@pytest.fixture
def login(kit: CognitoKit, clock: Clock) -> ManagedLogin:
    return ManagedLogin(kit, clock)


def answered(location: str) -> dict[str, list[str]]:
    assert location.startswith(BACK)
    return parse_qs(urlsplit(location).query)


def code(login: ManagedLogin, **changes: str) -> str:
    return answered(login.authorize(urlencode(ASKED | changes), USER))["code"][0]


def exchange(login: ManagedLogin, code: str, authorization: str | None = None, **changes: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "client_id": WEB,
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return login.token(urlencode(form | changes), authorization)


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def test_a_code_is_exchanged_for_the_tokens_of_managed_login(login: ManagedLogin) -> None:
    resource = "https://api.example.com/mcp"
    answer = answered(login.authorize(urlencode(ASKED | {"resource": resource, "nonce": "n"}), USER))
    assert answer["state"] == ["s t"]
    tokens = exchange(login, answer["code"][0])
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert (payload(tokens["access_token"])["aud"], payload(tokens["id_token"])["nonce"]) == (resource, "n")
    refreshed = login.token(
        urlencode({"grant_type": "refresh_token", "client_id": WEB, "refresh_token": tokens["refresh_token"]}), None
    )
    assert payload(refreshed["access_token"])["aud"] == resource


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"redirect_uri": BACK + "/"},
        {"client_id": "other"},
        {"code": "unknown"},
    ],
)
def test_a_code_is_for_its_client_its_address_and_its_verifier_and_good_once(
    kit: CognitoKit, login: ManagedLogin, changes: dict[str, str]
) -> None:
    kit.add_client("other")
    begun = code(login)
    with pytest.raises(TokenEndpointError) as refused:
        exchange(login, changes.get("code", begun), **{k: v for k, v in changes.items() if k != "code"})
    assert refused.value.code == "invalid_grant"
    if "code" not in changes:
        with pytest.raises(TokenEndpointError):
            exchange(login, begun)


def test_a_code_ends_after_five_minutes(login: ManagedLogin, clock: Clock) -> None:
    begun = code(login)
    clock.now += 300
    with pytest.raises(TokenEndpointError):
        exchange(login, begun)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"resource": "mcp"}, "invalid_target"),
    ],
)
def test_a_wrong_request_goes_back_to_the_client(login: ManagedLogin, changes: dict[str, str], error: str) -> None:
    answer = answered(login.authorize(urlencode(ASKED | changes), USER))
    assert (answer["error"], answer["state"]) == ([error], ["s t"])


def test_nobody_signs_in_whom_the_test_does_not_name(login: ManagedLogin) -> None:
    assert answered(login.authorize(urlencode(ASKED), None))["error"] == ["login_required"]
    assert "code" in answered(login.authorize(urlencode(ASKED | {"login_hint": USER}), None))


@pytest.mark.parametrize(
    ("urls", "address"),
    [
        ((), "https://elsewhere.example.com/"),
        (("https://app.example.com/cb",), "https://app.example.com/cb?x"),
        (("https://app.example.com/cb",), BACK),
    ],
)
def test_a_code_does_not_go_to_an_address_that_is_not_the_clients(
    kit: CognitoKit, login: ManagedLogin, urls: tuple[str, ...], address: str
) -> None:
    kit.add_client(WEB, callback_urls=urls)
    with pytest.raises(TokenEndpointError) as refused:
        login.authorize(urlencode(ASKED | {"redirect_uri": address}), USER)
    assert refused.value.code == "redirect_mismatch"


def test_a_code_goes_to_an_address_of_the_client(kit: CognitoKit, login: ManagedLogin) -> None:
    kit.add_client(WEB, callback_urls=("https://app.example.com/cb?x",))
    query = urlencode(ASKED | {"redirect_uri": "https://app.example.com/cb?x"})
    assert login.authorize(query, USER).startswith("https://app.example.com/cb?x&code=")


def test_a_machine_gets_tokens_and_a_wrong_secret_does_not(kit: CognitoKit) -> None:
    kit.add_client("machine", secret=SECRET, flows=["client_credentials"], scopes=["orders/read"])
    with kit.serve() as server:
        tokens = MachineTokens(server.token_endpoint, "machine", SECRET, scopes=["orders/read"])
        assert payload(tokens.token())["scope"] == "orders/read"
        with pytest.raises(MachineTokenError) as refused:
            MachineTokens(server.token_endpoint, "machine", "wrong").token()
    assert refused.value.error == "invalid_client"


@pytest.mark.parametrize(
    ("form", "authorization", "error"),
    [
        ({"grant_type": "password"}, None, "unsupported_grant_type"),
        ({"client_id": "nobody"}, None, "invalid_client"),
        ({}, "Basic !", "invalid_client"),
        ({"client_secret": "x"}, None, "invalid_client"),
        ({"grant_type": "client_credentials"}, None, "unauthorized_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, None, "invalid_grant"),
    ],
)
def test_a_refusal_has_a_code_of_the_token_endpoint(
    login: ManagedLogin, form: Mapping[str, str], authorization: str | None, error: str
) -> None:
    with pytest.raises(TokenEndpointError) as refused:
        login.token(urlencode({"grant_type": "authorization_code", "client_id": WEB, **form}), authorization)
    assert refused.value.code == error


def test_a_parameter_that_occurs_twice_is_refused(login: ManagedLogin) -> None:
    with pytest.raises(TokenEndpointError, match="twice"):
        login.token(f"client_id={WEB}&client_id={WEB}", None)


def posted(address: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(address, urlencode(form).encode())  # noqa: S310 - the test's own server
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_client_hears_of_a_trigger_that_fails_or_breaks_the_contract() -> None:
    def refusing(_event: dict[str, Any], _context: object) -> dict[str, Any]:
        raise ValueError("no")

    kit = pool(refusing)
    kit.add_client(WEB, flows=["code"])
    form = {"grant_type": "authorization_code", "client_id": WEB, "redirect_uri": BACK, "code_verifier": VERIFIER}
    with kit.serve(sign_in_as=USER) as server:
        begun = browse(f"{server.authorization_endpoint}?{urlencode(ASKED)}")
        status, answer = posted(server.token_endpoint, form | {"code": begun})
        assert (status, answer["error"]) == (400, "invalid_grant")
        kit.trigger = access(claimsToAddOrOverride={"sub": "other"})
        begun = browse(f"{server.authorization_endpoint}?{urlencode(ASKED)}")
        status, answer = posted(server.token_endpoint, form | {"code": begun})
        assert (status, answer["error"]) == (500, "server_error")
        assert "sub" in answer["error_description"]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def browse(address: str) -> str:
    """The code that a browser would take to the client."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.build_opener(_Stay).open(address, timeout=60)
    with raised.value as redirect:
        assert redirect.code == 302
        return answered(redirect.headers["Location"])["code"][0]

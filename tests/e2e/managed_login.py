"""Managed login: the authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636), as a browser does it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.e2e.conftest import Person

REDIRECT = "http://localhost:3000/callback"


def sign_in(person: Person, client_id: str, scopes: Sequence[str]) -> str:
    """Sign in on the login page and exchange the code.

    Returns:
        The access token.
    """
    endpoint = person.stack.endpoint
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": " ".join(scopes),
        "state": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    status, headers, body = _post(
        endpoint, "/login", {**asked, "username": person.username, "password": person.password}
    )
    assert status == http.HTTPStatus.FOUND, body
    answer = parse_qs(urlsplit(headers["Location"]).query)
    assert answer.get("state") == [asked["state"]], headers["Location"]
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": answer["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    status, _, body = _post(endpoint, "/oauth2/token", form)
    assert status == http.HTTPStatus.OK, body
    return str(json.loads(body)["access_token"])


def _post(endpoint: str, path: str, form: Mapping[str, str]) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    try:
        connection.request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()

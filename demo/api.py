"""Calls of the deployed APIs, as an app or a service makes them."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

FORM: Final = "application/x-www-form-urlencoded"

_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """What an API answered.

    Attributes:
        headers: names in lower case.
        body: the JSON it sent.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


class Api:
    """One stage of an API."""

    def __init__(self, endpoint: str, api_id: str, stage: str) -> None:
        """Describe it.

        Args:
            endpoint: where the local stack listens. The outputs name the API's address at AWS, which does not lead
                here; the emulator serves it below a path.
            api_id: its id.
            stage: ``$default`` for an HTTP API's own.
        """
        self._host = urlsplit(endpoint).netloc
        self._path = f"/_aws/execute-api/{api_id}/{stage}"

    def url(self, path: str) -> str:
        """The address of something, on this machine."""
        return f"http://{self._host}{self._path}{path}"

    def get(self, path: str, token: str | None = None) -> Reply:
        """Ask for something, with a bearer token or without one."""
        return self.send("GET", path, {} if token is None else {"Authorization": f"Bearer {token}"})

    def introspect(self, token: str, authorization: str) -> Reply:
        """Ask whether a token is active (RFC 7662 section 2.1), with these credentials."""
        headers = {"Authorization": authorization, "Content-Type": FORM}
        return self.send("POST", "/introspect", headers, urlencode({"token": token}).encode())

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """Send a request as it is."""
        connection = http.client.HTTPConnection(self._host, timeout=_SECONDS)
        try:
            connection.request(method, self._path + path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, named, json.loads(content) if content else None)


def basic(user: str, password: str) -> str:
    """The header of Basic authentication (RFC 7617 section 2)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"

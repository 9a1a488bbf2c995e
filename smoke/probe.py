"""The probe's stack, and how somebody signs in to its pool."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from botocore.exceptions import ClientError

from demo import srp
from smoke.template import CALLBACK, GROUP, template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: A botocore client of a service, by its name.
    Clients = Callable[[str], Any]

_SECONDS: Final = 30
_WAIT: Final = {"Delay": 2, "MaxAttempts": 450}


class RefusedError(Exception):
    """Cognito gave no token; the message has what it answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint of the pool's domain answered.

    Attributes:
        body: the JSON, or the text if it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Probe:
    """A pool whose trigger answers what it is told.

    Attributes:
        clients: makes botocore clients.
        base: the address of the pool's domain.
        pool: its id.
        people: the app client of users, without a secret.
        machine: the app client with one.
        username: of somebody in the group.
        bound: of somebody for whom the trigger sets ``aud``.
        password: of both.
    """

    clients: Clients
    base: str
    pool: str
    people: str
    machine: str
    username: str = "smoke"
    bound: str = "smoke-aud"
    password: str = field(default_factory=lambda: f"{secrets.token_urlsafe(18)}-aA1", repr=False)

    def sign_in(self, **do: object) -> dict[str, str]:
        """Sign in by SRP, and have the trigger do something.

        Returns:
            Cognito's ``AuthenticationResult``.

        Raises:
            RefusedError: there are no tokens.
        """
        try:
            metadata = {"do": json.dumps(do)}
            client = self.clients("cognito-idp")
            return srp.sign_in(client, self.pool, self.people, self.username, self.password, metadata)
        except ClientError as error:
            raise RefusedError(_said(error)) from None

    def refresh(self, token: str, *, by_initiate_auth: bool, **do: object) -> dict[str, str]:
        """Refresh by ``InitiateAuth`` or by ``GetTokensFromRefreshToken``.

        Raises:
            RefusedError: there are no tokens.
        """
        cognito = self.clients("cognito-idp")
        metadata = {"ClientMetadata": {"do": json.dumps(do)}} if do else {}
        try:
            if by_initiate_auth:
                answer = cognito.initiate_auth(
                    AuthFlow="REFRESH_TOKEN_AUTH",
                    ClientId=self.people,
                    AuthParameters={"REFRESH_TOKEN": token},
                    **metadata,
                )
            else:
                answer = cognito.get_tokens_from_refresh_token(ClientId=self.people, RefreshToken=token, **metadata)
        except ClientError as error:
            raise RefusedError(_said(error)) from None
        result: dict[str, str] = answer["AuthenticationResult"]
        return result

    def managed_login(self, username: str, scopes: Sequence[str], resource: str | None = None) -> str:
        """Sign in on the login page as a browser does, with PKCE (RFC 7636), and exchange the code.

        Args:
            username: who.
            scopes: what is asked for.
            resource: what the token is bound to (RFC 8707).

        Returns:
            The access token.

        Raises:
            RefusedError: there is none.
        """
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": self.people,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": " ".join(scopes),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({} if resource is None else {"resource": resource}),
        }
        browser = _opener(self.base, urllib.request.HTTPCookieProcessor(CookieJar()), _Stay())
        page = _send(browser, f"{self.base}/login?{urlencode(asked)}")
        hidden = dict(re.findall(r'name="(_csrf)"\s+value="([^"]*)"', str(page.body)))
        form = {**asked, **hidden, "username": username, "password": self.password}
        answer = _send(browser, f"{self.base}/login?{urlencode(asked)}", form)
        code = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code")
        if not code:
            raise RefusedError(f"the login page gave no code (status {answer.status})")
        grant = {"grant_type": "authorization_code", "code": code[0], "redirect_uri": CALLBACK}
        return self._token({**grant, "client_id": self.people, "code_verifier": verifier})

    def refresh_at_endpoint(self, token: str) -> str:
        """Refresh at the token endpoint.

        Raises:
            RefusedError: there is no token.
        """
        return self._token({"grant_type": "refresh_token", "client_id": self.people, "refresh_token": token})

    def machine_answer(self, scopes: Sequence[str], **do: object) -> Answer:
        """What the token endpoint answers to the client credentials grant."""
        described = self.clients("cognito-idp").describe_user_pool_client(UserPoolId=self.pool, ClientId=self.machine)
        pair = f"{self.machine}:{described['UserPoolClient']['ClientSecret']}"
        form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
        if do:
            form["aws_client_metadata"] = json.dumps({"do": json.dumps(do)})
        return self._post("/oauth2/token", form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})

    def user_info(self, token: str) -> Answer:
        """What userInfo answers to an access token."""
        return _send(_opener(self.base), f"{self.base}/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"})

    def _token(self, form: Mapping[str, str]) -> str:
        answer = self._post("/oauth2/token", form)
        if answer.status != HTTPStatus.OK:
            raise RefusedError(f"the token endpoint answered {answer.status}: {answer.body}")
        return str(answer.body["access_token"])

    def _post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return _send(_opener(self.base), self.base + path, form, headers)


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: the code is in it."""

    def redirect_request(self, *_: object) -> None:
        return None


def create(clients: Clients, name: str, region: str, endpoint: str | None, processor: str, python: str) -> Probe:
    """Create the probe's stack, a group and two users.

    Args:
        clients: makes botocore clients.
        name: of the stack; the domain's prefix is derived from it.
        region: of AWS.
        endpoint: of a local stack, which serves domains there; None at AWS.
        processor: of the function.
        python: its runtime.

    Raises:
        botocore.exceptions.ClientError: AWS refuses something.
        botocore.exceptions.WaiterError: the stack is not created.
    """
    formation = clients("cloudformation")
    prefix = f"{name.lower()}-{secrets.token_hex(4)}"
    formation.create_stack(
        StackName=name, TemplateBody=template(prefix, processor, python), Capabilities=["CAPABILITY_IAM"]
    )
    formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=_WAIT)
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    base = endpoint or f"https://{prefix}.auth.{region}.amazoncognito.com"
    probe = Probe(clients, base, outputs["Pool"], outputs["People"], outputs["Machine"])
    cognito = clients("cognito-idp")
    for username in (probe.username, probe.bound):
        cognito.admin_create_user(UserPoolId=probe.pool, Username=username, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(
            UserPoolId=probe.pool, Username=username, Password=probe.password, Permanent=True
        )
    cognito.admin_add_user_to_group(UserPoolId=probe.pool, Username=probe.username, GroupName=GROUP)
    return probe


def delete(clients: Clients, name: str) -> None:
    """Delete the probe's stack, if it is there, and wait until it is gone.

    Raises:
        botocore.exceptions.ClientError: AWS refuses it.
        botocore.exceptions.WaiterError: it is still there.
    """
    formation = clients("cloudformation")
    formation.delete_stack(StackName=name)
    formation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=_WAIT)


def claims(token: str) -> dict[str, Any]:
    """The claims of a token that Cognito has just given; its signature is not what is looked at."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _opener(base: str, *handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    # A proxy of this machine does not know a local stack on loopback.
    proxies: dict[str, str] | None = {} if base.startswith("http:") else None
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), *handlers)


def _send(
    opener: urllib.request.OpenerDirector,
    url: str,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    data = None if form is None else urlencode(form).encode()
    request = urllib.request.Request(url, data, dict(headers or {}))  # noqa: S310 - of the pool's domain
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            status, got, body = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, got, body = error.code, error.headers, error.read()
    except OSError as error:
        raise RefusedError(f"{urlsplit(url).netloc} does not answer ({error})") from None
    text = body.decode(errors="replace")
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = text
    return Answer(status, {name.lower(): value for name, value in got.items()}, found)


def _said(error: ClientError) -> str:
    said = error.response["Error"]
    return f"{said.get('Code', '')}: {str(said.get('Message', ''))[:300]}"

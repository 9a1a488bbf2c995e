"""The app itself, as a development stage of its own name: does what it promises hold in this account?"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomli_w

from claimsmith.cognito.tokens import UNPREDICTABLE
from demo import cdk, srp
from demo.local_stack import ROOT
from smoke.probe import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from smoke.probe import Clients

POLICY: Final = Path(__file__).with_name("policy.yaml")
_SECONDS: Final = 1800
_CLI_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Check:
    """A promise of the app, and whether it holds here.

    Attributes:
        seen: what happened.
    """

    promise: str
    holds: bool
    seen: str


def deploy(stage: str, options: Mapping[str, object], folder: Path, tell: Callable[[str], None]) -> dict[str, str]:
    """Deploy the stage with the credentials of the environment.

    Args:
        stage: its name.
        options: in its file.
        folder: where file, assembly and outputs go.
        tell: is given each line that the CDK prints.

    Returns:
        The outputs of all its stacks.

    Raises:
        LocalStackError: it failed; the message has the end of what the CDK printed.
    """
    file, written = folder / f"{stage}.toml", folder / "outputs.json"
    file.write_text(tomli_w.dumps(options), encoding="utf-8")
    command = ["deploy", "--all", "--require-approval", "never", "--progress", "events", "--context", f"stage={file}"]
    command += ["--output", str(folder / "cdk.out"), "--outputs-file", str(written)]
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])}
    cdk.run(ROOT, command, ROOT, environment, tell, _SECONDS)
    stacks: dict[str, dict[str, str]] = json.loads(written.read_text(encoding="utf-8"))
    return {name: value for outputs in stacks.values() for name, value in outputs.items()}


def checks(clients: Clients, outputs: Mapping[str, str], endpoint: str | None) -> Iterator[Check]:
    """Give it a policy and a user, sign in, and look.

    Args:
        clients: makes botocore clients.
        outputs: of the stage's stacks.
        endpoint: of a local stack, which serves APIs there; None at AWS.
    """
    pool, client, table = outputs["UserPoolId"], outputs["PublicClientId"], outputs["TableName"]
    applied, said = _command(outputs, "apply", str(POLICY), "--var", f"CLIENT={client}", "--yes")
    yield Check("A policy can be applied.", applied == 0, _short(said))
    username, password = f"smoke-{secrets.token_hex(3)}", f"{secrets.token_urlsafe(18)}-aA1"
    sub = _user(clients("cognito-idp"), pool, username, password)
    _join(clients("dynamodb"), table, sub)
    tokens = srp.sign_in(clients("cognito-idp"), pool, client, username, password)
    access = claims(tokens["AccessToken"])
    got = {name: access.get(name) for name in ("tenant_id", "roles", "approval_limit")}
    expected = {"tenant_id": "smoke", "roles": ["editor"], "approval_limit": 1000}
    yield Check("Tokens have the policy's claims.", got == expected, json.dumps(got))
    scopes = {*str(access.get("scope", "")).split()}
    yield Check("Tokens have the policy's scopes.", "orders/read" in scopes, " ".join(sorted(scopes)))
    code, shown = _command(outputs, "preview", "--user", sub, "--client", client)
    differing = sorted(_differing(shown.get("access", {}), access))
    yield Check("Preview shows what is issued.", code == 0 and not differing, f"Differing: {differing or 'nothing'}")
    code, said = _command(outputs, "verify", "-", given=tokens["AccessToken"])
    yield Check("The verifier accepts the token.", code == 0, _short(said))
    answers = [_api(outputs, endpoint, token) for token in (tokens["AccessToken"], None)]
    expected_answers = [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED]
    yield Check(
        "The API opens with the token, and only with it.", answers == expected_answers, str([*map(int, answers)])
    )
    code, said = _command(outputs, "doctor")
    found = [f"{each['code']} {each['subject']}" for each in said["findings"] if each["severity"] == "error"]
    yield Check("Doctor finds no error.", not found, "; ".join(found) or f"{len(said['findings'])} warnings")


def _user(cognito: Any, pool: str, username: str, password: str) -> str:  # noqa: ANN401 - botocore's clients
    """Create a user, and return their subject."""
    cognito.admin_create_user(UserPoolId=pool, Username=username, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=username, Password=password, Permanent=True)
    user = cognito.admin_get_user(UserPoolId=pool, Username=username)
    return next(str(each["Value"]) for each in user["UserAttributes"] if each["Name"] == "sub")


def _join(dynamodb: Any, table: str, sub: str) -> None:  # noqa: ANN401 - botocore's clients
    """Make a user an editor of a tenant, by rows as an admin writes them."""
    tenant = {"pk": {"S": "TENANT#smoke"}, "sk": {"S": "TENANT"}, "name": {"S": "Smoke test"}}
    membership = {"pk": {"S": f"USER#{sub}"}, "sk": {"S": "TENANT#smoke"}, "roles": {"L": [{"S": "editor"}]}}
    for item in (tenant, membership):
        dynamodb.put_item(TableName=table, Item=item)


def _command(outputs: Mapping[str, str], *arguments: str, given: str = "") -> tuple[int, dict[str, Any]]:
    """Run a ``claimsmith`` command, and return its exit code and the JSON that it printed."""
    places = {
        "CLAIMSMITH_TABLE": outputs["TableName"],
        "CLAIMSMITH_AUDIT_TABLE": outputs["AuditTableName"],
        "CLAIMSMITH_USER_POOL_ID": outputs["UserPoolId"],
    }
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "claimsmith.cli.main", *arguments, "--json"],
        env={**os.environ, **places},
        cwd=ROOT,
        input=given,
        check=False,
        capture_output=True,
        text=True,
        timeout=_CLI_SECONDS,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        found = {"printed": done.stdout + done.stderr}
    return done.returncode, found


def _api(outputs: Mapping[str, str], endpoint: str | None, token: str | None) -> int:
    """The status of a request to the sample API."""
    # A local stack serves APIs below a path.
    local = f"{endpoint}/_aws/execute-api/{outputs['HttpApiId']}/$default/"
    url = f"{outputs['HttpApiUrl'] if endpoint is None else local}orders"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(None if endpoint is None else {}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:  # noqa: S310 - of the stage
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _differing(previewed: Mapping[str, Any], issued: Mapping[str, Any]) -> set[str]:
    def comparable(found: Mapping[str, Any], name: str) -> object:
        return sorted(str(found[name]).split()) if name == "scope" and name in found else found.get(name)

    names = (previewed.keys() | issued.keys()) - UNPREDICTABLE
    return {name for name in names if comparable(previewed, name) != comparable(issued, name)}


def _short(said: object) -> str:
    return json.dumps(said, ensure_ascii=False)[:300]

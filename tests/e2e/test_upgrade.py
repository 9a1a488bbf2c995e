"""The release before, deployed and used, and this one deployed over it, as `docs/how-to/upgrade.md` says."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from botocore.exceptions import ClientError

from claimsmith.cognito.tokens import UNPREDICTABLE
from demo import aws
from demo.cdk import Cdk, architecture
from demo.local_stack import ROOT, emulator
from infra.snapshot import GUARDS
from tests.e2e.conftest import POLICY, InProcess, Person, never_time_out
from tests.events import SIGN_IN, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.emulator import Emulator
    from demo.user_pool import Tokens

#: The last commit of 0.1.0, whose options were on the command line.
BEFORE: Final = "b35b70c"
STACKS: Final = ("Claimsmith", "ClaimsmithVerifier")
#: Far more than a deployment takes here.
MOST_SIGN_INS: Final = 2000

CUT_OFF: Final = "Worker process died"

#: What the trigger of a release answers to an event, in a process of its own.
CALL: Final = (
    "import json, sys; from lambdas.pre_token.handler import handler; "
    "print(json.dumps(handler(json.load(sys.stdin), None)))"
)


@dataclass
class SignIns:
    """Somebody who signs in again and again, meanwhile.

    Attributes:
        limits: what tokens said, in the order of the sign-ins.
        failures: why there was none.
    """

    person: Person
    limits: list[object] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for _ in range(MOST_SIGN_INS):
            try:
                access, _ = self.person.claims(self.person.sign_in())
                self.limits.append(access.get("approval_limit"))
            except ClientError as error:
                # Lambda lets a call end on the code that it began with; the emulator ends the process.
                if CUT_OFF not in str(error):
                    self.failures.append(str(error))
            if self._over.wait(0.1):
                break


@dataclass(frozen=True)
class Upgrade:
    """A deployment of the release before, and of this one over it.

    Attributes:
        release: the code of the release before.
        ids: physical ids before and after, by stack and logical id.
        kinds: the type of each of these resources.
        tokens: of a sign-in before.
        meanwhile: the sign-ins during the second deployment.
        stack: as it is afterwards.
    """

    release: Path
    ids: tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]
    kinds: dict[tuple[str, str], str]
    tokens: Tokens
    meanwhile: SignIns
    stack: InProcess


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the release before."""
    git = shutil.which("git")
    archive = (
        None if git is None else subprocess.run([git, "archive", BEFORE], cwd=ROOT, check=False, capture_output=True)
    )
    if archive is None or archive.returncode:
        pytest.skip(f"the release before, {BEFORE}, is not in the history of this clone")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def run(release: Path, *arguments: str, given: str = "", **variables: str) -> str:
    """Run Python in the folder of a release: its own modules come first, then the packages that are installed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=release,
        env={**os.environ, **variables},
        input=given,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An account of its own: the stacks of this release have the same names as in that of the other tests."""
    with emulator(tmp_path_factory.mktemp("upgrade"), port=0) as started:
        yield started


@pytest.fixture(scope="module")
def upgraded(apart: Emulator, release: Path, deployed: InProcess, folder: Path) -> Upgrade:
    """The release before with a policy and a user, and then this one over it, made once for all tests."""
    endpoint = apart.endpoint
    cdk = Cdk(ROOT, apart.folder, endpoint, print)
    cdk.bootstrap()
    options = {"setting": "development", "arch": architecture(), "python": apart.python_version(), "rest_api": "true"}
    context = json.dumps({**options, "jwks_endpoint": endpoint})
    run(release, "app.py", CDK_OUTDIR=str(release / "cdk.out"), CDK_CONTEXT_JSON=context, CDK_VALIDATION="false")
    stack = InProcess(endpoint, cdk.deploy_assembly(release / "cdk.out"))
    never_time_out(endpoint)
    apply = ["-m", "claimsmith.cli.main", "apply", "tests/e2e/policy.yaml", "--json", *_variables(stack)]
    run(release, *apply, **aws.environment(endpoint, release, CLAIMSMITH_TABLE=stack.table))
    password = f"{secrets.token_urlsafe(18)}-aA1"
    person = Person(stack, "alice", stack.pool.put_user("alice", "alice@example.com", password), password)
    stack.put_item({"pk": {"S": "TENANT#acme"}, "sk": {"S": "TENANT"}, "name": {"S": "Acme Ltd"}})
    person.join("acme", "editor")
    tokens = person.sign_in()
    before, kinds = _resources(endpoint)
    with SignIns(person) as meanwhile:
        now = InProcess(endpoint, cdk.deploy_assembly(folder / "cdk" / "cdk.out"))
    after, more = _resources(endpoint)
    _fetch_keys_here(endpoint, deployed.endpoint)
    return Upgrade(release, (before, after), kinds | more, tokens, meanwhile, now)


def _fetch_keys_here(endpoint: str, elsewhere: str) -> None:
    """Cognito's keys are where an issuer says; an emulator's are where it listens, which templates must name."""
    functions: Any = aws.client("lambda", endpoint)
    for function in functions.list_functions()["Functions"]:
        variables = function.get("Environment", {}).get("Variables", {})
        here = {name: value.replace(elsewhere, endpoint) for name, value in variables.items()}
        functions.update_function_configuration(
            FunctionName=function["FunctionName"], Environment={"Variables": here}, Timeout=600
        )


def _variables(stack: InProcess) -> list[str]:
    names = {"WEB_CLIENT": "PublicClientId", "BROWSER_CLIENT": "CodeClientId", "MACHINE_CLIENT": "MachineClientId"}
    return [flag for name, output in names.items() for flag in ("--var", f"{name}={stack.outputs[output]}")]


def _resources(endpoint: str) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Physical ids and types of what the stacks have."""
    formation: Any = aws.client("cloudformation", endpoint)
    found = {
        (stack, resource["LogicalResourceId"]): resource
        for stack in STACKS
        for resource in formation.describe_stack_resources(StackName=stack)["StackResources"]
    }
    return (
        {place: str(resource["PhysicalResourceId"]) for place, resource in found.items()},
        {place: str(resource["ResourceType"]) for place, resource in found.items()},
    )


def test_nothing_is_replaced_and_nothing_that_keeps_something_goes(upgraded: Upgrade) -> None:
    before, after = upgraded.ids
    assert {place for place in before.keys() & after.keys() if before[place] != after[place]} == set()
    gone = {upgraded.kinds[place] for place in before.keys() - after.keys()}
    assert {kind for kind in gone if kind in GUARDS and not GUARDS[kind].removable} == set()


def test_everybody_signs_in_during_the_deployment_and_after_it(upgraded: Upgrade) -> None:
    meanwhile = upgraded.meanwhile
    assert (meanwhile.failures, set(meanwhile.limits)) == ([], {1000})
    (old_access, old_id), (access, id_) = (
        [{name: value for name, value in claims.items() if name not in UNPREDICTABLE} for claims in both]
        for both in (
            [upgraded.stack.pool.verified(token) for token in (upgraded.tokens.access, upgraded.tokens.id)],
            meanwhile.person.claims(meanwhile.person.sign_in()),
        )
    )
    assert (access, id_) == (old_access, old_id)


def test_tokens_of_before_are_accepted_and_refreshed(upgraded: Upgrade) -> None:
    stack = upgraded.stack
    for api in (stack.http_api, stack.rest_api):
        assert api.get("/orders", upgraded.tokens.access).status == 200
    refreshed = stack.pool.refresh(stack.public_client, upgraded.tokens)
    assert stack.pool.verified(refreshed.access)["approval_limit"] == 1000


def test_the_release_before_reads_what_this_one_publishes(upgraded: Upgrade, tmp_path: Path) -> None:
    stack, person = upgraded.stack, upgraded.meanwhile.person
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("approval_limit: 1000", "approval_limit: 2000"))
    assert stack.cli("apply", str(policy), *_variables(stack)).code == 0
    access, _ = person.claims(person.sign_in())
    environment = aws.environment(stack.endpoint, upgraded.release, CLAIMSMITH_TABLE=stack.table)
    sign_in = event(SIGN_IN, sub=person.sub, client_id=stack.public_client)
    answer = json.loads(run(upgraded.release, "-c", CALL, given=json.dumps(sign_in), **environment).splitlines()[-1])
    added = answer["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["claimsToAddOrOverride"]
    assert {name: access[name] for name in added} == added
    assert (added["approval_limit"], added["policy_version"]) == (2000, 2)

"""The app deployed for real, once, to an emulator of these tests' own; people and tenants to sign in with."""

from __future__ import annotations

import io
import json
import secrets
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from claimsmith import environment
from claimsmith.cli.main import main
from demo import aws
from demo.api import basic
from demo.cdk import Cdk
from demo.emulator import ACCESS_KEY, REGION, SECRET_KEY
from demo.local_stack import ROOT, Answer, LocalStack, emulator
from demo.user_pool import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from demo.emulator import Emulator
    from demo.user_pool import Tokens

POLICY = Path(__file__).with_name("policy.yaml")
WAIT_SECONDS = 240
#: How long verifiers remember clients and tenants: as short as can be, because tests wait for it.
SHARED_SECONDS = 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One deployment for all of them; ``tests/conftest.py`` gives them to one worker."""
    for item in items:
        if item.path.is_relative_to(POLICY.parent):
            item.add_marker(pytest.mark.e2e)


def wait_until(stack: LocalStack, what: str, done: Callable[[], bool]) -> None:
    """The publisher works a moment later; how long is nobody's promise, that it happens is."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            log = "\n".join(stack.log(stack.outputs["PublisherName"])[-8:])
            pytest.fail(f"not within {WAIT_SECONDS} s: {what}. The end of the publisher's log:\n{log}", pytrace=False)
        time.sleep(0.05)


def string_list(values: Sequence[str]) -> dict[str, Any]:
    """A list of strings in DynamoDB's JSON."""
    return {"L": [{"S": value} for value in values]}


class InProcess(LocalStack):
    """Its commands run in this process, which spares each a second; the demonstration's run as an admin's do."""

    def cli(self, *arguments: str, given: str | None = None) -> Answer:
        places = {
            environment.TABLE: self.table,
            environment.AUDIT_TABLE: self.audit_table,
            environment.USER_POOL_ID: self.pool.id,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
            for name, value in places.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.StringIO(given or ""))
            with pytest.raises(SystemExit) as ended:
                main([*arguments, "--json"])
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, json.loads(said.getvalue()))


@dataclass
class Person:
    """Somebody with a password in the pool and rows in the table."""

    stack: LocalStack
    username: str
    sub: str
    password: str = field(repr=False)

    def sign_in(self, metadata: Mapping[str, str] | None = None) -> Tokens:
        """By SRP, with the public client."""
        return self.stack.pool.sign_in(self.stack.public_client, self.username, self.password, metadata)

    def refused(self, metadata: Mapping[str, str] | None = None) -> str:
        """The error that they get instead of tokens."""
        with pytest.raises(ClientError) as refused:
            self.sign_in(metadata)
        return refusal(refused.value)

    def join(self, tenant: str, *roles: str) -> None:
        """A membership, written as the DynamoDB console does."""
        self.stack.put_item({**self.key(f"TENANT#{tenant}"), "roles": string_list(roles)})

    def key(self, sk: str) -> dict[str, Any]:
        """The key of a row about them."""
        return {"pk": {"S": f"USER#{self.sub}"}, "sk": {"S": sk}}

    def claims(self, tokens: Tokens) -> tuple[dict[str, Any], dict[str, Any]]:
        """The claims of access and ID token, verified with the pool's keys."""
        return self.stack.pool.verified(tokens.access), self.stack.pool.verified(tokens.id)


def never_time_out(endpoint: str) -> None:
    """The emulator ends a function at its time-out. How long one takes here is the machine's business."""
    functions: Any = aws.client("lambda", endpoint)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            functions.update_function_configuration(FunctionName=function["FunctionName"], Timeout=600)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local-stack")


@pytest.fixture(scope="session")
def running(folder: Path) -> Iterator[Emulator]:
    with emulator(folder, port=0) as started:
        yield started


@pytest.fixture(scope="session")
def bootstrapped(running: Emulator, folder: Path) -> Emulator:
    """The emulator with what `cdk bootstrap` creates, and nothing else deployed yet."""
    Cdk(ROOT, folder / "cdk", running.endpoint, print).bootstrap()
    return running


@pytest.fixture(scope="session")
def deployed(running: Emulator, folder: Path) -> LocalStack:
    """The app as it is right after `cdk deploy`: without a policy. Its stacks have the names of 0.1.0's."""
    options = {"stack_suffix": "", "revocation_shared_seconds": SHARED_SECONDS}
    deployed = InProcess.deploy(running, folder, print, options)
    never_time_out(running.endpoint)
    return deployed


@pytest.fixture(scope="session")
def refused_without_policy(deployed: LocalStack) -> str:
    """The error that the first user gets before there is a policy."""
    return _person(deployed).refused()


@pytest.fixture(scope="session")
def apply_policy(deployed: LocalStack) -> Callable[[], None]:
    variables = {
        "WEB_CLIENT": deployed.public_client,
        "BROWSER_CLIENT": deployed.outputs["CodeClientId"],
        "MACHINE_CLIENT": deployed.outputs["MachineClientId"],
    }

    def apply() -> None:
        flags = [flag for name, value in variables.items() for flag in ("--var", f"{name}={value}")]
        answer = deployed.cli("apply", str(POLICY), *flags)
        assert answer.code == 0, answer.data

    return apply


@pytest.fixture(scope="session")
def stack(deployed: LocalStack, refused_without_policy: str, apply_policy: Callable[[], None]) -> LocalStack:
    """The app with a policy. The tests of the time before it have run."""
    assert refused_without_policy
    apply_policy()
    return deployed


@pytest.fixture(scope="session")
def caller(stack: LocalStack) -> str:
    """The header of somebody who may ask introspection about every token."""
    secret = stack.cli("resources", "add", "everything", "--client", "*", "--tenant", "*").data["secret"]
    return basic("everything", secret)


@pytest.fixture
def edited_policy(stack: LocalStack, apply_policy: Callable[[], None]) -> Iterator[LocalStack]:
    """For a test that edits the policy: afterwards it is as it was."""
    yield stack
    apply_policy()


@pytest.fixture
def person(stack: LocalStack) -> Person:
    """Somebody without a row in the table."""
    return _person(stack)


@pytest.fixture
def tenant(stack: LocalStack) -> str:
    """A tenant of this test's own."""
    return _tenant(stack, "Acme Ltd")


@pytest.fixture
def other_tenant(stack: LocalStack) -> str:
    """Another one."""
    return _tenant(stack, "Globex Corp")


def _person(stack: LocalStack) -> Person:
    username, password = f"user-{secrets.token_hex(4)}", f"{secrets.token_urlsafe(18)}-aA1"
    return Person(stack, username, stack.pool.put_user(username, f"{username}@example.com", password), password)


def _tenant(stack: LocalStack, name: str) -> str:
    tenant_id = f"tenant-{secrets.token_hex(4)}"
    stack.put_item({"pk": {"S": f"TENANT#{tenant_id}"}, "sk": {"S": "TENANT"}, "name": {"S": name}})
    return tenant_id

"""What every test may use: an environment without credentials, a table, events of Cognito's shape."""

from __future__ import annotations

import gc
import os
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
import hypothesis
import pytest
import typer.main
from botocore import session
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from xdist.scheduler import LoadFileScheduling

from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.table import create_table
from claimsmith.testing import CognitoKit
from claimsmith.verifier import KeySource
from tests.events import event
from tests.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: botocore clients have no type.
Client: TypeAlias = Any

#: The tables of moto's DynamoDB, by name.
Tables: TypeAlias = dict[str, Any]

#: Folders of one deployment, and of one CDK.
TOGETHER = ("tests/e2e/", "tests/infra/")
#: Folders, from that whose tests take longest.
LONGEST = (*TOGETHER, "tests/property/", "tests/clients/", "tests/differential/", "tests/integration/", "tests/cli/")

TABLE = "claimsmith"
AUDIT_TABLE = "claimsmith-audit"
REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's

# How long an example takes, or takes to be made up, says nothing on a shared machine.
_EVERY: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("dev", max_examples=40, **_EVERY)
hypothesis.settings.register_profile("ci", max_examples=40, derandomize=True, print_blob=True, **_EVERY)
# On a second Python (`make test-deployed`), once the first has looked for counterexamples: does it run there too?
hypothesis.settings.register_profile("again", max_examples=15, derandomize=True, print_blob=True, **_EVERY)
# For a long look by hand: pytest --hypothesis-profile=thorough tests/property
hypothesis.settings.register_profile("thorough", max_examples=1500, **_EVERY)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

#: Prefixes of variables that could lead a test to a real account or change what a function does.
_FOREIGN = ("AWS_", "CLAIMSMITH_", "POWERTOOLS_", "LAMBDA_")

#: All that a test and the processes it starts know of AWS: invented credentials, and no file or server to find others.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "invented",
    "AWS_SECRET_ACCESS_KEY": "invented",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Shares(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """The tests of a file belong to one worker, and so do those of folders in which all share what is slow to make."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares | None:  # noqa: ANN401 - xdist's
    """With ``--dist loadfile``, in the order of collection instead of by the number of tests."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For workers, what takes longest comes first, so that none is left alone with it at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in LONGEST])


def pytest_configure() -> None:
    """Look for garbage in cycles seldom: each look is at some million objects, of which next to none are garbage.

    With Python's own thresholds it took a quarter of the time of the tests of the command line.
    """
    gc.set_threshold(100_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end, so that nobody looks at it again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[dict[str, str]]:
    """The environment for this process and for processes that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_FOREIGN):
                patch.delenv(name)
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield dict(os.environ)


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What a command makes anew, where each is a process of its own, and what takes most of its time here.

    These are botocore's files, botocore's session, as long as the environment stays the same, and the parser.
    """
    make = session.get_session

    @cache
    def session_of(*_environment: tuple[str, str]) -> session.Session:
        return make()

    def get_session(env_vars: None = None) -> session.Session:
        assert env_vars is None
        return session_of(*sorted((name, value) for name, value in os.environ.items() if "AWS" in name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        patch.setattr(session, "get_session", get_session)
        # boto3 adds methods of S3 to a session each time that it is given it, and botocore refuses that.
        patch.setattr(boto3.session, "botocore", SimpleNamespace(session=SimpleNamespace(get_session=make)))
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def all_waits() -> Iterator[Waits]:
    """No deadline of this process passes because the machine is slow, unless a test chose a short one."""
    waits = Waits()
    with pytest.MonkeyPatch.context() as patch:
        waits.install(patch.setattr)
        for made, deadline in ((KeySource, "timeout"), (CognitoKit, "trigger_seconds")):
            defaults = made.__init__.__kwdefaults__
            assert defaults is not None
            patch.setitem(defaults, deadline, 60.0)
        yield waits


@pytest.fixture
def waits(all_waits: Waits) -> Iterator[Waits]:
    """The deadlines of this process, for a test that lets one pass."""
    yield all_waits
    all_waits.passed = 0.0


@pytest.fixture(scope="session")
def client(aws_environment: dict[str, str]) -> Client:
    """A botocore client, made once because making one is slow; it reaches nothing outside ``dynamodb``."""
    assert aws_environment["AWS_ACCESS_KEY_ID"] == "invented"
    return connect(PATIENT)


@pytest.fixture(scope="session")
def empty_tables(client: Client) -> Tables:
    """Both tables, made once, because each request takes milliseconds; only for ``restore``."""
    with mock_aws():
        create_table(client, TABLE)
        create_table(client, AUDIT_TABLE, stream=False)
        return saved()


def saved() -> Tables:
    """The tables of the in-memory DynamoDB as they are now."""
    return deepcopy(dynamodb_backends[ACCOUNT][REGION].tables)


def restore(tables: Tables) -> None:
    """Have the in-memory DynamoDB hold these tables, as they were when they were saved."""
    dynamodb_backends[ACCOUNT][REGION].tables = deepcopy(tables)


@pytest.fixture
def dynamodb(client: Client, empty_tables: Tables) -> Iterator[Client]:
    """A botocore client of an in-memory DynamoDB with both tables."""
    with mock_aws():
        restore(empty_tables)
        yield client


@pytest.fixture
def rows(dynamodb: Client) -> Table:
    """The table, empty."""
    return Table(dynamodb, TABLE)


@pytest.fixture
def audit_rows(dynamodb: Client) -> Table:
    """The audit table, empty."""
    return Table(dynamodb, AUDIT_TABLE)


@pytest.fixture(scope="session")
def make_event() -> Callable[..., dict[str, Any]]:
    """The event factory of ``tests.events``."""
    return event

"""Publishers, appliers and admins as processes of their own against a server, killed by the system at their writes.

Whatever dies when: no version is overwritten, none in force is half a policy, and the next run repairs.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from botocore.exceptions import ClientError

from claimsmith.errors import Code
from claimsmith.service import import_members
from claimsmith.service.directory import Editor
from claimsmith.service.member_csv import Line
from claimsmith.service.publish import Result, apply, publish
from claimsmith.service.versions import promote, publishing_status, resume, rollback, stage
from claimsmith.store import bundles, drafts
from claimsmith.store.attributes import decode_row
from claimsmith.store.dynamodb import Table
from claimsmith.store.failures import ConditionError
from claimsmith.table import create_table, past_sk
from tests.conftest import TABLE
from tests.integration.clients import WRITES
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.integration.publishing_process import EDITED, ROLES, whole, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import Client
    from tests.integration.memory_dynamodb import Item, Key

#: Lease, two transactions, version, what the pointer was, pointer, lease.
APPLY_WRITES: Final = 7

#: Seconds that a process may take on a busy machine.
PATIENCE: Final = 240

CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.integration.publishing_process"])


class Rules:
    """What must hold at every single write.

    Attributes:
        broken: what did not.
        moves: how often the pointer was written.
    """

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.moves = 0
        self._policies: dict[int, str] = {}
        self._pointers: dict[str, dict[str, Any]] = {}
        self._kept: set[str] = set()

    def __call__(self, key: Key, before: Item | None, after: Item | None) -> None:
        if key[0] != "BUNDLE":
            return
        if after is None:
            self.broken.append(f"{key} is deleted")
        elif key[1] == "CURRENT":
            self._pointed(decode_row(before or {"revision": {"N": "0"}}), decode_row(after))
        elif key[1] == "NAMES":
            if after["revision"] != {"N": str(1 + int((before or {"revision": {"N": "0"}})["revision"]["N"]))}:
                self.broken.append("what is known of names is written over what somebody else knew")
        elif key[1] in self._pointers:
            self._kept.add(key[1])
            if decode_row(after) != self._pointers[key[1]]:
                self.broken.append(f"{key} is not what the pointer was")
        elif before is not None:
            self.broken.append(f"{key} is given twice")
        else:
            self._stored(decode_row(after))

    def policy(self, version: int) -> str:
        """What the policy of a version was called."""
        return self._policies[version]

    def _stored(self, row: dict[str, Any]) -> None:
        number = int(row["sk"].removeprefix("V#"))
        roles = bundles.decode_row(row, number)[0].roles
        scopes = {role.scopes for role in roles.values()}
        if len(roles) != ROLES or len(scopes) != 1:
            self.broken.append(f"version {number} is half of one policy and half of another: {scopes}")
        self._policies[number] = scopes.pop()[0].removeprefix("is/")

    def _pointed(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.moves += 1
        if before["revision"] and past_sk(before["revision"]) not in self._kept:
            self.broken.append(f"nothing keeps what the pointer was at revision {before['revision']}")
        self._pointers[past_sk(after["revision"])] = {**after, "sk": past_sk(after["revision"])}
        if after["revision"] != before["revision"] + 1:
            self.broken.append(f"revision {after['revision']} follows {before['revision']}")
        if after["version"] not in self._policies:
            self.broken.append(f"version {after['version']} is in force and not stored")
        if before.get("hold") and after["version"] != before["version"] and after["updated_by"] != "admin":
            self.broken.append(f"{after['updated_by']} published in spite of the hold")


Fate = Literal["lives", "dies before the write", "dies before the response", "sleeps"]


class FatedClient:
    """A client on the server's side for one process, of which one write is its fate.

    Who sleeps is thought to be dead, and others take over meanwhile: ``sleep`` ends when they have.

    Attributes:
        writes: how many writes the process has asked for.
    """

    def __init__(self, client: Client, fate: Fate, at: int, sleep: Callable[[], object]) -> None:
        self.pid: int | None = None
        self._sleep = sleep
        self.known = threading.Event()
        self.writes = 0
        self._client = client
        self._fate = fate
        self._at = at

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def perform(**request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
            self.writes += operation in WRITES
            fate = self._fate if operation in WRITES and self.writes == self._at else "lives"
            if fate == "dies before the write":
                self._kill()
            if fate == "sleeps":
                self._sleep()
            answer = getattr(self._client, operation)(**request)
            if fate == "dies before the response":
                self._kill()
            return answer

        return perform

    def _kill(self) -> None:
        assert self.known.wait(PATIENCE)
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        raise ClientError({"Error": {"Code": "NobodyListens"}}, "any")


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        reported: its report; None if it was killed first.
    """

    what: str
    tag: str
    killed: bool
    writes: int
    reported: tuple[str, Any] | None


#: ``multiprocessing`` waits for the children of all threads wherever one of them starts a child, and not safely so.
ONE_AT_A_TIME: Final = threading.Lock()


def awake() -> None:
    """Not to sleep at all."""


def run(
    client: Client, what: str, tag: str = "", *, fate: Fate = "lives", at: int = 0, sleep: Callable[[], object] = awake
) -> Ended:
    """Run a process to its end."""
    fated = FatedClient(client, fate, at, sleep)
    with LoopbackDynamoDB(fated) as server:
        receiver, sender = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=work, args=(server.endpoint_url, what, tag, sender))
        with ONE_AT_A_TIME:
            process.start()
        sender.close()
        fated.pid = process.pid
        fated.known.set()
        exitcode = None
        until = time.monotonic() + PATIENCE
        while exitcode is None and time.monotonic() < until:
            time.sleep(0.005)
            with ONE_AT_A_TIME:
                exitcode = process.exitcode
        assert exitcode in (0, -signal.SIGKILL), f"{what} ended with {exitcode}"
        reported = receiver.recv() if exitcode == 0 else None
        receiver.close()
        return Ended(what, tag, exitcode != 0, fated.writes, reported)


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def memory(rules: Rules) -> MemoryDynamoDB:
    """A table in which the policy "first" is in force."""
    memory = MemoryDynamoDB(rules)
    assert apply(Table(memory, TABLE), whole("first"), by="first").version == 1
    return memory


def in_force(rows: Table) -> int:
    pointer = bundles.pointer(rows)
    assert pointer is not None
    return pointer.version


@pytest.mark.parametrize("fate", ["dies before the write", "dies before the response"])
@pytest.mark.parametrize("at", range(1, APPLY_WRITES + 1))
def test_apply_killed_at_any_write_leaves_one_whole_policy_in_force_and_the_next_run_repairs(
    memory: MemoryDynamoDB, rules: Rules, fate: Fate, at: int
) -> None:
    rows = Table(memory, TABLE)
    assert run(memory, "apply", "second", fate=fate, at=at).killed
    # The stream's publisher runs after each of the writes that happened.
    publish(rows, by="stream")
    assert rules.policy(in_force(rows)) in ("first", "second")
    assert apply(rows, whole("second"), by="again").version == 2
    assert rules.policy(in_force(rows)) == "second"
    assert [version.number for version in bundles.versions(rows, limit=9)] == [2, 1]
    assert (drafts.lease(rows), drafts.problems(rows), rules.broken) == (None, None, [])


def test_apply_has_no_more_writes_than_those(memory: MemoryDynamoDB) -> None:
    ended = run(memory, "apply", "second", fate="dies before the write", at=APPLY_WRITES + 1)
    assert (ended.killed, ended.writes, ended.reported) == (False, APPLY_WRITES, ("done", (Result.PUBLISHED, 2)))


def test_an_edit_by_hand_while_an_apply_sleeps_before_it_gives_up_its_lease_is_in_force_in_the_end(
    memory: MemoryDynamoDB, rules: Rules
) -> None:
    rows = Table(memory, TABLE)
    edited: list[Ended] = []
    applied = run(
        memory,
        "apply",
        "second",
        fate="sleeps",
        at=APPLY_WRITES,
        sleep=lambda: edited.append(run(memory, "edit", "e")),
    )
    assert applied.reported == ("done", (Result.PUBLISHED, 2))
    assert [each.reported for each in edited] == [("done", (Result.WAITING, 2))]
    assert (in_force(rows), drafts.lease(rows), rules.broken) == (3, None, [])
    assert bundles.load(rows, 3).groups.keys() == {EDITED.removeprefix("GROUP#")}


#: What processes do, more often what writes more.
WORK: Final = (
    *["apply"] * 4,
    *["take over"] * 8,
    *["publish"] * 3,
    *["edit"] * 3,
    *("rollback", "resume", "resume", "stage", "promote"),
)


FATES: Final[tuple[Fate, ...]] = ("lives", "dies before the write", "dies before the response", "sleeps")

#: At which write, more often where a draft is half written.
WRITE: Final = (1, 2, 3, 3, 3, 3, 4, 5, 6, 7)


#: Each of these dies at its first write or moves the pointer, in whatever order all of them run.
CERTAIN: Final[list[tuple[str, str, Fate, int]]] = [
    ("take over", "a", "dies before the write", 1),
    ("take over", "b", "dies before the response", 1),
    ("edit", "c", "dies before the response", 1),
    ("rollback", "", "lives", 1),
    ("rollback", "", "lives", 1),
]


class Company:
    """Several processes at once, some of whom sleep."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._awake = 0
        self._ended = 0

    @contextmanager
    def member(self) -> Iterator[None]:
        with self._changed:
            self._awake += 1
        try:
            yield
        finally:
            with self._changed:
                self._awake -= 1
                self._ended += 1
                self._changed.notify_all()

    def sleep(self) -> None:
        """Sleep until somebody else has come to an end, or nobody else is awake."""
        with self._changed:
            ended = self._ended
            self._awake -= 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._ended > ended or not self._awake, PATIENCE)
            self._awake += 1


@pytest.mark.parametrize("seed", [3, 5])
def test_processes_that_come_in_between_each_other_and_die_at_random_lose_nothing(
    memory: MemoryDynamoDB, rules: Rules, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - which process dies where, not a secret
    plan = [(chance.choice(WORK), chance.choice("abcd"), chance.choice(FATES), chance.choice(WRITE)) for _ in range(35)]
    plan += CERTAIN
    chance.shuffle(plan)
    company = Company()

    def member(what: str, tag: str, fate: Fate, at: int) -> Ended:
        with company.member():
            return run(memory, what, tag, fate=fate, at=at, sleep=company.sleep)

    with ThreadPoolExecutor(5) as pool:
        ended = list(pool.map(lambda each: member(*each), plan))
    assert rules.broken == []
    assert _wrong(ended, rules) == []
    happened = Counter("killed" if each.killed else "lived" for each in ended)
    assert min(happened["killed"], happened["lived"], rules.moves) >= 3, "too little happened to prove anything"
    # The next run repairs, whatever was left.
    rows = Table(memory, TABLE)
    apply(rows, whole("last"), by="last", take_over=True)
    resume(rows, by="admin")
    assert rules.policy(in_force(rows)) == "last"
    status = publishing_status(rows, limit=1)
    assert status.pointer is not None
    assert (status.lease, status.problems, status.pointer.hold, rules.broken) == (None, None, False, [])


def _wrong(ended: Sequence[Ended], rules: Rules) -> list[Ended]:
    """The processes that were given a wrong result, or ended in an unforeseen way."""
    wrong = []
    for each in ended:
        match each.reported:
            case ("done", (Result.PUBLISHED | Result.UNCHANGED, version)) if each.what in ("apply", "take over"):
                right = rules.policy(version) == each.tag
            case ("done", _):
                right = True
            case ("refused", code):
                # A version that is no longer there to be moved to, or a lease of somebody who died.
                right = code in (Code.LEASE_HELD, Code.LEASE_LOST, Code.BAD_ARGUMENT, Code.ON_HOLD, Code.CONFLICT)
            case _:
                right = each.killed
        if not right:
            wrong.append(each)
    return wrong


def test_the_table_in_memory_answers_as_the_in_memory_aws_does(dynamodb: Client) -> None:
    """The same work on both, each request and each answer compared."""
    name, memory, compared = "compared", MemoryDynamoDB(), 0
    create_table(dynamodb, name)

    class Both:
        def __getattr__(self, operation: str) -> Callable[..., Any]:
            def perform(**request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
                nonlocal compared
                answers = [_answered(client, operation, request) for client in (dynamodb, memory)]
                assert answers[0] == answers[1], (operation, request)
                compared += 1
                if isinstance(answers[0], tuple):
                    raise ClientError(
                        {"Error": {"Code": answers[0][0]}, "CancellationReasons": answers[0][1]}, operation
                    )
                return answers[0]

            return perform

    rows = Table(Both(), name)
    publish(rows, by="stream")
    for tag in "ab":
        apply(rows, whole(tag, roles=3), by="test")
    drafts.acquire(rows, drafts.Lease("another", "test", 0), force=False)
    with pytest.raises(ClientError):
        Both().put_item(TableName=name, Item={"pk": {"S": "LEASE"}, "sk": {"S": "DRAFT"}}, **_IF_ABSENT)
    lost = drafts.Lease("lost", "test", 0)
    with pytest.raises(ConditionError):
        drafts.replace(rows, lost, [{"pk": "POLICY", "sk": "ROLE#x"}], [])
    assert not drafts.release(rows, lost)
    publish(rows, by="stream")
    assert drafts.release(rows, drafts.Lease("", "test", 0))
    apply(rows, whole("a", roles=5), by="test", take_over=True)
    rollback(rows, 1, by="admin")
    stage(rows, 2, percent=50, by="admin")
    promote(rows, None, by="admin")
    resume(rows, by="admin")
    publishing_status(rows, limit=1)
    bundles.load_all(rows, [1, 2, 9])
    editor = Editor(rows, "admin", lambda: 1_900_000_000.0)
    editor.add_tenant("acme")
    editor.grant("u1", "acme", ["r000"])
    editor.grant("u1", "acme", ["r001"], until=2_000_000_000)
    editor.grant("u1", "acme", [], forever=True)
    lines = [Line(2, {}, sub, "acme", {"roles": ("r002",)}) for sub in ("u1", "u2")]
    changes = import_members.check(rows, lines, str, now=1_900_000_000).changes
    editor.revoke("u1", "acme")
    assert [(written, len(refused)) for written, refused in import_members.write(rows, changes, "admin")] == [(1, 1)]
    assert compared > 80


_IF_ABSENT: Final = {"ConditionExpression": "attribute_not_exists(pk)"}


def _answered(client: Client, operation: str, request: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        response: Any = error.response
        reasons = [{"Code": reason["Code"]} for reason in response.get("CancellationReasons", ())]
        return response["Error"]["Code"], reasons
    kept = {name: answer[name] for name in ("Item", "Items", "Responses", "LastEvaluatedKey") if name in answer}
    if operation == "get_item":  # its presence, not its amount
        kept["ConsumedCapacity"] = {"TableName": answer["ConsumedCapacity"]["TableName"]}
    for found in kept.get("Responses", {}).values():
        found.sort(key=lambda item: item["sk"]["S"])
    return kept

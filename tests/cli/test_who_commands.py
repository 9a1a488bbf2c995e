from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from claimsmith.service.classes import Classes
from tests.cli.conftest import POLICY, tables_after
from tests.conftest import restore
from tests.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran
    from tests.conftest import Client, Tables

    Command = Callable[..., Ran]

NOT_KNOWN = "Note: users without rows, groups and attributes are not known; add --user-pool-id.\n"


WITH_A_MACHINE = f"{POLICY}  worker1: {{name: nightly, roles: [editor]}}\n"


@pytest.fixture(scope="module")
def members_tables(empty_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Two editors, one of whom is so in two tenants, a viewer, and a machine that is an editor."""
    file = tmp_path_factory.mktemp("members") / "policy.yaml"
    file.write_text(WITH_A_MACHINE)
    members = (
        ("alice", "acme", "editor"),
        ("alice", "globex", "editor"),
        ("bob", "globex", "editor"),
        ("carol", "acme", "viewer"),
    )
    return tables_after(
        empty_tables,
        ("apply", str(file), "--var", "WEB=web1"),
        *(("tenants", "add", tenant, "--name", tenant) for tenant in ("acme", "globex")),
        *(("members", "grant", user, tenant, "--role", role) for user, tenant, role in members),
    )


@pytest.fixture(autouse=True)
def members(dynamodb: Client, members_tables: Tables, policy_file: Path) -> None:
    """Those tables, and the file of their policy."""
    assert dynamodb
    restore(members_tables)
    policy_file.write_text(WITH_A_MACHINE)


def lines(done: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def found(done: Ran) -> list[tuple[str, str | None]]:
    return [(line["subject"], line["tenant"]) for line in lines(done)]


def cursor(done: Ran) -> str:
    return done.err.rpartition("--after ")[2].strip()


def test_the_examples_print_what_the_page_shows(claimsmith: Command) -> None:
    printed: list[str] = []
    for block in Page("docs/how-to/who-can.md").blocks:
        if block.language == "sh":
            done = claimsmith(*shlex.split(block.text)[1:])
            assert (done.code, done.err) == (0, NOT_KNOWN)
            printed.append(done.out)
        elif "Interrupted" not in block.text:
            assert printed.pop() == block.text
    assert not printed


def test_each_line_of_json_is_a_subject_and_a_tenant(claimsmith: Command) -> None:
    done = claimsmith("who-can", "orders/write", "--json")
    machine, first, *others = lines(done)
    assert machine["cursor"]
    assert first.pop("cursor")
    assert {**machine, "cursor": ""} == {
        "tenant": None,
        "kind": "machine",
        "subject": "worker1",
        "username": None,
        "row": "POLICY ROLE#editor",
        "why": "",
        "token": "access",
        "value": None,
        "client": "worker1",
        "clients": ["worker1"],
        "flow": "machine",
        "source": "TokenGeneration_ClientCredentials",
        "scopes": machine["scopes"],
        "metadata": {},
        "tenant_choice": "no tenant can be chosen",
        "policy_version": 1,
        "cursor": "",
    }
    assert "orders/write" in machine["scopes"]
    assert first == {
        "tenant": "acme",
        "kind": "user",
        "subject": "alice",
        "username": "alice",
        "row": "POLICY ROLE#editor",
        "why": "",
        "token": "access",
        "value": None,
        "client": first["client"],
        "clients": first["clients"],
        "flow": "api",
        "source": "TokenGeneration_Authentication",
        "scopes": ["aws.cognito.signin.user.admin"],
        "metadata": {"tenant_id": "acme"},
        "tenant_choice": "client metadata asks for it",
        "policy_version": 1,
    }
    assert set(first["clients"]) == {"worker1", "any other"}  # the web client allows another scope only
    assert [(line["subject"], line["tenant"]) for line in others] == [("alice", "globex"), ("bob", "globex")]
    assert done.err == NOT_KNOWN


def test_what_nobody_has_ends_as_grep_does(claimsmith: Command) -> None:
    done = claimsmith("who-can", "orders/delete")
    assert (done.code, done.out) == (1, "Nobody.\n")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("who-has", "viewer", "--tenant", "acme"), [("alice", "acme"), ("carol", "acme")]),
        (("who-gets", "sub=bob"), [("bob", "globex")]),
        (("who-gets", "roles=editor", "--client", "web1"), [("alice", "acme"), ("alice", "globex"), ("bob", "globex")]),
        (("who-can", "orders/write", "--client", "web1"), []),
    ],
)
def test_filters_leave_lines_out(
    claimsmith: Command, asked: tuple[str, ...], expected: list[tuple[str, str | None]]
) -> None:
    assert found(claimsmith(*asked, "--json")) == expected


def test_a_limited_answer_goes_on_after_its_last_line(claimsmith: Command) -> None:
    everything = lines(claimsmith("who-can", "orders/write", "--json"))
    pieces: list[dict[str, Any]] = []
    after: tuple[str, ...] = ()
    while True:
        done = claimsmith("who-can", "orders/write", "--limit", "1", *after, "--json")
        pieces += lines(done)
        if "there is more" not in done.err:
            break
        after = ("--after", cursor(done))
    assert pieces == everything
    assert lines(claimsmith("who-can", "orders/write", "--json", "--after", everything[1]["cursor"])) == everything[2:]


def test_an_interrupt_says_how_to_go_on(claimsmith: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = lines(claimsmith("who-has", "editor", "--json"))
    decide = Classes.user

    def interrupted(self: Any, person: Any) -> Any:  # noqa: ANN401 - passed on
        if person.sub == "bob":
            raise KeyboardInterrupt
        return decide(self, person)

    with monkeypatch.context() as patched:
        patched.setattr(Classes, "user", interrupted)
        first = claimsmith("who-has", "editor", "--json")
    assert first.code == 130
    assert first.err.startswith("Interrupted after 1 user; nothing was written.\n")
    rest = claimsmith("who-has", "editor", "--json", "--after", cursor(first))
    assert lines(first) + lines(rest) == everything


def test_a_cursor_of_another_question_or_policy_is_refused(claimsmith: Command, policy_file: Path) -> None:
    after = cursor(claimsmith("who-has", "editor", "--limit", "1", "--json"))
    assert claimsmith("who-has", "viewer", "--after", after).code == 1
    assert "[CS4029]" in claimsmith("who-has", "editor", "--after", after[:-9]).err
    policy_file.write_text(policy_file.read_text().replace("gold", "silver"))
    claimsmith("apply", str(policy_file), "--var", "WEB=web1")
    assert "[CS4029]" in claimsmith("who-has", "editor", "--after", after).err


def test_the_pool_knows_users_without_rows_and_by_name(claimsmith: Command, pool: tuple[str, str]) -> None:
    pool_id, sub = pool
    claimsmith("members", "grant", sub, "acme", "--role", "editor")
    boto3.client("cognito-idp").admin_create_user(UserPoolId=pool_id, Username="dave")
    shared = ("--user-pool-id", pool_id)
    [_, editor] = lines(claimsmith(*shared, "who-has", "editor", "--json"))
    assert (editor["subject"], editor["username"], editor["row"]) == (sub, "alice", f"USER#{sub} TENANT#acme")
    anybody = claimsmith(*shared, "who-gets", "username=dave", "--json")
    assert [line["username"] for line in lines(anybody)] == ["dave"]
    assert "3 users with rows are not in the pool and get no token" in anybody.err


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("who-can", "two scopes"), "CS4007"),
        (("who-has", "edtor"), "CS4004"),
        (("who-gets", "exp"), "CS4007"),
        (("who-gets", "scope=openid"), "CS4007"),
        (("who-gets", "client_id=web1"), "CS4007"),
        (("who-can", "orders/read", "--version", "9"), "CS4004"),
        (("who-can", "orders/read", "--tenant", "acne"), "CS4004"),
        (("who-gets", "=gold"), "CS4007"),
    ],
)
def test_what_cannot_be_answered_is_refused(claimsmith: Command, asked: tuple[str, ...], code: str) -> None:
    assert claimsmith(*asked).err.strip().endswith(f"[{code}]")

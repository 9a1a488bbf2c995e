"""The audit as people read it: who changed which row, when, and what differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from claimsmith.service.audit import MAX_CLAIMED_BY, ROOM
from claimsmith.table import PK, SK
from tests.conftest import AUDIT_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Audit = Callable[..., Ran]

#: 2027-01-15 08:00 UTC.
AT = 1_800_000_000

ROLE = {"roles": ["viewer"], "updated_by": "cli:alice", "updated_at": AT}


@pytest.fixture
def audit(claimsmith: Callable[..., Ran]) -> Audit:
    """Run the command."""
    return lambda *arguments: claimsmith("--audit-table", AUDIT_TABLE, "audit", *arguments)


def test_each_change_says_what_differs_by_attribute_and_who_claims_to_have_made_it(
    audit: Audit, changed: Callable[..., None]
) -> None:
    changed("USER#u1", "TENANT#acme", None, ROLE)
    after = {"roles": ["editor", "viewer"], "claims": {"desk": 7}, "updated_by": "cli:bob", "updated_at": AT + 60}
    changed("USER#u1", "TENANT#acme", ROLE, after, at=AT + 60)
    changed("USER#u1", "TENANT#acme", after, None, at=AT + 120, by_ttl=True)
    done = audit("USER#u1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "2027-01-15T08:02:00Z  USER#u1 TENANT#acme  deleted  by DynamoDB: its ttl had passed",
        '  - claims: {"desk": 7}',
        '  - roles: ["editor", "viewer"]',
        "2027-01-15T08:01:00Z  USER#u1 TENANT#acme  changed  claimed by cli:bob",
        '  + claims: {"desk": 7}',
        "  ~ roles: +editor",
        "2027-01-15T08:00:00Z  USER#u1 TENANT#acme  created  claimed by cli:alice",
        '  + roles: ["viewer"]',
    ]


def test_a_line_of_json_is_one_change_with_all_its_attributes(audit: Audit, changed: Callable[..., None]) -> None:
    changed("USER#u1", "USER", {"roles": frozenset("ba"), "status": "active"}, {"roles": frozenset("a"), "photo": b"1"})
    [line] = audit("--json").out.splitlines()
    assert json.loads(line) == {
        "at": "2027-01-15T08:00:00Z",
        "pk": "USER#u1",
        "sk": "USER",
        "kind": "changed",
        "by_ttl": False,
        "claimed_by": None,
        "abridged": [],
        "differences": [
            {"kind": "added", "attribute": ["photo"], "before": None, "after": "MQ=="},
            {"kind": "changed", "attribute": ["roles"], "before": ["a", "b"], "after": ["a"]},
            {"kind": "removed", "attribute": ["status"], "before": "active", "after": None},
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ((), [30, 20, 10, 0]),
        (("TENANT#acme",), [20, 0]),
        (("POLICY",), [10]),
        (("--since", str(AT + 20)), [30, 20]),
        (("--since", "2027-01-15T08:00:20Z", "--until", "2027-01-15T08:00:30Z"), [20]),
        (("TENANT#acme", "--until", "2027-01-15"), [20, 0]),
        (("--since", "2027-01-16"), []),
        (("--by", "cli:alice"), [10, 0]),
        (("--by", "alice", "--since", str(AT + 1)), [10]),
        (("--by", "carol"), []),
        (("--limit", "2"), [30, 20]),
        (("TENANT#acme", "--limit", "1"), [20]),
        (("TENANT#acme", "--all"), [20, 0]),
    ],
)
def test_changes_are_found_by_row_time_and_claimed_author_newest_first(
    audit: Audit, changed: Callable[..., None], arguments: tuple[str, ...], seconds: list[int]
) -> None:
    by = {"updated_by": "cli:alice"}
    changed("TENANT#acme", "TENANT", None, {"name": "Acme", **by})
    changed("POLICY", "ROLE#editor", None, by, at=AT + 10)
    changed("TENANT#acme", "TENANT", None, {"name": "Acme", "updated_by": "console"}, at=AT + 20)
    changed("USER#u1", "USER", {"status": "active"}, None, at=AT + 30)
    done = audit(*arguments)
    times = [line.split()[0] for line in done.out.splitlines() if line.startswith("2027")]
    assert times == [f"2027-01-15T08:00:{second:02d}Z" for second in seconds]
    assert ("No such change is recorded." in done.out) == (not seconds)
    assert ("There are older changes." in done.err) == ("--limit" in arguments)


def test_what_to_read_next_leaves_out_no_change_of_the_same_second(audit: Audit, changed: Callable[..., None]) -> None:
    for sk in ("ROLE#a", "ROLE#b", "ROLE#c"):
        changed("POLICY", sk, None, {}, at=AT)
    changed("POLICY", "ROLE#d", None, {}, at=AT + 10)
    until = audit("--limit", "2").err.split()[-1].removesuffix(".")
    assert "ROLE#a" in audit("--until", until).out


def test_all_changes_of_the_table_are_streamed(audit: Audit, changed: Callable[..., None]) -> None:
    for at in (AT, AT + 5):
        changed(f"USER#{at}", "USER", None, {"status": "active"}, at=at)
    assert {json.loads(line)["pk"] for line in audit("--all", "--json").out.splitlines()} == {
        f"USER#{AT}",
        f"USER#{AT + 5}",
    }


def test_durations_count_back_from_now(
    audit: Audit, changed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claimsmith.cli.session.time.time", lambda: AT + 7200.0)
    changed("USER#u1", "USER", None, {"status": "active"})
    assert "created" in audit("--since", "2h").out
    assert "created" not in audit("--since", "119m").out


def test_what_was_too_large_is_shown_as_such(audit: Audit, changed: Callable[..., None]) -> None:
    changed("USER#u1", "USER", None, {"roles": ["viewer"], "padding": "x" * (ROOM + 1)})
    done = audit("USER#u1")
    assert '  + padding: {"bytes":' in done.out
    assert "the row after the change was too large" in done.out
    assert json.loads(audit("USER#u1", "--json").out)["abridged"] == ["after"]


def test_a_new_secret_is_a_change_without_an_attribute_that_is_shown(
    audit: Audit, changed: Callable[..., None]
) -> None:
    caller = "PROTECTED_RESOURCE#api"
    changed(caller, "PROTECTED_RESOURCE", {"secrets": {"old"}}, {"secrets": {"new"}})
    assert audit(caller).out.splitlines()[1:] == ["  no attribute that is kept differs"]


def test_a_name_cannot_command_the_terminal(audit: Audit, changed: Callable[..., None]) -> None:
    changed("USER#u1", "USER", None, {"updated_by": "\x1b[2Jalice" + "x" * MAX_CLAIMED_BY})
    assert "\x1b" not in audit("USER#u1").out
    assert r"claimed by \u001b[2Jalice" in audit("USER#u1").out


def test_what_cannot_be_asked_is_said(claimsmith: Callable[..., Ran], audit: Audit) -> None:
    assert audit("BUNDLE").err.startswith("The audit has no such key.")
    assert audit("--since", "yesterday").code == 2
    assert audit("--since", "2027-01-31", "--until", "2027-01-15").code == 2
    done = claimsmith("audit")
    assert done.code == 2
    assert "CLAIMSMITH_AUDIT_TABLE" in done.err


def test_what_earlier_releases_wrote_into_by_is_a_claim(audit: Audit, audit_rows: Table) -> None:
    row = {PK: "USER#u1", "row": "USER#u1 USER", "at": AT}
    audit_rows.put({**row, SK: f"{AT}#1", "by": "time-to-live", "after": {"status": "active"}})
    audit_rows.put({**row, SK: f"{AT}#2", "by": "time-to-live", "before": {"status": "active"}})
    audit_rows.put({**row, SK: f"{AT}#3", "by": "alice", "after": {"status": "active"}})
    heads = [line for line in audit().out.splitlines() if line.startswith("2027")]
    assert [head.split("  ")[-1] for head in heads] == [
        "claimed by alice",
        "by DynamoDB: its ttl had passed",
        "claimed by time-to-live",
    ]


def test_control_c_ends_with_one_line(
    audit: Audit, changed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    changed("USER#u1", "USER", None, {"status": "active"})
    monkeypatch.setattr("claimsmith.cli.shown.difference", interrupted)
    done = audit()
    assert (done.code, done.err) == (130, "Stopped after 0 changes. Nothing was written.\n")

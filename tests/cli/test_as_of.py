"""``preview`` and ``explain`` as of some time: what they say of it, and of what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import AUDIT_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

#: 2027-01-15 08:00 UTC: after the tables were made and the policy was applied.
AT = 1_800_000_000

MEMBERSHIP = ("USER#u1", "TENANT#acme")
EDITOR: dict[str, Any] = {"roles": ["editor"], "updated_by": "cli:alice"}
VIEWER: dict[str, Any] = {"roles": ["viewer"], "updated_by": "cli:bob"}

ASKED = ("--user", "u1", "--client", "web1")
AUDITED = ("--audit-table", AUDIT_TABLE)


@pytest.fixture(autouse=True)
def changes(
    applied: None,  # noqa: ARG001 - a policy and a tenant
    rows: Table,
    changed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An editor who became a viewer, and two hours later."""
    changed("TENANT#acme", "TENANT", None, rows.get("TENANT#acme", "TENANT"), at=AT - 60)
    changed(*MEMBERSHIP, None, EDITOR)
    changed(*MEMBERSHIP, EDITOR, VIEWER, at=AT + 60)
    rows.put({"pk": MEMBERSHIP[0], "sk": MEMBERSHIP[1], **VIEWER})
    monkeypatch.setattr("time.time", lambda: AT + 7200.0)


@pytest.mark.parametrize(
    ("at", "roles"),
    [
        (str(AT - 1), None),
        ("2027-01-15T08:00Z", ["editor", "viewer"]),
        (str(AT + 59), ["editor", "viewer"]),
        (str(AT + 60), ["viewer"]),
        ("119m", ["viewer"]),
        ("2h", ["editor", "viewer"]),
    ],
)
def test_preview_tells_the_tokens_of_then(claimsmith: Command, at: str, roles: list[str] | None) -> None:
    data = claimsmith(*AUDITED, "preview", *ASKED, "--at", at, "--json").data
    assert (data["access"].get("roles"), data["as_of"]["exact"], data["as_of"]["gaps"]) == (roles, True, [])


def test_before_the_first_version_nothing_was_in_force(claimsmith: Command) -> None:
    for command in ("preview", "explain"):
        done = claimsmith(*AUDITED, command, *ASKED, "--at", "2020-01-01")
        assert (done.code, done.err.splitlines()) == (
            1,
            ["No version of the policy was in force at 2020-01-01T00:00:00Z. claimsmith versions lists them. [CS4004]"],
        )


def test_explain_tells_the_rows_of_then(claimsmith: Command) -> None:
    done = claimsmith(*AUDITED, "explain", *ASKED, "--role", "editor", "--at", str(AT + 30))
    assert done.out.splitlines() == [
        "As of 2027-01-15T08:00:30Z.",
        "Policy version 1.",
        "role editor (POLICY ROLE#editor) <- membership of acme (USER#u1 TENANT#acme)",
    ]
    data = claimsmith(*AUDITED, "explain", *ASKED, "--role", "editor", "--at", str(AT + 90), "--json").data
    assert (data["present"], data["as_of"]) == ([], {"time": "2027-01-15T08:01:30Z", "exact": True, "gaps": []})


def test_a_change_that_is_not_in_the_audit_is_a_gap(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": MEMBERSHIP[0], "sk": MEMBERSHIP[1], "roles": ["viewer", "editor"]})
    done = claimsmith(*AUDITED, "preview", *ASKED, "--at", str(AT + 90))
    lost = "it changed in a way that is not in the audit, or not yet; it may have been different"
    assert done.out.splitlines()[:2] == [
        "As of 2027-01-15T08:01:30Z, which is not certain.",
        f"  not known: USER#u1 TENANT#acme: {lost}",
    ]
    # What it was before the last recorded change is certain all the same.
    assert claimsmith(*AUDITED, "preview", *ASKED, "--at", str(AT + 30), "--json").data["as_of"]["exact"]


@pytest.mark.parametrize(
    ("options", "at", "why"),
    [
        ((), AT, "no audit table was given, so that rows other than the policy are those of now"),
        (AUDITED, AT + 9000, "this is yet to come; rows are those of now"),
    ],
)
def test_where_rows_of_now_are_taken_it_is_said(
    claimsmith: Command, options: tuple[str, ...], at: int, why: str
) -> None:
    data = claimsmith(*options, "preview", *ASKED, "--at", str(at), "--json").data
    assert (data["as_of"]["gaps"], data["access"]["roles"]) == ([{"row": "", "why": why}], ["viewer"])

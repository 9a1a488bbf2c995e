"""Memberships from a file: what is checked, what is written, and what an interruption leaves."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given as generated
from hypothesis import strategies as st

from claimsmith.errors import Code, OperationError, StoreError
from claimsmith.service import import_members, member_csv
from claimsmith.service.directory import Editor, is_gone
from claimsmith.service.publish import publish
from claimsmith.store.dynamodb import Table
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.service.import_members import Checked

POLICY = policy_rows(
    settings={"privileged_scopes": ["admin/*"]},
    roles={"viewer": {"scopes": ["orders/read"]}, "editor": {"scopes": ["orders/write"]}},
)

SUBS = {"alice": "u1", "bob": "u2"}


@pytest.fixture(scope="module")
def published() -> MemoryDynamoDB:
    client = holding([*POLICY, tenant_row("acme"), tenant_row("globex"), tenant_row("broken", plan=5)])
    publish(Table(client, "t"), by="test")
    return client


@pytest.fixture
def client(published: MemoryDynamoDB) -> MemoryDynamoDB:
    client = MemoryDynamoDB()
    client.items = dict(published.items)
    return client


@pytest.fixture
def rows(client: MemoryDynamoDB) -> Table:
    return Table(client, "t")


def sub_of(user: str) -> str:
    if user == "ambiguous":
        raise OperationError(Code.USER_AMBIGUOUS, "There are two of them.")
    return SUBS.get(user, user)


def checked(rows: Table, text: str) -> Checked:
    return import_members.check(rows, member_csv.read(text.encode()), sub_of, now=NOW)


def imported(rows: Table, text: str, *, size: int = import_members.WRITTEN) -> int:
    """How many memberships were written."""
    done = import_members.write(rows, checked(rows, text).changes, "me", clock=lambda: NOW, size=size)
    return sum(written for written, _ in done)


def memberships(client: MemoryDynamoDB) -> dict[tuple[str, str], Any]:
    return {key: item for key, item in client.items.items() if key[0].startswith("USER#")}


def test_a_membership_becomes_what_the_file_states_and_keeps_what_it_leaves_out(rows: Table) -> None:
    rows.put(membership_row("u1", "acme", roles=frozenset({"viewer"}), expires_at=NOW + 5, claims={"desk": "a"}))
    text = "user,tenant,roles,until\nalice,acme,editor,\nu3,acme,viewer editor,2127-01-31\nu4,globex,,\n"
    assert imported(rows, text) == 3
    signed = {"updated_by": "me", "updated_at": NOW}
    assert rows.get("USER#u1", "TENANT#acme") == membership_row(
        "u1", "acme", roles=["editor"], claims={"desk": "a"}, **signed
    )
    assert rows.get("USER#u3", "TENANT#acme") == membership_row(
        "u3", "acme", roles=["editor", "viewer"], expires_at=4957113600, **signed
    )
    assert rows.get("USER#u4", "TENANT#globex") == membership_row("u4", "globex", roles=[], **signed)


def test_a_column_that_is_not_there_changes_nothing(rows: Table) -> None:
    rows.put(membership_row("u1", "acme", roles=["viewer"], expires_at=NOW + 5, status="suspended"))
    assert imported(rows, "user,tenant,status\nu1,acme,\n") == 1
    row = rows.get("USER#u1", "TENANT#acme")
    assert row is not None
    assert (row["roles"], row["expires_at"], "status" in row) == (["viewer"], NOW + 5, False)


def test_importing_a_file_again_changes_nothing(rows: Table, client: MemoryDynamoDB) -> None:
    text = "user,tenant,roles,scopes,status,until\n" + "".join(
        f"u{number},acme,viewer editor,orders/read,suspended,2127-01-31\n" for number in range(250)
    )
    assert imported(rows, text) == 250
    before = dict(client.items)
    again = checked(rows, text)
    assert (again.changes, again.refused, again.unchanged) == ([], [], 250)
    assert client.items == before


def test_changes_are_listed_by_attribute(rows: Table) -> None:
    rows.put(membership_row("u1", "acme", roles=["viewer"]))
    changed, added = checked(rows, "user,tenant,roles\nu1,acme,editor\nu2,acme,viewer\n").changes
    assert (changed.kind, changed.before, changed.after) == ("changed", {"roles": ("viewer",)}, {"roles": ("editor",)})
    assert (added.kind, added.before, added.after) == ("added", {}, {"roles": ("viewer",)})


REFUSED: Mapping[str, str] = {
    "v0,nowhere,viewer,,,": "there is no tenant nowhere",
    "v1,broken,viewer,,,": "the row of tenant broken cannot be read",
    "v2,acme,edtor,,,": "There is no role edtor. Did you mean editor?",
    "v3,acme,,admin/users,,": "Only the policy grants the privileged scope admin/users",
    "v4,acme,,claimsmith/introspect,,": "Only the policy grants",
    "v5,acme,,openid,,": "does not manage the scope openid",
    "v6,acme,,,actve,": "The status is not one of active, suspended",
    "v7,acme,,,,2001-09-10": "in the past",
    "ambiguous,acme,viewer,,,": "There are two of them",
    "seen,acme,editor,,,": "line 2 is about the same user and tenant",
    "unreadable,acme,viewer,,,": "its present row cannot be read: claims is not a map",
}


def test_a_line_is_refused_with_the_reason_and_its_cells(rows: Table) -> None:
    rows.put(membership_row("unreadable", "acme", claims="x"))
    text = "user,tenant,roles,scopes,status,until\nseen,acme,viewer,,,\n" + "\n".join(REFUSED)
    found = checked(rows, text)
    assert [change.sub for change in found.changes] == ["seen"]
    assert [refused.number for refused in found.refused] == list(range(3, 3 + len(REFUSED)))
    for refused, (cells, reason) in zip(found.refused, REFUSED.items(), strict=True):
        assert reason in refused.reason
        assert ",".join(refused.cells.values()) == cells


def test_what_a_membership_has_already_it_may_keep(rows: Table) -> None:
    rows.put(
        membership_row("u1", "acme", roles=["gone"], scopes=["admin/x"], status="on leave", expires_at=NOW - 5),
    )
    text = f"user,tenant,roles,scopes,status,until\nu1,acme,gone viewer,admin/x,on leave,{NOW - 5}\n"
    assert imported(rows, text) == 1
    row = rows.get("USER#u1", "TENANT#acme")
    assert row is not None
    assert row["roles"] == ["gone", "viewer"]


def test_a_row_that_counts_as_deleted_gives_nothing_to_the_new_membership(rows: Table) -> None:
    rows.put(membership_row("u1", "acme", scopes=["orders/write"], ttl=NOW - 1))
    rows.put(membership_row("u2", "acme", scopes=["orders/write"], status="revoked"))
    text = "user,tenant,roles\nu1,acme,viewer\nu2,acme,viewer\n"
    assert [change.kind for change in checked(rows, text).changes] == ["added", "added"]
    assert imported(rows, text) == 2
    for sub in ("u1", "u2"):
        row = rows.get(f"USER#{sub}", "TENANT#acme")
        assert row is not None
        assert row.keys() == {"pk", "sk", "roles", "updated_by", "updated_at"}


def test_a_membership_that_somebody_changed_after_the_check_is_refused_and_the_others_are_written(rows: Table) -> None:
    for sub in ("u1", "u2", "u3"):
        rows.put(membership_row(sub, "acme", roles=["viewer"]))
    text = "user,tenant,roles\n" + "".join(f"u{number},acme,editor\n" for number in range(1, 5))
    changes = checked(rows, text).changes
    editor = Editor(rows, "somebody", clock=lambda: NOW)
    editor.grant("u2", "acme", ["editor"])
    editor.revoke("u3", "acme")
    editor.grant("u4", "acme", ["viewer"])
    [(written, refused)] = import_members.write(rows, changes, "me", clock=lambda: NOW)
    assert (written, [one.number for one in refused]) == (1, [3, 4, 5])
    kept = rows.get("USER#u2", "TENANT#acme")
    assert kept is not None
    assert (kept["roles"], kept["updated_by"]) == (["editor", "viewer"], "somebody")
    assert rows.get("USER#u3", "TENANT#acme") is None


class Dying:
    """A client that dies at a write: before it arrives, or before its answer does."""

    def __init__(self, client: MemoryDynamoDB, at: int, death: BaseException, *, arrives: bool) -> None:
        self._client, self._left, self._death, self._arrives = client, at, death, arrives

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401 - requests of botocore have no type
        self._left -= 1
        if self._left or self._arrives:
            self._client.transact_write_items(**request)
        if not self._left:
            raise self._death
        return {}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        reads: Callable[..., Any] = getattr(self._client, operation)
        return reads


TEXT = "user,tenant,roles,until\n" + "".join(f"u{number},acme,editor,2127-01-31\n" for number in range(10))


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("death", [KeyboardInterrupt(), EndpointConnectionError(endpoint_url="nowhere")], ids=type)
def test_an_import_that_dies_at_any_write_is_finished_by_the_next_one(
    published: MemoryDynamoDB, death: BaseException, *, arrives: bool
) -> None:
    def begun() -> MemoryDynamoDB:
        client = MemoryDynamoDB()
        client.items = dict(published.items)
        rows = Table(client, "t")
        rows.put(membership_row("u1", "acme", roles=["viewer"], claims={"desk": "a"}))
        rows.put(membership_row("u5", "acme", ttl=NOW - 1))
        return client

    whole = begun()
    assert imported(Table(whole, "t"), TEXT, size=3) == 10
    for at in range(1, 5):
        client = begun()
        with pytest.raises((KeyboardInterrupt, StoreError)):
            imported(Table(Dying(client, at, death, arrives=arrives), "t"), TEXT, size=3)
        written = {1: 3, 2: 6, 3: 9, 4: 10}[at] if arrives else 3 * (at - 1)
        assert imported(Table(client, "t"), TEXT, size=3) == 10 - written
        assert memberships(client) == memberships(whole)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["viewer", "gone", "admin/x"])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "roles": st.lists(NAMES, max_size=3) | st.frozensets(NAMES, min_size=1, max_size=3) | NAMES,
        "scopes": st.lists(NAMES, max_size=3) | st.none(),
        "status": st.sampled_from(["active", "suspended", "revoked", "on leave", "", " ", 'a,b;"c"\r\n']) | NAMES,
        "expires_at": st.integers(NOW - 10**8, NOW + 10**8) | st.floats(NOW, NOW + 1e6) | st.integers(),
        "ttl": st.integers(NOW - 10, NOW + 10),
        "claims": st.just({"desk": "a"}),
    },
)


@generated(st.lists(st.tuples(st.sampled_from(["acme", "broken"]), ROWS), max_size=20))
def test_an_export_imports_to_no_change(published: MemoryDynamoDB, directory: list[tuple[str, dict[str, Any]]]) -> None:
    found = [membership_row(f"u{at}", tenant, **attributes) for at, (tenant, attributes) in enumerate(directory)]
    client = holding(found)
    client.items |= published.items
    cells = [member_csv.exported(row, NOW) for row in found if not is_gone(row, NOW)]
    file = io.StringIO()
    member_csv.write(file, [one for one in cells if isinstance(one, dict)])
    again = checked(Table(client, "t"), file.getvalue())
    assert (again.changes, again.refused) == ([], [])
    assert again.unchanged == sum(isinstance(one, dict) for one in cells)

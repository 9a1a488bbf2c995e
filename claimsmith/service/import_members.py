"""Imports memberships from a CSV file: everything is checked before the first row is written.

An import says what memberships are, so importing a file again changes nothing, and one that was interrupted is
finished by importing the file again. Each membership is written only if it still is as it was checked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith import table
from claimsmith.engine.facts import Problem, Tenant, read_membership, read_tenant
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service import vocabulary
from claimsmith.service.directory import Edit, expected, is_gone, replacing
from claimsmith.service.member_csv import Line, Refused, given
from claimsmith.store.dynamodb import update_action
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from claimsmith.service.vocabulary import Vocabulary
    from claimsmith.store.dynamodb import Table

    Row = Mapping[str, Any]
    Key = tuple[str, str]

#: Rows read at once, and written in one transaction.
READ: Final = 100
WRITTEN: Final = 25

#: What a membership without a row has.
_NOTHING: Final = {"roles": (), "scopes": (), "status": None, "expires_at": None}

_STATUSES: Final = ("active", "suspended")

#: Codes of failures that concern one user, and not the pool.
_OF_ONE_USER: Final = (Code.NOT_FOUND, Code.USER_AMBIGUOUS, Code.EMAIL_NOT_VERIFIED)


class Change(NamedTuple):
    """What a line changes.

    Attributes:
        before: the attributes that the file has columns for, as they are; empty where there is no membership.
        after: the same as they will be.
        edit: what to write.
        condition: what the row must still be like.
    """

    kind: Literal["added", "changed"]
    line: Line
    sub: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    edit: Edit
    condition: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """Of the row."""
        return table.USER_PREFIX + self.sub, table.TENANT_PREFIX + self.line.tenant


@dataclass(slots=True)
class Checked:
    """What an import would do.

    Attributes:
        unchanged: how many memberships are as the file says.
    """

    changes: list[Change] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unchanged: int = 0

    def count(self, kind: str) -> int:
        """How many changes there are of a kind."""
        return sum(change.kind == kind for change in self.changes)


def check(
    rows: Table,
    lines: Iterable[Line | Refused],
    sub_of: Callable[[str], str],
    *,
    now: int,
    done: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Check every line against the directory and the policy; write nothing.

    Args:
        rows: the table.
        lines: of the file.
        sub_of: finds the subject of a user; raises ``OperationError`` for one who is not there or not certain.
        now: epoch seconds.
        done: called with the number of lines checked since the last call.

    Raises:
        OperationError: no policy has been published yet; or the pool is unavailable.
        StoreError: DynamoDB is unavailable.
    """
    checked = Checked()
    check_line = _Checks(rows, vocabulary.load(rows), sub_of, now)
    waiting = iter(lines)
    while batch := list(islice(waiting, READ)):
        for outcome in check_line.batch(batch):
            match outcome:
                case Change():
                    checked.changes.append(outcome)
                case Refused():
                    checked.refused.append(outcome)
                case _:
                    checked.unchanged += 1
        done(len(batch))
    checked.refused.sort(key=lambda refused: refused.number)
    return checked


def write(
    rows: Table, changes: Iterable[Change], by: str, *, clock: Callable[[], float] = time.time, size: int = WRITTEN
) -> Iterator[tuple[int, list[Refused]]]:
    """Write changes, some at a time; after each time, how many were written and which were refused.

    A membership that somebody else has written since it was checked is refused.

    Args:
        rows: the table.
        changes: as checked.
        by: who imports; written to ``updated_by``.
        clock: epoch seconds.
        size: how many to write at a time, all or none of them.

    Raises:
        StoreError: DynamoDB is unavailable. What was yielded is written.
    """
    waiting = iter(changes)
    while batch := list(islice(waiting, size)):
        actions = [_action(rows, change, by, int(clock())) for change in batch]
        try:
            rows.transact(actions)
        except ConditionError:
            yield _write_singly(rows, batch, actions)
        else:
            yield len(batch), []


def _write_singly(rows: Table, batch: list[Change], actions: list[dict[str, Any]]) -> tuple[int, list[Refused]]:
    refused = []
    for change, action in zip(batch, actions, strict=True):
        try:
            rows.transact([action])
        except ConditionError:
            why = "somebody else changed this membership after it was checked; import the file again"
            refused.append(Refused(change.line.number, change.line.cells, why))
    return len(batch) - len(refused), refused


def _action(rows: Table, change: Change, by: str, now: int) -> dict[str, Any]:
    signed = {**change.edit.assign, "updated_by": by, "updated_at": now}
    return update_action(rows.name, *change.key, signed, change.edit.remove, change.condition)


class _Checks:
    """Checks lines, a batch at a time, and remembers what was looked up."""

    def __init__(self, rows: Table, known: Vocabulary, sub_of: Callable[[str], str], now: int) -> None:
        self._rows = rows
        self._known = known
        self._sub_of = sub_of
        self._now = now
        self._subs: dict[str, str | OperationError] = {}
        self._tenants: dict[str, str | None] = {}
        self._seen: dict[Key, int] = {}

    def batch(self, lines: list[Line | Refused]) -> Iterator[Change | Refused | None]:
        """A change, a refusal or None for each line."""
        wanted: list[tuple[Line, str]] = []
        for line in lines:
            if isinstance(line, Refused):
                yield line
            elif isinstance(sub := self._sub(line.user), str):
                wanted.append((line, sub))
            else:
                yield Refused(line.number, line.cells, sub.message)
        keys = {(table.USER_PREFIX + sub, table.TENANT_PREFIX + line.tenant): None for line, sub in wanted}
        present = {(row[table.PK], row[table.SK]): row for row in self._rows.batch_get(list(keys), consistent=True)}
        self._read_tenants({line.tenant for line, _ in wanted})
        for line, sub in wanted:
            key = (table.USER_PREFIX + sub, table.TENANT_PREFIX + line.tenant)
            first = self._seen.setdefault(key, line.number)
            if first != line.number:
                yield Refused(line.number, line.cells, f"line {first} is about the same user and tenant")
            else:
                yield self._check(line, sub, present.get(key))

    def _sub(self, user: str) -> str | OperationError:
        if user not in self._subs:
            try:
                self._subs[user] = self._sub_of(user)
            except OperationError as error:
                if error.code not in (*_OF_ONE_USER, Code.BAD_ARGUMENT):
                    raise
                self._subs[user] = error
        return self._subs[user]

    def _read_tenants(self, tenant_ids: set[str]) -> None:
        """Note of each tenant why nobody can become its member, or None."""
        missing = sorted(tenant_ids - self._tenants.keys())
        self._tenants |= {tenant_id: f"there is no tenant {tenant_id}" for tenant_id in missing}
        keys = [(table.TENANT_PREFIX + tenant_id, table.TENANT) for tenant_id in missing]
        for row in self._rows.batch_get(keys, consistent=True):
            readable = isinstance(read_tenant(row, self._now), Tenant)
            tenant_id = row[table.PK].removeprefix(table.TENANT_PREFIX)
            self._tenants[tenant_id] = None if readable else f"the row of tenant {tenant_id} cannot be read"

    def _check(self, line: Line, sub: str, row: Row | None) -> Change | Refused | None:
        gone = row is None or is_gone(row, self._now)
        stored = None if row is None or gone else read_membership(row, self._now)
        before: dict[str, Any] = dict(_NOTHING)
        if row is not None and stored is not None and not isinstance(stored, Problem):
            before = given(row, stored)
            if all(before[name] == value for name, value in line.given.items()):
                return None
        why = self._tenants[line.tenant] or self._refusal(line.given, before)
        edit = _edit(row, gone, line.given, before)
        if why is None and row is not None and not gone:
            after = {name: value for name, value in row.items() if name not in edit.remove} | dict(edit.assign)
            read = read_membership(after, self._now)
            if isinstance(read, Problem):
                why = f"its present row cannot be read: {read.attribute} {read.why}"
        if why is not None:
            return Refused(line.number, line.cells, why)
        shown = {} if gone else {name: before[name] for name in line.given}
        return Change("added" if gone else "changed", line, sub, shown, line.given, edit, expected(row, edit.reads))

    def _refusal(self, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
        """Why a membership may not become this; what it has already, it may keep."""
        roles = sorted({*wanted.get("roles", ())} - {*before["roles"]})
        scopes = sorted({*wanted.get("scopes", ())} - {*before["scopes"]})
        problems = [*map(self._known.role_problem, roles), *map(self._known.scope_problem, scopes)]
        status, until = wanted.get("status"), wanted.get("expires_at")
        if status not in (None, *_STATUSES, before["status"]):
            problems.append(f"The status is not one of {', '.join(_STATUSES)}.")
        if until is not None and until != before["expires_at"] and until <= self._now:
            problems.append("The end of the membership is in the past.")
        return " ".join(filter(None, problems)) or None


def _edit(row: Row | None, gone: bool, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> Edit:  # noqa: FBT001 - private
    assign = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in wanted.items()
        if value != before[name] and value not in (None, ())
    }
    if row is None or gone:
        assign = {"roles": [], **assign}
        return Edit(assign) if row is None else replacing(row, assign)
    cleared = [name for name, value in wanted.items() if value != before[name] and value in (None, ())]
    if "roles" in cleared:
        # As ``members grant`` writes a membership without roles.
        assign["roles"] = []
        cleared.remove("roles")
    return Edit(assign, [name for name in cleared if name in row], [*wanted, table.TTL])

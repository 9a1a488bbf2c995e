"""The table as it was at some time: today's rows with the recorded changes since then undone.

Two witnesses say what a row was: what it became by the last recorded change until then, and what it was before the
first one since then (or what it is now, if there is none). If they agree, nothing is missing between them. If not, or
if there is only one of them, ``Past.gaps`` says so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.named_tuple import NamedTuple
from claimsmith.store import bundles
from claimsmith.store.audit import recorded
from claimsmith.store.dynamodb import Table
from claimsmith.store.reads import never

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from claimsmith.store.audit import AuditRow
    from claimsmith.store.dynamodb import Key, Row


class Gap(NamedTuple):
    """Something that is not known about a past time.

    Attributes:
        row: the key of the row; empty for all rows.
        why: what is not known.
    """

    row: str
    why: str


class Witness(NamedTuple):
    """What the audit, or the table, says a row was.

    Attributes:
        image: the row without its keys; None if there was no such row.
        cut: a part of the image is missing.
    """

    image: Row | None
    cut: bool = False


class Past(Table):
    """Another table's rows as they were. It can only be read, by partition key.

    Attributes:
        at: epoch seconds. What changed within this second has changed.
        gaps: what is not known about the rows that were read so far.
    """

    def __init__(self, under: Table, audit: Table | None, at: int) -> None:
        """Look back.

        Args:
            under: the table.
            audit: its audit table; without it, only the pointer is that of then, and all else is as it is.
            at: epoch seconds.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        super().__init__(None, under.name)
        self.at = at
        self._under = under
        self._audit = audit
        self._gaps: dict[Gap, None] = {}
        self._partitions: dict[str, dict[str, dict[str, Any]]] = {}
        if audit is None:
            self._gaps[Gap("", "no audit table was given, so that rows other than the policy are those of now")] = None
        elif at < (made := audit.created_at()):
            since = datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._gaps[Gap("", f"the audit only goes back to {since}, when its table was made")] = None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not known about the rows that were read so far."""
        return tuple(sorted(self._gaps))

    def query(
        self,
        pk: str,
        *,
        sk_prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        pages: int | None = None,
        abandoned: Callable[[], bool] = never,
    ) -> list[dict[str, Any]]:
        """As ``Table.query``; the audit is read to its end, whatever the limit."""
        if not table.is_streamed(pk):
            return self._under.query(
                pk, sk_prefix=sk_prefix, limit=limit, descending=descending, pages=pages, abandoned=abandoned
            )
        found = self._partition(pk, pages, abandoned)
        keys = sorted((sk for sk in found if sk.startswith(sk_prefix or "")), reverse=descending)
        return [dict(found[sk]) for sk in keys[:limit]]

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """As ``Table.get``."""
        if (pk, sk) == (table.BUNDLE, table.CURRENT):
            return self._pointer()
        if not table.is_streamed(pk):
            return self._under.get(pk, sk)
        row = self._partition(pk).get(sk)
        return None if row is None else dict(row)

    def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[dict[str, Any]]:
        """As ``Table.batch_get``."""
        others = [key for key in keys if not table.is_streamed(key[0])]
        found = self._under.batch_get(others, consistent=consistent) if others else []
        return found + [row for key in keys if table.is_streamed(key[0]) and (row := self.get(*key)) is not None]

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as in ``Table``
        raise TypeError(f"the past of {self.name} can only be read by partition key: {operation}")

    def _pointer(self) -> dict[str, Any] | None:
        past = bundles.past_pointer(self._under, self.at)
        if not past.recorded:
            why = "its moves until then are not recorded; the newest version of that time is taken, and no staging"
            self._gaps[Gap(f"{table.BUNDLE} {table.CURRENT}", why)] = None
        return None if past.row is None else dict(past.row)

    def _partition(
        self, pk: str, pages: int | None = None, abandoned: Callable[[], bool] = never
    ) -> dict[str, dict[str, Any]]:
        """The rows under a key, by sort key."""
        if pk not in self._partitions:
            now = {row[table.SK]: row for row in self._under.query(pk, pages=pages, abandoned=abandoned)}
            if self._audit is not None:
                now, gaps = undone(pk, now, recorded(self._audit, pk=pk), self.at)
                self._gaps |= dict.fromkeys(gaps)
            self._partitions[pk] = now
        return self._partitions[pk]


def undone(
    pk: str, now: Mapping[str, Row], changes: Iterable[AuditRow], at: int
) -> tuple[dict[str, dict[str, Any]], list[Gap]]:
    """The rows under a key as they were, by sort key, and what is not known about them.

    Args:
        pk: the partition key.
        now: the rows as they are, by sort key.
        changes: all recorded changes of rows under the key, in any order.
        at: epoch seconds; changes within this second have happened.
    """
    last: dict[str, AuditRow] = {}
    first: dict[str, AuditRow] = {}
    for change in changes:
        if change.at <= at:
            last[change.sk] = max(last.get(change.sk, change), change, key=_order)
        else:
            first[change.sk] = min(first.get(change.sk, change), change, key=_order)
    rows: dict[str, dict[str, Any]] = {}
    gaps: list[Gap] = []
    for sk in sorted(now.keys() | first.keys() | last.keys()):
        left = Witness(last[sk].after, last[sk].after_cut) if sk in last else None
        right = Witness(first[sk].before, first[sk].before_cut) if sk in first else Witness(now.get(sk))
        image, why = _agreed(left, right)
        if image is not None:
            rows[sk] = {**image, table.PK: pk, table.SK: sk}
        if why is not None:
            gaps.append(Gap(f"{pk} {sk}", why))
    return rows, gaps


def _order(change: AuditRow) -> tuple[int, int, str]:
    return change.order


def _agreed(left: Witness | None, right: Witness) -> tuple[Row | None, str | None]:
    """What a row was, and why that is not certain; None if it is.

    Args:
        left: what it became by the last recorded change until then; None if none is recorded.
        right: what it was before the first recorded change since then, or what it is now.
    """
    if left is None:
        why = None if right.image is None else "how it came to be is not in the audit; it may have been different"
        return right.image, "only a part of it is in the audit" if right.cut else why
    if left.cut and right.cut:
        return right.image, "only a part of it is in the audit"
    if left.cut or right.cut:
        whole = right if left.cut else left
        return whole.image, None
    if _attributes(left.image) != _attributes(right.image):
        return right.image, "it changed in a way that is not in the audit, or not yet; it may have been different"
    return right.image, None


def _attributes(image: Row | None) -> dict[str, Any] | None:
    """What the audit has of a row."""
    left_out = (table.PK, table.SK, "secrets")
    return None if image is None else {name: value for name, value in image.items() if name not in left_out}

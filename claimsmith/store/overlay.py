"""A table with some rows replaced, without writing any: for questions that begin with "what if"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.store.dynamodb import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.store.dynamodb import Key, Row


class Overlay(Table):
    """Another table's rows, with some of them replaced or removed. It can only be read."""

    def __init__(self, under: Table, rows: Mapping[Key, Row | None]) -> None:
        """Lay rows over a table.

        Args:
            under: the table.
            rows: the rows that it has instead, by key; None for one that it does not have.
        """
        super().__init__(None, under.name)
        self._under = under
        self._rows = rows

    def query(
        self,
        pk: str,
        *,
        sk_prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        pages: int | None = None,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """As ``Table.query``; a limit is applied to the result, since a replaced row may be among the first."""
        under = self._under.query(pk, sk_prefix=sk_prefix, pages=pages, abandoned=abandoned)
        found = {row["sk"]: row for row in under}
        for (partition, sk), row in self._rows.items():
            if partition == pk and sk.startswith(sk_prefix or ""):
                found.pop(sk, None)
                if row is not None:
                    found[sk] = dict(row)
        rows = [found[sk] for sk in sorted(found, reverse=descending)]
        return rows if limit is None else rows[:limit]

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """As ``Table.get``."""
        if (pk, sk) not in self._rows:
            return self._under.get(pk, sk)
        row = self._rows[pk, sk]
        return None if row is None else dict(row)

    def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[dict[str, Any]]:
        """As ``Table.batch_get``."""
        found = self._under.batch_get([key for key in keys if key not in self._rows], consistent=consistent)
        return found + [dict(row) for key in keys if (row := self._rows.get(key)) is not None]

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as in ``Table``
        raise TypeError(f"rows laid over {self.name} cannot be written: {operation}")

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.store.dynamodb import Table
from claimsmith.store.overlay import Overlay
from tests.integration.memory_dynamodb import holding

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, str]

KEYS = [(pk, sk) for pk in ("a", "b") for sk in ("x1", "x2", "y")]


def table(values: Mapping[Key, int]) -> Table:
    return Table(holding({"pk": pk, "sk": sk, "value": value} for (pk, sk), value in values.items()), "claimsmith")


tables = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9))


@given(tables, st.dictionaries(st.sampled_from(KEYS), st.none() | st.integers(0, 9)))
def test_rows_laid_over_a_table_are_read_as_if_they_had_been_written(
    there: dict[Key, int], laid: dict[Key, int | None]
) -> None:
    rows: dict[Key, dict[str, Any] | None] = {
        (pk, sk): None if value is None else {"pk": pk, "sk": sk, "value": value} for (pk, sk), value in laid.items()
    }
    overlay = Overlay(table(there), rows)
    written = table({key: value for key, value in {**there, **laid}.items() if value is not None})
    by_key = itemgetter("pk", "sk")
    assert sorted(overlay.batch_get(KEYS), key=by_key) == sorted(written.batch_get(KEYS), key=by_key)
    for pk, sk in KEYS:
        assert overlay.get(pk, sk) == written.get(pk, sk)
    for prefix in (None, "x"):
        for limit in (None, 1):
            for descending in (False, True):
                found = overlay.query("a", sk_prefix=prefix, limit=limit, descending=descending)
                assert found == written.query("a", sk_prefix=prefix, limit=limit, descending=descending)


def test_nothing_is_written_through_rows_that_are_only_supposed() -> None:
    with pytest.raises(TypeError, match="cannot be written"):
        Overlay(table({}), {}).put({"pk": "a", "sk": "x1"})

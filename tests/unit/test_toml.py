from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from demo.toml import document

# TOML is UTF-8, which has no halves of surrogate pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@example({"releases": {"shift": "AllAtOnce", "prepare": True}, "identity_providers": [{"attributes": {"a.b": "c"}}]})
@example({"": '\x7f\u2028😀\\"\n', "a b": {}})
def test_what_is_written_is_read(options: dict[str, Any]) -> None:
    assert tomllib.loads(document(options)) == options


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), (b"a", TypeError), (float("nan"), ValueError)])
def test_what_toml_has_no_form_for_is_not_written(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        document({"options": [{"a": value}]})

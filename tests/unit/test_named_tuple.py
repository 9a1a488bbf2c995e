"""``claimsmith.named_tuple`` against ``typing.NamedTuple``: whatever is done with either has the same outcome."""

from __future__ import annotations

import copy
import pickle
import typing
from types import new_class
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith import named_tuple
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [f"field{n}" for n in range(20)]


class Point(NamedTuple):
    """A place.

    Attributes:
        x: where.
    """

    x: int
    y: int = 2

    @property
    def total(self) -> int:
        """Both."""
        return sum(self)


def both(names: list[str], defaults: dict[str, int]) -> tuple[Any, Any]:
    """A class of each kind with these fields, in this order."""

    def body(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = __name__
        namespace["__annotations__"] = dict.fromkeys(names, "int")
        namespace.update(defaults)

    bases: list[Any] = [named_tuple.NamedTuple, typing.NamedTuple]
    return tuple(new_class("Made", (base,), {}, body) for base in bases)  # type: ignore[return-value]


def outcome(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it is
    """What a call returns, or that it is refused; by which error differs between versions of Python."""
    try:
        found = call()
    except (TypeError, ValueError):
        return "refused"
    return repr(found), getattr(found, "_fields", None), found


@given(
    st.lists(st.sampled_from(NAMES), unique=True),
    st.data(),
    st.lists(st.integers(), max_size=21),
    st.dictionaries(st.sampled_from(NAMES), st.integers(), max_size=3),
)
def test_like_that_of_typing(names: list[str], data: st.DataObject, values: list[int], named: dict[str, int]) -> None:
    with_default = data.draw(st.integers(0, len(names)))
    defaults = {name: place for place, name in enumerate(names) if place >= with_default}
    ours, theirs = both(names, defaults)
    for attribute in ("_fields", "_field_defaults", "__match_args__", "__name__", "__module__", "__slots__"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert outcome(lambda: ours(*values, **named)) == outcome(lambda: theirs(*values, **named))
    assert outcome(lambda: ours._make(values)) == outcome(lambda: theirs._make(values))
    first, second = ours(*range(len(names))), theirs(*range(len(names)))
    assert [getattr(first, name) for name in names] == list(first) == list(second)
    assert first == second
    assert hash(first) == hash(second)
    assert first._asdict() == second._asdict()
    assert outcome(lambda: first._replace(**named)) == outcome(lambda: second._replace(**named))


def test_the_body_of_the_class_stays() -> None:
    assert Point(1).total == 3
    assert Point.__doc__ is not None
    assert Point.__qualname__ == "Point"
    assert typing.get_type_hints(Point) == {"x": int, "y": int}
    match Point(5, 6):
        case Point(x, y=six):
            assert (x, six) == (5, 6)
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Point(1).x = 3  # type: ignore[misc]


def test_copies() -> None:
    point = Point(1)
    assert [type(copied) for copied in (copy.copy(point), copy.deepcopy(point))] == [Point, Point]
    loaded = pickle.loads(pickle.dumps(point))  # noqa: S301 - our own
    assert (type(loaded), loaded) == (Point, point)


def test_a_field_without_a_default_after_one_with() -> None:
    with pytest.raises(TypeError, match="without a default"):
        both(["field0", "field1"], {"field0": 1})


def test_the_error_names_what_is_missing() -> None:
    with pytest.raises(TypeError, match=r"Point\.__new__.*'x'"):
        Point()  # type: ignore[call-arg]

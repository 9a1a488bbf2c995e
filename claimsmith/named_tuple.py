"""``typing.NamedTuple`` for classes that are made at every cold start, in an eighth of the time.

That one compiles each annotation, and a constructor, whenever a class is made. There are more than a hundred such
classes, so this was a fifth of the trigger's cold start. Here annotations are left alone, and constructors are compiled
with this module.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined] # of which collections.namedtuple makes attributes
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple, Self

__all__ = ["NamedTuple"]

_new: Final = tuple.__new__

#: Constructors by their number of fields; that of a class has the names of its fields for parameters.
_CONSTRUCTORS: Final = (
    lambda _cls: _new(_cls, ()),
    lambda _cls, a: _new(_cls, (a,)),
    lambda _cls, a, b: _new(_cls, (a, b)),
    lambda _cls, a, b, c: _new(_cls, (a, b, c)),
    lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
    lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
    lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
    lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
    lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
)


def _constructor(name: str, fields: tuple[str, ...], defaults: tuple[Any, ...]) -> FunctionType:
    """``__new__`` of a class; of the few that have more fields than that it is compiled."""
    if len(fields) < len(_CONSTRUCTORS):
        made = _CONSTRUCTORS[len(fields)]
    else:
        names = ", ".join(fields)
        made = eval(f"lambda _cls, {names}: _new(_cls, ({names}))")  # noqa: S307 - names of attributes
    code = made.__code__.replace(co_varnames=("_cls", *fields), co_name="__new__", co_qualname=f"{name}.__new__")
    return FunctionType(code, globals(), None, defaults)


class _Tuple(tuple[Any, ...]):
    """What all of them have in common, as documented for ``collections.namedtuple``."""

    __slots__ = ()
    if TYPE_CHECKING:  # it is no field, so no annotation either
        _fields: ClassVar[tuple[str, ...]]

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:
        made = _new(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
        return made

    def _replace(self, /, **changes: Any) -> Self:  # noqa: ANN401 - values of fields
        made = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise TypeError(f"{type(self).__name__} has no fields {list(changes)}")  # as from Python 3.13 on
        return made

    __replace__ = _replace  # for copy.replace

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([f'{name}={value!r}' for name, value in self._asdict().items()])})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)


class _Maker(type):
    """Makes a named tuple of the body of a class."""

    def __new__(cls, name: str, _bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        fields = tuple(namespace["__annotations__"])
        defaults = {field: namespace[field] for field in fields if field in namespace}
        if tuple(defaults) != fields[len(fields) - len(defaults) :]:
            raise TypeError(f"{name} has a field without a default after one that has a default")
        for place, field in enumerate(fields):
            namespace[field] = _tuplegetter(place, f"Alias for field number {place}")
        namespace |= {
            "__slots__": (),
            "__match_args__": fields,
            "_fields": fields,
            "_field_defaults": defaults,
            "__new__": _constructor(name, fields, tuple(defaults.values())),
        }
        return type(name, (_Tuple,), namespace)


if not TYPE_CHECKING:
    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})

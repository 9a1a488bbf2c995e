"""A row's image in a given room: whole where it fits, else with what is too large replaced by its length and digest.

What stands for a value is a map of ``bytes`` and ``sha256``: the length and the SHA-256 of the value's DynamoDB JSON
(``canonical``), so that it can be compared with a row that somebody still has. Of a value that carries authority, as
much of that text as there is room for stands beside them, as ``begins``. Nobody can forge such a map: one that was in
the row is replaced itself.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from claimsmith.store.item_size import Value

    Item = Mapping[str, Value]

K = TypeVar("K")

#: The member that a map has which stands for another value.
DIGEST: Final = "sha256"

#: Levels of lists and maps that are kept in an attribute. DynamoDB takes 32 in an item; the image and what stands for
#: a deeper value take one each, and two are to spare, for AWS does not say how it counts.
MAX_LEVELS: Final = 28

#: Bytes of what stands for a value, ``begins`` without its text included.
MARK: Final = 128

#: What a list or map costs, and each of its members (``item_size``).
_CONTAINER: Final = 3
_ELEMENT: Final = 1

_SETS: Final = ("SS", "NS", "BS")


class Abridged(NamedTuple):
    """An image, as much of it as there was room for.

    Attributes:
        item: its attributes, as DynamoDB has them.
        cut: where anything was replaced or left out: length and digest of the whole image, and how many attributes were
            left out (``left_out``); None where it is whole.
    """

    item: dict[str, Value]
    cut: dict[str, Value] | None


def canonical(value: Any) -> str:  # noqa: ANN401 - a value or an item
    """DynamoDB JSON with sorted names and sets and no blanks, binary in base64: what digests are of."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def abridge(image: Item, room: int, authority: Collection[str]) -> Abridged:
    """Keep of an image what fits.

    Attributes that carry authority come first, and among equals the small ones, so that no padding pushes them out. An
    attribute for whose name and digest there is no room is left out. Takes time in proportion to the image's size.

    Args:
        image: the attributes, as DynamoDB has them.
        room: bytes. Exceeded where not even a ``MARK`` fits for each attribute that carries authority.
        authority: the names of attributes that decide something.
    """
    cutting = _Cutting()
    parts = {name: _part(value) for name, value in image.items()}
    first = {name: part for name, part in parts.items() if name in authority}
    kept, used = cutting.share(first, room - _names(first), begins=True)
    left = room - _names(first) - used
    others: dict[str, _Part] = {}
    needed = {name: _names([name]) + parts[name].least(MAX_LEVELS) for name in parts.keys() - first.keys()}
    for name, need in sorted(needed.items(), key=itemgetter(1, 0)):
        if need > left:
            break
        others[name] = parts[name]
        left -= need
    left += sum(part.least(MAX_LEVELS) for part in others.values())
    kept |= cutting.share(others, left, begins=False)[0]
    left_out = len(image) - len(kept)
    return Abridged(kept, _summary(image, left_out) if cutting.cuts or left_out else None)


def left_out(image: Item) -> dict[str, Value]:
    """``Abridged.cut`` of an image of which nothing is kept."""
    return _summary(image, len(image))


class _Part(NamedTuple):
    """A value, measured once.

    Attributes:
        size: bytes.
        levels: of lists and maps, itself included.
        marked: a map in it looks like one that stands for another value.
        inner: its members, by name or place; None for a scalar or set.
    """

    value: Value
    size: int
    levels: int
    marked: bool
    inner: Mapping[Any, _Part] | None

    def least(self, deep: int) -> int:
        """Bytes that it needs at least: its own, or those of what stands for it."""
        return self.size if self.size < MARK and self.can_stay(deep) else MARK

    def can_stay(self, deep: int) -> bool:
        """Whether it may be kept as it is, where there is room."""
        return self.levels <= deep and not self.marked


def _part(value: Value) -> _Part:
    [(kind, content)] = value.items()
    if kind not in ("M", "L"):
        return _Part(value, value_size(value), 0, marked=False, inner=None)
    inner = {key: _part(member) for key, member in (content.items() if kind == "M" else enumerate(content))}
    marked = DIGEST in inner or any(part.marked for part in inner.values())
    size = _around(kind, inner) + sum(part.size for part in inner.values())
    return _Part(value, size, 1 + max((part.levels for part in inner.values()), default=0), marked, inner)


def _around(kind: str, inner: Mapping[Any, _Part]) -> int:
    """Bytes of a list or map without its values."""
    return _CONTAINER + (_names(inner) if kind == "M" else _ELEMENT * len(inner))


class _Cutting:
    """Replaces what is too large, and counts it."""

    def __init__(self) -> None:
        self.cuts = 0

    def share(
        self, parts: Mapping[K, _Part], room: int, *, begins: bool, deep: int = MAX_LEVELS
    ) -> tuple[dict[K, Value], int]:
        """Each value in its share of the room: small ones first, what they do not need is for the larger ones.

        Returns:
            The values, and the bytes they take.
        """
        used = sum(part.least(deep) for part in parts.values())
        kept: dict[K, Value] = {}
        for key, part in sorted(parts.items(), key=lambda entry: entry[1].size):
            least = part.least(deep)
            kept[key], size = self._fit(part, least + max(0, room - used), begins=begins, deep=deep)
            used += size - least
        return kept, used

    def _fit(self, part: _Part, room: int, *, begins: bool, deep: int) -> tuple[Value, int]:
        """A value in so many bytes, which are ``least`` at least; and how many they are."""
        if part.size <= room and part.can_stay(deep):
            return part.value, part.size
        if part.inner and deep > 1 and DIGEST not in part.inner:
            [kind] = part.value
            around = _around(kind, part.inner)
            if around + sum(member.least(deep - 1) for member in part.inner.values()) <= room:
                kept, size = self.share(part.inner, room - around, begins=begins, deep=deep - 1)
                return {kind: kept if kind == "M" else [kept[place] for place in part.inner]}, around + size
        self.cuts += 1
        mark = _mark(part.value, room if begins else 0)
        return mark, value_size(mark)


def _mark(value: Value, room: int) -> Value:
    """What stands for a value, with as much of its text as there is room for."""
    text = canonical(value)
    mark = _digest(text)
    if room > MARK:
        mark["begins"] = {"S": _utf8(text)[: room - MARK].decode(errors="ignore")}
    return {"M": mark}


def _summary(image: Item, attributes: int) -> dict[str, Value]:
    return {**_digest(canonical(image)), "left_out": {"N": str(attributes)}}


def _digest(text: str) -> dict[str, Value]:
    octets = _utf8(text)
    return {"bytes": {"N": str(len(octets))}, DIGEST: {"S": sha256(octets).hexdigest()}}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _names(names: Iterable[str]) -> int:
    """Bytes of the names of a map's members, and of what comes with each."""
    return sum(_ELEMENT + text_size(name) for name in names)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value or an item, as JSON
    """Bytes as base64, sets in order."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {
            name: sorted(_plain(item)) if name in _SETS and isinstance(item, list) else _plain(item)
            for name, item in value.items()
        }
    return value

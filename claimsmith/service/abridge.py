"""Fits a row's image into a limited space: whole if it fits; otherwise large values become their length and digest.

A value that does not fit is replaced by a marker: a map of ``bytes`` and ``sha256``, the length and the SHA-256 of its
DynamoDB JSON (``canonical``), so that it can be compared with a copy of the row from elsewhere. For a value that
carries authority, ``begins`` holds as much of that text as fits. A marker cannot be forged: a map in the row that looks
like one is itself replaced.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from claimsmith.named_tuple import NamedTuple
from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from claimsmith.store.item_size import Value

    Item = Mapping[str, Value]

K = TypeVar("K")

#: The member by which a marker is recognized.
DIGEST: Final = "sha256"

#: Levels of nested lists and maps kept in an attribute. DynamoDB accepts 32 in an item; the image and a marker take one
#: each, and two are in reserve, because AWS does not document how it counts.
MAX_LEVELS: Final = 28

#: Bytes of a marker, including ``begins`` without its text.
MARKER: Final = 128

#: Bytes of overhead for a list or map, and for each of its members (``item_size``).
_CONTAINER: Final = 3
_ELEMENT: Final = 1

_SETS: Final = ("SS", "NS", "BS")


class Abridged(NamedTuple):
    """An image, as much of it as fits.

    Attributes:
        item: its attributes in DynamoDB's representation.
        cut: the length and digest of the whole image, and the number of attributes left out (``left_out``); None if
            the image is whole.
    """

    item: dict[str, Value]
    cut: dict[str, Value] | None


def canonical(value: Any) -> str:  # noqa: ANN401 - a value or an item
    """The text that digests are computed from: DynamoDB JSON with sorted names and sets, no whitespace, base64."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def abridge(image: Item, room: int, authority: Collection[str]) -> Abridged:
    """Keep as much of an image as fits.

    Attributes that carry authority come first, then small ones before large ones, so that padding cannot push them out.
    An attribute is left out if not even its name and marker fit. Takes time proportional to the image's size.

    Args:
        image: the attributes in DynamoDB's representation.
        room: bytes. Exceeded if not even a ``MARKER`` fits for each attribute that carries authority.
        authority: the names of attributes that affect a decision.
    """
    cutter = _Cutter()
    parts = {name: _part(value) for name, value in image.items()}
    first = {name: part for name, part in parts.items() if name in authority}
    kept, used = cutter.share(first, room - _names(first), begins=True)
    left = room - _names(first) - used
    others: dict[str, _Part] = {}
    needed = {name: _names([name]) + parts[name].least(MAX_LEVELS) for name in parts.keys() - first.keys()}
    for name, need in sorted(needed.items(), key=itemgetter(1, 0)):
        if need > left:
            break
        others[name] = parts[name]
        left -= need
    left += sum(part.least(MAX_LEVELS) for part in others.values())
    kept |= cutter.share(others, left, begins=False)[0]
    left_out = len(image) - len(kept)
    return Abridged(kept, _summary(image, left_out) if cutter.cuts or left_out else None)


def left_out(image: Item) -> dict[str, Value]:
    """``Abridged.cut`` for an image of which nothing is kept."""
    return _summary(image, len(image))


class _Part(NamedTuple):
    """A value with its measurements.

    Attributes:
        size: bytes.
        levels: of nested lists and maps, including itself.
        marked: whether a map in it looks like a marker.
        inner: its members, by name or index; None for a scalar or set.
    """

    value: Value
    size: int
    levels: int
    marked: bool
    inner: Mapping[Any, _Part] | None

    def least(self, max_levels: int) -> int:
        """Bytes that it needs at least: its own, or those of its marker."""
        return self.size if self.size < MARKER and self.can_stay(max_levels) else MARKER

    def can_stay(self, max_levels: int) -> bool:
        """Whether it may be kept unchanged if it fits."""
        return self.levels <= max_levels and not self.marked


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


class _Cutter:
    """Replaces values that are too large, and counts them."""

    def __init__(self) -> None:
        self.cuts = 0

    def share(
        self, parts: Mapping[K, _Part], room: int, *, begins: bool, max_levels: int = MAX_LEVELS
    ) -> tuple[dict[K, Value], int]:
        """Fit each value into its share of the room; what small values do not need goes to larger ones.

        Returns:
            The values, and the bytes they take.
        """
        used = sum(part.least(max_levels) for part in parts.values())
        kept: dict[K, Value] = {}
        for key, part in sorted(parts.items(), key=lambda entry: entry[1].size):
            least = part.least(max_levels)
            kept[key], size = self._fit(part, least + max(0, room - used), begins=begins, max_levels=max_levels)
            used += size - least
        return kept, used

    def _fit(self, part: _Part, room: int, *, begins: bool, max_levels: int) -> tuple[Value, int]:
        """Fit a value into this many bytes, at least ``least``.

        Returns:
            The value, and the bytes it takes.
        """
        if part.size <= room and part.can_stay(max_levels):
            return part.value, part.size
        if part.inner and max_levels > 1 and DIGEST not in part.inner:
            [kind] = part.value
            around = _around(kind, part.inner)
            if around + sum(member.least(max_levels - 1) for member in part.inner.values()) <= room:
                kept, size = self.share(part.inner, room - around, begins=begins, max_levels=max_levels - 1)
                return {kind: kept if kind == "M" else [kept[index] for index in part.inner]}, around + size
        self.cuts += 1
        marker = _marker(part.value, room if begins else 0)
        return marker, value_size(marker)


def _marker(value: Value, room: int) -> Value:
    """The marker for a value, with as much of its text as fits."""
    text = canonical(value)
    marker = _digest(text)
    if room > MARKER:
        marker["begins"] = {"S": _utf8(text)[: room - MARKER].decode(errors="ignore")}
    return {"M": marker}


def _summary(image: Item, attributes: int) -> dict[str, Value]:
    return {**_digest(canonical(image)), "left_out": {"N": str(attributes)}}


def _digest(text: str) -> dict[str, Value]:
    octets = _utf8(text)
    return {"bytes": {"N": str(len(octets))}, DIGEST: {"S": sha256(octets).hexdigest()}}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _names(names: Iterable[str]) -> int:
    """Bytes of the names of a map's members, including the overhead of each."""
    return sum(_ELEMENT + text_size(name) for name in names)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value or an item, as JSON
    """A JSON value with bytes as base64 and sets sorted."""
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

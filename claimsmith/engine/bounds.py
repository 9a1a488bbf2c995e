"""How large a compiled policy may be. These numbers alone bound what reading one costs, in time and in memory.

Whoever waits for a token waits for its policy to be read, so the bounds lie far below what anybody would notice.
``docs/adr/0016-bounds.md`` has what they cost and why there are two sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Size(NamedTuple):
    """The size of a policy, or a bound on it.

    Attributes:
        octets: bytes of its JSON.
        values: JSON values in it, at most: an empty array or object counts twice.
        depth: levels of arrays and objects inside each other.
        rows: roles, groups, clients, rules and routes.
    """

    octets: int
    values: int
    depth: int
    rows: int

    def excess(self, bound: Size) -> str | None:
        """What is larger than the bound allows, in words; None where nothing is."""
        for what, have, most in zip(_WORDS, self, bound, strict=True):
            if have > most:
                return f"more than {most:,} {what}"
        return None


_WORDS: Final = ("bytes of JSON", "values", "levels of arrays and objects", "rows")

#: What lint lets through: a policy of 1,000 rules is a sixth of it.
PUBLISHED: Final = Size(octets=1_000_000, values=100_000, depth=40, rows=4_000)

#: What is still read where it is in force already: a bound that is tightened later locks nobody out.
SERVED: Final = Size(octets=2_000_000, values=200_000, depth=40, rows=8_000)

#: Tests of a policy that is as large as it may be; a smaller one may have as many more. Each of them is a decision, and
#: a decision goes through the whole policy.
TESTS: Final = 500

#: Pages of 1 MB that are read of the draft's rows. One within ``PUBLISHED`` has four at most, and most of it is keys.
DRAFT_PAGES: Final = 8

#: What a document has beside its rows.
_NO_ROWS: Final = ("settings", "scopes")

_BRACKETS: Final = bytes.maketrans(b"[]", b"{}")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NOT_COUNTED: Final = bytes(set(range(256)) - set(b'[]{},"'))


def size(canonical: bytes) -> Size:
    """The size of a document's JSON, without its rows; found without making a single object of it.

    For bytes that are not JSON the result is meaningless; the parser refuses them. A depth beyond the bounds is
    reported as one more than they allow.
    """
    # Without escapes, every second part between quotes is a string. Pairs of backslashes go first: one before a quote
    # that ends a string is the second of a pair.
    plain = canonical.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in canonical else canonical
    # Two quotes with nothing between them change nothing about what is in a string, and there are thousands of them.
    plain = plain.translate(None, _NOT_COUNTED).replace(b'""', b"")
    outside = b"".join(plain.split(b'"')[::2])
    values = 1 + outside.count(b",") + outside.count(b"[") + outside.count(b"{")
    brackets = outside.translate(_BRACKETS, _NOT_BRACKETS)
    depth = 0
    while brackets and depth <= SERVED.depth:
        # Takes away the innermost level everywhere at once.
        brackets = brackets.replace(b"{}", b"")
        depth += 1
    return Size(len(canonical), values, depth, 0)


def rows(document: Mapping[str, Any]) -> int:
    """Roles, groups, clients, rules and whatever else a document has many of."""
    sections = (part for name, part in document.items() if name not in _NO_ROWS)
    return sum(len(part) for part in sections if isinstance(part, list | dict))

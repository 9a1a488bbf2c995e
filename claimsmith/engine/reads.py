"""What a policy reads of a token request: two requests that differ in nothing of it get the same token.

Whoever asks about many users at once (plan, who-can) decides once for all those who look alike to the policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.engine.built_in import RESERVED_CLAIMS
from claimsmith.engine.language import conditions, values
from claimsmith.engine.language.paths import ATTRIBUTES, IDENTITIES, STATUS
from claimsmith.engine.language.values import Expression
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Sections whose rows set claims, and the attributes in which they do.
_SECTIONS = ("roles", "clients")
_CLAIMS = ("access_claims", "id_claims")


class Operand(NamedTuple):
    """What a condition compares a path with.

    Attributes:
        op: the operator.
        value: the literal.
    """

    op: str
    value: Any


class Reads(NamedTuple):
    """What one or more policies read of a request.

    Attributes:
        paths: every path that a condition or a value reads.
        operands: what conditions compare each path with.
        groups: the groups that give roles.
        every_group: all of a user's groups matter, because a rule reads or changes them.
        attributes: the user's attributes that matter: read, hidden, or replaced by a claim of the same name.
    """

    paths: frozenset[str]
    operands: Mapping[str, tuple[Operand, ...]]
    groups: frozenset[str]
    every_group: bool
    attributes: frozenset[str]


def reads(documents: Sequence[Mapping[str, Any]]) -> Reads:
    """What these compiled policies read, together."""
    paths: set[str] = set()
    operands: dict[str, dict[str, Operand]] = {}
    groups: set[str] = set()
    names: set[str] = set(RESERVED_CLAIMS)
    every_group = False
    for document in documents:
        groups.update(document["groups"], document.get("iam_roles", ()))
        every_group = every_group or _names_groups(document)
        names.update(document["settings"]["claim_names"].values())
        for row in _rows(document):
            for path in _of_values(row):
                paths.add(path)
            names.update(row.get("id_claims", ()), row.get("suppress_id_claims", ()))
            every_group = every_group or bool(row.get("add_groups") or row.get("suppress_groups"))
            for leaf in conditions.leaves(row.get("when")):
                operand = Operand(leaf["op"], leaf.get("value"))
                operands.setdefault(leaf["field"], {}).setdefault(repr(operand), operand)
    paths.update(operands)
    for document in documents:
        if document.get("identity_providers"):
            names.update((IDENTITIES, STATUS), document["settings"].get("groups_from", {}).get("attributes", ()))
    attributes = names | {path[len(ATTRIBUTES) :] for path in paths if path.startswith(ATTRIBUTES)}
    if any(path.startswith("user.identity_provider") for path in paths):
        attributes |= {IDENTITIES, STATUS}
    return Reads(
        frozenset(paths),
        {path: tuple(found.values()) for path, found in operands.items()},
        frozenset(groups),
        every_group or "user.groups" in paths,
        frozenset(attributes),
    )


def _names_groups(document: Mapping[str, Any]) -> bool:
    """Whether rows of the directory, or roles, add to a user's groups."""
    named = document["settings"].get("directory_groups")
    return bool(named) or any(role.get("add_groups") for role in document["roles"].values())


def _rows(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rows that set claims, or do more."""
    for section in _SECTIONS:
        yield from document[section].values()
    yield from document.get("rules", ())  # format 1 has no rules


def _of_values(row: Mapping[str, Any]) -> Iterator[str]:
    """The paths in the values of a row."""
    for attribute in _CLAIMS:
        for written in row.get(attribute, {}).values():
            try:
                value = values.compiled(written)
            except ValueError:
                continue  # withheld, so it reads nothing
            if isinstance(value, Expression):
                yield from value.paths

"""Texts that look like a template and are a literal: whoever wrote them believes that something is put in their place.

A name of a scope, a group, a claim or an attribute has no braces, so any pair of them is refused there. A text among
values may have some, as JSON does; there it is the name of a path between them that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language.conditions import MAX_DEPTH
from claimsmith.engine.language.paths import FIXED, OPEN
from claimsmith.engine.language.values import FROM, LITERAL, is_expression
from claimsmith.errors import Code
from claimsmith.policy.checks.claims import by_attribute
from claimsmith.policy.checks.conditions import parts
from claimsmith.policy.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

_BRACES: Final = re.compile(r"\{[^{}]*\}")

#: A path in braces, or what would be one but for a slip in the last part of its name.
_PLACE: Final = re.compile(
    r"\{\s*(?:"
    + "|".join(sorted({re.escape(path.partition(".")[0]) + r"\.[^{}]+" for path in (*OPEN, *FIXED) if "." in path}))
    + "|(?:"
    # Spaces stand before the brace only here: elsewhere they are part of the name, and would be looked at twice.
    + "|".join(re.escape(path) for path in FIXED if "." not in path)
    + r")\s*)\}"
)

#: Lists of names, by the section whose rows have them.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "settings": ("unmanaged_scopes", "trusted_attributes", "privileged_scopes", "default_roles"),
    "roles": ("inherits", "scopes"),
    "groups": ("roles",),
    "clients": ("roles", "scopes_allowed", "suppress_scopes"),
    "rules": (
        "add_scopes",
        "suppress_scopes",
        "suppress_access_claims",
        "suppress_id_claims",
        "add_groups",
        "suppress_groups",
    ),
    "routes": ("any_scope", "all_scopes", "any_role", "audience"),
}

_LITERAL: Final = "this is taken as it is written, braces included; nothing is put in their place"
_REMEDY: Final = "; write {template: …} for a template, or {value: …} around the whole literal"


def check(policy: Policy) -> Iterator[Finding]:
    """Literals that look like templates."""
    for entry, at in (*_names(policy), *_compared(policy)):
        yield found(Code.TEMPLATE_IN_LITERAL, entry, at, _LITERAL)
    for entry, at in _set(policy):
        yield found(Code.TEMPLATE_IN_LITERAL, entry, at, _LITERAL + _REMEDY)


def _names(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    for entry, attribute, names in _lists(policy):
        yield from ((entry, (attribute, str(index))) for index, name in enumerate(names) if _BRACES.search(name))
    for meaning, name in policy.settings.names().items():
        if _BRACES.search(name):
            yield policy.settings_entry, ("claim_names", meaning)
    for name, client in policy.clients.items():
        if client.name is not None and _PLACE.search(client.name):
            yield policy.entries["clients"][name], ("name",)
    for entry, row in policy.claims_rows():
        for attribute, claims, _ in by_attribute(row):
            yield from ((entry, (attribute, name)) for name in claims if _BRACES.search(name))


def _set(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    """Where the literal parts of a claim's value look like a template; what ``{value: …}`` holds is meant as it is."""
    for entry, row in policy.claims_rows():
        for attribute, claims, _ in by_attribute(row):
            for name, value in claims.items():
                if not is_expression(value):
                    yield from ((entry, at) for at in _texts(value, (attribute, name)))
                elif FROM in value and "default" in value:
                    yield from ((entry, at) for at in _texts(value["default"], (attribute, name, "default")))


def _compared(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    """The same for what a condition compares with, which is never worked out."""
    for name, rule in policy.rules.items():
        for at, value in _operands(rule.when, ("when",), MAX_DEPTH):
            if is_expression(value) and LITERAL not in value:
                yield policy.entries["rules"][name], at
            else:
                yield from ((policy.entries["rules"][name], place) for place in _texts(value, at))


def _operands(condition: object, at: Path, levels: int) -> Iterator[tuple[Path, Any]]:
    if not isinstance(condition, Mapping) or not levels:
        return
    for path, part in parts(condition):
        yield from _operands(part, (*at, *path), levels - 1)
    if "value" in condition:
        yield (*at, "value"), condition["value"]


def _lists(policy: Policy) -> Iterator[tuple[Entry, str, list[str]]]:
    documents: Mapping[str, Mapping[str, Any]] = {
        "settings": {"": policy.settings},
        "roles": policy.roles,
        "groups": policy.groups,
        "clients": policy.clients,
        "rules": policy.rules,
        "routes": policy.routes,
    }
    for section, attributes in _NAMES.items():
        for name, document in documents[section].items():
            entry = policy.settings_entry if section == "settings" else policy.entries[section][name]
            for attribute in attributes:
                yield entry, attribute, getattr(document, attribute) or []


def _texts(value: object, at: Path) -> Iterator[Path]:
    """Where the texts of a literal, at any depth, look like a template."""
    if isinstance(value, str):
        if _PLACE.search(value):
            yield at
    elif isinstance(value, Mapping | list):
        for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _texts(part, (*at, str(name)))

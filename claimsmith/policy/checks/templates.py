"""Literals that look like templates: their author expects a substitution that never happens.

Names of scopes, groups, claims and attributes have no braces, so any pair of braces is an error there. Other texts may
have braces, as JSON does; there only a path in braces is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language import AUTHORITY
from claimsmith.engine.language.conditions import MAX_DEPTH
from claimsmith.engine.language.paths import FIXED, OPEN
from claimsmith.engine.language.values import LITERAL, form_of, holds_expression, is_expression
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

#: A path in braces, even with a typo in its last part.
_PATH_IN_BRACES: Final = re.compile(
    r"\{\s*(?:"
    + "|".join(sorted({re.escape(path.partition(".")[0]) + r"\.[^{}]+" for path in (*OPEN, *FIXED) if "." in path}))
    + "|(?:"
    # Spaces before the brace are matched only here: elsewhere the name includes them.
    + "|".join(re.escape(path) for path in FIXED if "." not in path)
    + r")\s*)\}"
)

#: Attributes that are lists of names, by section.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "settings": ("unmanaged_scopes", "trusted_attributes", "privileged_scopes", "default_roles", "directory_groups"),
    "roles": ("inherits", "scopes", "add_groups"),
    "groups": ("roles", "iam_roles"),
    "identity_providers": ("tenants", "attributes", "groups"),
    "clients": ("roles", "scopes_allowed", "suppress_scopes"),
    "rules": AUTHORITY,
    "routes": ("any_scope", "all_scopes", "any_role", "audience"),
}

_LITERAL: Final = "templates and expressions have no effect here; write the literal itself"
_TEMPLATE_OR_VALUE: Final = (
    "this is a literal, so braces have no effect; write {template: …}, or {value: …} to keep the braces"
)


def check(policy: Policy) -> Iterator[Finding]:
    """Yield literals that look like templates."""
    for entry, at in (*_names(policy), *_compared(policy)):
        yield found(Code.TEMPLATE_IN_LITERAL, entry, at, _LITERAL)
    for entry, at in _set(policy):
        yield found(Code.TEMPLATE_IN_LITERAL, entry, at, _TEMPLATE_OR_VALUE)


def _names(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    for entry, attribute, names in _lists(policy):
        yield from ((entry, (attribute, str(index))) for index, name in enumerate(names) if _BRACES.search(name))
    for meaning, name in policy.settings.names().items():
        if _BRACES.search(name):
            yield policy.settings_entry, ("claim_names", meaning)
    for name, client in policy.clients.items():
        if client.name is not None and _PATH_IN_BRACES.search(client.name):
            yield policy.entries["clients"][name], ("name",)
    for entry, row in policy.claims_rows():
        for attribute, claims, _ in by_attribute(row):
            yield from ((entry, (attribute, name)) for name in claims if _BRACES.search(name))


def _set(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    """Yield where the literal parts of a claim value look like a template; ``{value: …}`` is exempt."""
    for entry, row in policy.claims_rows():
        for attribute, claims, _ in by_attribute(row):
            for name, value in claims.items():
                yield from ((entry, at) for at in _literals(value, (attribute, name)))


def _literals(value: object, at: Path) -> Iterator[Path]:
    """Yield where the literal parts of a value, at any depth, look like a template."""
    form = form_of(value)
    if form is not None and isinstance(value, Mapping):
        for key in value.keys() - {LITERAL}:
            if form.keys[key] == "literal":
                yield from _texts(value[key], (*at, key))
    elif holds_expression(value):
        for name, part in _members(value):
            yield from _literals(part, (*at, name))
    else:
        yield from _texts(value, at)


def _compared(policy: Policy) -> Iterator[tuple[Entry, Path]]:
    """Yield the same for what conditions compare with, which is never evaluated."""
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
        "identity_providers": policy.identity_providers,
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
    """Yield where texts in a literal, at any depth, look like a template."""
    if isinstance(value, str):
        if _PATH_IN_BRACES.search(value):
            yield at
    else:
        for name, part in _members(value):
            yield from _texts(part, (*at, name))


def _members(value: object) -> Iterator[tuple[str, Any]]:
    """Yield what an object or a list has, with names or indices; nothing for what is neither."""
    parts_of = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    yield from ((str(name), part) for name, part in parts_of)


ERRORS: Final = (check,)

"""Whether two policies make the same of a request, found without deciding it: nothing that differs has a part in it.

Where this says no, the tokens may still be the same; where it says yes, they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine import tenancy
from claimsmith.engine.roles import assign
from claimsmith.engine.subject import gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.language.conditions import Test

    Document = Mapping[str, Any]

#: Sections whose entries are looked at one by one.
_BY_ENTRY: Final = ("roles", "clients", "rules")

#: What no token depends on: the authorizer's routes, how long rows are cached, and a list that follows from other rows.
_NO_TOKEN: Final = frozenset({"routes", "scopes"})
_NO_TOKEN_SETTINGS: Final = frozenset({"cache_seconds"})


def of_tokens(document: Document) -> dict[str, Any]:
    """The part of a compiled policy that tokens depend on."""
    settings = {name: value for name, value in document["settings"].items() if name not in _NO_TOKEN_SETTINGS}
    return {**{name: value for name, value in document.items() if name not in _NO_TOKEN}, "settings": settings}


def as_text(entry: Any) -> str:  # noqa: ANN401 - any JSON value
    """A part of a policy for comparison: in Python, 1 equals True."""
    return json.dumps(entry, sort_keys=True)


class Unchanged:
    """What differs between two policies, row by row."""

    def __init__(self, documents: tuple[Document, Document], bundles: tuple[Bundle, Bundle]) -> None:
        """Compare two policies: their compiled documents, and the bundles in these."""
        before, after = documents
        self._before, self._after = bundles
        self._roles = _differing(before["roles"], after["roles"])
        self._clients = _differing(before["clients"], after["clients"])
        rules = [{rule["id"]: rule for rule in document.get("rules", ())} for document in documents]
        differing = _differing(*rules)
        # Later rules win, so those that are left must stand in the same order.
        orders = [[name for name in each if name not in differing] for each in rules]
        rest = [{**of_tokens(document), **dict.fromkeys(_BY_ENTRY)} for document in documents]
        self._comparable = as_text(rest[0]) == as_text(rest[1]) and orders[0] == orders[1]
        self._rules = [*_conditions(rules[0], bundles[0], differing), *_conditions(rules[1], bundles[1], differing)]

    def is_unchanged(self, facts: Facts, request: Request) -> bool:
        """Whether nothing that differs has a part in this request."""
        if not self._comparable or request.client_id in self._clients:
            return False
        choice = tenancy.choose(self._before, facts.user, facts.tenants, request)
        if choice.refusal is not None:
            return True
        subject = gather(self._before, facts, request, choice)
        roles = assign(self._before, subject).names
        if self._roles and (roles != assign(self._after, subject).names or not self._roles.isdisjoint(roles)):
            return False
        if not self._rules:
            return True
        context = subject.context(roles)
        return not any(test is None or test(context) for test in self._rules)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """The names whose entries differ."""
    names = before.keys() | after.keys()
    return frozenset(name for name in names if as_text(before.get(name)) != as_text(after.get(name)))


def _conditions(rules: Mapping[str, Any], bundle: Bundle, differing: frozenset[str]) -> Iterator[Test | None]:
    return (rule.when for name, rule in zip(rules, bundle.rules, strict=True) if name in differing)

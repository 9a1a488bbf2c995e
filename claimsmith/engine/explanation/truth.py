"""What would have to change for a condition to hold, or not to, or for a path to lead to something."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.event import SOURCES
from claimsmith.engine.explanation.situation import REQUEST, Change
from claimsmith.engine.language.conditions import ANY_TEXT, OPERATORS, compiled
from claimsmith.engine.language.paths import ATTRIBUTES, METADATA, MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.explanation.role_plans import RolePlans
    from claimsmith.engine.explanation.situation import Plan, Situation
    from claimsmith.engine.language.paths import EvaluationContext

#: Ways to bring about a condition that are looked at.
_WAYS: Final = 8

#: Paths that lead nowhere without a tenant.
_OF_A_TENANT: Final = ("tenant.", "membership.")

#: Paths to an attribute of the row that they begin with, and to a member of a map.
_OF_ROWS: Final = frozenset({"tenant.name", "tenant.plan", "client.name", "membership.roles"})
_OF_MAPS: Final = {
    ATTRIBUTES: "attributes",
    METADATA: "metadata",
    "user.claims.": "claims",
    "tenant.claims.": "claims",
    "membership.claims.": "claims",
}
_OF_REQUEST: Final = {
    "user.groups": "groups",
    "request.scopes": "scopes",
    "request.source": "source",
    "user.username": "username",
}


class Truth:
    """Changes of a situation that bring about a condition. What they really do, only a decision shows."""

    def __init__(self, situation: Situation, context: EvaluationContext, roles: RolePlans) -> None:
        self.situation = situation
        self.context = context
        self.roles = roles
        self.tenants = roles.tenants

    def ways(self, condition: Any, why: str, *, hold: bool) -> Iterator[Plan]:  # noqa: ANN401 - a condition of a document
        """Ways to make a condition hold, or not to.

        Args:
            condition: as a document has it.
            why: what it is for; what is wrong follows.
            hold: whether it is to hold.
        """
        return islice(self._ways(condition, why, hold), _WAYS)

    def against(self, condition: Mapping[str, Any], *, hold: bool) -> list[str]:
        """The leaves because of which a condition is not as it is to be."""
        if compiled(condition)(self.context) == hold:
            return []
        if "not" in condition:
            return self.against(condition["not"], hold=not hold)
        if "field" in condition:
            return [written(condition)]
        parts = condition["all"] if "all" in condition else condition["any"]
        return [leaf for part in parts for leaf in self.against(part, hold=hold)]

    def _ways(self, condition: Mapping[str, Any], why: str, hold: bool) -> Iterator[Plan]:  # noqa: FBT001 - recursion
        if compiled(condition)(self.context) == hold:
            yield ()
        elif "not" in condition:
            yield from self._ways(condition["not"], why, not hold)
        elif "field" in condition:
            yield from self._leaf(condition, why, hold)
        elif ("all" in condition) == hold:
            parts = [next(self._ways(part, why, hold), None) for part in condition["all" if hold else "any"]]
            if all(part is not None for part in parts):
                yield tuple(change for part in parts for change in part or ())
        else:
            for part in condition["any" if hold else "all"]:
                yield from self._ways(part, why, hold)

    def _leaf(self, leaf: Mapping[str, Any], why: str, hold: bool) -> Iterator[Plan]:  # noqa: FBT001 - as above
        path, name, value = leaf["field"], leaf["op"], leaf["value"]
        verb = "is false" if hold else "is true"
        why = f"{why}{written(leaf)} {verb}"
        listed = isinstance(self.context[path], list) or name == "contains"
        if listed and name == "contains":
            if hold and path == "roles":
                yield from self.roles.assigning(str(value), f"{why}; ")
            elif path in ("roles", "membership.roles", "user.groups", "request.scopes"):
                yield from self._at(path, "add" if hold else "remove", value, why)
            else:
                kept = [item for item in self._items(path) if item != value]
                yield from self._at(path, "set", [*kept, value] if hold else kept, why)
                yield from self._at(path, "set", value, why)
            return
        if path == "request.source":
            sources = [source for source in sorted(SOURCES) if OPERATORS[name].holds(source, value) == hold]
            for source in sources:
                yield from self._at(path, "set", source, why)
            return
        if path == "tenant.id" and hold and name in ("equals", "in"):
            for tenant_id in value if isinstance(value, list) else [value]:
                yield from self.tenants.choosing(str(tenant_id), f"{why}; ")
            return
        wanted = _sample(name, value, hold=hold)
        action = "delete" if wanted is MISSING else "set"
        yield from self._at(path, action, None if wanted is MISSING else wanted, why)

    def there(self, path: str, why: str) -> Iterator[Plan]:
        """Ways to make a path lead to something."""
        if self.context[path] is MISSING:
            yield from self._at(path, "set", ANY_TEXT, f"{why}{path} is not there")

    def _items(self, path: str) -> list[Any]:
        found = self.context[path]
        return found if isinstance(found, list) else []

    def _at(self, path: str, action: Any, value: Any, why: str) -> Iterator[Plan]:  # noqa: ANN401 - any claim value
        if path.startswith(_OF_A_TENANT) and self.situation.subject.tenant is None:
            for name in self.tenants.memberships():
                yield from self.tenants.choosing(name, f"{why}; ")
            return
        place = self._place(path)
        if path.startswith((ATTRIBUTES, METADATA)) and action == "set" and not isinstance(value, str):
            value = json.dumps(value)  # Cognito has them as texts
        if place is not None:
            row, attribute, member = place
            yield (Change(row, attribute, action, value, why, member),)

    def _place(self, path: str) -> tuple[str, str, str | None] | None:
        """Row, attribute and member that a path reads; None for what cannot be changed alone."""
        if path in _OF_REQUEST:
            return REQUEST, _OF_REQUEST[path], None
        subject = self.situation.subject
        rows = {
            "client.": subject.client_row,
            "user.": subject.user_row if subject.user is not None else None,
            "tenant.": subject.tenant_row if subject.tenant is not None else None,
            "membership.": subject.membership_row if subject.membership is not None else None,
        }
        for prefix, attribute in _OF_MAPS.items():
            if path.startswith(prefix):
                row = REQUEST if prefix in (ATTRIBUTES, METADATA) else rows[prefix.removesuffix("claims.")]
                return None if row is None else (row, attribute, path.removeprefix(prefix))
        row, name = rows.get(path.partition(".")[0] + "."), path.partition(".")[2]
        return None if row is None or path not in _OF_ROWS else (row, name, None)


def written(leaf: Mapping[str, Any]) -> str:
    """A leaf as one writes it: ``tenant.plan in ["pro"]``."""
    name = f"{leaf['field']} as {leaf['as']}" if "as" in leaf else str(leaf["field"])
    if leaf["op"] == "exists" and leaf["value"] is True:
        return f"{name} exists"
    return f"{name} {leaf['op']} {json.dumps(leaf['value'], ensure_ascii=False)}"


def _sample(name: str, value: Any, *, hold: bool) -> Any:  # noqa: ANN401 - any claim value
    """A value for which an operator holds, or does not; ``MISSING`` if that is so where there is none."""
    operator = OPERATORS[name]
    if operator.missing(value) == hold:
        return MISSING
    return next((sample for sample in operator.samples(value) if operator.holds(sample, value) == hold), MISSING)

"""Everything that a decision depends on, as values that can be changed one by one, to see what would come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from claimsmith import table
from claimsmith.cognito.tokens import issued
from claimsmith.engine import tenancy
from claimsmith.engine.codec import from_document
from claimsmith.engine.decide import Decision, decide
from claimsmith.engine.facts import MACHINE, Facts, Problem, Tenant, read_tenant, read_user, too_large
from claimsmith.engine.federation import listed
from claimsmith.engine.rules import apply, together
from claimsmith.engine.subject import gather
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.decide import Refusal
    from claimsmith.engine.rules import RuleSet
    from claimsmith.engine.subject import Subject

    Row = Mapping[str, Any]

#: Stands for the request in ``Change.row``, as it does in the reasons of a decision.
REQUEST: Final = "request"

#: What a change does: to a member of a list, to a value, or to a whole row.
Action = Literal["add", "remove", "set", "delete", "create"]

#: Where a document has the rows whose sort keys begin so.
_SECTIONS: Final = {
    table.ROLE: "roles",
    table.GROUP: "groups",
    table.IDENTITY_PROVIDER: "identity_providers",
    table.CLIENT: "clients",
    table.RULE: "rules",
}


class Change(NamedTuple):
    """One thing that could be different.

    Attributes:
        row: the row's key (``TENANT#acme TENANT``), or ``request``.
        attribute: which attribute of the row; which field of the ``Request``. Empty for ``create``.
        action: ``add`` a value to a list (or to a text that is one) or ``remove`` it; ``set`` or ``delete`` the
            attribute; ``create`` the row.
        value: what is added, removed or set.
        why: what is not as it would have to be, in plain words.
        member: which member of the attribute, if that is a map.
    """

    row: str
    attribute: str
    action: Action
    value: Any
    why: str
    member: str | None = None

    @property
    def key(self) -> str:
        """The same for changes that do the same, whatever they are for."""
        return repr((self.row, self.attribute, self.action, self.value, self.member))


#: Changes that belong together, in the order in which one would make them.
Plan: TypeAlias = tuple[Change, ...]


def one(row: str, attribute: str, action: Action, value: Any, why: str, member: str | None = None) -> Plan:  # noqa: ANN401 - any claim value
    """A plan of one change."""
    return (Change(row, attribute, action, value, why, member),)


@dataclass(frozen=True)
class PolicyVersion:
    """A compiled policy, as its document and as a bundle.

    Attributes:
        document: as ``policy.compile`` returns it and ``store.bundles`` stores it.
        number: the version's number.
    """

    document: Mapping[str, Any]
    number: int

    @cached_property
    def bundle(self) -> Bundle:
        """The same for decisions."""
        return from_document(self.document, self.number)

    @cached_property
    def conditions(self) -> Mapping[str, Any]:
        """The conditions of the rules, by row; a bundle has them only as functions."""
        rules = self.document.get("rules", ())
        return {f"{table.POLICY} {table.RULE}{rule['id']}": rule["when"] for rule in rules if "when" in rule}

    @cached_property
    def _next(self) -> dict[str, PolicyVersion]:
        """The policies after single changes that were asked for: it takes longer to read one than to decide."""
        return {}

    def changed(self, change: Change) -> PolicyVersion:
        """The policy after a change to one of its rows."""
        key = change.key
        if key not in self._next:
            self._next[key] = self._changed(change)
        return self._next[key]

    def _changed(self, change: Change) -> PolicyVersion:
        sk = change.row.removeprefix(f"{table.POLICY} ")
        if sk == table.SETTINGS:
            return self._with("settings", edited(self.document["settings"], change))
        prefix = next(prefix for prefix in _SECTIONS if sk.startswith(prefix))
        section, name = _SECTIONS[prefix], sk.removeprefix(prefix)
        entries = self.document.get(section, {})
        if section == "rules":
            return self._with(section, [edited(rule, change) if rule["id"] == name else rule for rule in entries])
        return self._with(section, {**entries, name: edited(entries.get(name, {}), change)})

    def _with(self, section: str, content: object) -> PolicyVersion:
        return PolicyVersion({**self.document, section: content}, self.number)


@dataclass(frozen=True)
class Situation:
    """A request, and all rows that may have a part in its decision.

    Attributes:
        user_rows: the rows under ``USER#<sub>``, by sort key; none for a machine.
        tenant_rows: the TENANT rows of all tenants that could be chosen, by tenant id.
        now: epoch seconds.
        readable: the attributes that the app client may read; None for all.
        problems: rows that could not be read, beside those here.
        too_large: why the user's rows could not be read, if there are too many.
    """

    policy: PolicyVersion
    user_rows: Mapping[str, Row]
    tenant_rows: Mapping[str, Row]
    request: Request
    now: int
    readable: frozenset[str] | None = None
    problems: tuple[Problem, ...] = ()
    too_large: str | None = None

    def changed(self, *changes: Change) -> Situation:
        """The situation after these changes."""
        situation = self
        for change in changes:
            situation = situation._changed(change)
        return situation

    def _changed(self, change: Change) -> Situation:
        pk, _, sk = change.row.partition(" ")
        if change.row == REQUEST:
            fields = edited(self.request._asdict(), change)
            lists = {name: tuple(fields[name]) for name in ("groups", "scopes")}
            return replace(self, request=self.request._replace(**{**fields, **lists}))
        if pk == table.POLICY:
            return replace(self, policy=self.policy.changed(change))
        if sk == table.TENANT:
            name = pk.removeprefix(table.TENANT_PREFIX)
            row = self.tenant_rows.get(name, {table.PK: pk, table.SK: sk})
            return replace(self, tenant_rows={**self.tenant_rows, name: edited(row, change)})
        row = self.user_rows.get(sk, {table.PK: pk, table.SK: sk})
        return replace(self, user_rows={**self.user_rows, sk: edited(row, change)})

    @cached_property
    def facts(self) -> Facts:
        """What the rows say, read as the trigger reads them."""
        user = MACHINE if self.request.machine else read_user(self.user_rows.values(), self.now)
        if self.too_large is not None:
            user = too_large(self.request.sub or "", self.too_large)
        read = {name: read_tenant(row, self.now) for name, row in self.tenant_rows.items()}
        tenants = {name: tenant if isinstance(tenant, Tenant) else None for name, tenant in read.items()}
        unread = tuple(problem for problem in read.values() if isinstance(problem, Problem))
        return Facts(user, tenants, (*self.problems, *unread))

    @cached_property
    def outcome(self) -> Decision | Refusal:
        """The decision."""
        return decide(self.policy.bundle, self.facts, self.request, self.now)

    @cached_property
    def choice(self) -> tenancy.Choice:
        """The tenant it is for."""
        return tenancy.choose(self.policy.bundle, self.facts.user, self.facts.tenants, self.request)

    @cached_property
    def subject(self) -> Subject:
        """Whom it is for."""
        return gather(self.policy.bundle, self.facts, self.request, self.choice)

    @cached_property
    def applied(self) -> RuleSet:
        """The rules that apply; none if the sign-in is refused."""
        if not isinstance(self.outcome, Decision):
            return together(())
        return apply(self.policy.bundle.rules, self.subject.context(self.outcome.roles))

    @cached_property
    def tokens(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The claims of the access and the ID token; empty for a token that is not issued."""
        if not isinstance(self.outcome, Decision):
            return {}, {}
        return issued(self.request, self.outcome.changes, readable=self.readable)


def edited(row: Row, change: Change) -> dict[str, Any]:
    """A row after a change of one of its attributes."""
    fields = dict(row)
    name, member = change.attribute, change.member
    match change.action:
        case "add" if member is not None:
            text = str(_members(fields.get(name)).get(member, ""))
            named = json.dumps(sorted({*listed(text), change.value}))
            fields[name] = {**_members(fields.get(name)), member: named}
        case "add":
            fields[name] = [*_items(fields.get(name)), change.value]
        case "remove":
            fields[name] = [item for item in _items(fields.get(name)) if item != change.value]
        case "set" if member is not None:
            fields[name] = {**_members(fields.get(name)), member: change.value}
        case "set":
            fields[name] = change.value
        case "delete" if member is not None:
            fields[name] = {key: value for key, value in _members(fields.get(name)).items() if key != member}
        case "delete":
            fields.pop(name, None)
    return fields


def _items(value: object) -> list[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return list(value) if isinstance(value, list | tuple) else []


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

"""What a decision grants and sets, each with the chain of rows that it comes from."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from claimsmith import table
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine import federation
from claimsmith.engine.decide import Decision
from claimsmith.engine.explanation.situation import REQUEST
from claimsmith.engine.inheritance import parents
from claimsmith.engine.reasons import SETTINGS_ROW
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Role
    from claimsmith.engine.explanation.situation import Situation
    from claimsmith.engine.reasons import Reason

Kind = Literal["tenant", "role", "scope", "group", "claim"]

#: Where what Cognito puts in by itself comes from.
COGNITO: Final = "Cognito"

#: Claims that are explained piece by piece, as scopes and groups.
_IN_PIECES: Final = frozenset({"scope", GROUPS_CLAIM})


class Link(NamedTuple):
    """One link of a chain.

    Attributes:
        what: in a few words, as in ``role editor`` or ``membership of acme``.
        row: the row's key; ``request`` for what Cognito asked, ``Cognito`` for what it adds.
    """

    what: str
    row: str


class Item(NamedTuple):
    """Something that a token holds.

    Attributes:
        token: ``access`` or ``id``; empty where it concerns both.
        chain: from the row that gives it to the row that everything starts with.
    """

    kind: Kind
    name: str
    token: str
    chain: tuple[Link, ...]


def items(situation: Situation) -> tuple[Item, ...]:
    """All that comes of a situation, with its chains; nothing for a refusal."""
    outcome = situation.outcome
    return tuple(_Chains(situation, outcome).items()) if isinstance(outcome, Decision) else ()


def inheritance(roles: Mapping[str, Role], first: str, last: str) -> tuple[str, ...]:
    """The shortest way by which one role inherits another, both included; empty if it does not."""
    closures = {name: role.closure for name, role in roles.items()}
    ways: deque[tuple[str, ...]] = deque([(first,)])
    seen = {first}
    while ways:
        way = ways.popleft()
        if way[-1] == last:
            return way
        for name in parents(closures, way[-1]):
            if name not in seen:
                seen.add(name)
                ways.append((*way, name))
    return ()


class _Chains:
    def __init__(self, situation: Situation, decision: Decision) -> None:
        self.situation = situation
        self.decision = decision
        self.bundle = situation.policy.bundle
        self.subject = situation.subject
        reasons = decision.reasons
        self.role_rows = {reason.name: reason.source for reason in reasons if _gives(reason, "role")}
        self.role_details = {reason.name: reason.detail for reason in reasons if _gives(reason, "role")}
        self.scopes = {reason.name: reason for reason in reasons if _gives(reason, "scope")}
        self.groups = {reason.name: reason for reason in reasons if _gives(reason, "group")}
        self.claims = {(reason.token, reason.name): reason for reason in reasons if _gives(reason, "claim")}

    def items(self) -> Iterator[Item]:
        access, identity = self.situation.tokens
        if self.decision.tenant_id is not None:
            reason = self.situation.choice.reason
            yield Item("tenant", self.decision.tenant_id, "", (Link(reason.detail, reason.source),))
        for name in self.decision.roles:
            yield Item("role", name, "", self.role(name))
        for name in sorted(access.get("scope", "").split()):
            yield Item("scope", name, TOKENS[0], self.scope(name))
        for name in access.get(GROUPS_CLAIM, ()):
            yield Item("group", name, "", self.group(name))
        for token, claims in zip(TOKENS, (access, identity), strict=True):
            for name in sorted(claims.keys() - _IN_PIECES):
                yield Item("claim", name, token, self.claim(token, name))

    def role(self, name: str) -> tuple[Link, ...]:
        """A role: through whom it is inherited, and the row that assigns the first."""
        row = self.role_rows[name]
        assigned = next(
            (given for given in self.assigned_by(row) if name in self.bundle.roles[given].closure),
            name,
        )
        way = inheritance(self.bundle.roles, assigned, name) or (name,)
        links = (*(Link(f"role {role}", self.bundle.roles[role].row) for role in reversed(way)), *self.origin(row))
        said = self.role_details[name]
        return (*links, Link(said, REQUEST)) if said else links

    def assigned_by(self, row: str) -> list[str]:
        """The roles that a row assigns, in its order."""
        subject, user = self.subject, self.subject.user
        given: tuple[str, ...] = ()
        if row == subject.membership_row and subject.membership is not None:
            given = subject.membership.roles
        elif row == subject.tenant_row and subject.tenant is not None:
            given = subject.tenant.default_roles
        elif row == subject.client_row and subject.client is not None:
            given = subject.client.roles
        elif row == subject.user_row and user is not None:
            given = user.roles
        elif row == SETTINGS_ROW:
            given = self.bundle.settings.default_roles
        elif row.startswith(f"{table.POLICY} {table.IDENTITY_PROVIDER}"):
            said = federation.given(self.bundle, subject.request, self.decision.tenant_id).given
            given = tuple(role for each in said if each.row == row for role in each.roles)
        else:
            given = self.bundle.groups.get(row.removeprefix(f"{table.POLICY} {table.GROUP}"), ())
        return [name for name in given if name in self.bundle.roles]

    def scope(self, name: str) -> tuple[Link, ...]:
        reason = self.scopes.get(name)
        if reason is None or reason.source == REQUEST:
            why = "requested, and the policy does not manage it"
            return (Link(why, REQUEST),)
        return self.origin(reason.source)

    def group(self, name: str) -> tuple[Link, ...]:
        reason = self.groups.get(name)
        return (_POOL_GROUPS,) if reason is None or reason.source == REQUEST else self.origin(reason.source)

    def claim(self, token: str, name: str) -> tuple[Link, ...]:
        reason = self.claims.get((token, name))
        if reason is None:
            attribute = token == TOKENS[1] and name != "sub" and name in self.situation.request.attributes
            return (Link(f"the user's attribute {name}" if attribute else "set by Cognito", COGNITO),)
        if name == self.bundle.settings.claim_names.get("roles"):
            rows = dict.fromkeys(self.role_rows[role] for role in self.decision.roles)
            return tuple(link for row in rows for link in self.origin(row))
        if name == self.bundle.settings.claim_names.get("tenant_id"):
            reason = self.situation.choice.reason
            return (Link(reason.detail, reason.source),)
        return self.origin(reason.source)

    def origin(self, row: str) -> tuple[Link, ...]:
        """The chain that ends with a row."""
        pk, _, sk = row.partition(" ")
        if pk == table.POLICY:
            return self.policy_origin(row, sk)
        what = "the request"
        if sk == table.TENANT:
            what = f"tenant {pk.removeprefix(table.TENANT_PREFIX)}"
        elif sk == table.USER:
            what = "the user"
        elif sk == table.TENANT_PREFIX:
            what = "the user's usable memberships"
        elif sk.startswith(table.TENANT_PREFIX):
            what = f"membership of {sk.removeprefix(table.TENANT_PREFIX)}"
        elif pk == table.BUNDLE:
            what = "the policy in force"
        return (Link(what, row),)

    def policy_origin(self, row: str, sk: str) -> tuple[Link, ...]:
        if sk.startswith(table.ROLE):
            return self.role(sk.removeprefix(table.ROLE))
        if sk.startswith(table.GROUP):
            return Link(f"group {sk.removeprefix(table.GROUP)}", row), _POOL_GROUPS
        what = "the settings"
        if sk.startswith(table.IDENTITY_PROVIDER):
            what = f"identity provider {sk.removeprefix(table.IDENTITY_PROVIDER)}"
        elif sk.startswith(table.CLIENT):
            client = self.subject.client
            what = f"client {client.name if client and client.name else sk.removeprefix(table.CLIENT)}"
        elif sk.startswith(table.RULE):
            what = f"rule {sk.removeprefix(table.RULE)}"
        return (Link(what, row),)


_POOL_GROUPS: Final = Link("the user's groups in the pool", REQUEST)


def _gives(reason: Reason, kind: str) -> bool:
    return reason.kind == kind and reason.outcome in ("set", "granted", "kept")

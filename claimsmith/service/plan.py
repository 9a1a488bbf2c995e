"""What publishing a policy would do: how the policy differs, and whose tokens change and how.

Exact: the same as deciding every user before and after, for each way to get a token that can make a difference
(``engine.ways``); ``docs/adr/0023-what-a-plan-tries.md`` says what that leaves out.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import encode, from_document
from claimsmith.engine.comparison import Change, Instance, Side, compare
from claimsmith.engine.decide import Refusal
from claimsmith.engine.language import is_privileged
from claimsmith.engine.reads import reads
from claimsmith.engine.reasons import Reason
from claimsmith.engine.unchanged import Unchanged, as_text, of_tokens
from claimsmith.engine.ways import ANY_OTHER_CLIENT, ways
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy import compile as compile_policy
from claimsmith.service import names
from claimsmith.service.classes import Case, Classes, of_other
from claimsmith.service.difference import Difference, as_written, differences
from claimsmith.service.everyone import Everyone
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.rollout import Rollout
    from claimsmith.engine.ways import Ways
    from claimsmith.policy import Draft
    from claimsmith.service.everyone import Person
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool import Pool

    Document = Mapping[str, Any]

#: Examples of each effect.
EXAMPLES: Final = 3

#: What no row of the policy says.
_NO_ROW: Final = ("format", "scopes")

#: What everyone gets where nothing is in force.
_NOTHING_IN_FORCE: Final = Refusal(
    Code.NO_BUNDLE, (Reason("token", "", "refused", f"{table.BUNDLE} {table.CURRENT}", "nothing is in force"),)
)


class Example(NamedTuple):
    """One token that changes.

    Attributes:
        subject: the user's ``sub``; None for a machine.
        username: as in ``Person``; None for a machine.
        client: the app client.
        flow: ``api``, ``managed`` or ``machine``.
        tenant: the tenant that the token is for afterwards; before, if there is none afterwards.
        row: the row that brings the change about; empty where no single one does.
        why: in a few words, where the row alone does not say.
        before: the claim's value, or the tenant's id.
        after: likewise.
    """

    subject: str | None
    username: str | None
    client: str
    flow: str
    tenant: str | None
    row: str
    why: str
    before: Any
    after: Any


@dataclass
class Effect:
    """One change, and how many it concerns.

    Attributes:
        privileged: a scope that ``privileged_scopes`` names, before or after.
        users: those in any of whose tokens it is.
        machines: app clients in whose machine tokens it is.
        clients: app clients at which users get it.
        tenants: tenants that a token with it is for.
    """

    change: Change
    privileged: bool
    users: int = 0
    machines: list[str] = field(default_factory=list)
    clients: set[str] = field(default_factory=set)
    tenants: set[str] = field(default_factory=set)
    examples: list[Example] = field(default_factory=list)

    def rank(self) -> tuple[object, ...]:
        """Privileged gains first, then what takes or gives access, then the rest; the most frequent first."""
        change = self.change
        gain = change.direction == "gained"
        first = 0 if self.privileged and gain else 1
        return (first, _KINDS.index(change.kind), not gain, -self.users, change.name, change.token)


_KINDS: Final = ("refusal", "scope", "role", "group", "tenant", "claim")


@dataclass
class Plan:
    """What publishing would do.

    Attributes:
        before: the version in force; None where nothing is.
        staged: the staged version, which publishing ends; its subjects are compared with what it gives them.
        digest: of the policy that would be in force.
        differences: between the policy in force and that one.
        effects: what changes in tokens, most important first.
        users: users whose tokens change; likewise ``machines``, by app client, and ``tenants``, with the users in each.
        no_tenant: users whose tokens without a tenant change.
        users_read: users decided, alike ones once.
        tenants_read: tenants read.
        classes: how many different users were decided.
        ways: ways to get a token that were tried for each user, without tenants.
        sample: the bound on users; None where there was none, or fewer users than that.
        interrupted: not everyone was decided.
        unreadable: rows that cannot be read.
        strangers: users with rows who are not in the pool.
        unknown: what could not be taken into account, in words.
        rollout: how far policies are rolled out, which publishing does not change; None if they reach everybody.
    """

    before: int | None
    staged: int | None
    digest: str
    differences: list[Difference]
    effects: list[Effect] = field(default_factory=list)
    users: int = 0
    machines: list[str] = field(default_factory=list)
    tenants: Counter[str] = field(default_factory=Counter)
    no_tenant: int = 0
    users_read: int = 0
    tenants_read: int = 0
    classes: int = 0
    ways: int = 0
    sample: int | None = None
    interrupted: bool = False
    unreadable: int = 0
    strangers: int = 0
    unknown: list[str] = field(default_factory=list)
    rollout: Rollout | None = None

    @property
    def changes(self) -> bool:
        """Whether anything changes, in the policy or in a token."""
        return bool(self.differences or self.effects)

    @property
    def privileged_gains(self) -> list[Effect]:
        """Privileged scopes that somebody gains."""
        return [each for each in self.effects if each.privileged and each.change.direction == "gained"]


class _Found(NamedTuple):
    """A change, in the tokens of one subject."""

    instance: Instance
    example: Example
    clients: tuple[str, ...]
    tenants: tuple[str, ...]


class _Judged(NamedTuple):
    """All changes of one subject.

    Attributes:
        tenants: those of tokens that change; None is a token without a tenant.
    """

    subject: str | None
    found: tuple[_Found, ...]
    tenants: frozenset[str | None]


def plan(
    rows: Table,
    draft: Draft,
    *,
    pool: Pool | None = None,
    sample: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> Plan:
    """What publishing this draft would do. Reads everyone; writes nothing.

    An interrupt (``KeyboardInterrupt``) ends it early; the plan then says so, and counts who was decided until then.

    Args:
        rows: the table.
        draft: the policy to compare with what is in force.
        pool: the user pool; without one, neither users without rows nor groups nor attributes are known.
        sample: decide at most this many users, in the order of the table, which says nothing about them.
        progress: called with the number of users that have been decided since the last call.
        clock: epoch seconds.

    Raises:
        BundleError: what is in force cannot be read.
        OperationError: Cognito is unavailable.
        PolicyError: the draft has errors.
        StoreError: DynamoDB is unavailable.
    """
    document = compile_policy(draft)
    pointer = bundles.pointer(rows)
    _, digest = encode(document)
    if pointer is None or pointer.digest != digest:
        names.check(rows, draft, document)
    old = [_document(rows, number) for number in _serving(pointer)]
    in_force = old[0] if old else {}
    staging = pointer.staging if pointer is not None else None
    result = Plan(
        pointer.version if pointer else None,
        staging.candidate if staging else None,
        digest,
        list(differences(_of_rows(in_force), _of_rows(document))),
        rollout=pointer.rollout if pointer is not None else None,
    )
    if not _may_differ(old, document):
        return result
    planner = _Planner(rows, pointer, old, document, pool, int(clock()))
    planner.run(result, sample, progress)
    return result


def _serving(pointer: Pointer | None) -> list[int]:
    """The versions that serve somebody."""
    if pointer is None:
        return []
    return [pointer.version, *([pointer.staging.candidate] if pointer.staging else [])]


def _document(rows: Table, number: int) -> dict[str, Any]:
    document = bundles.document(rows, number)
    if document is None:
        raise OperationError(Code.NOT_FOUND, f"Version {number}, which is in force or staged, does not exist.")
    return document


def _of_rows(document: Document) -> dict[str, Any]:
    """The part of a document that people write in rows."""
    return {name: value for name, value in as_written(document).items() if name not in _NO_ROW}


def _may_differ(old: Sequence[Document], new: Document) -> bool:
    return not old or any(as_text(of_tokens(each)) != as_text(of_tokens(new)) for each in old)


def _only(documents: Sequence[Document]) -> Collection[str] | None:
    """The clients at which alone tokens can differ; None where it is all of them."""
    first, *others = (as_text({**of_tokens(each), "clients": {}}) for each in documents)
    if not others or any(each != first for each in others):
        return None
    named = {name for document in documents for name in document["clients"]}
    return {name for name in named if len({as_text(document["clients"].get(name)) for document in documents}) > 1}


class _Planner:
    """Decides everyone, and adds up."""

    def __init__(
        self,
        rows: Table,
        pointer: Pointer | None,
        old: Sequence[Document],
        new: Document,
        pool: Pool | None,
        now: int,
    ) -> None:
        documents = [*old, new]
        self.staging = pointer.staging if pointer is not None else None
        # As long as the number that the version would have.
        number = max(_serving(pointer), default=0) + 1
        self.policies: list[Bundle] = [
            *(from_document(each, at) for each, at in zip(old, _serving(pointer), strict=True)),
            from_document(new, number),
        ]
        self.claim_names = [policy.settings.claim_names for policy in self.policies]
        self.privileged = [policy.settings.privileged_scopes for policy in self.policies]
        pairs = ((before, documents[-1]) for before in old)
        self.unchanged = [
            Unchanged(pair, (policy, self.policies[-1])) for pair, policy in zip(pairs, self.policies, strict=False)
        ]
        self.ways: Ways = ways(documents, only=_only(documents))
        self.everyone = Everyone(rows, reads(documents), pool, now)
        self.classes = Classes(
            self.policies,
            self.ways,
            self.everyone,
            self.judge,
            serving=self.serving,
            unchanged=self.is_unchanged,
            pool_id="" if pool is None else pool.id,
        )
        self.effects: dict[Change, Effect] = {}

    def serving(self, subject: str) -> tuple[int, ...]:
        """The policy that serves a subject now, if any does, and the new one."""
        last = len(self.policies) - 1
        if last == 0:
            return (0,)
        staged = self.staging is not None and self.staging.serves(subject)
        return (1 if staged else 0, last)

    def is_unchanged(self, serving: tuple[int, ...], facts: Facts, request: Request) -> bool:
        return len(serving) > 1 and self.unchanged[serving[0]].is_unchanged(facts, request)

    def run(self, result: Plan, sample: int | None, progress: Callable[[int], None]) -> None:
        try:
            self.everyone.read_tenants()
            for person in self.everyone.users():
                if result.users_read == sample:
                    result.sample = sample
                    break
                self.add(result, self.classes.user(person), person)
                result.users_read += 1
                progress(1)
        except KeyboardInterrupt:
            result.interrupted = True
        self.add_machines(result)
        result.effects = sorted(self.effects.values(), key=Effect.rank)
        result.tenants_read = sum(1 for tenant in self.everyone.tenants.values() if tenant is not None)
        result.classes = self.classes.decided
        result.ways = len(self.ways.users)
        result.unreadable, result.strangers = self.everyone.unreadable, self.everyone.strangers
        result.unknown = [*self.unknown()]

    def unknown(self) -> Iterator[str]:
        yield from (f"not tried: {cut}" for cut in self.ways.cut)
        if self.classes.cut_tenants:
            yield f"{self.classes.cut_tenants:,} users have more tenants than are tried for each"
        if self.everyone.pool is None:
            yield "users without rows, groups and attributes: they are known with --user-pool-id"

    def judge(self, cases: list[Case]) -> _Judged:
        """The changes in the tokens of a subject, each once, with the first case that shows it."""
        found: dict[Change, _Found] = {}
        tenants: set[str | None] = set()
        subject = cases[0].request.sub if cases else None
        for case in cases:
            before, after = self.sides(case)
            for instance in compare(case.request, before, after):
                tenant = _tenant(after) or _tenant(before)
                tenants.add(tenant)
                client = case.way.client_id
                clients = self.ways.alike.get(client, (client,))
                of_tenant = () if tenant is None else (tenant,)
                known = found.get(instance.change)
                if known is not None:
                    clients = tuple(dict.fromkeys((*known.clients, *clients)))
                    of_tenant = tuple(dict.fromkeys((*known.tenants, *of_tenant)))
                    found[instance.change] = known._replace(clients=clients, tenants=of_tenant)
                    continue
                example = Example(
                    case.request.sub, None, client, case.way.flow, tenant, instance.row, instance.why,
                    instance.before, instance.after,
                )  # fmt: skip
                found[instance.change] = _Found(instance, example, clients, of_tenant)
        return _Judged(subject, tuple(found.values()), frozenset(tenants))

    def sides(self, case: Case) -> tuple[Side, Side]:
        *first, last = case.outcomes
        if not first:
            return Side(_NOTHING_IN_FORCE, {}), Side(last, self.claim_names[-1])
        at = self.serving(case.request.sub or case.request.client_id)[0]
        return Side(first[0], self.claim_names[at]), Side(last, self.claim_names[-1])

    def effect(self, change: Change) -> Effect:
        known = self.effects.get(change)
        if known is None:
            scope = change.kind == "scope"
            privileged = scope and any(is_privileged(change.name, patterns) for patterns in self.privileged)
            known = self.effects[change] = Effect(change, privileged)
        return known

    def add(self, result: Plan, judged: _Judged, person: Person) -> None:
        if not judged.found:
            return
        result.users += 1
        for tenant in judged.tenants:
            if tenant is None:
                result.no_tenant += 1
            else:
                result.tenants[tenant] += 1
        for found in judged.found:
            effect = self.effect(found.instance.change)
            effect.users += 1
            effect.clients.update(found.clients)
            effect.tenants.update(found.tenants)
            if len(effect.examples) < EXAMPLES:
                row = of_other(found.example.row, judged.subject or "", person.sub)
                effect.examples.append(found.example._replace(subject=person.sub, username=person.username, row=row))

    def add_machines(self, result: Plan) -> None:
        """Machines are app clients; each is counted once, whatever it can ask for."""
        for way in self.ways.machines:
            judged = self.classes.machine(way)
            client = "any other" if way.client_id == ANY_OTHER_CLIENT else way.client_id
            if judged.found and client not in result.machines:
                result.machines.append(client)
            for found in judged.found:
                effect = self.effect(found.instance.change)
                if client in effect.machines:
                    continue
                effect.machines.append(client)
                effect.tenants.update(found.tenants)
                if len(effect.examples) < EXAMPLES:
                    effect.examples.append(found.example)


def _tenant(side: Side) -> str | None:
    return None if isinstance(side.outcome, Refusal) else side.outcome.tenant_id

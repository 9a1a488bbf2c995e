"""Decides once for all users who look alike to the policies, with the result of deciding for each.

Two users look alike where nothing differs that a policy reads: their rows, what matters of the pool's profile, the
version that serves them. Their tokens then differ in names and lengths only. The length matters only to a token that is
near its budget: so the decision is made as if the names were as long as those of any user in the class, and where the
budget then takes something away, everyone in the class is decided by their own lengths.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from claimsmith import table
from claimsmith.cognito.event import MANAGED_LOGIN
from claimsmith.cognito.limits import MAX_CHANGES, SCOPE
from claimsmith.cognito.response import count
from claimsmith.engine import federation, tenancy
from claimsmith.engine.decide import Decision, Refusal, decide
from claimsmith.engine.facts import MACHINE, Facts
from claimsmith.engine.language import MAX_TENANTS_LISTED, TENANT_HINT
from claimsmith.engine.ways import ANY_OTHER_CLIENT, Way, request_of
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.users import tenants_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Tenant, UserFacts
    from claimsmith.engine.ways import Ways
    from claimsmith.service.everyone import Everyone, Person

T = TypeVar("T")
R = TypeVar("R")

#: Classes whose result is remembered.
_KEPT: Final = 20_000

#: Characters to which lengths are rounded up; and those for the longer id of a client that stands for others, and for
#: what a remembered device adds.
_STEP: Final = 128
_BEYOND: Final = 256

#: As long as the id of any pool.
_UNKNOWN_POOL: Final = "ap-southeast-1_xxxxxxxxx"

#: Claims and scopes below Cognito's bound at which they are still counted for each user.
_NEAR: Final = 500

#: What the budget, or Cognito's bound on claims, has done to a token.
_BOUNDED: Final = frozenset({Code.TOKEN_OVER_BUDGET, Code.TOO_MANY_CHANGES})

#: The policies of which some serve a subject, by their places.
Serving = Callable[[str], tuple[int, ...]]


#: The facts for a policy, by its place, and a request.
Reader = Callable[[int, "Request"], Facts]


class _Near:
    """The result of a class whose members must be decided by their own lengths."""


class Case(NamedTuple):
    """One request, decided.

    Attributes:
        way: how it is asked.
        tenant: the tenant that it hints at; None without a hint.
        outcomes: under each policy that serves the subject, in their order.
    """

    way: Way
    tenant: str | None
    request: Request
    outcomes: tuple[Decision | Refusal, ...]


class Classes(Generic[T]):
    """Judges users and machines by all that they can get.

    Attributes:
        decided: how many classes have been decided.
        cut_tenants: users with more usable memberships than are tried as a hint.
    """

    def __init__(
        self,
        policies: Sequence[Bundle],
        ways: Ways,
        everyone: Everyone,
        judge: Callable[[list[Case]], T],
        *,
        serving: Serving | None = None,
        unchanged: Callable[[tuple[int, ...], Facts, Request], bool] = lambda *_: False,
        settled: Callable[[int, Facts, Request], Refusal | None] = lambda *_: None,
        pool_id: str = "",
    ) -> None:
        """Classes under some policies.

        Args:
            policies: one, to ask what tokens hold; more, to compare.
            ways: those that can make a difference.
            everyone: has the tenants.
            judge: makes something of the cases of a subject. The subject stands for others: it must not keep what
                tells them apart, but for rows that name the subject, as in reasons (``of_other``).
            serving: which of the policies a subject's cases are decided by; all where it is not given.
            unchanged: whether policies are known to make the same of a request; the judge is not shown such a case.
            settled: the outcome under a policy, by its place, where it makes no difference to the judge what it
                would be exactly; None where it must be decided.
            pool_id: the user pool, if it is known.
        """
        self._settled = settled
        self._unchanged = unchanged
        self._policies = tuple(policies)
        self._ways = ways
        self._everyone = everyone
        self._judge = judge
        self._serving = serving or (lambda _: tuple(range(len(self._policies))))
        self._pool_id = pool_id
        self._results: OrderedDict[bytes, Any] = OrderedDict()
        self.decided = 0
        self.cut_tenants = 0

    def user(self, person: Person) -> T:
        """What the judge makes of a user, or has made of one who is alike."""
        serving = self._serving(person.sub)
        paths = self._everyone.reads.paths
        profile = person.profile
        key = repr(
            (
                serving,
                person.facts._replace(problems=()),
                profile.attributes,
                profile.memberships,
                person.sub if "user.sub" in paths else None,
                profile.username if "user.username" in paths else None,
            )
        )
        length = len(json.dumps([person.sub, profile.username])) + profile.length
        steps = -(-length // _STEP)
        result = self._remembered(f"{key} {steps}", lambda: self._alike(person, serving, steps * _STEP - length))
        if isinstance(result, _Near):
            return self._remembered(f"{key} = {length}", lambda: self._judged(person, serving))
        return result

    def machine(self, way: Way) -> T:
        """What the judge makes of a machine that asks in this way."""
        request = request_of(way, sub=None, pool_id=self._pool_id)
        serving = self._serving(way.client_id)
        return self._judge(
            [*self._case(way, None, lambda at, asked: self._facts(at, MACHINE, asked), request, serving)]
        )

    def _remembered(self, key: str, decide: Callable[[], R]) -> R:
        digest = blake2b(key.encode(errors="surrogatepass"), digest_size=20).digest()
        if digest in self._results:
            self._results.move_to_end(digest)
            known: R = self._results[digest]
            return known
        result = self._results[digest] = decide()
        self.decided += 1
        if len(self._results) > _KEPT:
            self._results.popitem(last=False)
        return result

    def _alike(self, person: Person, serving: tuple[int, ...], room: int) -> T | _Near:
        """What the judge makes of the class, all of whose tokens are at most this much longer than this user's."""
        pool_id = (self._pool_id or _UNKNOWN_POOL) + "x" * (room + _BEYOND)
        cases: list[Case] = []
        for case in self._cases(person, serving, pool_id):
            if any(_is_near(outcome, case.request) for outcome in case.outcomes):
                return _Near()
            cases.append(case)
        return self._judge(cases)

    def _judged(self, person: Person, serving: tuple[int, ...]) -> T:
        """What the judge makes of one user, whose tokens are as long as they are."""
        return self._judge([*self._cases(person, serving, self._pool_id, closely=True)])

    def _cases(
        self, person: Person, serving: tuple[int, ...], pool_id: str, *, closely: bool = False
    ) -> Iterator[Case]:
        memberships = person.facts.memberships
        scopes = {scope for membership in memberships.values() for scope in membership.scopes if SCOPE.fullmatch(scope)}
        known, usable = self._tenants(person)
        facts = self._reader(person.facts, known)
        shown: dict[str, set[str | None]] = {}
        for way in self._ways_of(person, closely=closely):
            request = request_of(
                way,
                sub=person.sub,
                username=person.profile.username,
                attributes={**dict(person.profile.attributes), "sub": person.sub},
                memberships=person.profile.memberships,
                more_scopes=tuple(sorted(scopes)),
                pool_id=pool_id,
            )
            if not way.only_hinted:
                yield from self._case(way, None, facts, request, serving)
            if not way.hinted or not usable:
                continue
            if way.client_id not in shown:
                shown[way.client_id] = set() if self._ways.hint_read else self._chosen(facts, request, serving)
            for tenant in usable:
                # A hint at the tenant that would be chosen anyway, under every policy, shows nothing new.
                if shown[way.client_id] != {tenant}:
                    hinted = request._replace(metadata={**request.metadata, TENANT_HINT: tenant})
                    yield from self._case(way, tenant, facts, hinted, serving)

    def _ways_of(self, person: Person, *, closely: bool) -> Iterator[Way]:
        """The ways to sign in; a client for which the user has chosen a tenant has its own."""
        user = person.facts.user
        chosen = {} if user is None else user.active_tenant_by_client
        unknown = tuple(client for client in chosen if client not in self._ways.known)
        for tried, alike in self._ways.alike.items():
            members = (*alike, *unknown) if ANY_OTHER_CLIENT in alike else alike
            # Ids are of different lengths.
            own = members if closely else tuple(name for name in members if name in chosen)
            for client in dict.fromkeys((_first(alike, chosen), *own)):
                yield from self._ways.of(tried, client, closely=closely)

    def _tenants(self, person: Person) -> tuple[dict[str, Tenant | None], list[str]]:
        """The tenants of which the user is a member, by a row or just in time, and those that can be asked for."""
        known: dict[str, Tenant | None] = {}
        members = {*person.facts.memberships}
        for policy in self._policies:
            if policy.providers:
                way = Way(ANY_OTHER_CLIENT, MANAGED_LOGIN, ())
                request = request_of(way, sub=person.sub, attributes=dict(person.profile.attributes))
                members |= federation.admitted(policy, person.facts, request).memberships.keys()
        self._everyone.load(sorted(members), known)
        usable = [tenant_id for tenant_id, tenant in known.items() if tenant is not None and tenant.active]
        if len(usable) > MAX_TENANTS_LISTED:
            self.cut_tenants += 1
        return known, usable[:MAX_TENANTS_LISTED]

    def _reader(self, user: UserFacts, known: dict[str, Tenant | None]) -> Reader:
        """Reads the facts of a user, given the tenants of all memberships, for each policy and request.

        The trigger reads no more tenants than it needs; where it would read all of them at once, that makes no
        difference to what it decides.
        """
        if len(known) <= tenancy.BATCH:
            facts = Facts(user, known)
            return lambda _, __: facts
        return lambda at, request: self._facts(at, user, request)

    def _chosen(self, facts: Reader, request: Request, serving: tuple[int, ...]) -> set[str | None]:
        """The tenant that is chosen without a hint, under each policy."""
        chosen: set[str | None] = set()
        for at in serving:
            known = facts(at, request)
            choice = tenancy.choose(self._policies[at], known.user, known.tenants, request)
            chosen.add(choice.tenant.id if choice.tenant else None)
        return chosen

    def _case(
        self, way: Way, tenant: str | None, facts: Reader, request: Request, serving: tuple[int, ...]
    ) -> Iterator[Case]:
        """The case of a request, unless it is known that the policies make the same of it."""
        known = [facts(at, request) for at in serving]
        if not self._unchanged(serving, known[0], request):
            decided = (self._decided(at, each, request) for at, each in zip(serving, known, strict=True))
            yield Case(way, tenant, request, tuple(decided))

    def _decided(self, at: int, facts: Facts, request: Request) -> Decision | Refusal:
        settled = self._settled(at, facts, request)
        return settled or decide(self._policies[at], facts, request, self._everyone.now)

    def _facts(self, at: int, user: UserFacts, request: Request) -> Facts:
        """The facts as the trigger reads them."""
        return Facts(*tenants_of(self._policies[at], user, request, self._everyone.load))


def of_other(source: str, sub: str, other: str) -> str:
    """The row of a reason, for another user of the same class.

    Args:
        source: the row.
        sub: the user who stands for the class.
        other: the user who is meant.
    """
    return source.replace(f"{table.USER_PREFIX}{sub} ", f"{table.USER_PREFIX}{other} ")


def _first(alike: Sequence[str], chosen: Mapping[str, str]) -> str:
    """A client that stands for those alike: one for which the user has chosen no tenant, if there is one."""
    return next((name for name in alike if name not in chosen), alike[0])


def _is_near(outcome: Decision | Refusal, request: Request) -> bool:
    """Whether the length of a token, or the number of its claims, decides something, or nearly does."""
    if isinstance(outcome, Refusal):
        return outcome.code in _BOUNDED
    if count(outcome.changes, request) > MAX_CHANGES - _NEAR:
        return True
    return any(reason.kind == "token" or reason.outcome == "shed" for reason in outcome.reasons)

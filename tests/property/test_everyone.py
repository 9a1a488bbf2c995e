"""Asking about everyone at once says the same as deciding each user for each request there could be.

The requests here are a wide product of clients, sources, scopes, tenants and client metadata, written without
``engine.ways``; the users are few, and some of them look alike.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from claimsmith.cognito.event import MANAGED_LOGIN, Request
from claimsmith.cognito.limits import SCOPE
from claimsmith.engine import Facts, Tenant, decide, from_document, read_tenant, read_user
from claimsmith.engine.codec import encode
from claimsmith.engine.comparison import Change, Side, compare
from claimsmith.engine.facts import MACHINE
from claimsmith.engine.language.conditions import leaves
from claimsmith.engine.reads import reads
from claimsmith.engine.staging import Staging
from claimsmith.engine.ways import ways
from claimsmith.errors import PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.classes import Case, Classes
from claimsmith.service.everyone import Everyone, Person, Profile
from claimsmith.service.plan import plan
from claimsmith.store.dynamodb import Table
from claimsmith.store.pool import Memberships
from claimsmith.table import version_sk
from tests import events
from tests.integration.memory_dynamodb import holding
from tests.policies import NOW, policy_rows
from tests.property.strategies import (
    CLIENTS,
    GROUPS,
    MANAGED,
    SCOPES,
    TENANTS,
    TEXTS,
    Policy,
    directories,
    federated_policies,
    federated_profiles,
    policies,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine import Bundle

Rows = list[dict[str, Any]]

SUBS = [f"user-{number}" for number in range(2)]
TWIN = "user-9"
API = list(events.API_SCOPES)
API_SOURCES = [source for source in events.USER_SOURCES if source != MANAGED_LOGIN]

HINTS = [None, *TENANTS, "nowhere"]


@st.composite
def populations(draw: st.DrawFn) -> tuple[Rows, dict[str, Profile]]:
    """Rows of users and tenants, and what the pool knows of each user; the last user is the twin of the first."""
    rows: Rows = []
    for at, sub in enumerate(SUBS):
        drawn = draw(directories(sub))
        rows += [row for row in drawn if at == 0 or row["sk"] != "TENANT"]
    rows += [{**row, "pk": f"USER#{TWIN}"} for row in rows if row["pk"] == f"USER#{SUBS[0]}"]
    profile = st.builds(
        Profile,
        st.just("ada"),
        st.builds(
            lambda plain, federated: tuple(sorted((plain | federated).items())),
            st.dictionaries(st.sampled_from(["org", "custom:roles", "email"]), st.sampled_from(["a", "acme"])),
            st.one_of(st.just({}), federated_profiles),
        ),
        some(GROUPS).map(lambda groups: Memberships(tuple(groups))),
        st.just(0),
    )
    profiles = {sub: draw(profile) for sub in SUBS}
    return rows, {**profiles, TWIN: profiles[SUBS[0]]}


def compiled(policy: Policy) -> tuple[dict[str, Any], Bundle]:
    document = compile_policy(from_rows(policy_rows(**policy.sections())))
    return document, from_document(document, 7)


def metadata_of(documents: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What client metadata may hold: nothing, what conditions name, alone and beside something, and what none names."""
    conditions = repr([[rule.get("when") for rule in document["rules"]] for document in documents])
    named = [text for text in TEXTS if repr(text) in conditions] if "request.metadata" in conditions else []
    texts = ["none of these", *chain(*((text, f"{text} more", f"more {text}") for text in named))]
    return [{}, *({"other": text} for text in texts)]


def requests(person: Person, clients: list[str], metadata: list[dict[str, str]], named: list[str]) -> Iterator[Request]:
    """What this user could ask for: every set of at most two scopes, everything, and everything but one.

    Args:
        person: the user.
        clients: those to sign in at.
        metadata: what to send.
        named: scopes that only conditions name.
    """
    scopes = sorted({*SCOPES, *named})
    few = list(chain(*(combinations(scopes, size) for size in range(3))))
    many = [tuple(scopes), *(tuple(scope for scope in scopes if scope != left) for left in scopes)]
    asked: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
        (MANAGED_LOGIN, requested, {}) for requested in [*few, *many]
    ]
    with_metadata = [
        {**entries, **({} if hint is None else {"tenant_id": hint})} for entries, hint in product(metadata, HINTS)
    ]
    asked += [(source, tuple(API), entries) for source, entries in product(API_SOURCES, with_metadata)]
    # The refresh of a managed login, where the policy may read anything; of the sets of scopes, fewer.
    asked += [
        (events.REFRESH, requested, entries)
        for requested, entries in product([*few[: 1 + len(scopes)], *many], with_metadata)
    ]
    profile = person.profile
    for client, (source, requested, entries) in product(clients, asked):
        yield Request(
            source, client, person.sub, profile.username, {"sub": person.sub, **dict(profile.attributes)},
            profile.memberships.groups, requested, entries,
        )  # fmt: skip


def machine_requests(clients: list[str], metadata: list[dict[str, str]], named: list[str]) -> Iterator[Request]:
    for client, entries, hint in product(clients, metadata, HINTS):
        for scopes in (
            *chain(*(combinations([*MANAGED, *named], size) for size in range(5 + len(named)))),
            *((scope,) for scope in ("legacy/a", "legacy/b", "legacy/*")),
        ):
            sent = entries if hint is None else {**entries, "tenant_id": hint}
            yield Request(events.MACHINE, client, None, "ClientCredentials", {}, (), scopes, sent)


def clients_of(documents: list[dict[str, Any]]) -> list[str]:
    """The clients to try: those of the pool of names, one that nothing names, and whatever else a condition names."""
    conditions = repr([[rule.get("when") for rule in document["rules"]] for document in documents])
    named = [text for text in TEXTS if text and repr(text) in conditions] if "client.id" in conditions else []
    return list(dict.fromkeys([*CLIENTS, "3other", *named]))


def scopes_of(documents: list[dict[str, Any]]) -> list[str]:
    """The scopes that conditions name, and that are none of the policy's or Cognito's."""
    found = [leaf for document in documents for rule in document["rules"] for leaf in leaves(rule.get("when"))]
    values = [leaf["value"] for leaf in found if leaf["field"] == "request.scopes"]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return sorted({text for text in texts if isinstance(text, str) and SCOPE.fullmatch(text)} - set(SCOPES))


def everyone(rows: Rows, documents: list[dict[str, Any]]) -> Everyone:
    client = holding(rows)
    client.page_size = 3
    found = Everyone(Table(client, "claimsmith"), reads(documents), now=NOW)
    found.read_tenants()
    return found


def changes(request: Request, sides: list[Bundle], facts: Facts) -> set[Change]:
    before, after = (Side(decide(side, facts, request, NOW), side.settings.claim_names) for side in sides)
    return {instance.change for instance in compare(request, before, after)}


def judged(sides: list[Bundle]) -> Any:  # noqa: ANN401 - a judge
    names = [side.settings.claim_names for side in sides]

    def judge(cases: list[Case]) -> set[Change]:
        return {
            instance.change for case in cases for instance in compare(case.request, *map(Side, case.outcomes, names))
        }

    return judge


def managed(found: set[Change]) -> set[Change]:
    """Without the names of prefixes, which stand for what begins with them."""
    return {
        change._replace(name="legacy/*") if change.kind == "scope" and change.name.startswith("legacy/") else change
        for change in found
    }


@settings(max_examples=10)
@given(st.one_of(policies(), federated_policies()), st.one_of(policies(), federated_policies()), populations())
def test_the_changes_of_each_user_are_those_of_every_request(
    before: Policy, after: Policy, population: tuple[Rows, dict[str, Profile]]
) -> None:
    rows, profiles = population
    compiled_both = [compiled(before), compiled(after)]
    documents, sides = [pair[0] for pair in compiled_both], [pair[1] for pair in compiled_both]
    asked = everyone(rows, documents)
    tried = ways(documents)
    assert not tried.cut
    clients, metadata, named = clients_of(documents), metadata_of(documents), scopes_of(documents)
    classes = Classes(sides, tried, asked, judged(sides))
    tenants: dict[str, Tenant | None] = dict.fromkeys(TENANTS)
    for row in rows:
        if row["sk"] == "TENANT" and isinstance(tenant := read_tenant(row, NOW), Tenant):
            tenants[tenant.id] = tenant
    seen = set()
    for person in asked.users():
        person = person._replace(profile=profiles[person.sub])  # noqa: PLW2901 - the pool is not asked here
        seen.add(person.sub)
        own = [row for row in rows if row["pk"] == f"USER#{person.sub}"]
        facts = Facts(read_user(own, NOW), tenants)
        expected: set[Change] = set().union(
            *(changes(request, sides, facts) for request in requests(person, clients, metadata, named))
        )
        assert managed(classes.user(person)) == managed(expected)
    assert seen == {row["pk"].removeprefix("USER#") for row in rows if row["pk"].startswith("USER#")}
    machines: set[Change] = set().union(*(classes.machine(way) for way in tried.machines))
    facts = Facts(MACHINE, tenants)
    expected = set().union(*(changes(request, sides, facts) for request in machine_requests(clients, metadata, named)))
    assert managed(machines) == managed(expected)


@settings(max_examples=10)
@given(policies(), policies(), policies(), populations(), st.sampled_from([None, 0, 50, 100]))
def test_a_plan_counts_the_users_that_deciding_each_counts(
    before: Policy, staged: Policy, after: Policy, population: tuple[Rows, dict[str, Profile]], percent: int | None
) -> None:
    rows = [row for row in population[0] if row["pk"] != "BUNDLE"]
    documents, sides = zip(*map(compiled, (before, staged, after)), strict=True)
    stored: Rows = []
    for number, document in ((1, documents[0]), (2, documents[1])):
        written, digest = encode(document)
        stored.append({"pk": "BUNDLE", "sk": version_sk(number), "digest": digest, "document": written})
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": stored[0]["digest"], "revision": 1}
    serves = Staging(2, percent or 0).serves
    if percent is not None:
        pointer |= {"candidate": 2, "percent": percent}
    try:
        found = plan(
            Table(holding([*rows, *stored, pointer]), "claimsmith"),
            from_rows(policy_rows(**after.sections())),
            clock=lambda: NOW,
        )
    except PolicyError:  # a claim may not change its meaning
        assume(False)  # noqa: FBT003 - hypothesis takes it so
        raise
    tried = list(documents)
    clients, metadata, named = clients_of(tried), metadata_of(tried), scopes_of(tried)
    tenants: dict[str, Tenant | None] = dict.fromkeys(TENANTS)
    for row in rows:
        if row["sk"] == "TENANT" and isinstance(tenant := read_tenant(row, NOW), Tenant):
            tenants[tenant.id] = tenant
    expected: Counter[Change] = Counter()
    changed = 0
    for sub in sorted({row["pk"].removeprefix("USER#") for row in rows if row["pk"].startswith("USER#")}):
        facts = Facts(read_user([row for row in rows if row["pk"] == f"USER#{sub}"], NOW), tenants)
        person = Person(sub, sub, facts.user, Profile(sub))
        served = [sides[1] if percent is not None and serves(sub) else sides[0], sides[2]]
        of_user = managed(
            set().union(*(changes(request, served, facts) for request in requests(person, clients, metadata, named)))
        )
        expected.update(of_user)
        changed += bool(of_user)
    assert found.users == changed
    of_users = Counter({effect.change: effect.users for effect in found.effects if effect.users})
    assert managed(set(of_users)) == set(expected)
    exact = [each for each in of_users if not each.name.startswith("legacy/")]
    assert {each: of_users[each] for each in exact} == {each: expected[each] for each in exact}

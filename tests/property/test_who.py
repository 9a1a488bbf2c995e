"""Who can get something: the same as deciding each user and machine for each request there could be.

Requests, policies and users are those of ``test_everyone``; the answer is the one of the command, read from the table.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.engine import Decision, Facts, Tenant, decide, read_tenant, read_user
from claimsmith.engine.codec import encode, from_document
from claimsmith.engine.facts import MACHINE
from claimsmith.engine.holding import Question, held
from claimsmith.engine.staging import Staging
from claimsmith.engine.ways import request_of, ways
from claimsmith.errors import OperationError
from claimsmith.service.everyone import Person, Profile
from claimsmith.service.who import ANY_OTHER, Finding, Search
from claimsmith.store.dynamodb import Table
from claimsmith.store.pool import ListedUser
from tests.integration.memory_dynamodb import holding
from tests.policies import NOW
from tests.property.strategies import GROUPS, MANAGED, TENANTS, policies
from tests.property.test_everyone import (
    SUBS,
    TWIN,
    clients_of,
    compiled,
    machine_requests,
    metadata_of,
    populations,
    requests,
    scopes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.store.pool import Memberships

Rows = list[dict[str, Any]]

#: Who, or which client, gets it for which tenant, and at which clients.
Answer = dict[tuple[str, str | None], set[str]]

#: A user of the pool who has no rows, and whose sub comes last or first.
NEWCOMERS = ("user-0a", "zoe")

#: An app client that nothing names.
OTHER = "3other"


class PoolOf:
    """A user pool that is a dictionary."""

    id = ""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = profiles

    def users(self) -> Iterator[ListedUser]:
        for sub, profile in self._profiles.items():
            yield ListedUser(sub, profile.username, {"sub": sub, **dict(profile.attributes)})

    def memberships(self, names: frozenset[str] | None) -> dict[str, Memberships]:
        return {
            profile.username: profile.memberships._replace(
                groups=tuple(name for name in profile.memberships.groups if names is None or name in names)
            )
            for profile in self._profiles.values()
        }


def questions(roles: set[str]) -> st.SearchStrategy[Question]:
    claims = [
        *(Question("claim", name) for name in ("plan", "email", "region", "tenant_id", "roles", "cognito:groups")),
        Question("claim", "tenant_id", ("acme",)),
        Question("claim", "cognito:groups", (GROUPS[0],)),
        Question("claim", "email", ("acme",)),
        Question("claim", "sub", (SUBS[1],)),
        Question("claim", "username", (TWIN, f"name of {TWIN}")),
        Question("claim", "roles", ("viewer", ["viewer"])),
    ]
    return st.one_of(
        st.sampled_from([*MANAGED, "legacy/a", "email"]).map(lambda scope: Question("scope", scope)),
        *([st.sampled_from(sorted(roles)).map(lambda role: Question("role", role))] if roles else []),
        st.sampled_from(claims),
    )


def stored(documents: list[dict[str, Any]], staging: Staging | None, rows: Rows) -> Table:
    """A table with these versions, the first of which is in force, and these rows."""
    versions: Rows = []
    for number, document in enumerate(documents, 7):
        data, digest = encode(document)
        versions.append({"pk": table.BUNDLE, "sk": table.version_sk(number), "digest": digest, "document": data})
    pointer = {"pk": table.BUNDLE, "sk": table.CURRENT, "version": 7, "digest": versions[0]["digest"], "revision": 1}
    if staging is not None:
        pointer |= {"candidate": staging.candidate, "percent": staging.percent, "subjects": staging.subjects}
    client = holding([*versions, pointer, *rows])
    client.page_size = 3
    return Table(client, "claimsmith")


def answer_of(findings: Iterable[Finding], clients: list[str], *, only: str | None = None) -> Answer:
    """What was found, as far as it is about these clients."""
    tried = {*clients, ANY_OTHER, only}
    return {
        (finding.subject or finding.way.client_id, finding.tenant): set(finding.clients) & tried
        for finding in findings
        if finding.subject is not None or finding.way.client_id in tried
    }


class Example:
    """Policies, users and machines, and what deciding each of them for every request says."""

    def __init__(
        self, compiled_policies: list[dict[str, Any]], staging: Staging | None, rows: Rows, profiles: dict[str, Profile]
    ) -> None:
        self.staging, self.rows = staging, stored(compiled_policies, staging, rows)
        self.bundles = [from_document(document, number) for number, document in enumerate(compiled_policies, 7)]
        self.clients, self.metadata = clients_of(compiled_policies), metadata_of(compiled_policies)
        self.named = scopes_of(compiled_policies)
        self.known = ways(compiled_policies).known
        self.roles = {role for document in compiled_policies for role in document["roles"]}
        self.people = {
            sub: Person(sub, sub, read_user([row for row in rows if row["pk"] == f"USER#{sub}"], NOW), profile)
            for sub, profile in profiles.items()
        }
        self.tenants: dict[str, Tenant | None] = dict.fromkeys(TENANTS)
        for row in rows:
            if row["sk"] == "TENANT" and isinstance(tenant := read_tenant(row, NOW), Tenant):
                self.tenants[tenant.id] = tenant

    def search(self, question: Question, *, pool: bool = True, **options: str) -> list[Finding]:
        """What the command finds."""
        people = PoolOf({sub: person.profile for sub, person in self.people.items()})
        given: Any = {**options, **({"pool": people} if pool else {})}
        return [*Search(self.rows, question, clock=lambda: NOW, **given).findings()]

    def tenants_of(self, question: Question, person: Person | None, request: Request) -> set[str | None]:
        """The tenant of the token of this request, if it has what is asked for."""
        staged = self.staging is not None and self.staging.serves(request.sub or request.client_id)
        facts = Facts(MACHINE if person is None else person.facts, self.tenants)
        outcome = decide(self.bundles[1 if staged else 0], facts, request, NOW)
        has_it = isinstance(outcome, Decision) and held(question, request, outcome) is not None
        return {outcome.tenant_id} if has_it and isinstance(outcome, Decision) else set()

    def expected(self, question: Question) -> Answer:
        found: Answer = defaultdict(set)
        for person in [*self.people.values(), None]:
            asked = (
                machine_requests(self.clients, self.metadata, self.named)
                if person is None
                else requests(person, self.clients, self.metadata, self.named)
            )
            for request in asked:
                for tenant in self.tenants_of(question, person, request):
                    client = self.shown(request.client_id, person)
                    found[client if person is None else person.sub, tenant].add(client)
        return found

    def shown(self, client: str, person: Person | None) -> str:
        """An app client, as the command shows it."""
        user = None if person is None else person.facts.user
        chosen = {} if user is None else user.active_tenant_by_client
        return client if client in self.known or client in chosen else ANY_OTHER

    def asked_by(self, finding: Finding) -> tuple[Person | None, Request]:
        """The request that a finding says to make."""
        client = OTHER if finding.way.client_id == ANY_OTHER else finding.way.client_id
        way = finding.way._replace(client_id=client, metadata=tuple(finding.metadata.items()), all_scopes=False)
        if finding.subject is None:
            return None, request_of(way, sub=None)
        person = self.people[finding.subject]
        name, attributes, memberships, _ = person.profile
        known = {"sub": person.sub, **dict(attributes)}
        return person, request_of(way, sub=person.sub, username=name, attributes=known, memberships=memberships)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    rows, drawn = draw(populations())
    profiles = {sub: profile._replace(username=f"name of {sub}") for sub, profile in drawn.items()}
    profiles |= {sub: Profile(f"name of {sub}") for sub in NEWCOMERS}
    percent = draw(st.sampled_from([None, 0, 50]))
    documents = [compiled(draw(policies()))[0] for _ in range(1 if percent is None else 2)]
    staging = None if percent is None else Staging(8, percent, frozenset({SUBS[0]}))
    return Example(documents, staging, rows, profiles)


@settings(max_examples=10)
@given(examples(), st.data())
def test_those_who_are_found_are_those_who_get_it_by_some_request(example: Example, data: st.DataObject) -> None:
    question = data.draw(questions(example.roles))
    findings = example.search(question)
    assert answer_of(findings, example.clients) == example.expected(question)
    for finding in findings:
        assert example.tenants_of(question, *example.asked_by(finding)) == {finding.tenant}


@settings(max_examples=10)
@given(example=examples(), data=st.data(), pool=st.booleans())
def test_a_cursor_goes_on_after_its_line_and_filters_leave_lines_out(
    example: Example, data: st.DataObject, *, pool: bool
) -> None:
    question = data.draw(questions(example.roles))
    findings = example.search(question, pool=pool)
    for at, finding in enumerate(findings):
        assert example.search(question, pool=pool, after=finding.cursor) == findings[at + 1 :]
    everything = answer_of(findings, example.clients)
    for tenant in TENANTS:
        own = {}
        with suppress(OperationError):  # there is no such tenant
            own = answer_of(example.search(question, pool=pool, tenant=tenant), example.clients)
        assert own == {key: clients for key, clients in everything.items() if key[1] == tenant}
    for client in example.clients:
        own = answer_of(example.search(question, pool=pool, client=client), example.clients, only=client)
        assert own.keys() == {
            (subject if subject in example.people else client, tenant)
            for (subject, tenant), clients in everything.items()
            if example.shown(client, example.people.get(subject)) in clients
        }

"""Everyone whose token can have a scope, a role or a claim, and how they get it.

Exact: the same as deciding each user and machine for each request there could be (``engine.ways``). What is found is
handed out at once and not kept. The memory is that of ``service.everyone``.
"""

from __future__ import annotations

import binascii
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from itertools import dropwhile, groupby
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.limits import SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.cognito.tokens import ROLE_CLAIMS, UNPREDICTABLE
from claimsmith.engine.codec import BundleError, from_document
from claimsmith.engine.decide import Refusal
from claimsmith.engine.holding import Held, Question, RuledOut, held
from claimsmith.engine.reads import Reads, reads
from claimsmith.engine.ways import ANY_OTHER_CLIENT, Way, Ways, ways
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.classes import Case, Classes, of_other
from claimsmith.service.everyone import Everyone
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.staging import Staging
    from claimsmith.service.everyone import Person
    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool import Pool

    Document = Mapping[str, Any]

#: An app client that has no row.
ANY_OTHER: Final = "any other"

#: Claims whose value is another in each sign-in, or at each app client.
_OF_EACH: Final = UNPREDICTABLE | {"iss", "nbf", "azp"}
_OF_CLIENTS: Final = frozenset({"client_id", "aud"})

#: Claims that tell users apart.
_OF_USERS: Final = frozenset({"sub", "username", "cognito:username"})
_SUBJECT_PATHS: Final = frozenset({"user.sub", "user.username"})


#: Stands for any outcome that does not have what is asked for.
_NOTHING: Final = Refusal(Code.TENANT_NOT_PERMITTED, ())


class Position(NamedTuple):
    """How far a search has come.

    Attributes:
        stage: ``machines`` or ``users``.
        after: the key after which the table is read on; None for its beginning.
        subject: of the last finding; None if all of the last subject's were handed out.
        tenant: of the last finding; empty without one.
    """

    stage: str = "machines"
    after: tuple[str, str] | None = None
    subject: str | None = None
    tenant: str = ""


class Finding(NamedTuple):
    """A subject whose token for a tenant can have what was asked for.

    Attributes:
        subject: the user's ``sub``; None for a machine.
        username: as in ``Person``; None for a machine.
        tenant: the tenant that the token is for; None without one.
        choice: why the token is for this tenant, in a few words.
        clients: the app clients at which the subject can get it; ``ANY_OTHER`` stands for all without a row. The
            first is that of the way.
        way: the first way to get it that was found.
        metadata: the client metadata that it needs, the tenant that is asked for included.
        version: of the policy.
        held: the row that gives it.
        cursor: goes on after this finding.
    """

    subject: str | None
    username: str | None
    tenant: str | None
    choice: str
    clients: tuple[str, ...]
    way: Way
    metadata: Mapping[str, str]
    version: int
    held: Held
    cursor: str


class _Found(NamedTuple):
    """A finding of anybody who is alike."""

    tenant: str | None
    choice: str
    clients: tuple[str, ...]
    way: Way
    metadata: Mapping[str, str]
    held: Held


class _Judged(NamedTuple):
    """All findings of one subject, by tenant; the subject stands for others."""

    subject: str
    found: tuple[_Found, ...]


class Search:
    """Finds who can get something. Reads everyone once; writes nothing.

    Attributes:
        users_read: users decided so far.
    """

    def __init__(  # noqa: PLR0913 - the options of a search
        self,
        rows: Table,
        question: Question,
        *,
        pool: Pool | None = None,
        tenant: str | None = None,
        client: str | None = None,
        version: int | None = None,
        after: str | None = None,
        progress: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A search.

        Args:
            rows: the table.
            question: what is asked for.
            pool: the user pool; without one, neither users without rows nor groups nor attributes are known.
            tenant: only tokens for this tenant.
            client: only tokens of this app client.
            version: decide with this version instead of those that serve.
            after: the cursor of a finding of the same search: go on after it.
            progress: called with the number of users that have been decided since the last call.
            clock: epoch seconds.

        Raises:
            BundleError: there is no usable policy.
            OperationError: no search can answer the question, there is no such version, or the cursor is not one of
                this search.
            StoreError: DynamoDB is unavailable.
        """
        self._question, self._tenant, self._progress = question, tenant, progress
        self._notes: list[str] = []
        self._staging: Staging | None = None
        documents = self._documents(rows, version)
        _check(question, [*documents.values()])
        self._policies: list[Bundle] = [from_document(document, number) for number, document in documents.items()]
        self._ruled_out = [RuledOut(question, policy) for policy in self._policies]
        self._ways = _ways([*documents.values()], question, client)
        self._alike = {name: alike for alike in self._ways.alike.values() for name in alike}
        self._everyone = Everyone(rows, _reads([*documents.values()], question), pool, int(clock()))
        pool_id = "" if pool is None else pool.id
        self._classes = Classes(
            self._policies,
            self._ways,
            self._everyone,
            self._judge,
            serving=self._serving,
            settled=self._settled,
            pool_id=pool_id,
        )
        asked = repr((question, tenant, client, [*documents], self._staging, pool_id))
        self._digest = blake2b(asked.encode(errors="surrogatepass"), digest_size=6).hexdigest()
        self._position = Position() if after is None else self._parsed(after)
        self.users_read = 0

    @property
    def cursor(self) -> str:
        """Goes on after all that has been read and handed out."""
        return self._cursor(self._position)

    @property
    def notes(self) -> list[str]:
        """What could not be taken into account so far, in words."""
        found = [*self._notes, *self._unlisted(), *(f"not tried: {cut}" for cut in self._ways.cut)]
        if self._classes.cut_tenants:
            found.append(f"{self._classes.cut_tenants:,} users have more tenants than are tried for each")
        if self._everyone.unreadable:
            found.append(f"{self._everyone.unreadable:,} rows cannot be read and count for nothing")
        if self._everyone.pool is None:
            found.append("users without rows, groups and attributes are not known; add --user-pool-id")
        elif self._everyone.strangers:
            found.append(f"{self._everyone.strangers:,} users with rows are not in the pool and get no token")
        return found

    def _unlisted(self) -> Iterator[str]:
        """Whom no search can find: those who will be members once they sign in, and are nowhere yet."""
        for policy in self._policies:
            for name, provider in sorted(policy.providers.items()):
                if provider.just_in_time and (self._tenant is None or self._tenant in provider.tenants):
                    of = ", ".join(sorted(provider.tenants))
                    yield f"who has never signed in by {name} cannot be listed, and will be a member of {of}"

    def findings(self) -> Iterator[Finding]:
        """Each finding once it is made: those of machines first, then those of users in the order of the table.

        Raises:
            OperationError: Cognito is unavailable, there is no such tenant, or the user after whom to go on is no
                longer there.
            StoreError: DynamoDB is unavailable.
        """
        self._everyone.read_tenants()
        self._check_tenant()
        if self._position.stage == "machines":
            yield from self._machines(self._position)
            self._position = Position("users")
        yield from self._users(self._position)

    def _check_tenant(self) -> None:
        """Refuse a tenant that there is not."""
        if self._tenant is None:
            return
        self._everyone.load([self._tenant], {})
        if self._everyone.tenants[self._tenant] is None:
            message = f"There is no tenant {self._tenant}, or its row cannot be read."
            raise OperationError(Code.NOT_FOUND, message)

    def _machines(self, start: Position) -> Iterator[Finding]:
        groups = [(client, [*each]) for client, each in groupby(self._ways.machines, lambda way: way.client_id)]
        for client, each in dropwhile(lambda group: start.subject is not None and group[0] != start.subject, groups):
            judged = [self._classes.machine(way).found for way in each]
            # Of each tenant the first way.
            by_tenant = {found.tenant: found for one in reversed(judged) for found in reversed(one)}
            version = self._policies[self._serving(client)[0]].version
            for found in _in_order(by_tenant):
                if client == start.subject and (found.tenant or "") <= start.tenant:
                    continue
                position = Position("machines", None, client, found.tenant or "")
                yield self._finding(found, None, version, found.held, position)
                self._position = position

    def _users(self, start: Position) -> Iterator[Finding]:
        last = start.after
        for person in self._everyone.users(after=start.after):
            if start.after is not None and person.last is not None and person.last[0] == start.after[0] != "":
                continue  # rows that have been added to the last user
            judged = self._classes.user(person)
            version = self._policies[self._serving(person.sub)[0]].version
            for found in judged.found:
                if person.sub == start.subject and (found.tenant or "") <= start.tenant:
                    continue
                position = Position("users", last, person.sub, found.tenant or "")
                row = of_other(found.held.row, judged.subject, person.sub)
                yield self._finding(found, person, version, found.held._replace(row=row), position)
                self._position = position
            last = person.last
            self._position = Position("users", last)
            self.users_read += 1
            self._progress(1)

    def _finding(self, found: _Found, person: Person | None, version: int, given: Held, at: Position) -> Finding:
        way = found.way
        client = ANY_OTHER if way.client_id == ANY_OTHER_CLIENT else way.client_id
        return Finding(
            None if person is None else person.sub,
            None if person is None else person.username,
            found.tenant,
            found.choice,
            tuple(ANY_OTHER if name == ANY_OTHER_CLIENT else name for name in found.clients),
            way._replace(client_id=client),
            found.metadata,
            version,
            given,
            self._cursor(at),
        )

    def _judge(self, cases: list[Case]) -> _Judged:
        """What of the cases of a subject has it, by tenant."""
        found: dict[str | None, _Found] = {}
        stands_for = self._stands_for(cases)
        for case in cases:
            [outcome] = case.outcomes
            if isinstance(outcome, Refusal) or (self._tenant is not None and outcome.tenant_id != self._tenant):
                continue
            there = held(self._question, case.request, outcome)
            if there is None:
                continue
            tenant = outcome.tenant_id
            clients = stands_for[case.way.client_id]
            known = found.get(tenant)
            if known is None:
                way = case.way._replace(scopes=case.request.scopes)
                choice = outcome.reasons[0].detail
                found[tenant] = _Found(tenant, choice, clients, way, case.request.metadata, there)
            elif not set(clients) <= set(known.clients):
                found[tenant] = known._replace(clients=tuple(dict.fromkeys((*known.clients, *clients))))
        subject = cases[0].request.sub or ""
        return _Judged(subject, tuple(_in_order(found)))

    def _stands_for(self, cases: list[Case]) -> dict[str, tuple[str, ...]]:
        """Each client that was tried, with those that it stands for: those that were not tried themselves."""
        tried = dict.fromkeys(case.way.client_id for case in cases)
        if cases[0].request.machine:
            return {client: (client,) for client in tried}
        found: dict[str, tuple[str, ...]] = {}
        seen: set[str] = set()
        for client in tried:
            others = [name for name in self._alike.get(client, ()) if name not in tried and name not in seen]
            found[client] = (client, *others)
            seen.update(others)
        return found

    def _settled(self, at: int, facts: Facts, request: Request) -> Refusal | None:
        """Nothing, for a request whose token cannot have what is asked for; most requests are such."""
        return _NOTHING if self._ruled_out[at](facts, request) else None

    def _serving(self, subject: str) -> tuple[int, ...]:
        """The policy that serves a subject."""
        return (1,) if self._staging is not None and self._staging.serves(subject) else (0,)

    def _documents(self, rows: Table, version: int | None) -> dict[int, Document]:
        """The policies that serve somebody, by number: the one in force first."""
        if version is not None:
            document = bundles.document(rows, version)
            if document is None:
                message = f"There is no version {version}. List the versions with claimsmith versions."
                raise OperationError(Code.NOT_FOUND, message)
            return {version: document}
        pointer = bundles.pointer(rows)
        if pointer is None:
            raise BundleError("No policy has been published.", Code.NO_BUNDLE)
        document = bundles.document(rows, pointer.version)
        if document is None:
            raise BundleError(f"Version {pointer.version}, which is in force, is not in the table.")
        found: dict[int, Document] = {pointer.version: document}
        if pointer.staging is not None:
            number = pointer.staging.candidate
            try:
                staged = bundles.document(rows, number)
            except BundleError:
                staged = None
            if staged is None:
                self._notes.append(f"the staged version {number} cannot be read; the one in force serves instead")
            elif number != pointer.version:
                found[number] = staged
                self._staging = pointer.staging
        return found

    def _cursor(self, position: Position) -> str:
        return urlsafe_b64encode(json.dumps([self._digest, *position]).encode()).decode().rstrip("=")

    def _parsed(self, cursor: str) -> Position:
        try:
            digest, stage, after, *subject = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            position = Position(stage, None if after is None else tuple(after), *subject)
        except (binascii.Error, ValueError, TypeError) as error:
            message = "The cursor is incomplete. Copy the whole of it."
            raise OperationError(Code.CURSOR_UNUSABLE, message) from error
        if digest != self._digest:
            message = "The cursor is of another search, or the policy has changed since. Start again without --after."
            raise OperationError(Code.CURSOR_UNUSABLE, message)
        return position


def _in_order(found: Mapping[str | None, _Found]) -> list[_Found]:
    """By tenant; those without one first."""
    return sorted(found.values(), key=lambda one: one.tenant or "")


def _check(question: Question, documents: Sequence[Document]) -> None:
    """Refuse what would be answered wrongly, or with nobody because of a misspelling."""
    name = question.name
    if not name:
        raise OperationError(Code.BAD_ARGUMENT, f"The name of the {question.kind} is empty.")
    if question.kind == "scope" and not SCOPE.fullmatch(name):
        raise OperationError(Code.BAD_ARGUMENT, f"{name} is not a scope. A scope has no spaces and no quotes.")
    if question.kind == "role" and not any(name in document["roles"] for document in documents):
        raise OperationError(Code.NOT_FOUND, f"The policy has no role {name}. List the roles with claimsmith export.")
    if question.kind != "claim":
        return
    if name == "scope":
        raise OperationError(Code.BAD_ARGUMENT, "Scopes are asked for one by one: claimsmith who-can SCOPE.")
    if name in _OF_EACH:
        raise OperationError(Code.BAD_ARGUMENT, f"Cognito sets {name} for each token, so no row decides it.")
    if name in _OF_CLIENTS:
        message = f"{name} says which app client a token is for. Ask for a scope, role or claim with --client."
        raise OperationError(Code.BAD_ARGUMENT, message)


def _reads(documents: Sequence[Document], question: Question) -> Reads:
    """What the policies and the question read."""
    found = reads(documents)
    if question.kind != "claim":
        return found
    return found._replace(
        paths=found.paths | _SUBJECT_PATHS if question.name in _OF_USERS else found.paths,
        every_group=found.every_group or question.name in (GROUPS_CLAIM, *ROLE_CLAIMS),
        attributes=found.attributes | {question.name},
    )


def _ways(documents: Sequence[Document], question: Question, client: str | None) -> Ways:
    """The ways that can make a difference, at all clients or at one."""
    found = ways(documents, only=None if client is None else (client,))
    if client is not None and not found.users:
        found = ways(documents, only=(ANY_OTHER_CLIENT,))
        found = _changed(found, lambda each: (way._replace(client_id=client) for way in each))
        found = found._replace(alike={client: (client,)})
    scope = question.name
    if question.kind != "scope" or any(scope in way.scopes for way in found.users):
        return found
    # A scope that the policies do not name is requested too: a membership may grant it, or nobody manages it.
    return _changed(found, lambda each: _also(each, scope))


def _changed(found: Ways, change: Callable[[Sequence[Way]], Iterable[Way]]) -> Ways:
    return found._replace(
        users=tuple(change(found.users)), closely=tuple(change(found.closely)), machines=tuple(change(found.machines))
    )


def _also(found: Sequence[Way], scope: str) -> Iterator[Way]:
    for way in found:
        yield way
        if way.flow != "api":
            yield way._replace(scopes=(*way.scopes, scope))

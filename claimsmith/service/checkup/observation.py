"""What a checkup sees: each part is looked at once, when the first check needs it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from claimsmith import environment
from claimsmith import table as keys
from claimsmith.engine.codec import BundleError, encode
from claimsmith.errors import Code, OperationError, PolicyError, StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy import Finding as LintFinding
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.documents import SETTINGS_SECTION
from claimsmith.service import names
from claimsmith.service.checkup import alarms
from claimsmith.service.checkup.functions import table_of
from claimsmith.service.checkup.publishing import Draft
from claimsmith.service.draft import TooLargeError, read_draft
from claimsmith.service.smoke_test import smoke_test
from claimsmith.store import bundles, drafts
from claimsmith.store.deployment import AbsentError, Function, NotSeenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from claimsmith.engine.bundle import Bundle
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.deployment import (
        Alarm,
        AppClient,
        Deployment,
        StreamReader,
        TableSettings,
        UserPool,
    )
    from claimsmith.store.drafts import Lease
    from claimsmith.store.dynamodb import Row, Table

T = TypeVar("T")

#: How far back the publisher's lag is looked at.
_LATELY: Final = timedelta(minutes=15)


class _Seen(Generic[T]):
    """A part of what is seen. Looked at once, even if it cannot be seen."""

    def __init__(self, look: Callable[[Observation], T]) -> None:
        self._look = look
        self.__doc__ = look.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, seen: Observation, _owner: type) -> T:
        if self._slot not in seen.__dict__:
            try:
                seen.__dict__[self._slot] = self._look(seen)
            except NotSeenError as error:
                seen.__dict__[self._slot] = error
        found: T | NotSeenError = seen.__dict__[self._slot]
        if isinstance(found, NotSeenError):
            raise found
        return found


class InForce(NamedTuple):
    """The version in force, as the trigger reads it.

    Attributes:
        trusted: ``trusted_attributes`` of its settings.
    """

    bundle: Bundle
    trusted: frozenset[str]


class Places(NamedTuple):
    """Where to look; a part that is None is found through the others, or not seen."""

    pool: str | None = None
    table: str | None = None
    audit_table: str | None = None


class Observation:
    """A deployment, as far as it can be seen. What cannot be seen raises ``NotSeenError``."""

    def __init__(
        self,
        deployment: Deployment,
        places: Places,
        open_table: Callable[[str], Table],
        now: float,
        on_rows: Callable[[int], None],
    ) -> None:
        self._deployment = deployment
        self._places = places
        self._open_table = open_table
        self.now = int(now)
        self._on_rows = on_rows

    @_Seen
    def pool(self) -> UserPool:
        """The user pool."""
        if self._places.pool is None:
            raise NotSeenError("No user pool is given. Add --user-pool-id.")
        try:
            return self._deployment.pool(self._places.pool)
        except AbsentError as error:
            message = f"There is no user pool {self._places.pool} here. Check its id and the region."
            raise OperationError(Code.NOT_FOUND, message) from error

    @_Seen
    def clients(self) -> tuple[AppClient, ...]:
        """The pool's app clients."""
        return self._deployment.clients(self.pool.id)

    @_Seen
    def scopes(self) -> frozenset[str]:
        """The scopes of the pool's resource servers."""
        return self._deployment.scopes(self.pool.id)

    @_Seen
    def trigger(self) -> Function | None:
        """The pool's pre token generation function; None if there is none, or if the pool names one that is gone."""
        try:
            return self._deployment.function(self.pool.trigger) if self.pool.trigger else None
        except AbsentError:
            return None

    @_Seen
    def existing_trigger(self) -> Function:
        """The pool's pre token generation function."""
        if self.trigger is None:
            raise NotSeenError("The pool has no trigger.")
        return self.trigger

    @_Seen
    def permissions(self) -> tuple[Mapping[str, object], ...]:
        """The statements of the trigger's resource policy."""
        return self._deployment.permissions(self.existing_trigger.arn)

    @_Seen
    def table_name(self) -> str:
        """The table that is given, or that the trigger reads."""
        name = self._places.table or table_of(self.existing_trigger)
        if not name:
            raise NotSeenError("No table is given, and the pool's trigger is not Claimsmith's. Add --table.")
        return name

    @_Seen
    def table(self) -> TableSettings:
        """The settings of the table."""
        return self._deployment.table(self.table_name)

    @_Seen
    def ttl(self) -> str:
        """The attribute by which the table's rows expire."""
        return self._deployment.time_to_live(self.table.name)

    @_Seen
    def backed_up(self) -> bool:
        """Whether the table can be restored."""
        return self._deployment.backed_up(self.table.name)

    @_Seen
    def audit_table_name(self) -> str:
        """The audit table that is given, or that the publisher writes."""
        if self._places.audit_table:
            return self._places.audit_table
        for function in self.publishers:
            if name := function.variables.get(environment.AUDIT_TABLE):
                return name
        raise NotSeenError(f"The publisher has no {environment.AUDIT_TABLE}.")

    @_Seen
    def audit_table(self) -> TableSettings:
        """The settings of the audit table."""
        return self._deployment.table(self.audit_table_name)

    @_Seen
    def audit_ttl(self) -> str:
        """The attribute by which the audit table's rows expire."""
        return self._deployment.time_to_live(self.audit_table.name)

    @_Seen
    def audit_backed_up(self) -> bool:
        """Whether the audit table can be restored."""
        return self._deployment.backed_up(self.audit_table.name)

    @_Seen
    def functions(self) -> tuple[Function, ...]:
        """Every function that uses the table."""
        return tuple(each for each in self._deployment.functions() if table_of(each) == self.table_name)

    @_Seen
    def pointer(self) -> Pointer | None:
        """The pointer to the version in force; None before the first."""
        with _reading("dynamodb:GetItem"):
            return bundles.pointer(self._rows)

    @_Seen
    def unreadable(self) -> dict[int, str]:
        """The versions in use that cannot be read, and why."""
        pointer = self.pointer
        used: list[tuple[int, str | None]] = [] if pointer is None else [(pointer.version, pointer.digest)]
        if pointer is not None and pointer.staging is not None:
            used.append((pointer.staging.candidate, None))
        found = {}
        for number, digest in used:
            with _reading("dynamodb:GetItem"):
                row = bundles.read_row(self._rows, number)
            try:
                smoke_test(row, number, digest)
            except BundleError as error:
                found[number] = error.message
        return found

    @_Seen
    def in_force(self) -> InForce:
        """The version in force."""
        pointer = self.pointer
        if pointer is None:
            raise NotSeenError("No version is in force.")
        with _reading("dynamodb:GetItem"):
            row = bundles.read_row(self._rows, pointer.version)
        try:
            bundle, _ = bundles.decode_row(row, pointer.version, pointer.digest)
        except BundleError as error:
            raise NotSeenError(error.message) from error
        settings = bundles.decode_document(row or {})["settings"]
        return InForce(bundle, frozenset(settings.get("trusted_attributes", ())))

    @_Seen
    def lease(self) -> Lease | None:
        """Who is applying a policy."""
        with _reading("dynamodb:GetItem"):
            return drafts.lease(self._rows)

    @_Seen
    def problems(self) -> Row | None:
        """Why the publisher refused the draft."""
        with _reading("dynamodb:GetItem"):
            return drafts.problems(self._rows)

    @_Seen
    def draft(self) -> Draft:
        """The draft, compiled but not stored."""
        with _reading("dynamodb:Query"):
            try:
                written = read_draft(self._rows)
                document = compile_policy(written)
                _, digest = encode(document)
                pointer = self.pointer
                if pointer is None or pointer.digest != digest:
                    names.check(self._rows, written, document)
            except TooLargeError as error:
                return Draft(findings=(error.finding,))
            except PolicyError as error:
                found = tuple(each for each in error.findings if isinstance(each, LintFinding))
                return Draft(findings=found)
        return Draft(digest, manual=written.section(SETTINGS_SECTION)[""].attributes.get("publish") == "manual")

    @_Seen
    def readers(self) -> tuple[tuple[StreamReader, Function], ...]:
        """What reads the table's stream."""
        if not self.table.stream:
            return ()
        readers = self._deployment.stream_readers(self.table.stream)
        return tuple((reader, self._reader(reader.function)) for reader in readers)

    def _reader(self, arn: str) -> Function:
        try:
            return self._deployment.function(arn)
        except AbsentError:
            return Function(arn, arn, {})

    @_Seen
    def publishers(self) -> tuple[Function, ...]:
        """The functions that publish and audit."""
        return tuple({function.arn: function for _, function in self._publishing}.values())

    @_Seen
    def lags(self) -> dict[str, float]:
        """The greatest age of a change that each of them received lately, in seconds; without those that got none."""
        end = datetime.fromtimestamp(self.now, UTC) + timedelta(minutes=1)  # of the minute that has begun, too
        ages = {each.name: self._deployment.iterator_age(each.name, end - _LATELY, end) for each in self.publishers}
        found = {name: age for name, age in ages.items() if age is not None}
        if not found:
            minutes = _LATELY // timedelta(minutes=1)
            raise NotSeenError(f"CloudWatch has no IteratorAge of the publisher for the last {minutes} minutes.")
        return found

    @_Seen
    def failure_destinations(self) -> tuple[str, ...]:
        """The ARNs of the buckets and queues with what they gave up on."""
        found = tuple(dict.fromkeys(reader.dead_letters for reader, _ in self._publishing if reader.dead_letters))
        if not found:
            raise NotSeenError("Nothing keeps what the publisher gives up on.")
        for each in found:
            if not _is_bucket(each) and ":sqs:" not in each:
                raise NotSeenError(f"What the publisher gives up on goes to {each}, which is neither bucket nor queue.")
        return found

    def given_up(self, destination: str) -> int:
        """How many batches of changes are in one of these."""
        if _is_bucket(destination):
            return self._deployment.kept(destination.rpartition(":")[2])
        return self._deployment.queued(destination)

    @_Seen
    def alarms(self) -> list[Alarm]:
        """The alarms of this deployment."""
        resources = [*(each.name for each in self.publishers), self.table_name]
        others: tuple[Callable[[], list[str]], ...] = (
            lambda: [self.existing_trigger.name],
            lambda: self._keepers,
            lambda: [self.audit_table_name],
            lambda: [function.name for function in self.functions],
        )
        for names_of in others:
            with suppress(NotSeenError):
                resources += names_of()
        return alarms.ours(self._deployment.alarms(), resources)

    @_Seen
    def watched(self) -> list[str]:
        """The names of what alarms must watch: the functions, and what tells that they gave up on something."""
        found = [self.existing_trigger.name, *(each.name for each in self.publishers)]
        with suppress(NotSeenError):  # that nothing keeps it is a finding of its own
            found += self._keepers
        return found

    @property
    def _keepers(self) -> list[str]:
        """The names of queues; a bucket has no such metric, but the mapping that writes to it does."""
        mappings = [reader.id for reader, _ in self._publishing if _is_bucket(reader.dead_letters)]
        return mappings + [each.rpartition(":")[2] for each in self.failure_destinations if not _is_bucket(each)]

    @_Seen
    def subscribers(self) -> dict[str, int]:
        """How many people hear of alarms, by topic."""
        topics = {action for alarm in self.alarms for action in alarm.actions if ":sns:" in action}
        return {topic: self._subscribers(topic) for topic in sorted(topics)}

    def _subscribers(self, topic: str) -> int:
        try:
            return self._deployment.subscribers(topic)
        except AbsentError:
            return 0

    def directory(self) -> Iterator[Row]:
        """Every row of the directory, and of those who may introspect, in the order of the table."""
        with _reading("dynamodb:Scan"):
            for page in self._rows.scan(keys.TENANT_PREFIX, keys.USER_PREFIX, keys.PROTECTED_RESOURCE_PREFIX):
                self._on_rows(len(page))
                yield from page

    @_Seen
    def _rows(self) -> Table:
        name = self.table.name
        if self.table.keys != tuple((each["AttributeName"], each["KeyType"]) for each in keys.KEY_SCHEMA):
            raise NotSeenError(f"{name} is no table of Claimsmith.")
        return self._open_table(name)

    @_Seen
    def _publishing(self) -> list[tuple[StreamReader, Function]]:
        found = [(reader, function) for reader, function in self.readers if table_of(function) == self.table_name]
        if not found:
            raise NotSeenError("No publisher reads the table's stream.")
        return found


def _is_bucket(arn: str) -> bool:
    return ":s3:" in arn


@contextmanager
def _reading(action: str) -> Iterator[None]:
    """Reading rows, for which this IAM action is needed."""
    try:
        yield
    except StoreError as error:
        raise NotSeenError(error.message, action if error.code is Code.ACCESS_DENIED else "") from error
    except BundleError as error:
        raise NotSeenError(error.message) from error

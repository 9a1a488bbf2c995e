"""The checkup: every check, with what it needs to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from claimsmith.cognito.identifiers import pool_issuer
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.checkup import alarms, directory, pool, publishing, tables
from claimsmith.service.checkup.finding import NotChecked
from claimsmith.store.deployment import AbsentError, NotSeenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from claimsmith.service.checkup.finding import Finding
    from claimsmith.service.checkup.observation import Observation

T = TypeVar("T")


class Check(NamedTuple):
    """A check.

    Attributes:
        name: stable.
        find: yields what is wrong; raises ``NotSeenError`` if it cannot see what it needs.
    """

    name: str
    find: Callable[[Observation], Iterable[Finding]]


def _table(seen: Observation) -> Iterable[Finding]:
    try:
        return tables.settings(seen.table)
    except AbsentError:
        return tables.missing(seen.table_name)


def _audit_table(seen: Observation) -> Iterable[Finding]:
    try:
        return tables.settings(seen.audit_table, audit=True)
    except AbsentError:
        return tables.missing(seen.audit_table_name)


def _lag(seen: Observation) -> Iterable[Finding]:
    for name, seconds in seen.lags.items():
        yield from publishing.lag(name, seconds)


def _dead_letters(seen: Observation) -> Iterable[Finding]:
    for destination in seen.failure_destinations:
        name = destination.rpartition(":")[2]
        try:
            yield from publishing.dead_letters(name, seen.given_up(destination))
        except AbsentError:
            yield from publishing.no_destination(seen.publishers[0].name, f"{name} does not exist")


#: In the order of the output.
CHECKS: Final = (
    Check("table", _table),
    Check("pool_plan", lambda seen: pool.plan(seen.pool)),
    Check("trigger", lambda seen: pool.trigger(seen.pool, seen.trigger, seen.table_name)),
    Check("trigger_permission", lambda seen: pool.permission(seen.pool, seen.existing_trigger, seen.permissions)),
    Check("event_version", lambda seen: pool.event_version(seen.pool)),
    Check("machine_tokens", lambda seen: pool.machines(seen.pool, seen.clients, seen.in_force.bundle)),
    Check("trusted_attributes", lambda seen: pool.trusted_attributes(seen.pool, seen.clients, seen.in_force.trusted)),
    Check("clients", lambda seen: pool.clients(seen.pool.id, seen.clients, seen.in_force.bundle)),
    Check("load_balancers", lambda seen: pool.load_balancers(seen.clients, seen.in_force.bundle)),
    Check("scopes", lambda seen: pool.scopes(seen.scopes, seen.in_force.bundle)),
    Check("issuers", lambda seen: pool.issuers(seen.pool, seen.functions)),
    Check("version_in_force", lambda seen: publishing.in_force(seen.pointer, seen.unreadable)),
    Check("rollout", lambda seen: publishing.rollout(seen.pointer, seen.now)),
    Check("on_failure", lambda seen: publishing.on_failure(seen.pointer, seen.existing_trigger)),
    Check("draft", lambda seen: publishing.draft(seen.draft, seen.pointer, seen.problems, seen.lease, seen.now)),
    Check("publisher", lambda seen: publishing.publisher(seen.table_name, seen.readers)),
    Check("publisher_lag", _lag),
    Check("dead_letters", _dead_letters),
    Check("alarms", lambda seen: alarms.present(seen.alarms, seen.watched)),
    Check("alarm_subscribers", lambda seen: alarms.heard(seen.alarms, seen.subscribers)),
    Check("table_ttl", lambda seen: tables.time_to_live(seen.table_name, seen.ttl)),
    Check("table_backups", lambda seen: tables.backups(seen.table_name, backed_up=seen.backed_up)),
    Check("audit_table", _audit_table),
    Check("audit_table_ttl", lambda seen: tables.time_to_live(seen.audit_table.name, seen.audit_ttl)),
    Check("audit_table_backups", lambda seen: tables.backups(seen.audit_table.name, backed_up=seen.audit_backed_up)),
    Check("directory", lambda seen: directory.rows(seen.directory(), seen.in_force.bundle, seen.now)),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was looked at; None for what could not be seen.

    Attributes:
        event_version: of the trigger's events, as the pool is configured.
        issuer: ``iss`` of the pool's tokens.
        policy_version: the version in force.
        rollout: whom it reaches: ``off`` before the first version, ``shadow``, a percentage, or ``on`` for everybody.
    """

    table: str | None
    user_pool_id: str | None
    plan: str | None
    trigger: str | None
    event_version: str | None
    issuer: str | None
    publisher: str | None
    policy_version: int | None
    rollout: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a checkup.

    Attributes:
        findings: errors first.
        checked: the names of the checks that were made.
    """

    summary: Summary
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]


def examine(seen: Observation) -> Report:
    """Make every check that can be made.

    Raises:
        OperationError: none can be made; or AWS does not know the credentials.
    """
    findings: list[Finding] = []
    checked: list[str] = []
    not_checked: list[NotChecked] = []
    for check in CHECKS:
        try:
            found = list(check.find(seen))
        except NotSeenError as error:
            not_checked.append(NotChecked(check.name, error.reason, error.action))
        else:
            findings += found
            checked.append(check.name)
    if not checked:
        raise _nothing_seen(not_checked)
    findings.sort(key=lambda finding: finding.severity)
    return Report(_summary(seen), tuple(findings), tuple(checked), tuple(not_checked))


def _nothing_seen(not_checked: list[NotChecked]) -> OperationError:
    actions = sorted({each.action for each in not_checked if each.action})
    if actions:
        return OperationError(Code.ACCESS_DENIED, f"Nothing could be checked. Allow {', '.join(actions)}.")
    return OperationError(Code.AWS_UNREACHABLE, f"Nothing could be checked. {not_checked[0].reason}")


def _summary(seen: Observation) -> Summary:
    user_pool = _or_none(lambda: seen.pool)
    trigger = _or_none(lambda: seen.existing_trigger.name)
    issuer = None
    if user_pool is not None:
        issuer = pool_issuer(user_pool.id, updated=user_pool.issuer_form == "UPDATED")
    return Summary(
        table=_or_none(lambda: seen.table_name),
        user_pool_id=user_pool.id if user_pool else None,
        plan=user_pool.tier or None if user_pool else None,
        trigger=trigger,
        event_version=user_pool.event_version if user_pool and user_pool.trigger else None,
        issuer=issuer,
        publisher=_or_none(lambda: ", ".join(sorted(each.name for each in seen.publishers))),
        policy_version=_or_none(lambda: seen.in_force.bundle.version),
        rollout=_or_none(lambda: publishing.reach(seen.pointer)),
    )


def _or_none(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except NotSeenError:
        return None

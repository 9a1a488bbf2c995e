"""Audits and publishes changes from the table's stream.

``audit_handler`` and ``publish_handler`` have an event source mapping each, so that neither waits for the other;
``handler`` does both, for a deployment with one mapping. DynamoDB delivers at least once and in order; the response
names the first record that is left to do, and delivery resumes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.environment import PublisherEnvironment
from claimsmith.errors import ClaimsmithError, Code, StoreError
from claimsmith.service.audit import Recorded, audit_record
from claimsmith.service.publish import Outcome, Result, publish, waiting
from claimsmith.store import bundles
from claimsmith.store.dynamodb import BACKGROUND, BACKGROUND_SECONDS, Table, connect
from lambdas.telemetry import count, describe_bug, identify, logger, metrics, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Record = dict[str, Any]
    Step = Callable[[Sequence[Record], object], str | None]

_environment: Final = PublisherEnvironment.read()
_client: Final = connect(BACKGROUND)
_rows: Final = Table(_client, _environment.table)
_audit_rows: Final = Table(_client, _environment.audit_table)

#: Milliseconds that must be left to start with another record: Lambda forgets what a function did that ran out of time.
_RESERVE: Final = (BACKGROUND_SECONDS + 2) * 1000


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Audit each change, and publish once if the policy changed.

    Returns:
        ``batchItemFailures``, as the event source mapping expects it: Lambda resumes at the first of them.
    """
    return _done(event["Records"], context, _audit, _publish)


def audit_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Audit each change; otherwise as ``handler``."""
    return _done(event["Records"], context, _audit)


def publish_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish once if the policy changed; otherwise as ``handler``.

    An event without records comes from a schedule. Then nothing is known to have changed, but an edit may have been
    left by a publisher that was killed, or may wait for somebody.
    """
    if "Records" not in event:
        identify(context)
        _look_after()
        metrics.flush_metrics()
        return {}
    return _done(event["Records"], context, _publish)


def _done(records: Sequence[Record], context: object, *steps: Step) -> dict[str, Any]:
    identify(context)
    left = [number for step in steps if (number := step(records, context)) is not None]
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": number} for number in left]}


def _audit(records: Sequence[Record], context: object) -> str | None:
    """Audit each change; the number of the first record that is not audited yet."""
    count("Records", len(records))
    for record in records:
        number: str = record["dynamodb"]["SequenceNumber"]
        if _is_late(context):
            logger.info("the rest of the batch is left for the next run")
            return number
        try:
            _audit_record(record)
        except StoreError as error:
            _log_failure("change not audited", error)
            count("AuditErrors")
            return number
    return None


def _is_late(context: object) -> bool:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining is not None and remaining() < _RESERVE


def _audit_record(record: Record) -> None:
    audited = audit_record(_audit_rows, record)
    if audited is None:
        return
    if audited.recorded is not Recorded.DUPLICATE:
        count("Audited")
    if audited.recorded is Recorded.CUT:
        bug = {} if audited.problem is None else describe_bug(audited.problem)
        row = f"{audited.pk} {audited.sk}"
        logger.warning("audit row is abridged", extra={"code": Code.AUDIT_CUT, "row": row, **bug})
        count("AuditCut")


def _publish(records: Sequence[Record], _context: object) -> str | None:
    """Publish if the policy changed; the number of the first change that is not published."""
    changes = [record["dynamodb"] for record in records if _is_policy(record)]
    if not changes:
        return None
    try:
        _report(publish(_rows, by="publisher"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the stream delivers the change again
        _log_failure("policy not published", error)
        count("PublisherErrors")
        return str(changes[0]["SequenceNumber"])
    return None


def _is_policy(record: Record) -> bool:
    """Whether the policy changed, or may have: publishing a draft that has not changed does nothing."""
    try:
        return bool(record["dynamodb"]["Keys"][table.PK]["S"] == table.POLICY)
    except (KeyError, TypeError):
        return True


def _look_after() -> None:
    """Publish an edit that was left; say for how long one has been waiting for somebody.

    Before the first version, there is nothing to look after: a table may be new, or about to be restored.
    """
    if bundles.pointer(_rows) is None:
        return
    waited = waiting(_rows)
    if waited is None:
        outcome = publish(_rows, by="publisher")
        if outcome.result in (Result.PUBLISHED, Result.REFUSED):
            _report(outcome)
    seconds("PolicyWaiting", 0 if waited is None else waited)


def _report(outcome: Outcome) -> None:
    fields = {"result": outcome.result, "policy_version": outcome.version}
    if outcome.result is Result.REFUSED:
        codes = sorted({finding.code for finding in outcome.findings})
        logger.error("policy refused; the version in force stays", extra={**fields, "codes": codes})
        count("PolicyProblems", len(outcome.findings))
    else:
        logger.info("policy processed", extra=fields)
    count(f"Policy{outcome.result.capitalize()}")


def _log_failure(what: str, error: Exception) -> None:
    code = {"code": error.code} if isinstance(error, ClaimsmithError) else {}
    logger.error(what, extra={**code, **describe_bug(error)})

"""Publishes and audits changes from the table's stream: ``lambdas.publisher.handler.handler``.

DynamoDB delivers at least once and in order; the response names the first failed record, and delivery resumes there.
"""

from __future__ import annotations

from typing import Any, Final

from claimsmith import table
from claimsmith.environment import PublisherEnvironment
from claimsmith.errors import ClaimsmithError, Code
from claimsmith.service import audit
from claimsmith.service.audit import Recorded
from claimsmith.service.publish import Result, publish
from claimsmith.store.dynamodb import PATIENT, Table, connect
from lambdas.telemetry import count, describe_bug, logger, metrics

_environment: Final = PublisherEnvironment.read()
_client: Final = connect(PATIENT)
_rows: Final = Table(_client, _environment.table)
_audit: Final = Table(_client, _environment.audit_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Audit each change, then publish once if the policy changed.

    Returns:
        ``batchItemFailures``, as the event source mapping expects it.
    """
    count("Records", len(event["Records"]))
    failed = None
    policy_changes: list[str] = []
    for record in event["Records"]:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            if _audit_record(record):
                policy_changes.append(sequence_number)
        except Exception as error:  # noqa: BLE001 - report any failed record to the stream, which retries it
            _log_failure("change not audited", error)
            failed = sequence_number
            break
    if policy_changes:
        try:
            _publish()
        except Exception as error:  # noqa: BLE001 - as above
            _log_failure("policy not published", error)
            failed = policy_changes[0]
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def _audit_record(record: dict[str, Any]) -> bool:
    """Audit a change.

    Returns:
        Whether it is a change of the policy.
    """
    change = audit.read_change(record)
    if not table.is_streamed(change.pk):
        return False
    recorded = audit.record(_audit, change)
    if recorded is not Recorded.DUPLICATE:
        count("Audited")
    if recorded is Recorded.CUT:
        logger.warning("audit row is abridged", extra={"code": Code.AUDIT_CUT, "row": f"{change.pk} {change.sk}"})
        count("AuditCut")
    return change.pk == table.POLICY


def _publish() -> None:
    outcome = publish(_rows, by="publisher")
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
    count("PublisherErrors")

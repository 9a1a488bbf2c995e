"""The custom resource that attaches a trigger to a user pool: ``lambdas.attach.handler.handler``.

It does what ``claimsmith attach --yes`` does when the resource is created or updated, and ``claimsmith detach --yes``
when it is deleted. CloudFormation waits until something is put at the event's ``ResponseURL``
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html), so every event is answered.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.user_pool import trigger
from claimsmith.errors import ClaimsmithError, Code, OperationError
from claimsmith.service.attach import Attacher, EventVersion, Proposal
from claimsmith.store.deployment import Deployment
from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.store.pool_settings import PoolSettings
from lambdas.telemetry import describe_bug, identify, logger

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds that may pass until CloudFormation's bucket answers.
_TIMEOUT: Final = 20

#: CloudFormation takes 4,096 bytes in all.
_MOST: Final = 1_000


def handler(event: dict[str, Any], context: object) -> None:
    """Attach on create and update, detach on delete, and tell CloudFormation."""
    identify(context)
    try:
        _carry_out(event)
    except ClaimsmithError as error:
        logger.error("not done", extra={"code": error.code, "request": event["RequestType"]})
        _answer(event, "FAILED", str(error))
    except Exception as error:  # noqa: BLE001 - unanswered, CloudFormation would wait for an hour
        logger.error("not done", extra={**describe_bug(error), "request": event["RequestType"]})
        _answer(event, "FAILED", f"A bug; the function's log has the details. [{Code.INTERNAL}]")
    else:
        _answer(event, "SUCCESS", "")


def _carry_out(event: Mapping[str, Any]) -> None:
    attacher = Attacher(PoolSettings(), Deployment(), lambda name: Table(connect(PATIENT), name), "cloudformation")
    if event["RequestType"] != "Delete":
        _log(attacher.carry_out(_to_attach(attacher, event["ResourceProperties"])))
        return
    wanted = event["ResourceProperties"]
    try:
        proposal = attacher.propose_detaching(wanted["UserPoolId"], function=wanted["Function"], table=wanted["Table"])
        logger.info(proposal.note)
        _log(attacher.carry_out(proposal))
    except OperationError as error:
        if error.code != Code.NOT_FOUND:
            raise
        logger.warning("the pool is gone, so there is nothing to detach", extra={"pool": wanted["UserPoolId"]})


def _to_attach(attacher: Attacher, wanted: Mapping[str, str]) -> Proposal:
    versions: dict[str, EventVersion] = {"V2_0": "V2_0", "V3_0": "V3_0"}
    return attacher.propose_attaching(
        wanted["UserPoolId"],
        function=wanted["Function"],
        table=wanted["Table"],
        version=versions[wanted["EventVersion"]],
        replace_other=wanted.get("Replace") == "true",
    )


def _log(settings: Mapping[str, Any]) -> None:
    logger.info("done", extra={"pool": settings["Id"], "trigger": trigger(settings)})


def _answer(event: Mapping[str, Any], status: str, reason: str) -> None:
    """Tell CloudFormation, also which pool it is: another pool is another resource, so the earlier one is deleted."""
    answer = {
        "Status": status,
        "Reason": reason[:_MOST],
        "PhysicalResourceId": f"claimsmith-attachment-{event['ResourceProperties'].get('UserPoolId', '')}",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")  # noqa: S310 - CloudFormation's
    with urllib.request.urlopen(request, timeout=_TIMEOUT):  # noqa: S310 - as above
        pass

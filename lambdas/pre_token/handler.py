"""The pre token generation trigger: ``lambdas.pre_token.handler.handler``.

A refusal raises an error, whose text Cognito shows to the user. The function never fails with any other error. What the
policy does not reach yet (``engine.rollout``) is answered as it came, whatever happens.
"""

from __future__ import annotations

import gc

# Garbage collection during imports finds nothing and takes a tenth of a cold start.
gc.disable()

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.effect import effect
from claimsmith.environment import TriggerEnvironment
from claimsmith.errors import Code, EventError, SignInRefusedError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.issue import WARM_SECONDS, Issued, Issuer, RefusedError, Untouched
from lambdas.rows import open_table
from lambdas.snapshots import Renewed

_environment: Final = TriggerEnvironment.read()


class _Started(NamedTuple):
    opened: Opened
    issuer: Issuer
    warmed: Callable[[float], Code | None]


def _start() -> _Started:
    opened = open_table(_environment.table)
    issuer = Issuer(opened.table, _environment.on_failure)
    return _Started(opened, issuer, issuer.begin_to_warm())


_process: Final = Renewed(_start, lambda started: started.opened.table.close())

# A third of all imports, while the network works.
from lambdas.telemetry import count, describe_bug, identify, logger, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from claimsmith.engine.facts import Problem
    from lambdas.rows import Opened


def _tell(started: _Started) -> None:
    """Wait for the policy, and log what is unusual."""
    if started.opened.why is not None:
        logger.info("botocore reads the table", extra={"why": started.opened.why})
    if (failure := started.warmed(WARM_SECONDS)) is not None:
        logger.warning("no policy at start; the first sign-in tries again", extra={"code": failure})


_process.tell(_tell)

#: Refusals that no policy decided: something is broken, and an alarm goes off.
_FAILURES: Final = frozenset(
    {
        Code.STORE_UNAVAILABLE,
        Code.NO_BUNDLE,
        Code.BUNDLE_UNREADABLE,
        Code.DEADLINE_EXCEEDED,
        Code.UNKNOWN_TRIGGER_SOURCE,
        Code.EVENT_VERSION,
    }
)

#: Names of one kind that a line of the log has at most.
_LOGGED: Final = 50

gc.freeze()
gc.enable()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one event from Cognito.

    Raises:
        SignInRefusedError: no token; the text ends with a code from ``docs/reference/codes.md``.
    """
    identify(context)
    try:
        issued = _process.now.issuer.answer(event)
        if isinstance(issued, Untouched):
            with suppress(Exception):  # a report that fails must not refuse a sign-in
                _log_untouched(issued)
        else:
            _log_issued(issued)
    except SignInRefusedError as refused:
        _log_refused(refused)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the user sees only a code
        logger.error("sign-in refused because of a bug", extra={"code": Code.INTERNAL, **describe_bug(error)})
        count("Failed")
        raise SignInRefusedError(Code.INTERNAL) from None
    finally:
        with suppress(Exception):
            metrics.flush_metrics()
    answer: dict[str, Any] = issued.event
    return answer


def _log_issued(issued: Issued) -> None:
    fields = {
        "source": issued.request.source,
        "client_id": issued.request.client_id,
        "policy_version": issued.version,
        "roles": len(issued.decision.roles),
        "dropped": sum(1 for reason in issued.decision.reasons if reason.outcome == "dropped"),
    }
    if issued.degraded is None:
        logger.info("token issued", extra=fields)
        count("Issued")
    else:
        logger.error("token issued without claims", extra={**fields, "code": issued.degraded})
        count("Degraded")
    _log_problems(issued.decision.problems)


def _log_untouched(untouched: Untouched) -> None:
    """Log what would have happened, by name, in one line."""
    outcome = untouched.outcome
    if untouched.in_shadow:
        count("Shadowed")
    if isinstance(outcome, Issued):
        _log_shadow(outcome)
    elif isinstance(outcome, RefusedError):
        logger.warning("sign-in left as it is; the policy would refuse it", extra=_refusal(outcome))
        count("ShadowRefused")
        _log_problems(outcome.refusal.problems)
    else:
        fields = _refusal(outcome) if isinstance(outcome, SignInRefusedError) else describe_bug(outcome)
        logger.error("sign-in left as it is; there is no decision", extra={"code": Code.INTERNAL, **fields})
        count("ShadowFailed" if untouched.in_shadow else "Degraded")


def _log_shadow(issued: Issued) -> None:
    would = effect(issued.request, issued.decision.changes)
    found = {name: names for name, names in would._asdict().items() if names}
    fields = {
        "source": issued.request.source,
        "client_id": issued.request.client_id,
        "policy_version": issued.version,
        "would": {name: names[:_LOGGED] for name, names in found.items()},
        "would_count": {name: len(names) for name, names in found.items()},
    }
    if issued.degraded is None:
        logger.info("sign-in left as it is", extra=fields)
        count("ShadowChanged", int(bool(found)))
        count("ShadowTakesAway", int(would.takes_away))
    else:
        logger.error("sign-in left as it is; there is no decision", extra={**fields, "code": issued.degraded})
        count("ShadowFailed")
    _log_problems(issued.decision.problems)


def _log_refused(refused: SignInRefusedError) -> None:
    logger.warning("sign-in refused", extra=_refusal(refused))
    if isinstance(refused, RefusedError):
        _log_problems(refused.refusal.problems)
    count("Failed" if refused.code in _FAILURES else "Refused")


def _refusal(refused: SignInRefusedError) -> dict[str, Any]:
    """The log fields for a refusal."""
    fields: dict[str, Any] = {"code": refused.code}
    if isinstance(refused, RefusedError):
        fields |= {
            "source": refused.request.source,
            "client_id": refused.request.client_id,
            "policy_version": refused.version,
            "reasons": [
                f"{reason.source}: {reason.detail}" for reason in refused.refusal.reasons if reason.outcome == "refused"
            ],
        }
    elif isinstance(refused, EventError):
        fields["where"] = refused.detail
    else:
        fields["cause"] = type(refused.__cause__).__name__
    return fields


def _log_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        logger.error(
            "row cannot be read" if problem.code == Code.ROW_UNREADABLE else "row is not applied",
            extra={"code": problem.code, "row": problem.row, "attribute": problem.attribute, "why": problem.why},
        )
        count("UnreadableRows")

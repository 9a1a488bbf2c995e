"""Checks of alarms: that there are some, that somebody hears them, and that none is raised."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.service.checkup.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from claimsmith.store.deployment import Alarm

#: Of the metrics that the functions publish themselves.
_NAMESPACE: Final = "Claimsmith"


def ours(alarms: Sequence[Alarm], resources: Collection[str]) -> list[Alarm]:
    """The alarms that watch these functions, tables and queues, or the functions' own metrics."""
    return [alarm for alarm in alarms if _NAMESPACE in alarm.namespaces or alarm.watches & set(resources)]


def present(alarms: Sequence[Alarm], watched: Collection[str]) -> Iterator[Finding]:
    """Functions and queue should be watched, and no alarm should be raised.

    Args:
        alarms: those of this deployment.
        watched: the resources that must have one.
    """
    for name in watched:
        if not any(name in alarm.watches for alarm in alarms):
            yield Finding(
                Code.NO_ALARMS,
                name,
                "No alarm watches it: nobody learns when it fails.",
                "Restore the stack's alarms for it; CloudFormation can detect such drift.",
            )
    for alarm in alarms:
        if alarm.state == "ALARM":
            yield Finding(
                Code.ALARM_RAISED,
                alarm.name,
                "The alarm is raised now.",
                "Its description says what it means and where to read what to do.",
            )


def heard(alarms: Sequence[Alarm], subscribers: Mapping[str, int]) -> Iterator[Finding]:
    """Somebody must be notified.

    Args:
        alarms: those of this deployment.
        subscribers: how many have confirmed, by the ARN of the topic.
    """
    silent = [alarm.name for alarm in alarms if not alarm.actions]
    if silent:
        yield Finding(
            Code.ALARM_UNHEARD,
            silent[0],
            f"{_counted(len(silent), 'alarm notifies', 'alarms notify')} nobody: no actions, or actions are off.",
            "Turn the actions on, or give the alarms one.",
        )
    notify = Counter(action for alarm in alarms for action in set(alarm.actions))
    for topic, count in sorted(notify.items()):
        if subscribers.get(topic) == 0:
            yield Finding(
                Code.ALARM_UNHEARD,
                topic.rpartition(":")[2],
                f"{_counted(count, 'alarm notifies', 'alarms notify')} this topic, and nobody has subscribed to it, or "
                "confirmed.",
                "Subscribe to it (stack output AlarmTopicArn), or deploy with alarm_emails in the stage's file and "
                "confirm.",
            )


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"

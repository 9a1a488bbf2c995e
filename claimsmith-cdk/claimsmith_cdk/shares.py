"""The share of what goes wrong, of which one failure at night is no share yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: CloudWatch looks each minute at the last so many. Long enough for three failures where few people sign in, and an
#: outage of everything is a tenth of it after a minute and a half.
WINDOW: Final = Duration.minutes(15)


def share(
    *wrong: cloudwatch.IMetric,
    rest: Sequence[cloudwatch.IMetric] = (),
    whole: cloudwatch.IMetric | None = None,
    least: int,
) -> cloudwatch.MathExpression:
    """What went wrong, in percent of all that happened in ``WINDOW``; 0 if it is less than ``least``.

    A minimum of what went wrong, not of traffic: three failures of three matter, and one of two does not.

    Args:
        wrong: counts of what went wrong; with the others at most ten, CloudWatch's quota for an alarm.
        rest: counts of what did not.
        whole: in place of ``rest``, the count of all.
        least: so many must have gone wrong.
    """
    bad = {f"w{number}": metric for number, metric in enumerate(wrong)}
    others = {f"r{number}": metric for number, metric in enumerate(rest)} if whole is None else {"whole": whole}
    failed, total = summed(bad), summed({**bad, **others} if whole is None else others)
    return cloudwatch.MathExpression(
        expression=f"IF({failed} >= {least}, 100 * ({failed}) / ({total}), 0)",
        using_metrics={**bad, **others},
        period=WINDOW,
        label="%",
    )


def summed(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    """The sum of metrics in an expression; one that has no data is 0, not unknown."""
    return " + ".join(f"FILL({name}, 0)" for name in metrics)

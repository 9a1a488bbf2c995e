"""A dashboard of what a deployment does: one row of widgets for each question that somebody asks of it.

CloudWatch bills a custom metric for each combination of dimensions, and a query only when somebody looks. So what has
many values (codes, versions, rows) is counted in the logs, and needs no metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from claimsmith_cdk.metrics import PERIOD
from claimsmith_cdk.shares import summed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk.claim_customizer import ClaimCustomizer
    from claimsmith_cdk.stream_readers import StreamReaders
    from claimsmith_cdk.verifier import Verifier

#: A dashboard is 24 wide.
_WIDTH: Final = 24
_HEIGHT: Final = 6

_COGNITO_WAITS: Final = 5000

_CODES: Final = ("filter ispresent(code)", "stats count(*) as lines by code, message", "sort lines desc")
_VERSIONS: Final = ("filter message = 'token issued'", "stats count(*) as tokens by bin(5m), policy_version")
_ROWS: Final = (
    "filter ispresent(row)",
    "stats count(*) as lines, latest(@timestamp) as last by row, attribute, code",
    "sort lines desc",
)


class ClaimsDashboard(Construct):
    """A dashboard to which customizers, verifiers and APIs are added, each with its rows.

    The first three dashboards of an account are free, others cost three dollars a month
    (https://aws.amazon.com/cloudwatch/pricing/). Queries of the logs are billed by what they read, when somebody looks.

    Attributes:
        dashboard: for widgets of your own.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str | None = None) -> None:
        """Create an empty dashboard.

        Args:
            scope: where.
            construct_id: its id.
            name: what the console lists it by; by default one that CloudFormation chooses.
        """
        super().__init__(scope, construct_id)
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=name)

    def add_customizer(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins, the policy's rollout, and, if they are this customizer's, publishing, the audit and the tables."""
        trigger = customizer.trigger
        issued, refused = customizer.metric_issued(), customizer.metric_refused()
        failed, degraded = customizer.metric_failed(), customizer.metric_degraded()
        self._heading(f"Sign-ins: {customizer.deployment}")
        self._row(
            _graph("Sign-ins by outcome", issued, refused, degraded, failed),
            _table("Sign-ins by code", [trigger], _CODES),
            _durations("How long the trigger takes (ms); Cognito waits five seconds", trigger, _COGNITO_WAITS),
        )
        self._row(
            _query(
                "Tokens by version of the policy",
                [trigger],
                _VERSIONS,
                cloudwatch.LogQueryVisualizationType.STACKEDAREA,
            ),
            _graph("Rows that were ignored", customizer.metric_unreadable_rows()),
            _table("Which rows, and why", [trigger], _ROWS),
        )
        shadow = [customizer.metric_shadow_changed(), customizer.metric_shadow_takes_away()]
        shadow += [customizer.metric_shadow_refused(), customizer.metric_shadow_failed()]
        self._row(
            _graph("Rollout: sign-ins in shadow, and what the policy would do", customizer.metric_shadowed(), *shadow),
            _graph(
                "Calls of the trigger that did not run, or not to an end",
                trigger.metric_throttles(period=PERIOD),
                trigger.metric_errors(period=PERIOD),
            ),
        )
        if customizer.readers is not None:
            self._add_readers(customizer, customizer.readers)
            self.add_table("Table", customizer.table)

    def _add_readers(self, customizer: ClaimCustomizer, readers: StreamReaders) -> None:
        published, audited = readers.publisher, readers.audit
        age = {"Publisher": published.function, "Audit": audited.function}
        behind = [
            function.metric("IteratorAge", statistic="max", period=PERIOD, label=name) for name, function in age.items()
        ]
        given_up = [
            reader.metric(metric).with_(label=f"{name}: {what}")
            for name, reader in (("Publisher", published), ("Audit", audited))
            for metric, what in (("OnFailureDestinationDeliveredEventCount", "kept"), ("DroppedEventCount", "lost"))
        ]
        self._heading(f"Policy and audit: {customizer.deployment}")
        self._row(
            _graph("How far publisher and audit are behind the table (ms)", *behind),
            _graph("How long an edit waits for somebody (s)", customizer.metric_policy_waiting()),
            _graph("Changes that were given up on", *given_up),
        )
        self._row(
            _graph("Policies", customizer.metric_policy_published(), customizer.metric_policy_problems()),
            _graph("Changes audited", customizer.metric_audited(), customizer.metric_audit_cut()),
            _graph("Tried again", customizer.metric_publisher_errors(), customizer.metric_audit_errors()),
        )

    def add_table(self, name: str, table: dynamodb.ITable) -> None:
        """What a table is asked, and what it refuses."""
        of = {"TableName": table.table_name}
        self._row(
            _graph(f"{name}: capacity that was read and written", *_dynamodb("Consumed{}CapacityUnits", of)),
            _graph(f"{name}: requests that DynamoDB refused", *_dynamodb("{}ThrottleEvents", of)),
        )

    def add_verifiers(self, *verifiers: Verifier) -> None:
        """Tokens that were checked, and revocations; of verifiers of one deployment, whose metrics are common."""
        for one in verifiers[:1]:
            answers = [one.metric(name) for name in ("Allowed", "Forbidden", "Unauthorized")]
            states = [one.metric(name) for name in ("Active", "Inactive", "RequestRefused")]
            unknown, read = one.metric_unknown(), one.metric_revocations_read()
            checked = {f"c{number}": metric for number, metric in enumerate([*answers, *states])}
            self._heading(f"Verification: {one.deployment}")
            self._row(
                _graph("Requests by the authorizers' answer", *answers, unknown),
                _graph("Introspection by answer", *states, one.metric("RateLimited")),
                _table("Refusals by code", [verifier.function for verifier in verifiers], _CODES),
            )
            self._row(
                _graph(
                    "Revocations read for each token; caches lower it",
                    cloudwatch.MathExpression(
                        expression=f"FILL(read, 0) / ({summed(checked)})",
                        using_metrics={"read": read, **checked},
                        label="rows",
                        period=PERIOD,
                    ),
                ),
                _graph("Revocations that cannot be read", one.metric_unreadable_rows()),
            )
        for verifier in verifiers:
            name, function = verifier.node.id, verifier.function
            self._row(
                _durations(f"How long {name} takes (ms)", function),
                _graph(
                    f"{name}: calls that did not run, or not to an end",
                    function.metric_throttles(period=PERIOD),
                    function.metric_errors(period=PERIOD),
                ),
            )

    def add_api(
        self, name: str, *, requests: cloudwatch.IMetric, refused: cloudwatch.IMetric, failed: cloudwatch.IMetric
    ) -> None:
        """What callers of an API get.

        Args:
            name: in the titles.
            requests: how many there are.
            refused: those that end with a status of 400 to 499.
            failed: those that end with a status of 500 or more.
        """
        self._row(_graph(f"{name}: requests, and those with 4xx and 5xx", requests, refused, failed))

    def _heading(self, text: str) -> None:
        self.dashboard.add_widgets(cloudwatch.TextWidget(markdown=f"## {text}", width=_WIDTH, height=1))

    def _row(self, *widgets: cloudwatch.ConcreteWidget) -> None:
        """Widgets beside each other, a third of the width each."""
        self.dashboard.add_widgets(*widgets)


def _graph(
    title: str, *metrics: cloudwatch.IMetric, lines: Sequence[cloudwatch.HorizontalAnnotation] = ()
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_annotations=list(lines),
        left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
        width=_WIDTH // 3,
        height=_HEIGHT,
    )


def _durations(title: str, function: lambda_.IFunction, limit: int | None = None) -> cloudwatch.GraphWidget:
    shown = [
        function.metric_duration(period=PERIOD, statistic=statistic, label=statistic)
        for statistic in ("p50", "p99", "Maximum")
    ]
    lines = [] if limit is None else [cloudwatch.HorizontalAnnotation(value=limit, label="Cognito stops waiting")]
    return _graph(title, *shown, lines=lines)


def _dynamodb(name: str, of: dict[str, str]) -> list[cloudwatch.Metric]:
    """A metric of a table for reads, and one for writes."""
    return [
        cloudwatch.Metric(
            namespace="AWS/DynamoDB",
            metric_name=name.format(kind),
            dimensions_map=of,
            statistic="sum",
            period=PERIOD,
            label=kind,
        )
        for kind in ("Read", "Write")
    ]


def _table(title: str, functions: Sequence[lambda_.Function], query: Sequence[str]) -> cloudwatch.LogQueryWidget:
    return _query(title, functions, query, cloudwatch.LogQueryVisualizationType.TABLE)


def _query(
    title: str,
    functions: Sequence[lambda_.Function],
    query: Sequence[str],
    view: cloudwatch.LogQueryVisualizationType,
) -> cloudwatch.LogQueryWidget:
    return cloudwatch.LogQueryWidget(
        title=title,
        log_group_names=[function.log_group.log_group_name for function in functions],
        query_lines=list(query),
        view=view,
        width=_WIDTH // 3,
        height=_HEIGHT,
    )

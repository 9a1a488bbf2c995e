"""The customizing part: tables, trigger and publisher, for any user pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, get_args

from aws_cdk import Annotations, CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from claimsmith import environment as variables
from claimsmith import table as names
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import key_statements, trigger_statements
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.log_group import removal_policy
from claimsmith_cdk.metrics import deployment_of, own_metric
from claimsmith_cdk.personas import (
    auditor_statements,
    directory_editor_statements,
    grant,
    operator_statements,
    policy_editor_statements,
    policy_reader_statements,
    recovery_statements,
)
from claimsmith_cdk.pool_attachment import AttachmentProps, PoolAttachment
from claimsmith_cdk.props import PropsError, check_choice, check_kind
from claimsmith_cdk.releases import failures
from claimsmith_cdk.stream_readers import StreamReaders, stream_readers
from claimsmith_cdk.user_pools import (
    Attach,
    TriggerVersion,
    allow,
    attach_by_template,
    attachment_of,
    check_place,
    user_pool_id,
    user_pool_issuer,
)

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_iam as iam

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Release, Releases
    from claimsmith_cdk.user_pools import AnyUserPool

# Cognito waits no longer for an answer.
_TRIGGER_TIMEOUT = Duration.seconds(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomizerProps:
    """What the trigger does.

    Attributes:
        trigger_version: the version of Cognito's event; ``V3_0`` includes client credentials, which is billed.
        on_failure: the result of a sign-in while the table cannot be read: ``deny``, or ``unenriched``.

    Raises:
        PropsError: a value is not possible.
    """

    trigger_version: TriggerVersion = "V2_0"
    on_failure: variables.OnFailure = "deny"

    def __post_init__(self) -> None:
        check_choice("trigger_version", self.trigger_version, get_args(TriggerVersion))
        check_choice("on_failure", self.on_failure, get_args(variables.OnFailure))


DEFAULT_PROPS: Final = CustomizerProps()


class ClaimCustomizer(Construct):
    """Customizes the claims of user pools.

    A pool must be on the Essentials or Plus plan. One on Lite, or with another pre token generation trigger, fails when
    the app is synthesised, if the pool is of this app.

    Attributes:
        table: policy, directory and bundles.
        audit_table: the audit of changes; None if another customizer writes it.
        trigger: the pre token generation function.
        live: what pools call: the trigger, or its alias.
        release: the trigger's version and alias; None without ``releases``.
        readers: what reads the table's stream, with the bucket of what it gives up on; None if another customizer has
            it. ``publisher`` is the function in it that publishes.
        user_pools: the pools, in the order in which they were added.
        deployment: the dimension ``deployment`` of its metrics.
    """

    def __init__(  # noqa: PLR0913 - what may be there already, and choices
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: AnyUserPool | None = None,
        attach: Attach | None = None,
        table: dynamodb.ITable | None = None,
        audit_table: dynamodb.ITable | None = None,
        props: CustomizerProps = DEFAULT_PROPS,
        hosting: Hosting = DEFAULT_HOSTING,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
    ) -> None:
        """Create tables, trigger and publisher, or what is missing of them.

        Args:
            scope: where.
            construct_id: its id.
            user_pool: the pool; others can follow by ``add_user_pool``.
            attach: see ``add_user_pool``.
            table: a table that is there already. Alone, it is that of another customizer, which publishes its policies
                and writes its audit; this one then only has a trigger.
            audit_table: with ``table``: both are yours, and this customizer publishes and audits. The table needs a
                stream of new and old images, and the index ``by_sk``.
            props: what the trigger does.
            hosting: what the functions run on, and whether data is kept.
            capacity: what the trigger gets of Lambda.
            releases: how the trigger is released; None: pools call its newest code at once.

        Raises:
            PropsError: the arguments contradict each other, or the pool cannot have this trigger.
        """
        check_kind("props", props, CustomizerProps)
        if audit_table is not None and table is None:
            raise PropsError("audit_table is not possible without table: give both, or neither.")
        if table is not None and audit_table is not None and table.table_stream_arn is None:
            raise PropsError(
                "table has no stream, so its changes cannot be published: turn on a stream of NEW_AND_OLD_IMAGES, and "
                "import the table with from_table_attributes(table_stream_arn=...)."
            )
        attachment = None if user_pool is None else attachment_of(user_pool, attach)
        super().__init__(scope, construct_id)
        self._props, self._hosting = props, hosting
        self.deployment = deployment_of(self, hosting)
        self._claim_deployment()
        self.user_pools: list[AnyUserPool] = []
        self.table: dynamodb.ITable = table or self._new_table()
        self.audit_table: dynamodb.ITable | None = audit_table or (
            None if table is not None else _table(self, "AuditTable", hosting)
        )
        # It must not reference a pool: pools reference it, which would be a cycle. The event has the pool's id.
        trigger = PythonFunction(
            self,
            "Trigger",
            module="lambdas.pre_token.handler",
            description="Decides the claims in the tokens of the user pool.",
            timeout=_TRIGGER_TIMEOUT,
            environment={variables.TABLE: self.table.table_name, variables.ON_FAILURE: props.on_failure},
            statements=trigger_statements(self.table),
            hosting=hosting,
            capacity=capacity,
            releases=releases,
        )
        self.trigger: lambda_.Function = trigger.function
        self.live: lambda_.IFunction = trigger.live
        self.release: Release | None = trigger.release
        if self.release is not None:
            # A refusal is an error too, and any suspended user can cause it.
            failed = failures(self.release.alias, but_not=(self.metric_refused(),))
            self.release.shift_unless("Sign-ins fail, and not because of the user.", failed)
        if user_pool is not None:
            self.add_user_pool(user_pool, attach=attachment)
        self.readers: StreamReaders | None = None
        self.publisher: lambda_.Function | None = None
        if self.audit_table is not None:
            self.readers = stream_readers(self, self.table, self.audit_table, hosting)
            self.publisher = self.readers.publisher.function

    def add_user_pool(self, user_pool: AnyUserPool, *, attach: Attach | None = None) -> None:
        """Customize the claims of a pool too. It may be in another stack.

        Args:
            user_pool: a pool of this app (``UserPool`` or ``CfnUserPool``), or an imported one.
            attach: ``template`` sets the trigger in the pool's template, the default for a pool of this app. ``none``
                only allows the pool to invoke the trigger, the default for an imported pool: it is attached by command,
                which an output names. ``resource`` attaches it when the stack is deployed (``PoolAttachment``), which
                fails while no policy is in force.

        Raises:
            PropsError: the pool cannot have this trigger, as one of another account or Region.
        """
        attachment = attachment_of(user_pool, attach)
        check_place(self, user_pool, "Its trigger is a function beside it, of its own account and Region:")
        if attachment == "template":
            attach_by_template(user_pool, self.trigger, self._props.trigger_version, called=self.live)
            if self.release is not None:
                allow(cast("Construct", user_pool), user_pool, self.release.alias)
        else:
            permission = allow(self, user_pool, self.trigger)
            if self.release is not None:
                permission = allow(self, user_pool, self.release.alias)
            if attachment == "resource":
                self._attach_by_resource(user_pool, permission)
            else:
                self._say_how_to_attach(user_pool)
        self.user_pools.append(user_pool)

    @property
    def issuers(self) -> tuple[str, ...]:
        """``iss`` of the tokens of each pool, in the same order: what verifiers and API Gateway's authorizers need."""
        return tuple(map(user_pool_issuer, self.user_pools))

    def _attach_by_resource(self, user_pool: AnyUserPool, permission: lambda_.CfnPermission) -> None:
        attached = PoolAttachment(
            self,
            f"Attachment{user_pool.node.addr[-8:]}",
            user_pool=user_pool,
            trigger=self.live,
            table=self.table,
            props=AttachmentProps(trigger_version=self._props.trigger_version),
            hosting=self._hosting,
        )
        attached.resource.node.add_dependency(permission)

    def _say_how_to_attach(self, user_pool: AnyUserPool) -> None:
        CfnOutput(
            self,
            f"Attach{user_pool.node.addr[-8:]}",
            value=f"claimsmith attach --user-pool-id {user_pool_id(user_pool)} --function {self.live.function_arn}",
            description=f"{user_pool.node.path} does not call the trigger yet. Once a policy is in force, run this.",
        )
        Annotations.of(self).add_info_v2(
            "claimsmith:attach",
            f"{user_pool.node.path} does not call the trigger yet. Once this stack is deployed and a policy is in "
            "force, run the command in the output that begins with Attach.",
        )

    def _claim_deployment(self) -> None:
        """Refuse a second customizer with the same name in a stack: each would ring the other's alarms."""
        marker, stack = f"claimsmith:{self.deployment}", Stack.of(self)
        if stack.node.try_find_child(marker) is not None:
            raise PropsError(
                f"Another ClaimCustomizer of {stack.stack_name} has the deployment {self.deployment!r} too: their "
                "metrics and alarms would be one. Name this one: hosting=Hosting(deployment=...)."
            )
        Construct(stack, marker)

    def grant_read_policy(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow reading the policy, its versions and what is wrong with the draft."""
        return self._grant(grantee, policy_reader_statements(self.table))

    def grant_edit_policy(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow what a policy editor may do: edit the draft. Publishing checks it."""
        return self._grant(grantee, policy_editor_statements(self.table))

    def grant_edit_directory(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow what a directory editor may do: edit tenants, users and memberships, and find users of the pools."""
        return self._grant(grantee, directory_editor_statements(self.table, self.user_pools))

    def grant_audit(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow what an auditor may do: read everything and write nothing."""
        return self._grant(grantee, auditor_statements(self.table, self.audit_table, self.user_pools))

    def grant_recover(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow ``claimsmith backup``, ``restore`` and ``replay``: write every row, and append to the audit."""
        failed = None if self.readers is None else self.readers.failed_records
        return self._grant(grantee, recovery_statements(self.table, self.audit_table, failed))

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow what an operator may do: apply, roll back, revoke, and manage protected resources."""
        return self._grant(grantee, operator_statements(self.table, self.audit_table, self.user_pools))

    def metric_issued(self) -> cloudwatch.Metric:
        """Tokens that were issued with claims."""
        return self._metric("pre_token", "Issued")

    def metric_refused(self) -> cloudwatch.Metric:
        """Sign-ins that were refused because of the user, tenant or client."""
        return self._metric("pre_token", "Refused")

    def metric_failed(self) -> cloudwatch.Metric:
        """Sign-ins that failed, and not because of the user."""
        return self._metric("pre_token", "Failed")

    def metric_degraded(self) -> cloudwatch.Metric:
        """Tokens without tenant, roles and managed scopes (``on_failure="unenriched"``)."""
        return self._metric("pre_token", "Degraded")

    def metric_shadowed(self) -> cloudwatch.Metric:
        """Sign-ins that the policy does not reach yet."""
        return self._metric("pre_token", "Shadowed")

    def metric_shadow_failed(self) -> cloudwatch.Metric:
        """Those of them for which there was no decision."""
        return self._metric("pre_token", "ShadowFailed")

    def metric_shadow_refused(self) -> cloudwatch.Metric:
        """Those of them that the policy would refuse."""
        return self._metric("pre_token", "ShadowRefused")

    def metric_shadow_changed(self) -> cloudwatch.Metric:
        """Those of them whose tokens the policy would change."""
        return self._metric("pre_token", "ShadowChanged")

    def metric_shadow_takes_away(self) -> cloudwatch.Metric:
        """Those of them from whose tokens the policy would take something."""
        return self._metric("pre_token", "ShadowTakesAway")

    def metric_unreadable_rows(self) -> cloudwatch.Metric:
        """Rows that a sign-in could not read and treated as missing."""
        return self._metric("pre_token", "UnreadableRows")

    def metric_policy_published(self) -> cloudwatch.Metric:
        """Versions that were published."""
        return self._metric("publisher", "PolicyPublished")

    def metric_audited(self) -> cloudwatch.Metric:
        """Changes that were audited."""
        return self._metric("publisher", "Audited")

    def metric_policy_problems(self) -> cloudwatch.Metric:
        """Findings that prevented a policy from being published."""
        return self._metric("publisher", "PolicyProblems")

    def metric_policy_waiting(self) -> cloudwatch.Metric:
        """For how many seconds a refused draft, or an apply that has not finished, waits for somebody."""
        return self._metric("publisher", "PolicyWaiting", statistic="max")

    def metric_publisher_errors(self) -> cloudwatch.Metric:
        """Failures of publishing, which is retried."""
        return self._metric("publisher", "PublisherErrors")

    def metric_audit_errors(self) -> cloudwatch.Metric:
        """Failures of the audit, which is retried."""
        return self._metric("publisher", "AuditErrors")

    def metric_audit_cut(self) -> cloudwatch.Metric:
        """Changed rows that did not fit into their audit row."""
        return self._metric("publisher", "AuditCut")

    def _grant(self, grantee: iam.IGrantable, statements: list[iam.PolicyStatement]) -> iam.Grant:
        return grant(grantee, [*statements, *key_statements(self._hosting.encryption_key)])

    def _metric(self, service: str, name: str, statistic: str = "sum") -> cloudwatch.Metric:
        return own_metric(name, service=service, deployment=self.deployment, statistic=statistic)

    def _new_table(self) -> dynamodb.Table:
        table = _table(self, "Table", self._hosting, stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        table.add_global_secondary_index(
            index_name=names.BY_SK,
            partition_key=_key(names.SK),
            sort_key=_key(names.PK),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        return table


def _table(
    scope: Construct, construct_id: str, hosting: Hosting, *, stream: dynamodb.StreamViewType | None = None
) -> dynamodb.Table:
    key = hosting.encryption_key
    table = dynamodb.Table(
        scope,
        construct_id,
        partition_key=_key(names.PK),
        sort_key=_key(names.SK),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute=names.TTL,
        stream=stream,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=hosting.retain
        ),
        deletion_protection=hosting.retain,
        encryption=None if key is None else dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        removal_policy=removal_policy(hosting),
    )
    if not hosting.retain:
        acknowledge(
            table, "DDB3", "A development table may be deleted without a backup; in production it is backed up."
        )
    return table


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

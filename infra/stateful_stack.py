"""The stack of everything that must not be lost: the pool, the tables and their functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_sns_subscriptions as subscriptions

from claimsmith_cdk import AdminPersonas, AlarmTopic, ClaimAlarms, ClaimCustomizer, ClaimsDashboard, SignInProbe
from infra.domain import Domain
from infra.local_stack import remove_metric_math
from infra.pool import Pool, own_domain_prefix
from infra.tokens import accepted_tokens

if TYPE_CHECKING:
    from aws_cdk import Environment
    from aws_cdk import aws_cognito as cognito
    from constructs import Construct

    from infra.config import Config


class StatefulStack(Stack):
    """The stack of everything that must not be lost.

    Attributes:
        pool: the user pool and its clients.
        customizer: the tables and their functions.
        alarm_topic: the topic that alarms notify.
        login: the address of the pool's domain, for another stack; None where the stage has none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        env: Environment | None = None,
        stack_name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=env,
            stack_name=stack_name,
            description="Claimsmith: a user pool with token claims from DynamoDB.",
            termination_protection=config.production,
        )
        self.pool = pool = Pool(self, "Pool", config=config)
        self.customizer = customizer = ClaimCustomizer(
            self,
            "Claims",
            user_pool=pool.user_pool,
            props=config.customizer,
            hosting=config.hosting,
            capacity=config.trigger_capacity.props,
            releases=config.release_props,
        )
        self.login = self._login(config)
        self.alarm_topic = AlarmTopic(self, "AlarmTopic").topic
        for address in config.alarm_emails:
            self.alarm_topic.add_subscription(subscriptions.EmailSubscription(address))
        personas = AdminPersonas(
            self,
            "Personas",
            table=customizer.table,
            audit_table=customizer.audit_table,
            user_pools=[pool.user_pool],
            failed_records=None if customizer.readers is None else customizer.readers.failed_records,
        )
        alarms = ClaimAlarms(self, "Alarms", topic=self.alarm_topic, thresholds=config.thresholds)
        alarms.watch_customizer(customizer)
        clients = [client.user_pool_client_id for client in (pool.public_client, pool.code_client)]
        alarms.watch_attachment(customizer, pool.user_pool.user_pool_id, clients)
        probed: dict[str, str] = {}
        if config.probe is not None:
            probe = SignInProbe(
                self,
                "Probe",
                user_pool=pool.user_pool,
                customizer=customizer,
                tokens=accepted_tokens(pool.user_pool, config),
                props=config.probe.props,
                hosting=config.hosting,
            )
            alarms.watch_probe(probe)
            probed = {"ProbeName": probe.function.function_name, "ProbeSecretArn": probe.secret.secret_arn}
        if config.jwks_endpoint is not None:
            remove_metric_math(alarms)
        if config.has_dashboard:
            dashboard = ClaimsDashboard(self, "Dashboard", name=f"{self.stack_name}-{self.region}")
            dashboard.add_customizer(customizer)
        audit_table, readers = customizer.audit_table, customizer.readers
        assert audit_table is not None  # noqa: S101 - both, where the customizer makes the tables
        assert readers is not None  # noqa: S101
        outputs = {
            "UserPoolId": pool.user_pool.user_pool_id,
            "PublicClientId": pool.public_client.user_pool_client_id,
            "CodeClientId": pool.code_client.user_pool_client_id,
            "MachineClientId": pool.machine_client.user_pool_client_id,
            "Issuer": customizer.issuers[0],
            **({} if pool.domain is None else {"DomainName": _host(pool.domain, config)}),
            "TableName": customizer.table.table_name,
            "AuditTableName": audit_table.table_name,
            "TriggerName": customizer.trigger.function_name,
            "PublisherName": readers.publisher.function.function_name,
            "AuditName": readers.audit.function.function_name,
            "FailedRecordsBucket": readers.failed_records.bucket_name,
            "AlarmTopicArn": self.alarm_topic.topic_arn,
            "PolicyEditorArn": personas.policy_editor.managed_policy_arn,
            "DirectoryEditorArn": personas.directory_editor.managed_policy_arn,
            "AuditorArn": personas.auditor.managed_policy_arn,
            "OperatorArn": personas.operator.managed_policy_arn,
            "RecoveryArn": personas.recovery.managed_policy_arn,
            **probed,
        }
        for name, value in outputs.items():
            # The construct's id may be taken; the output's name is an interface.
            CfnOutput(self, f"Output{name}", value=value).override_logical_id(name)

    def _login(self, config: Config) -> str | None:
        """The address of the pool's domain, without a reference to the domain.

        CloudFormation changes nothing that another stack imports, so such a reference would forbid a stage to choose
        another domain. The prefix that a stage has by default is the same for ever, and is exported in any case.
        """
        prefix = self.export_value(own_domain_prefix(), name=f"{self.stack_name}:OwnDomainPrefix")
        chosen = config.domain
        if chosen == "none":
            return None
        if isinstance(chosen, Domain):
            if chosen.name is not None:
                return f"https://{chosen.name}"
            prefix = str(chosen.prefix)
        return f"https://{prefix}.auth.{Aws.REGION}.amazoncognito.com"


def _host(domain: cognito.UserPoolDomain, config: Config) -> str:
    """The host of the pool's domain. The domain's name is its prefix, or all of it."""
    custom = isinstance(config.domain, Domain) and config.domain.name is not None
    return domain.domain_name if custom else f"{domain.domain_name}.auth.{Aws.REGION}.amazoncognito.com"

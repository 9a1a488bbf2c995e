"""Managed policies for people and their tools, by partition keys. Attach them to your own roles.

Only the operator's tools may write bundles (``BUNDLE``, ``LEASE``), callers of introspection
(``PROTECTED_RESOURCE#``) and revocations (``REVOKED#``): a bundle written by hand would be neither linted nor tested. A
batch write of an editor of policy or directory cannot include any other rows.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam
from constructs import Construct

from claimsmith import table as names
from claimsmith_cdk.grants import FAILED_RECORDS, REPLAYED_RECORDS, by_leading_keys, key_statements
from claimsmith_cdk.stream_readers import acknowledge_objects
from claimsmith_cdk.user_pools import user_pool_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

    from claimsmith_cdk.user_pools import AnyUserPool

_READ: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
_WRITE: Final = ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")

_POLICY: Final = (names.BUNDLE, names.LEASE, names.POLICY, names.PROBLEMS)
_DIRECTORY: Final = (f"{names.TENANT_PREFIX}*", f"{names.USER_PREFIX}*")
_REVOKED: Final = f"{names.REVOKED_PREFIX}*"
_PROTECTED_RESOURCE: Final = f"{names.PROTECTED_RESOURCE_PREFIX}*"

#: Partition keys of the index: members of a tenant, all tenants, all users.
_DIRECTORY_INDEX: Final = (names.TENANT, f"{names.TENANT_PREFIX}*", names.USER)


class AdminPersonas(Construct):
    """The managed policies.

    Attributes:
        policy_editor: edits the policy; publishing checks it.
        directory_editor: edits tenants, users and memberships.
        auditor: reads everything and writes nothing.
        operator: the ``claimsmith`` command: applies, rolls back, revokes and manages protected resources.
        recovery: ``claimsmith backup``, ``restore`` and ``replay``; for an emergency, not for every day.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        audit_table: dynamodb.ITable | None,
        user_pools: Sequence[AnyUserPool],
        encryption_key: kms.IKey | None = None,
        failed_records: s3.IBucket | None = None,
    ) -> None:
        """Create the policies.

        Args:
            scope: where.
            construct_id: its id.
            table: policy and directory.
            audit_table: the audit of changes; None if these people may not read one.
            user_pools: where users are looked up.
            encryption_key: the tables', if it is your own.
            failed_records: changes that were given up on, for ``recovery``; None if it may not replay them.
        """
        super().__init__(scope, construct_id)
        self._key = encryption_key
        self.policy_editor = self._policy(
            "PolicyEditor", "Claimsmith: edits the policy.", policy_editor_statements(table)
        )
        self.directory_editor = self._policy(
            "DirectoryEditor",
            "Claimsmith: edits tenants, users and memberships.",
            directory_editor_statements(table, user_pools),
        )
        self.auditor = self._policy(
            "Auditor",
            "Claimsmith: reads everything and writes nothing.",
            auditor_statements(table, audit_table, user_pools),
        )
        self.operator = self._policy(
            "Operator",
            "Claimsmith: applies policies, rolls back, revokes, manages protected resources.",
            operator_statements(table, audit_table, user_pools),
        )

        self.recovery = self._policy(
            "Recovery",
            "Claimsmith: backs up and restores rows, replays changes.",
            recovery_statements(table, audit_table, failed_records),
        )
        if failed_records is not None:
            acknowledge_objects(self.recovery, failed_records, FAILED_RECORDS, REPLAYED_RECORDS)

    def _policy(self, construct_id: str, description: str, statements: list[iam.PolicyStatement]) -> iam.ManagedPolicy:
        return iam.ManagedPolicy(
            self, construct_id, description=description, statements=[*statements, *key_statements(self._key)]
        )


def grant(grantee: iam.IGrantable, statements: Sequence[iam.PolicyStatement]) -> iam.Grant:
    """Give the statements of a persona to any role, user or function."""
    grants = [
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=statement.actions,
            resource_arns=statement.resources,
            conditions=statement.conditions,
        )
        for statement in statements
    ]
    return reduce(lambda one, other: one.combine(other), grants)


def policy_reader_statements(table: dynamodb.ITable) -> list[iam.PolicyStatement]:
    """Reads the policy, its versions and what is wrong with the draft."""
    return [_see(table), by_leading_keys("ReadPolicy", table, _READ, _POLICY)]


def policy_editor_statements(table: dynamodb.ITable) -> list[iam.PolicyStatement]:
    """Edits the draft, and reads what becomes of it."""
    return [
        _see(table),
        by_leading_keys("EditPolicy", table, (*_READ, *_WRITE), (names.POLICY,)),
        by_leading_keys("ReadBundles", table, _READ, (names.BUNDLE, names.LEASE, names.PROBLEMS)),
    ]


def directory_editor_statements(table: dynamodb.ITable, user_pools: Sequence[AnyUserPool]) -> list[iam.PolicyStatement]:
    """Edits tenants, users and memberships."""
    return [
        _see(table),
        by_leading_keys("EditDirectory", table, (*_READ, *_WRITE), _DIRECTORY),
        by_leading_keys("ReadBundles", table, _READ, (names.BUNDLE,)),
        by_leading_keys("ListDirectory", table, ("dynamodb:Query",), _DIRECTORY_INDEX, index=names.BY_SK),
        *_find_users(user_pools),
    ]


def auditor_statements(
    table: dynamodb.ITable, audit_table: dynamodb.ITable | None, user_pools: Sequence[AnyUserPool]
) -> list[iam.PolicyStatement]:
    """Reads everything and writes nothing."""
    audit = [] if audit_table is None else [audit_table]
    return [
        _see(table, *audit),
        # `claimsmith doctor` looks at these. Not at app clients one by one: that shows their secrets.
        iam.PolicyStatement(
            sid="SeeBackups",
            actions=["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTimeToLive"],
            resources=[table.table_arn, *(one.table_arn for one in audit)],
        ),
        *_of_pools(
            "SeePool",
            ["cognito-idp:DescribeUserPool", "cognito-idp:ListResourceServers", "cognito-idp:ListUserPoolClients"],
            user_pools,
        ),
        iam.PolicyStatement(
            sid="ReadAll",
            actions=[*_READ, "dynamodb:Scan"],
            resources=[table.table_arn, f"{table.table_arn}/index/{names.BY_SK}", *(one.table_arn for one in audit)],
        ),
        *_find_users(user_pools),
    ]


def operator_statements(
    table: dynamodb.ITable, audit_table: dynamodb.ITable | None, user_pools: Sequence[AnyUserPool]
) -> list[iam.PolicyStatement]:
    """Applies policies, rolls back, revokes, manages protected resources, and reads the audit."""
    audit = [] if audit_table is None else [audit_table]
    return [
        _see(table, *audit),
        by_leading_keys("ReadAll", table, _READ, (*_POLICY, *_DIRECTORY, _PROTECTED_RESOURCE, _REVOKED)),
        by_leading_keys(
            "Apply",
            table,
            ("dynamodb:DeleteItem", "dynamodb:PutItem"),
            (names.LEASE, names.POLICY, names.PROBLEMS),
        ),
        by_leading_keys("PublishAndRevoke", table, ("dynamodb:PutItem",), (names.BUNDLE, _REVOKED)),
        by_leading_keys(
            "ManageResources",
            table,
            ("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            (_PROTECTED_RESOURCE,),
        ),
        # `claimsmith apply` shows first whose tokens change, so it reads everyone.
        iam.PolicyStatement(sid="ReadEveryone", actions=["dynamodb:Scan"], resources=[table.table_arn]),
        # Who changed what, and what was in force when: `claimsmith audit`, `preview --at`.
        *(
            iam.PolicyStatement(sid="ReadAudit", actions=[*_READ, "dynamodb:Scan"], resources=[one.table_arn])
            for one in audit
        ),
        by_leading_keys("ListTenants", table, ("dynamodb:Query",), (names.TENANT,), index=names.BY_SK),
        *_find_users(user_pools),
        *_of_pools("SignOut", ["cognito-idp:AdminUserGlobalSignOut"], user_pools),
    ]


def recovery_statements(
    table: dynamodb.ITable, audit_table: dynamodb.ITable | None, failed: s3.IBucket | None
) -> list[iam.PolicyStatement]:
    """Backs up and restores every row, and replays changes that were given up on."""
    audit = [] if audit_table is None else [audit_table]
    return [
        _see(table, *audit),
        iam.PolicyStatement(
            sid="ReadAll",
            actions=[*_READ, "dynamodb:Scan"],
            resources=[table.table_arn, f"{table.table_arn}/index/{names.BY_SK}", *(one.table_arn for one in audit)],
        ),
        iam.PolicyStatement(
            sid="Restore", actions=["dynamodb:PutItem"], resources=[table.table_arn, *(one.table_arn for one in audit)]
        ),
        by_leading_keys("Publish", table, ("dynamodb:DeleteItem",), (names.LEASE, names.PROBLEMS)),
        *([] if failed is None else _replay(failed)),
    ]


def _replay(failed: s3.IBucket) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(sid="SeeBucket", actions=["s3:ListBucket"], resources=[failed.bucket_arn]),
        iam.PolicyStatement(
            sid="Replay",
            actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[failed.arn_for_objects(FAILED_RECORDS), failed.arn_for_objects(REPLAYED_RECORDS)],
        ),
    ]


def _see(*tables: dynamodb.ITable) -> iam.PolicyStatement:
    """The console needs it before it shows a row."""
    return iam.PolicyStatement(
        sid="SeeTable", actions=["dynamodb:DescribeTable"], resources=[table.table_arn for table in tables]
    )


def _find_users(user_pools: Sequence[AnyUserPool]) -> list[iam.PolicyStatement]:
    """Find the subject of a username or e-mail address, the key of rows, and the groups that count for roles."""
    actions = [
        "cognito-idp:AdminGetUser",
        "cognito-idp:AdminListGroupsForUser",
        "cognito-idp:ListGroups",
        "cognito-idp:ListUsers",
        "cognito-idp:ListUsersInGroup",
    ]
    return _of_pools("FindUsers", actions, user_pools)


def _of_pools(sid: str, actions: list[str], user_pools: Sequence[AnyUserPool]) -> list[iam.PolicyStatement]:
    """Actions on the pools; none where there is no pool, since a statement needs a resource."""
    arns = [user_pool_arn(pool) for pool in user_pools]
    return [iam.PolicyStatement(sid=sid, actions=actions, resources=arns)] if arns else []

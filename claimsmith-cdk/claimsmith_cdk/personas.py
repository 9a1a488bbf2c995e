"""Managed policies for people and their tools, by partition keys. Attach them to your own roles.

Only the operator's tools may write bundles (``BUNDLE``, ``LEASE``), callers of introspection
(``PROTECTED_RESOURCE#``) and revocations (``REVOKED#``): a bundle written by hand would be neither linted nor tested. A
batch write of an editor of policy or directory cannot include any other rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam
from constructs import Construct

from claimsmith import table as names
from claimsmith_cdk.grants import by_leading_keys

if TYPE_CHECKING:
    from aws_cdk import aws_cognito as cognito
    from aws_cdk import aws_dynamodb as dynamodb

_READ: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
_WRITE: Final = ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")

_DIRECTORY: Final = (f"{names.TENANT_PREFIX}*", f"{names.USER_PREFIX}*")
_REVOKED: Final = f"{names.REVOKED_PREFIX}*"
_PROTECTED_RESOURCE: Final = f"{names.PROTECTED_RESOURCE_PREFIX}*"

#: Partition keys of the index: members of a tenant, all tenants, all users.
_DIRECTORY_INDEX: Final = (names.TENANT, f"{names.TENANT_PREFIX}*", names.USER)


class Personas(Construct):
    """The managed policies.

    Attributes:
        policy_editor: edits the policy; publishing checks it.
        directory_editor: edits tenants, users and memberships.
        auditor: reads everything and writes nothing.
        operator: the ``claimsmith`` command: applies, rolls back, revokes and manages protected resources.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        audit_table: dynamodb.ITable,
        user_pool: cognito.IUserPool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.policy_editor = iam.ManagedPolicy(
            self,
            "PolicyEditor",
            description="Claimsmith: edits the policy.",
            statements=[
                _see(table),
                by_leading_keys("EditPolicy", table, (*_READ, *_WRITE), (names.POLICY,)),
                by_leading_keys("ReadBundles", table, _READ, (names.BUNDLE, names.LEASE, names.PROBLEMS)),
            ],
        )
        self.directory_editor = iam.ManagedPolicy(
            self,
            "DirectoryEditor",
            description="Claimsmith: edits tenants, users and memberships.",
            statements=[
                _see(table),
                by_leading_keys("EditDirectory", table, (*_READ, *_WRITE), _DIRECTORY),
                by_leading_keys("ReadBundles", table, _READ, (names.BUNDLE,)),
                by_leading_keys("ListDirectory", table, ("dynamodb:Query",), _DIRECTORY_INDEX, index=names.BY_SK),
                _find_users(user_pool),
            ],
        )
        self.auditor = iam.ManagedPolicy(
            self,
            "Auditor",
            description="Claimsmith: reads everything and writes nothing.",
            statements=[
                _see(table, audit_table),
                iam.PolicyStatement(
                    sid="ReadAll",
                    actions=[*_READ, "dynamodb:Scan"],
                    resources=[table.table_arn, f"{table.table_arn}/index/{names.BY_SK}", audit_table.table_arn],
                ),
                _find_users(user_pool),
            ],
        )
        self.operator = iam.ManagedPolicy(
            self,
            "Operator",
            description="Claimsmith: applies policies, rolls back, revokes, manages protected resources.",
            statements=[
                _see(table),
                by_leading_keys(
                    "ReadAll",
                    table,
                    _READ,
                    (
                        *(names.BUNDLE, names.LEASE, names.POLICY, names.PROBLEMS),
                        *(*_DIRECTORY, _PROTECTED_RESOURCE, _REVOKED),
                    ),
                ),
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
                by_leading_keys("ListTenants", table, ("dynamodb:Query",), (names.TENANT,), index=names.BY_SK),
                _find_users(user_pool),
                iam.PolicyStatement(
                    sid="SignOut",
                    actions=["cognito-idp:AdminUserGlobalSignOut"],
                    resources=[user_pool.user_pool_arn],
                ),
            ],
        )


def _see(*tables: dynamodb.ITable) -> iam.PolicyStatement:
    """The console needs it before it shows a row."""
    return iam.PolicyStatement(
        sid="SeeTable", actions=["dynamodb:DescribeTable"], resources=[table.table_arn for table in tables]
    )


def _find_users(user_pool: cognito.IUserPool) -> iam.PolicyStatement:
    """Find the subject of a username or e-mail address, the key of rows, and the groups that count for roles."""
    return iam.PolicyStatement(
        sid="FindUsers",
        actions=[
            "cognito-idp:AdminGetUser",
            "cognito-idp:AdminListGroupsForUser",
            "cognito-idp:ListGroups",
            "cognito-idp:ListUsers",
            "cognito-idp:ListUsersInGroup",
        ],
        resources=[user_pool.user_pool_arn],
    )

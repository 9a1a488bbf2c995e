"""A trigger as AWS's own examples write it: Powertools, pydantic and boto3.

It reads what ours reads: the user's rows each time, the policy and the tenant once.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from boto3.dynamodb.conditions import Key
from pydantic import BaseModel, Field

logger = Logger(service="claims")
metrics = Metrics(namespace="Claims", service="claims")
table = boto3.resource("dynamodb").Table(os.environ["CLAIMSMITH_TABLE"])


class Groups(BaseModel):
    """What Cognito knows of groups."""

    groups: list[str] = Field(alias="groupsToOverride")


class Request(BaseModel):
    """Whose token it is."""

    attributes: dict[str, str] = Field(alias="userAttributes")
    groups: Groups | None = Field(alias="groupConfiguration")
    scopes: list[str]


class Event(BaseModel):
    """The trigger's event."""

    version: str
    source: str = Field(alias="triggerSource")
    request: Request


class Membership(BaseModel):
    """A user's row for a tenant."""

    sk: str
    roles: set[str] = set()
    scopes: set[str] = set()


class Tenant(BaseModel):
    """A tenant's row."""

    name: str
    plan: str | None = None


class Role(BaseModel):
    """A role's row."""

    scopes: set[str] = set()
    claims: dict[str, int | str] = {}


class Claims(BaseModel):
    """What goes into both tokens, beside the roles' own claims."""

    tenant_id: str
    plan: str | None
    roles: list[str]


roles: dict[str, Role] = {}
tenants: dict[str, Tenant] = {}


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Give a user the tenant, the roles, and what the roles grant."""
    asked = Event.model_validate(event)
    if not roles:
        for row in table.query(KeyConditionExpression=Key("pk").eq("POLICY"))["Items"]:
            roles[row["sk"].removeprefix("ROLE#")] = Role.model_validate(row)
    sub = asked.request.attributes["sub"]
    rows = table.query(KeyConditionExpression=Key("pk").eq(f"USER#{sub}"), ConsistentRead=True)["Items"]
    memberships = [Membership.model_validate(row) for row in rows if row["sk"].startswith("TENANT#")]
    if not memberships:
        raise PermissionError("no tenant")
    membership = memberships[0]
    tenant_id = membership.sk.removeprefix("TENANT#")
    if tenant_id not in tenants:
        found = table.get_item(Key={"pk": f"TENANT#{tenant_id}", "sk": "TENANT"})
        tenants[tenant_id] = Tenant.model_validate(found["Item"])
    claims = Claims(tenant_id=tenant_id, plan=tenants[tenant_id].plan, roles=sorted(membership.roles)).model_dump()
    scopes = set(membership.scopes)
    for name in membership.roles:
        scopes |= roles[name].scopes
        claims |= roles[name].claims
    event["response"]["claimsAndScopeOverrideDetails"] = {
        "idTokenGeneration": {"claimsToAddOrOverride": claims},
        "accessTokenGeneration": {"claimsToAddOrOverride": claims, "scopesToAdd": sorted(scopes)},
    }
    logger.info("token issued", extra={"roles": len(membership.roles)})
    metrics.add_metric(name="Issued", unit=MetricUnit.Count, value=1)
    return event

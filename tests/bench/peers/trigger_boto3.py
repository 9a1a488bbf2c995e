"""A trigger as people write it with what the runtime has: boto3's resources and json.

It reads what ours reads: the user's rows each time, the policy and the tenant once.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

table = boto3.resource("dynamodb").Table(os.environ["CLAIMSMITH_TABLE"])
roles: dict[str, Any] = {}
tenants: dict[str, Any] = {}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Give a user the tenant, the roles, and what the roles grant."""
    if not roles:
        for row in table.query(KeyConditionExpression=Key("pk").eq("POLICY"))["Items"]:
            roles[row["sk"].removeprefix("ROLE#")] = row
    sub = event["request"]["userAttributes"]["sub"]
    rows = table.query(KeyConditionExpression=Key("pk").eq(f"USER#{sub}"), ConsistentRead=True)["Items"]
    memberships = [row for row in rows if row["sk"].startswith("TENANT#")]
    if not memberships:
        raise PermissionError("no tenant")
    membership = memberships[0]
    tenant_id = membership["sk"].removeprefix("TENANT#")
    if tenant_id not in tenants:
        tenants[tenant_id] = table.get_item(Key={"pk": f"TENANT#{tenant_id}", "sk": "TENANT"})["Item"]
    claims = {"tenant_id": tenant_id, "plan": tenants[tenant_id].get("plan"), "roles": sorted(membership["roles"])}
    scopes = set(membership.get("scopes", ()))
    for name in membership["roles"]:
        scopes.update(roles[name].get("scopes", ()))
        claims.update({claim: int(value) for claim, value in roles[name].get("claims", {}).items()})
    event["response"]["claimsAndScopeOverrideDetails"] = {
        "idTokenGeneration": {"claimsToAddOrOverride": claims},
        "accessTokenGeneration": {"claimsToAddOrOverride": claims, "scopesToAdd": sorted(scopes)},
    }
    print(json.dumps({"message": "token issued", "sub": sub, "roles": len(membership["roles"])}))  # noqa: T201 - its log
    return event

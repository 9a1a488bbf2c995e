"""The sample API: ``lambdas.sample.handler.handler``. It answers with what the authorizer says of the caller.

A service of one's own reads the same context and needs neither the token nor a key: API Gateway lets no request
through that the authorizer did not allow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTEXT: Final = ("sub", "tenant_id", "roles", "scope")


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer a request of an HTTP API (payload format 2.0) or a REST API.

    Returns:
        200 with ``sub``, ``tenant_id`` (null for none), ``roles`` and ``scope`` (lists) of the caller, and ``tenant``,
        the one that the path names, or null.
    """
    context = event["requestContext"]["authorizer"]
    said = context.get("lambda", context)  # an HTTP API has it one level deeper
    caller = {name: said.get(name) for name in _CONTEXT}
    caller |= {name: (caller[name] or "").split() for name in ("roles", "scope")}
    tenant = (event.get("pathParameters") or {}).get("tenant")
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps({"tenant": tenant, **caller}),
    }

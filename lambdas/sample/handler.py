"""The sample API: ``lambdas.sample.handler.handler``. It responds with the caller's details from the authorizer.

Your own service can read the same context and needs neither the token nor a key: API Gateway passes on only requests
that the authorizer has allowed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTEXT: Final = ("sub", "tenant_id", "roles", "scope")


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Handle a request of an HTTP API (payload format 2.0) or a REST API.

    Returns:
        200 with ``sub``, ``tenant_id`` (null for none), ``roles`` and ``scope`` (lists) of the caller, and ``tenant``,
        the tenant in the path, or null.
    """
    context = event["requestContext"]["authorizer"]
    details = context.get("lambda", context)  # nested one level deeper in an HTTP API
    caller = {name: details.get(name) for name in _CONTEXT}
    caller |= {name: (caller[name] or "").split() for name in ("roles", "scope")}
    tenant = (event.get("pathParameters") or {}).get("tenant")
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps({"tenant": tenant, **caller}),
    }

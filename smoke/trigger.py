"""A trigger that answers what it is told, in the probe's own pool. The probe's template has this file as its code.

``do`` in the client metadata says what: claims, scopes, groups, many claims, a long one, or to fail.
"""

from __future__ import annotations

import json
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer an event.

    Raises:
        RuntimeError: it is told to fail.
    """
    metadata = event["request"].get("clientMetadata") or {}
    do = json.loads(metadata.get("do", "{}"))
    if "fail" in do:
        raise RuntimeError(do["fail"])
    access = {"smoke_source": event["triggerSource"], **do.get("access", {})}
    if event["userName"].endswith("-aud"):
        access["aud"] = event["callerContext"]["clientId"]
    access.update((f"n{number}", number) for number in range(do.get("many", 0)))
    if "long" in do:
        access["long"] = "x" * do["long"]
    details: dict[str, Any] = {
        "accessTokenGeneration": {"claimsToAddOrOverride": access, "scopesToAdd": do.get("scopes", [])},
        "idTokenGeneration": {"claimsToAddOrOverride": {"smoke_source": event["triggerSource"]}},
    }
    if "groups" in do:
        details["groupOverrideDetails"] = do["groups"]
    event["response"] = {"claimsAndScopeOverrideDetails": details}
    return event

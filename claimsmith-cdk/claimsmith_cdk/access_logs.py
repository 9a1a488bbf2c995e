"""Access logs of the APIs: the request and its result, and nothing about the caller.

No header, no token, no query and no path: the route's template is enough to see what fails, and a path names a
tenant. No source address either: it is personal data, and these logs are kept for a year. To trace attacks, a web
application firewall in front of the API can log addresses for as long as needed.
"""

from __future__ import annotations

import json
from typing import Final

_COMMON: Final = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "authorizerError": "$context.authorizer.error",
}

#: Of an HTTP API.
HTTP_FORMAT: Final = json.dumps(_COMMON | {"route": "$context.routeKey"})

#: Of a REST API.
REST_FORMAT: Final = json.dumps(
    _COMMON | {"route": "$context.httpMethod $context.resourcePath", "authorizerStatus": "$context.authorizer.status"}
)

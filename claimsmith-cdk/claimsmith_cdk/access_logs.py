"""Access logs of the APIs: the request and its result, and nothing about the caller.

Ids lead to the lines of the functions: ``requestId`` or, if it is there, ``extendedRequestId`` is ``api_request_id`` in
those lines; ``authorizerRequestId`` and ``integrationRequestId`` are ``function_request_id``.

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
    "integrationRequestId": "$context.integration.requestId",
}

#: Of an HTTP API.
HTTP_FORMAT: Final = json.dumps(_COMMON | {"route": "$context.routeKey"})

#: Of a REST API. A caller may choose the first of its ids, and nobody the second.
REST_FORMAT: Final = json.dumps(
    _COMMON
    | {
        "route": "$context.httpMethod $context.resourcePath",
        "extendedRequestId": "$context.extendedRequestId",
        "authorizerStatus": "$context.authorizer.status",
        "authorizerRequestId": "$context.authorizer.requestId",
        "traceId": "$context.xrayTraceId",
    }
)

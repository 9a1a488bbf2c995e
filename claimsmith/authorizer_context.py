"""What a Lambda authorizer passes on to the service behind it: the names, and how values are written.

A context always has ``sub``, ``roles`` and ``scope`` and, if the token has one, ``tenant_id``; and the claims that
``settings.context_claims`` lists, under their names in the token.

- An HTTP API with payload format 2.0 takes any JSON value
  (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html).
- A REST or WebSocket API takes no lists and no objects, and makes text of numbers and booleans
  (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).
- AppSync takes no nested members
  (https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html#aws-lambda-authorization).

So for all but the first, every value is text: a text itself, anything else as JSON, and ``json_claims`` lists the
names of the latter, or ``"7"`` and ``7`` would look alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Where a context that is all text lists, as JSON, the names of the claims that are JSON.
JSON_CLAIMS: Final = "json_claims"

#: What every context has, whatever a token calls it.
ALWAYS: Final = frozenset({"sub", "roles", "scope", "tenant_id"})

#: Names that no further claim can have: those, and those by which API Gateway adds something or marks its own
#: authorizers (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
TAKEN: Final = ALWAYS | {JSON_CLAIMS, "principalId", "integrationLatency", "lambda", "jwt", "claims"}

#: Bytes of an authorizer's whole answer for a WebSocket API; AWS documents no such quota for the others
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
WEBSOCKET_BYTES: Final = 8_192


def further(claims: Mapping[str, Any], names: Iterable[str], *, as_text: bool) -> dict[str, Any]:
    """The members of a context for the claims of these names that a token has.

    Args:
        claims: of a valid token.
        names: without those in ``TAKEN``, in the order of the result.
        as_text: whether this kind of API takes text alone.
    """
    found = {name: _plain(claims[name]) for name in names if claims.get(name) is not None}
    if not as_text:
        return found
    others = [name for name, value in found.items() if not isinstance(value, str)]
    written = {name: _json(value) if name in others else value for name, value in found.items()}
    return {**written, JSON_CLAIMS: _json(others)} if others else written


def read_back(context: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a context as ``further`` got them.

    Raises:
        ValueError: the context is not one of ours.
    """
    members = dict(context)
    try:
        names = json.loads(members.pop(JSON_CLAIMS, "[]"))
        return {**members, **{name: json.loads(members[name]) for name in names}}
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(JSON_CLAIMS) from error


def _plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value in lists and dictionaries, which Lambda can write."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _json(value: object) -> str:
    """JSON without anything beyond ASCII: a mapping template may put it into a header."""
    return json.dumps(value, separators=(",", ":"))

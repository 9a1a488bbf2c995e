"""A middleware for Powertools' event handler (extra ``powertools``): claims in the context, or an RFC 6750 error.

::

    app = APIGatewayHttpResolver()
    app.use(middlewares=[BearerMiddleware(verifier)])

    @app.get("/orders", middlewares=[BearerMiddleware(verifier, require=Requirement(all_scopes=["orders/read"]))])
    def orders() -> dict[str, str]:
        return {"tenant": claims_of(app).tenant_id or ""}

For a function whose API has no authorizer, for example behind a function URL or a load balancer. Behind an authorizer,
``CallerMiddleware`` reads what that passed on, and verifies nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Response
from aws_lambda_powertools.event_handler.middlewares import BaseMiddlewareHandler, NextMiddleware

from claimsmith.verifier.bearer import Bearer, BearerError, challenge
from claimsmith.verifier.claims import CLAIM_NAMES
from claimsmith.verifier.context import CallerContext, caller_of
from claimsmith.verifier.headers import folded

if TYPE_CHECKING:
    from claimsmith.verifier.checks import Requirement
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.verifier import Verifier

__all__ = ["BearerMiddleware", "CallerMiddleware", "caller_in", "claims_of"]

#: The key of the claims in the resolver's context.
CONTEXT_KEY: Final = "claims"

#: The same, of who calls.
_CALLER_KEY: Final = "caller"


class BearerMiddleware(BaseMiddlewareHandler[ApiGatewayResolver]):
    """Passes on requests with a valid token, with its claims in the context; answers all others itself."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        require: Requirement | None = None,
        realm: str = "api",
        resource: str | None = None,
    ) -> None:
        """Create one; several may share a verifier, whose keys are fetched once.

        Args:
            verifier: decides which tokens are valid.
            require: what a token must grant in addition: scopes, groups, roles, a tenant.
            realm: the realm of the challenge.
            resource: the address of the service, whose challenges then name its metadata (RFC 9728 section 5.1).

        Raises:
            ConfigurationError: the realm cannot be quoted, or the resource is no https address without a fragment.
        """
        super().__init__()
        self._bearer = Bearer(verifier, require=require, realm=realm, resource=resource)

    def handler(self, app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:
        """Verify the request's token before the route is called; 400, 401, 403 or 503 if it is not accepted."""
        try:
            claims = self._bearer.verify(_authorization(app.current_event.raw_event))
        except BearerError as error:
            members = {"error": error.error} if error.error else {}
            return Response(error.status, "application/json", json.dumps(members), dict(error.headers))
        app.append_context(**{CONTEXT_KEY: claims})  # type: ignore[no-untyped-call]
        return next_middleware(app)


class CallerMiddleware(BaseMiddlewareHandler[ApiGatewayResolver]):
    """Passes on requests with a caller, whom an authorizer has let in; answers 401 to all others."""

    def __init__(self, *, names: Mapping[str, str | None] = CLAIM_NAMES, resource: str | None = None) -> None:
        """Create one.

        Args:
            names: see ``claimsmith.verifier.context.caller_of``.
            resource: as of ``BearerMiddleware``.

        Raises:
            ConfigurationError: the resource is no https address without a fragment.
        """
        super().__init__()
        self._names = names
        self._challenge = challenge(resource=resource)

    def handler(self, app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:
        """Read the caller before the route is called.

        Raises:
            VerificationError: the event's authorizer is of no known form.
        """
        caller = caller_of(app.current_event.raw_event, names=self._names)
        if caller is None:
            return Response(401, "application/json", "{}", {"WWW-Authenticate": self._challenge})
        app.append_context(**{_CALLER_KEY: caller})  # type: ignore[no-untyped-call]
        return next_middleware(app)


def caller_in(app: ApiGatewayResolver) -> CallerContext:
    """The caller of the current request.

    Raises:
        KeyError: this route has no ``CallerMiddleware``.
    """
    return cast("CallerContext", app.context[_CALLER_KEY])


def claims_of(app: ApiGatewayResolver) -> Claims:
    """The claims of the current request's token.

    Raises:
        KeyError: this route has no ``BearerMiddleware``.
    """
    return cast("Claims", app.context[CONTEXT_KEY])


def _authorization(event: Mapping[str, Any]) -> list[str]:
    """Every value of the header, under all spellings; from the multi-value headers if the event has them."""
    headers = event.get("multiValueHeaders") or event.get("headers")
    found: list[Any] = []
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if folded(name) == "AUTHORIZATION":
            found += value if isinstance(value, list) else [value]
    return [value for value in found if isinstance(value, str)]

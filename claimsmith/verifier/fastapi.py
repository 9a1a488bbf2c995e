"""A FastAPI dependency (extra ``fastapi``): the claims of the request's bearer token, or an error response of RFC 6750.

::

    bearer = BearerDependency(verifier)

    @app.get("/orders")
    def orders(claims: Annotated[Claims, Security(bearer, scopes=["orders/read"])]) -> list[Order]: ...

It is not a coroutine, so FastAPI calls it in its thread pool, where fetching keys blocks no other request. Behind an
authorizer, ``CallerDependency`` reads what that passed on, and verifies nothing.
"""
# No "from __future__ import annotations": FastAPI reads the annotations of __call__ at run time.

from collections.abc import Mapping
from typing import Final

from fastapi import HTTPException, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from claimsmith.verifier.bearer import Bearer, BearerError, challenge
from claimsmith.verifier.checks import Requirement
from claimsmith.verifier.claims import CLAIM_NAMES, Claims
from claimsmith.verifier.context import CallerContext, caller_of
from claimsmith.verifier.verifier import Verifier

__all__ = ["BearerDependency", "CallerDependency", "RefusedError"]

_REASON: Final = "A bearer token is needed."


class RefusedError(HTTPException):
    """FastAPI's error response; a custom exception handler may use the code.

    Attributes:
        code: the reason, a ``claimsmith.errors.Code``; not part of the response.
    """

    def __init__(self, error: BearerError) -> None:
        super().__init__(error.status, error.error or _REASON, error.headers)
        self.code = error.code


class BearerDependency(SecurityBase):
    """Requires a valid token; it must have all scopes of ``Security(…, scopes=[…])``. Thread-safe."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        require: Requirement | None = None,
        realm: str = "api",
        scheme_name: str = "Bearer",
        resource: str | None = None,
    ) -> None:
        """Create one; several may share a verifier, whose keys are fetched once.

        Args:
            verifier: decides which tokens are valid.
            require: what a token must grant in addition: scopes, groups, roles, a tenant.
            realm: the realm of the challenge.
            scheme_name: the name of the security scheme in the OpenAPI document.
            resource: the address of the service, whose challenges then name its metadata (RFC 9728 section 5.1).

        Raises:
            ConfigurationError: the realm cannot be quoted, or the resource is no https address without a fragment.
        """
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = scheme_name
        self._bearer = Bearer(verifier, require=require, realm=realm, resource=resource)

    def __call__(self, request: Request, scopes: SecurityScopes) -> Claims:
        """The claims of the request's token.

        Raises:
            RefusedError: 400, 401, 403 or 503, with the challenge of RFC 6750.
        """
        try:
            return self._bearer.verify(request.headers.getlist("authorization"), scopes=scopes.scopes)
        except BearerError as error:
            raise RefusedError(error) from error


class CallerDependency:
    """The caller, whom an authorizer has let in, in an application that runs in Lambda under Mangum.

    Mangum puts the event into the scope, where no client can write.
    """

    def __init__(self, *, names: Mapping[str, str | None] = CLAIM_NAMES, resource: str | None = None) -> None:
        """Create one.

        Args:
            names: see ``claimsmith.verifier.context.caller_of``.
            resource: as of ``BearerDependency``.

        Raises:
            ConfigurationError: the resource is no https address without a fragment.
        """
        self._names = names
        self._challenge = challenge(resource=resource)

    async def __call__(self, request: Request) -> CallerContext:
        """The caller of the request.

        Raises:
            HTTPException: 401: nobody, or no event.
            VerificationError: the event's authorizer is of no known form.
        """
        caller = caller_of(request.scope.get("aws.event", {}), names=self._names)
        if caller is None:
            raise HTTPException(401, _REASON, {"WWW-Authenticate": self._challenge})
        return caller

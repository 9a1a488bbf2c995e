"""Protected resources: who may call the introspection endpoint, and for which tokens (RFC 7662 section 2.1)."""

from __future__ import annotations

import math
import re
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.store.dynamodb import Table

#: An id that is valid as a Basic user name (no colon) and as a key.
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

#: Secrets that are valid at the same time, so that one can be replaced while callers still use the other.
_MAX_SECRETS: Final = 2


@dataclass(frozen=True, slots=True)
class Resources:
    """Edits protected resources on somebody's behalf.

    Attributes:
        by: who edits.
        clock: epoch seconds.
    """

    rows: Table
    by: str
    clock: Callable[[], float] = time.time

    def add(
        self,
        resource_id: str,
        *,
        clients: Sequence[str],
        tenants: Sequence[str],
        audience: Sequence[str] = (),
        claims: Sequence[str] = (),
        ext: Sequence[str] = (),
        requests_per_second: float | None = None,
    ) -> str:
        """Add a protected resource.

        Args:
            resource_id: its id, the user name for Basic authentication; the id of an app client lets that client call
                with its own access token.
            clients: app clients whose tokens it may introspect; ``*`` for all.
            tenants: tenants whose tokens it may introspect; ``*`` for all, and for tokens without a tenant.
            audience: it may introspect only tokens bound to one of these resources (``aud``); ``*`` allows tokens bound
                to anything or to nothing. If empty, the deployment's audience applies, and tokens bound to nothing are
                allowed.
            claims: further claims that it is told, by their names in the token.
            ext: members and claims that it is told in an object ``ext``, as callers of Ory Hydra expect.
            requests_per_second: how often it may ask, on average, in each process; more than 0. If None, the
                deployment's number applies.

        Returns:
            Its secret. It is not stored; the row has only its SHA-256.

        Raises:
            OperationError: the resource already exists, or the id, the name of a claim or the number is not valid.
        """
        if not ID.fullmatch(resource_id):
            raise OperationError(
                Code.BAD_ARGUMENT, f"The id of the protected resource is not valid. It must match {ID.pattern}."
            )
        if not all([*claims, *ext]):
            raise OperationError(Code.BAD_ARGUMENT, "The name of a claim is empty.")
        if requests_per_second is not None and not 0 < requests_per_second < math.inf:
            raise OperationError(Code.BAD_ARGUMENT, "The number of requests per second must be more than 0.")
        secret, digest = _secret()
        row = {**self._signed(), "secrets": [digest], "clients": list(clients), "tenants": list(tenants)}
        if audience:
            row["audience"] = list(audience)
        if claims:
            row["claims"] = list(claims)
        if ext:
            row["ext"] = list(ext)
        if requests_per_second is not None:
            row["requests_per_second"] = requests_per_second
        try:
            self.rows.put({**_key(resource_id), **row}, condition="attribute_not_exists(pk)")
        except ConditionError as error:
            message = f"{resource_id} already exists. To give it a new secret, run claimsmith resources rotate."
            raise OperationError(Code.CONFLICT, message) from error
        return secret

    def rotate(self, resource_id: str) -> str:
        """Add a new secret and return it; the previous one stays valid until the next rotation.

        Raises:
            OperationError: there is no such resource, or its row does not show which secret is the older one.
        """
        row = self._row(resource_id)
        secret, digest = _secret()
        old = row.get("secrets")
        kept = [entry for entry in old if isinstance(entry, str)] if isinstance(old, list | set | frozenset) else []
        if len(kept) > 1 and not isinstance(old, list):
            message = f"The secrets of {resource_id} are a set. In its row, make them a list, the newest first."
            raise OperationError(Code.ROW_UNREADABLE, message)
        new = [digest, *kept][:_MAX_SECRETS]
        key = _key(resource_id)
        self.rows.update(key[table.PK], key[table.SK], {"secrets": new, **self._signed()}, expected={"secrets": old})
        return secret

    def remove(self, resource_id: str) -> None:
        """Remove a protected resource; its secrets stop working at once.

        Raises:
            OperationError: there is no such resource.
        """
        self._row(resource_id)
        key = _key(resource_id)
        self.rows.delete(key[table.PK], key[table.SK])

    def _row(self, resource_id: str) -> dict[str, Any]:
        row = self.rows.get(*_key(resource_id).values())
        if row is None:
            raise OperationError(Code.NOT_FOUND, f"There is no protected resource {resource_id}.")
        return row

    def _signed(self) -> dict[str, Any]:
        return {"updated_by": self.by, "updated_at": int(self.clock())}


def _key(resource_id: str) -> dict[str, str]:
    return {table.PK: table.PROTECTED_RESOURCE_PREFIX + resource_id, table.SK: table.PROTECTED_RESOURCE}


def _secret() -> tuple[str, str]:
    """A secret of 256 random bits, and its digest."""
    secret = secrets.token_urlsafe(32)
    return secret, sha256(secret.encode()).hexdigest()

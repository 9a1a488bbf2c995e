"""Which revocations concern a token, and whether they end it.

A row ``REVOKED#<kind>#<id>`` says since when (``revoked_at``). A session and a token are revoked by their id, once and
for all. A user, a client and a tenant go on; what ends is what they were given until then: of a user everything that
comes from a sign-in until then, refreshed or not; of a client and a tenant every token issued until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from claimsmith.errors import ClaimsmithError, Code, VerificationError
from claimsmith.table import REVOKED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.verifier.claims import Claims


class Revocations(Protocol):
    """Where revocations are kept."""

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """Look up several rows at once.

        Args:
            keys: partition keys ``REVOKED#<kind>#<id>``, at most five, no two the same.

        Returns:
            ``revoked_at`` in epoch seconds, for each row that is there; ``None`` where it cannot be read.

        Raises:
            ClaimsmithError: it cannot be known.
        """


def revocation_key(kind: str, identifier: str) -> str:
    """The partition key of the row that revokes this."""
    return f"{REVOKED_PREFIX}{kind}#{identifier}"


def _since(claims: Claims) -> dict[str, float | None]:
    """What could be revoked about a token: the row's key, and the time that a revocation must not be older than.

    The time is ``None`` where any row, whatever its time, ends the token.
    """
    signed_in = claims.iat if claims.auth_time is None else claims.auth_time
    concerned = (
        ("session", claims.origin_jti, None),
        ("token", claims.jti, None),
        ("user", claims.sub, signed_in),
        ("client", claims.client_id, claims.iat),
        ("tenant", claims.tenant_id, claims.iat),
    )
    return {revocation_key(kind, value): since for kind, value, since in concerned if value is not None}


def check_revocation(claims: Claims, revocations: Revocations) -> None:
    """Refuse a token that is revoked, or of which that cannot be known.

    Raises:
        VerificationError: ``TOKEN_REVOKED`` or ``REVOCATION_UNKNOWN``, at stage ``revocation``.
    """
    since = _since(claims)
    try:
        rows = revocations.revoked_at(tuple(since))
    except ClaimsmithError as error:
        raise VerificationError(Code.REVOCATION_UNKNOWN, "revocation") from error
    for key, revoked_at in rows.items():
        if key not in since:
            continue
        begun = since[key]
        # Unreadable time, or none in the token: what cannot be compared ends it. NaN compares false, hence "not >".
        if begun is None or revoked_at is None or not begun > revoked_at:
            raise VerificationError(Code.TOKEN_REVOKED, "revocation")

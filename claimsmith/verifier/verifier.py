"""``Verifier``: from the text of a token to claims that may be trusted, or a coded refusal."""

from __future__ import annotations

from copy import copy
from time import time
from typing import TYPE_CHECKING

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.checks import (
    ANY,
    ClaimChecks,
    Requirement,
    check_audience,
    check_named,
    function,
    named,
    resources,
)
from claimsmith.verifier.claims import CLAIM_NAMES, Claims
from claimsmith.verifier.encoding import json_object
from claimsmith.verifier.jwks import KeySource
from claimsmith.verifier.jws import check_signature, take_apart
from claimsmith.verifier.revocation import check_revocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from claimsmith.verifier.checks import Names, TokenUse, Unchecked
    from claimsmith.verifier.issuers import Issuers
    from claimsmith.verifier.revocation import Revocations

    NamesOf: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, str | None]]


class Verifier:
    """Verifies Cognito's tokens. Thread-safe, without I/O while its keys are young and revocations are ``ANY``."""

    def __init__(  # noqa: PLR0913 - what can be checked
        self,
        *,
        issuers: Issuers | KeySource,
        client_ids: Names | Unchecked,
        token_use: TokenUse | Unchecked,
        revocations: Revocations | Unchecked,
        audience: Names | Unchecked = (),
        require: Requirement | None = None,
        claim_names: Mapping[str, str | None] | NamesOf = CLAIM_NAMES,
        leeway: float = 5,
        clock: Callable[[], float] = time,
    ) -> None:
        """Say what is accepted.

        Args:
            issuers: the allow-list, or a source of keys made of one; a source may serve several verifiers. No ``ANY``:
                without an issuer there is no key to check with.
            client_ids: the app clients whose tokens are accepted, or ``ANY``.
            token_use: ``access`` or ``id``, or ``ANY`` for both.
            revocations: where revocations are kept, or ``ANY`` to accept revoked tokens until they expire.
            audience: the resources that this verifier speaks for, as ``aud`` names them (RFC 8707), or ``ANY``. An
                access token that has ``aud`` is accepted only where that is its own client, or one of these is in it.
            require: what every token must grant, for example a scope. Its ``audience`` counts in place of ``audience``.
            claim_names: how the policy names the tenant (``tenant_id``), the ``roles`` and its ``policy_version``;
                ``None`` for a name: such a claim is not emitted. Or a function that says it of each token, given the
                claims, whose signature and times are right by then; what it raises, ``verify`` raises.
            leeway: seconds by which ``nbf`` and ``iat`` may be ahead of the clock, 300 at most. ``exp`` gets none.
            clock: epoch seconds.

        Raises:
            ConfigurationError: an argument is not one of these.
        """
        self._clock = function(clock, "clock")
        self._keys = issuers if isinstance(issuers, KeySource) else KeySource(issuers, clock=clock)
        self._names_of = claim_names if callable(claim_names) else None
        self._names = CLAIM_NAMES if callable(claim_names) else named(claim_names)
        self._checks = ClaimChecks(client_ids=client_ids, token_use=token_use, leeway=leeway)
        if revocations is not ANY and not callable(getattr(revocations, "revoked_at", None)):
            raise ConfigurationError("revocations must have revoked_at, or be ANY.")
        self._revocations = revocations
        given: object = require
        if given is not None and not isinstance(given, Requirement):
            raise ConfigurationError("require must be a Requirement; to require nothing, leave it out.")
        self._require = require
        wanted = audience if require is None or require.audience is ANY else require.audience
        self._audience = resources(wanted, "audience")

    @property
    def audience(self) -> frozenset[str] | Unchecked:
        """The resources that this verifier speaks for; ``ANY`` where it does not look at ``aud``."""
        return self._audience

    def for_any_audience(self) -> Verifier:
        """The same verifier without the check of ``aud``, for a caller that checks it once it knows the resource."""
        other = copy(self)
        other._audience = ANY  # noqa: SLF001 - of this class
        return other

    def verify(self, token: str) -> Claims:
        """Verify a token.

        The order: structure, issuer and key, signature, claims, what is required, revocation. Nothing but the header,
        the issuer's name and the well-formedness of the payload is looked at before the signature is right.

        Args:
            token: as it was received, without ``Bearer``.

        Raises:
            VerificationError: with the code of the first check that failed and its stage. It holds nothing of the
                token.
        """
        header, payload, signature, signed = take_apart(token)
        if not header.is_jwt:
            raise VerificationError(Code.TYPE_NOT_ALLOWED, "structure")
        members = json_object(payload)
        if members is None:
            raise VerificationError(Code.TOKEN_MALFORMED, "structure")
        check_signature(signature, signed, self._keys.find(members.get("iss"), header.kid))
        self._checks.check(members, self._clock())
        names = self._names if self._names_of is None else named(self._names_of(members))
        check_named(members, names)
        claims = Claims(members, names)
        if "aud" in members:
            check_audience(claims, self._audience)
        if self._require is not None:
            self._require.check(claims)
        if self._revocations is not ANY:
            check_revocation(claims, self._revocations)
        return claims

"""``Verifier``: verifies a token and returns its claims, or raises an error with a code."""

from __future__ import annotations

from copy import copy
from time import time
from typing import TYPE_CHECKING

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.unchecked import ANY
from claimsmith.verifier.checks import (
    ClaimChecks,
    Requirement,
    all_claim_names,
    check_audience,
    check_policy_claims,
    function,
    resources,
)
from claimsmith.verifier.claims import CLAIM_NAMES, Claims
from claimsmith.verifier.encoding import json_object
from claimsmith.verifier.jwks import KeySource
from claimsmith.verifier.jws import check_signature, header_of_any, header_of_rs256, split_token
from claimsmith.verifier.oidc import OidcChecks
from claimsmith.verifier.revocation import check_revocation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, TypeAlias

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.checks import ClientIds, Names, TokenUse
    from claimsmith.verifier.issuers import Issuers
    from claimsmith.verifier.jws import Header
    from claimsmith.verifier.revocation import Revocations

    NamesOf: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, str | None]]


class Verifier:
    """Verifies Cognito's tokens, and access tokens of each ``OidcIssuer`` beside it.

    Thread-safe; without I/O while its keys are fresh and revocations are ``ANY``.
    """

    def __init__(  # noqa: PLR0913 - one per check
        self,
        *,
        issuers: Issuers | KeySource,
        client_ids: ClientIds,
        token_use: TokenUse | Unchecked,
        revocations: Revocations | Unchecked,
        audience: Names | Unchecked = (),
        require: Requirement | None = None,
        claim_names: Mapping[str, str | None] | NamesOf = CLAIM_NAMES,
        leeway: float = 5,
        development_hosts: Collection[str] = (),
        clock: Callable[[], float] = time,
    ) -> None:
        """Configure which tokens are accepted.

        Args:
            issuers: the allow-list, or a source of keys, which several verifiers may share. Not ``ANY``: without an
                issuer there are no keys. An ``OidcIssuer`` brings all its rules: of what follows, only ``revocations``,
                ``require``, ``leeway`` and ``clock`` apply to its tokens.
            client_ids: the app clients whose tokens are accepted, or ``ANY``. With several issuers, better a map from
                each issuer to its clients: then a token of one issuer is never accepted for a client of another.
            token_use: ``access`` or ``id``, or ``ANY`` for both. With an ``OidcIssuer``, not ``id``.
            revocations: the store of revocations, or ``ANY`` to accept revoked tokens until they expire.
            audience: the resources that this verifier serves, as in ``aud`` (RFC 8707), or ``ANY``. An access token
                with ``aud`` is accepted only if ``aud`` is its own client or contains one of these.
            require: what every token must grant, for example a scope. Its ``audience`` replaces ``audience``.
            claim_names: the policy's names of the tenant (``tenant_id``), the ``roles`` and its ``policy_version``;
                ``None`` if the claim is not emitted. Or a function that returns them for a token's claims, after the
                checks of signature and times; ``verify`` raises what it raises.
            leeway: seconds by which ``nbf`` and ``iat`` may be ahead of the clock, 300 at most. ``exp`` gets none.
            development_hosts: as of ``KeySource``: hosts of local stacks, such as ``cognito`` in docker compose. Never
                in production. Not together with a source of keys, which has its own.
            clock: epoch seconds.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        self._clock = function(clock, "clock")
        if isinstance(issuers, KeySource):
            if development_hosts:
                raise ConfigurationError("development_hosts are those of the KeySource.")
            self._keys = issuers
        else:
            self._keys = KeySource(issuers, development_hosts=development_hosts, clock=clock)
        self._names_of = claim_names if callable(claim_names) else None
        self._names = CLAIM_NAMES if callable(claim_names) else all_claim_names(claim_names)
        self._checks = ClaimChecks(client_ids=client_ids, token_use=token_use, leeway=leeway)
        self._oidc = {name: OidcChecks(rules, leeway=leeway) for name, rules in self._keys.oidc.items()}
        self._header_of = header_of_any if self._oidc else header_of_rs256
        if self._oidc and token_use == "id":
            raise ConfigurationError("Of an OIDC issuer, only access tokens are verified; token_use is 'id'.")
        if revocations is not ANY and not callable(getattr(revocations, "revoked_at", None)):
            raise ConfigurationError("revocations must have revoked_at, or be ANY.")
        self._revocations = revocations
        requirement: object = require
        if requirement is not None and not isinstance(requirement, Requirement):
            raise ConfigurationError("require must be a Requirement; to require nothing, leave it out.")
        self._require = require
        accepted = audience if require is None or require.audience is ANY else require.audience
        self._audience = resources(accepted, "audience")

    @property
    def audience(self) -> frozenset[str] | Unchecked:
        """The resources that this verifier serves; ``ANY`` if it does not check ``aud``."""
        return self._audience

    def for_any_audience(self) -> Verifier:
        """This verifier without the check of ``aud``, for callers that check it later, when they know the resource."""
        other = copy(self)
        other._audience = ANY  # noqa: SLF001 - the same class
        return other

    def verify(self, token: str) -> Claims:
        """Verify a token.

        The order: structure, issuer and key, signature, claims, requirement, revocation. Before the signature is
        checked, only the header, the issuer and the syntax of the payload are read.

        Args:
            token: as received, without ``Bearer``.

        Raises:
            VerificationError: with the code and the stage of the first check that failed. It contains nothing from the
                token.
        """
        header, payload, signature, signed = split_token(token, self._header_of)
        if not header.is_jwt:
            raise VerificationError(Code.TYPE_NOT_ALLOWED, "structure")
        members = json_object(payload)
        if members is None:
            raise VerificationError(Code.TOKEN_MALFORMED, "structure")
        oidc = self._rules_of(members.get("iss"), header) if self._oidc else None
        keys = self._keys.find(members.get("iss"), header.kid)
        if oidc is None:
            check_signature(signature, signed, keys)  # type: ignore[arg-type] # a user pool's are RSA keys
            self._checks.check(members, self._clock())
            names = self._names if self._names_of is None else all_claim_names(self._names_of(members))
            check_policy_claims(members, names)
            claims = Claims(members, names)
            if "aud" in members:
                check_audience(claims, self._audience)
        else:
            oidc.check_signature(signature, signed, keys)
            claims = oidc.claims(members, self._clock())
        if self._require is not None:
            self._require.check(claims)
        if self._revocations is not ANY:
            check_revocation(claims, self._revocations)
        return claims

    def _rules_of(self, issuer: object, header: Header) -> OidcChecks | None:
        """The rules for a token whose ``iss`` is not verified yet; ``None`` for those of user pools.

        Raises:
            VerificationError: they exclude the token's header.
        """
        oidc = self._oidc.get(issuer) if isinstance(issuer, str) else None
        if oidc is not None:
            oidc.check_header(header)
        elif header.algorithm != "RS256":
            raise VerificationError(Code.ALGORITHM_NOT_ALLOWED, "structure")
        return oidc

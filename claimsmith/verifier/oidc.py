"""The checks of an OIDC issuer's access token: its header before the signature is checked, its claims after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from claimsmith.errors import Code, VerificationError
from claimsmith.unchecked import ANY
from claimsmith.verifier.checks import ClaimChecks
from claimsmith.verifier.claims import OidcClaims
from claimsmith.verifier.jws import check_signature

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from claimsmith.oidc import OidcIssuer
    from claimsmith.verifier.algorithms import PublicKey
    from claimsmith.verifier.jws import Header

#: Keycloak writes what a token is into a claim ``typ``, and ``JWT`` into the header of all its tokens. ``ID`` would be
#: an ID token, ``DPoP`` one that is bound to a key.
_BEARER: Final = "bearer"

#: Of ID tokens: hashes of what was issued with them (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11).
_OF_ID_TOKENS: Final = ("at_hash", "c_hash")

#: The token is bound to a key that its sender has to prove (RFC 7800), by TLS or DPoP. That is not checked here.
_BOUND: Final = "cnf"


class OidcChecks:
    """The checks of one issuer."""

    __slots__ = ("_claims", "_rules")

    def __init__(self, rules: OidcIssuer, *, leeway: float) -> None:
        """Choose the checks.

        Raises:
            ConfigurationError: ``leeway`` is out of bounds.
        """
        self._rules = rules
        # The shapes and times of claims are the same. Clients are compared here, since theirs are named otherwise.
        self._claims = ClaimChecks(client_ids=ANY, token_use="access", leeway=leeway)  # noqa: S106 - a token's kind

    def check_header(self, header: Header) -> None:
        """Refuse a token with another algorithm or type than the issuer's.

        Raises:
            VerificationError: at stage ``structure``.
        """
        if header.algorithm != self._rules.algorithm:
            raise VerificationError(Code.ALGORITHM_NOT_ALLOWED, "structure")
        if self._rules.require_at_jwt and not header.is_at_jwt:
            raise VerificationError(Code.TYPE_NOT_ALLOWED, "structure")

    def check_signature(self, signature: bytes, signed: bytes, keys: tuple[PublicKey, ...]) -> None:
        """Check a signature with the issuer's algorithm.

        Raises:
            VerificationError: none of the keys made it.
        """
        if self._rules.algorithm == "RS256":
            check_signature(signature, signed, cast("tuple[RSAPublicKey, ...]", keys))
        else:
            from claimsmith.verifier.algorithms import check_other_signature  # noqa: PLC0415 - few issuers need it

            check_other_signature(signature, signed, keys)

    def claims(self, members: dict[str, Any], now: float) -> OidcClaims:
        """The claims of a token whose signature is valid.

        Args:
            members: as JSON reads them.
            now: epoch seconds.

        Raises:
            VerificationError: at stage ``claims``.
        """
        rules = self._rules
        client = members.get(rules.client_claim)
        # What other claims are called in tokens of user pools means nothing here.
        read: dict[str, Any] = {name: members[name] for name in _READ if name in members}
        self._claims.check({**read, "token_use": "access", "client_id": "-"}, now)
        kind = members.get("typ", _BEARER)
        if not isinstance(kind, str) or kind.lower() != _BEARER or _BOUND in members or _is_id_token(members):
            raise _refused(Code.WRONG_TOKEN_USE)
        if not _is_name(client) or (rules.client_ids is not ANY and client not in rules.client_ids):
            raise _refused(Code.WRONG_CLIENT)
        bound = members.get("aud", ())
        if rules.audience.isdisjoint((bound,) if isinstance(bound, str) else bound):
            raise _refused(Code.WRONG_AUDIENCE)
        return OidcClaims(members, cast("str", client), self._found(members))

    def _found(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """What the rules take from the claims; types are never coerced.

        Raises:
            VerificationError: a claim is there, but not as a name, or a list of names.
        """
        found: dict[str, Any] = {}
        for meaning, path in self._rules.claim_names.items():
            value: object = members
            for name in path:
                if not isinstance(value, dict):
                    raise _refused(Code.CLAIMS_MALFORMED)
                value = value.get(name)
                if value is None:
                    break
            if value is None:
                continue
            if not (_is_name(value) if meaning == "tenant_id" else _are_names(value)):
                raise _refused(Code.CLAIMS_MALFORMED)
            found[meaning] = value
        return found


#: The claims that ``ClaimChecks`` reads and that mean the same in these tokens (RFC 7519 section 4.1, RFC 9068).
_READ: Final = ("exp", "iat", "nbf", "auth_time", "iss", "sub", "aud", "jti", "scope")


def _is_id_token(members: Collection[str]) -> bool:
    return any(name in members for name in _OF_ID_TOKENS)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in cast("list[object]", value))


def _refused(code: Code) -> VerificationError:
    return VerificationError(code, "claims")

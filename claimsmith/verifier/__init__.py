"""Token verification: signature, keys, claims and revocation; the authorizer and introspection build on it.

::

    verifier = Verifier(issuers=[ISSUER], client_ids=[CLIENT], token_use="access", revocations=ANY)
    claims = verifier.verify(token)

Needs the standard library and ``cryptography``, nothing else.
"""

from claimsmith.errors import ConfigurationError, VerificationError
from claimsmith.oidc import OidcIssuer
from claimsmith.unchecked import ANY
from claimsmith.verifier.checks import Requirement, TokenUse
from claimsmith.verifier.claims import Claims, OidcClaims
from claimsmith.verifier.jwks import KeySource
from claimsmith.verifier.jws import Jws, verify_jws
from claimsmith.verifier.revocation import CachedRevocations, Revocations, UncheckedOnFailure
from claimsmith.verifier.verifier import Verifier

__all__ = [
    "ANY",
    "CachedRevocations",
    "Claims",
    "ConfigurationError",
    "Jws",
    "KeySource",
    "OidcClaims",
    "OidcIssuer",
    "Requirement",
    "Revocations",
    "TokenUse",
    "UncheckedOnFailure",
    "VerificationError",
    "Verifier",
    "verify_jws",
]

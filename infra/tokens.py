"""Which tokens this app's verifiers accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws

from claimsmith.oidc import OidcIssuer
from claimsmith_cdk import AcceptedTokens

if TYPE_CHECKING:
    from aws_cdk import aws_cognito as cognito

    from infra.config import Config


def accepted_tokens(pool: cognito.UserPool, config: Config) -> AcceptedTokens:
    """Those of the app's pool and the policy's clients; for a local stack, with the address of its keys."""
    listed, others = config.client_ids, [OidcIssuer.from_json(issuer) for issuer in config.oidc_issuers]
    hosts = config.development_hosts
    if config.jwks_endpoint is None:
        return AcceptedTokens(
            user_pools=[pool],
            client_ids=listed,
            audience=config.audience,
            oidc_issuers=others,
            development_hosts=hosts,
        )
    issuer = f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{pool.user_pool_id}"
    keys = f"{config.jwks_endpoint}/{pool.user_pool_id}/.well-known/jwks.json"
    return AcceptedTokens(
        issuers=[f"{issuer}={keys}"],
        client_ids=listed,
        audience=config.audience,
        oidc_issuers=others,
        development_hosts=hosts,
    )

"""Which tokens a verifier accepts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from claimsmith import environment as variables
from claimsmith.addresses import check_hosts
from claimsmith.errors import ConfigurationError
from claimsmith_cdk.props import PropsError, check_several
from claimsmith_cdk.user_pools import check_pool, user_pool_issuer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cognito as cognito

    from claimsmith.oidc import OidcIssuer
    from claimsmith_cdk.user_pools import AnyUserPool

#: RFC 8707 section 2: absolute, without a fragment.
_RESOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#,*]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedTokens:
    """Which tokens a verifier accepts.

    Attributes:
        user_pools: pools whose tokens are accepted, in their own Regions.
        issuers: further issuers, each alone or as ``issuer=address of its keys``.
        clients: app clients of the pools that are accepted without a row in the policy; those with a row always are.
        client_ids: ids of further such clients, each alone or as ``id@id of its user pool``.
        audience: resources that access tokens may be bound to (``aud``), unless route or caller names others. Without
            any, only tokens that are bound to nothing are accepted.
        oidc_issuers: issuers that are no user pools, such as Keycloak's, with rules of their own: authorizers accept
            their access tokens, introspection does not.
        development_hosts: hosts of local stacks, such as ``cognito`` in docker compose, whose issuers and keys are
            accepted without https. Never in production.

    Raises:
        PropsError: something is no list, or no user pool; no issuer is named, one is at an address that keys must not
            come from, or a resource is no absolute address without a fragment.
    """

    user_pools: Sequence[AnyUserPool] = ()
    issuers: Sequence[str] = ()
    clients: Sequence[cognito.IUserPoolClient] = ()
    client_ids: Sequence[str] = ()
    audience: Sequence[str] = ()
    oidc_issuers: Sequence[OidcIssuer] = ()
    development_hosts: Sequence[str] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            check_several(field.name, getattr(self, field.name))
        for pool in self.user_pools:
            check_pool(pool)
        if not self.user_pools and not self.issuers:
            raise PropsError("No token could be accepted: name user_pools, issuers, or both.")
        try:
            hosts = check_hosts(self.development_hosts)
            for issuer in self.oidc_issuers:
                issuer.check_addresses(hosts)
        except ConfigurationError as error:
            raise PropsError(error.message) from None
        for resource in self.audience:
            if not _RESOURCE.fullmatch(resource):
                raise PropsError(
                    f"audience: {resource!r} is not possible; use absolute addresses without a fragment or a comma."
                )

    @property
    def pool_issuers(self) -> tuple[str, ...]:
        """``iss`` of the tokens of user pools: of ``user_pools``, then ``issuers``."""
        return (*map(user_pool_issuer, self.user_pools), *(entry.partition("=")[0] for entry in self.issuers))

    def environment(self) -> dict[str, str]:
        """The variables of a function that verifies tokens."""
        found = {variables.ISSUERS: ",".join([*map(user_pool_issuer, self.user_pools), *self.issuers])}
        clients = [*(client.user_pool_client_id for client in self.clients), *self.client_ids]
        if clients:
            found[variables.CLIENT_IDS] = ",".join(clients)
        if self.audience:
            found[variables.AUDIENCE] = ",".join(self.audience)
        if self.oidc_issuers:
            written = [issuer.to_json() for issuer in self.oidc_issuers]
            found[variables.OIDC_ISSUERS] = json.dumps(written, separators=(",", ":"), sort_keys=True)
        if self.development_hosts:
            found[variables.DEVELOPMENT_HOSTS] = ",".join(self.development_hosts)
        return found

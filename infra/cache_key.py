"""The cache key of an HTTP API's authorizer: everything that its answer depends on."""

from __future__ import annotations

import re
from typing import Final

from claimsmith.errors import ConfigurationError
from claimsmith.places import places
from claimsmith_cdk.claims_authorizer import IDENTITY_SOURCES

_IDENTITY_SOURCE: Final = re.compile(
    r"\$request\.(?:header|querystring)\.[A-Za-z0-9_-]+|\$context\.(?:routeKey|httpMethod|path)"
)
_ROUTE_SOURCE: Final = "$context.routeKey"

#: Sources that can name a tenant: the path, and headers other than the token's. A parameter may occur several times,
#: and AWS does not document which of its values is in the cache key.
_TENANT_SOURCE: Final = re.compile(r"\$context\.path|\$request\.header\.(?!authorization$).+", re.IGNORECASE)


def check_identity_source(source: str) -> str:
    """Check that API Gateway has such a source."""
    if not _IDENTITY_SOURCE.fullmatch(source):
        raise ValueError(
            f"{source!r} is not possible; use $request.header.NAME, $request.querystring.NAME, $context.routeKey, "
            "$context.httpMethod and $context.path"
        )
    return source


def check_cache_key(
    sources: tuple[str, ...], cache_seconds: int, token_from: tuple[str, ...], cookie_origins: tuple[str, ...]
) -> None:
    """Refuse a cache whose key lacks the token or, if there is a cache, route or tenant.

    Args:
        sources: ``authorizer_identity_sources``.
        cache_seconds: how long an answer is kept; 0 for no cache.
        token_from: where requests have their token.
        cookie_origins: whose pages may send it in a cookie.

    Raises:
        ValueError: a cached answer would open other requests, or the token is in no header.
    """
    key = "authorizer_identity_sources"
    try:
        in_header = places(token_from, cookie_origins).in_header
    except ConfigurationError as error:
        raise ValueError(f"token_from and cookie_origins: {error.message}") from None
    if not in_header and (cache_seconds or IDENTITY_SOURCES[0] in sources):
        raise ValueError(f"{key} must be [], without a cache: token_from puts the token elsewhere than in a header")
    if in_header and sources and IDENTITY_SOURCES[0] not in sources:
        raise ValueError(f"{key} must include {IDENTITY_SOURCES[0]}: every answer depends on the token")
    tenant = any(map(_TENANT_SOURCE.fullmatch, sources))
    if cache_seconds and not (_ROUTE_SOURCE in sources and tenant):
        raise ValueError(
            f"authorizer_cache_seconds = {cache_seconds} is not possible with these {key}: a "
            "cached answer for one route or tenant would open another. Name the route and the place of the tenant "
            "in your routes' tenant_from (not a query parameter: it may occur twice), as in "
            f'{key} = ["$request.header.Authorization", "$context.routeKey", "$context.path"]'
        )

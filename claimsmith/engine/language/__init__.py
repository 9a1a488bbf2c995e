"""The words of a policy: names and modes here, ``paths``, ``conditions`` and ``values`` beside.

Lint enumerates them; nothing else defines any. Of routes, which no token depends on, ``claimsmith.routes`` does.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from claimsmith.cognito.limits import ADMIN_SCOPE, OIDC_SCOPES

#: Tenant ids and role names: as other systems have them, without what separates keys (``#``) and lists (spaces).
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,62}")

ScopeMode = Literal["intersect", "exact"]
NoTenant = Literal["allow", "deny"]
Publish = Literal["auto", "manual"]

#: Marks on a token that is less than it should be; never renamed, so that a verifier can rely on them.
DEGRADED_CLAIM: Final = "claims_degraded"
SHED_CLAIM: Final = "claims_shed"

#: The client metadata entry that asks for a tenant. A hint: it is checked against membership.
TENANT_HINT: Final = "tenant_id"

#: Scopes that no policy grants or takes away unless it suppresses them by name.
ALWAYS_UNMANAGED: Final = OIDC_SCOPES | {ADMIN_SCOPE}

#: The scope that lets a machine ask the introspection endpoint about tokens of others.
INTROSPECTION_SCOPE: Final = "claimsmith/introspect"

#: Scopes that only the policy grants, whatever ``settings.privileged_scopes`` holds.
ALWAYS_PRIVILEGED: Final = frozenset({INTROSPECTION_SCOPE})

#: What a rule does beside setting claims: only where all that it reads can be trusted.
AUTHORITY: Final = (
    "add_scopes",
    "suppress_scopes",
    "suppress_access_claims",
    "suppress_id_claims",
    "add_groups",
    "suppress_groups",
)

#: Tenants listed in an ID token whose user has still to choose one.
MAX_TENANTS_LISTED: Final = 100


#: Patterns that are looked at one by one, and characters of the longest name that Cognito takes, which is a scope's.
_FEW: Final = 16
_MAX_NAME: Final = 256


def is_unmanaged(scope: str, patterns: frozenset[str]) -> bool:
    """Whether the policy leaves this scope alone.

    Args:
        scope: a scope.
        patterns: ``settings.unmanaged_scopes``: exact scopes, or prefixes as in ``legacy/*``.
    """
    return scope in ALWAYS_UNMANAGED or matches(scope, patterns)


def is_privileged(scope: str, patterns: frozenset[str]) -> bool:
    """Whether only the policy grants this scope, and no row of the directory does by name.

    Args:
        scope: a scope.
        patterns: ``settings.privileged_scopes``: exact scopes, or prefixes as in ``admin/*``.
    """
    return scope in ALWAYS_PRIVILEGED or matches(scope, patterns)


def matches(name: str, patterns: frozenset[str]) -> bool:
    """Whether a name is one of these, or begins as one that ends in ``*``."""
    if not patterns or name in patterns:
        return bool(patterns)
    if len(patterns) <= _FEW:
        return any(pattern.endswith("*") and name.startswith(pattern[:-1]) for pattern in patterns)
    # Of many patterns none is gone through: a name has no more beginnings than characters.
    return any(f"{name[:end]}*" in patterns for end in range(min(len(name), _MAX_NAME) + 1))

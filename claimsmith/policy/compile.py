"""Compiles a clean draft into the document of a bundle: closed, sorted, and the same bytes for the same policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.cognito.claims import accepted
from claimsmith.engine.bundle import FORMAT, MAX_BYTES, encode
from claimsmith.errors import Code, PolicyError
from claimsmith.policy.draft import SETTINGS_SECTION, Draft, Entry
from claimsmith.policy.lint import Finding, ancestors, check

if TYPE_CHECKING:
    from claimsmith.policy.documents import ClaimsRow, Client, Route
    from claimsmith.policy.lint import Checked


def compile(draft: Draft) -> dict[str, Any]:  # noqa: A001 - the field's own word; nobody calls Python's compile here
    """The document of a draft.

    Raises:
        PolicyError: lint has findings; they are on the error.
    """
    policy, findings = check(draft)
    if not findings:
        document = _document(policy)
        stored, _ = encode(document)
        if len(stored) <= MAX_BYTES:
            return document
        row = Entry(SETTINGS_SECTION, "", {}).row
        message = f"the compiled policy has {len(stored):,} bytes; {MAX_BYTES:,} are allowed"
        findings = [Finding(Code.BUNDLE_TOO_LARGE, row, "", message)]
    raise PolicyError(findings[0].code, f"The policy has {len(findings)} findings.", findings)


def _document(policy: Checked) -> dict[str, Any]:
    settings = policy.settings
    return {
        "format": FORMAT,
        "settings": {
            "claim_names": settings.names(),
            "scope_mode": settings.scope_mode,
            "unmanaged_scopes": _sorted(settings.unmanaged_scopes),
            "no_tenant": settings.no_tenant,
            "default_roles": _sorted(settings.default_roles),
            "cache_seconds": settings.cache_seconds,
        },
        "roles": {
            name: {
                "scopes": _sorted(role.scopes),
                "closure": _sorted([name, *ancestors(name, policy.roles)]),
                **_claims(role),
            }
            for name, role in policy.roles.items()
        },
        "groups": {name: _sorted(group.roles) for name, group in policy.groups.items()},
        "clients": {name: _client(client) for name, client in policy.clients.items()},
        "routes": {name: _route(route) for name, route in policy.routes.items()},
    }


def _client(client: Client) -> dict[str, Any]:
    compiled: dict[str, Any] = _claims(client)
    if client.scopes_allowed is not None:
        compiled["scopes_allowed"] = _sorted(client.scopes_allowed)
    if client.audience:
        compiled["audience"] = True
    for name in ("name", "tenant", "scope_mode"):
        if (value := getattr(client, name)) is not None:
            compiled[name] = value
    for name in ("roles", "suppress_scopes"):
        if value := getattr(client, name):
            compiled[name] = _sorted(value)
    return compiled


def _route(route: Route) -> dict[str, Any]:
    compiled: dict[str, Any] = {"method": route.method, "path": route.path}
    for name in ("api", "tenant_from"):
        if (value := getattr(route, name)) is not None:
            compiled[name] = value
    for name in ("any_scope", "all_scopes", "any_role"):
        # An empty list that somebody wrote is not the same as none: the authorizer lets nobody through.
        if name in route.model_fields_set:
            compiled[name] = _sorted(getattr(route, name))
    return compiled


def _claims(row: ClaimsRow) -> dict[str, Any]:
    """The claims by token: what both get, and over it what one gets."""
    by_token = {
        "access_claims": accepted({**row.claims, **row.access_claims}),
        "id_claims": accepted({**row.claims, **row.id_claims}),
    }
    return {name: claims for name, claims in by_token.items() if claims}


def _sorted(names: list[str]) -> list[str]:
    return sorted(set(names))

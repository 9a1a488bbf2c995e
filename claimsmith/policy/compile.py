"""Compiles a policy into a bundle document: roles expanded, lists sorted, equal bytes for equal policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.cognito.claims import accepted
from claimsmith.engine.codec import format_for
from claimsmith.engine.language import AUTHORITY
from claimsmith.engine.language.conditions import OPERATORS
from claimsmith.engine.language.values import LITERAL, form_of, holds_expression, looks_like_expression
from claimsmith.policy.checks.roles import closures, expanded
from claimsmith.policy.checks.scopes import grants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from claimsmith.policy.documents import ClaimsRow, Client, Group, GroupsFrom, IdentityProvider, Route, Rule
    from claimsmith.policy.reading import Policy


def document(policy: Policy) -> dict[str, Any]:
    """Return the bundle document of a policy without lint errors."""
    settings = policy.settings
    # Settings that are off by default are left out, so that existing policies compile to the same bundle.
    enabled_settings: dict[str, Any] = {"shed_groups": True} if settings.shed_groups else {}
    for name in ("privileged_scopes", "oidc_scopes", "directory_groups", "context_claims"):
        if listed := getattr(settings, name):
            enabled_settings[name] = _sorted(listed)
    if groups_from := _groups_from(settings.groups_from):
        enabled_settings["groups_from"] = groups_from
    names, closed = sorted(policy.roles), closures(policy.roles)
    compiled: dict[str, Any] = {
        "settings": {
            "claim_names": settings.names(),
            "scope_mode": settings.scope_mode,
            "unmanaged_scopes": _sorted(settings.unmanaged_scopes),
            "no_tenant": settings.no_tenant,
            "default_roles": _sorted(settings.default_roles),
            "trusted_attributes": _sorted(settings.trusted_attributes),
            "token_budget": settings.token_budget,
            "cache_seconds": settings.cache_seconds,
            **enabled_settings,
        },
        "roles": {
            name: {
                "scopes": _sorted(role.scopes),
                "closure": list(expanded(closed[name], names)),
                **({"add_groups": _sorted(role.add_groups)} if role.add_groups else {}),
                **_claims(role),
            }
            for name, role in policy.roles.items()
        },
        "groups": {name: _sorted(group.roles) for name, group in policy.groups.items()},
        "clients": {name: _client(client) for name, client in policy.clients.items()},
        "rules": [_rule(name, rule) for name, rule in in_order(policy.rules) if rule.enabled],
        "routes": {name: _route(route) for name, route in policy.routes.items()},
        "scopes": _sorted(
            scope
            for entry, _, scopes in grants(policy)
            for scope in scopes
            if entry.section != "rules" or policy.rules[entry.name].enabled
        ),
    }
    if iam_roles := {name: _iam_roles(group) for name, group in policy.groups.items() if group.iam_roles}:
        compiled["iam_roles"] = iam_roles
    if policy.identity_providers:
        compiled["identity_providers"] = {
            name: _provider(provider) for name, provider in policy.identity_providers.items()
        }
    return {"format": format_for(compiled), **compiled}


def _groups_from(groups_from: GroupsFrom) -> dict[str, Any]:
    compiled: dict[str, Any] = {
        "attributes": _sorted(groups_from.attributes),
        "roles": {group: _sorted(roles) for group, roles in groups_from.roles.items()},
        "prefix": groups_from.prefix,
        "suppress_admin_scope": groups_from.suppress_admin_scope,
    }
    return {name: value for name, value in compiled.items() if value}


def _provider(provider: IdentityProvider) -> dict[str, Any]:
    compiled: dict[str, Any] = {"tenants": _sorted(provider.tenants)}
    for name in ("attributes", "groups"):
        if (names := getattr(provider, name)) is not None:
            compiled[name] = _sorted(names)
    if provider.prefix is not None:
        compiled["prefix"] = provider.prefix
    if provider.roles is not None:
        compiled["roles"] = {group: _sorted(roles) for group, roles in provider.roles.items()}
    if provider.just_in_time:
        compiled["just_in_time"] = True
    return compiled


def _iam_roles(group: Group) -> dict[str, Any]:
    preferred = {} if group.preferred_role is None else {"preferred_role": group.preferred_role}
    return {"iam_roles": _sorted(group.iam_roles), **preferred}


def in_order(rules: Mapping[str, Rule]) -> list[tuple[str, Rule]]:
    """Return the rules in the order in which they apply."""
    return sorted(rules.items(), key=lambda item: (item[1].order, item[0]))


def _client(client: Client) -> dict[str, Any]:
    compiled: dict[str, Any] = _claims(client)
    if client.scopes_allowed is not None:
        compiled["scopes_allowed"] = _sorted(client.scopes_allowed)
    if client.audience:
        compiled["audience"] = True
    if not client.add_to_access_token:
        compiled["add_to_access_token"] = False
    for name in ("name", "tenant", "scope_mode", "user_pool"):
        if (value := getattr(client, name)) is not None:
            compiled[name] = value
    for name in ("roles", "suppress_scopes"):
        if value := getattr(client, name):
            compiled[name] = _sorted(value)
    return compiled


def _rule(name: str, rule: Rule) -> dict[str, Any]:
    compiled: dict[str, Any] = {"id": name, **_claims(rule)}
    if rule.when is not None:
        compiled["when"] = _condition(rule.when)
    if rule.optional:
        compiled["optional"] = True
    for effect in AUTHORITY:
        if value := getattr(rule, effect):
            compiled[effect] = _sorted(value)
    return compiled


def _route(route: Route) -> dict[str, Any]:
    compiled: dict[str, Any] = {"method": route.method, "path": route.path}
    for name in ("api", "tenant_from", "access"):
        if (value := getattr(route, name)) is not None:
            compiled[name] = value
    for name in ("any_scope", "all_scopes", "any_role", "audience"):
        # An explicit empty list differs from an absent one: the authorizer then lets nobody through.
        if name in route.model_fields_set:
            compiled[name] = _sorted(getattr(route, name))
    return compiled


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition with default values filled in."""
    if "field" in condition:
        default = OPERATORS[condition["op"]].default
        return {**({} if default is None else {"value": default}), **condition}
    [(branch, inner)] = condition.items()
    return {branch: _condition(inner) if branch == "not" else [_condition(part) for part in inner]}


def _claims(row: ClaimsRow) -> dict[str, Any]:
    """Return the claims of each token: ``claims``, overridden by the attribute for that token."""
    by_token = {
        "access_claims": {**row.claims, **row.access_claims},
        "id_claims": {**row.claims, **row.id_claims},
    }
    return {
        attribute: {name: _value(value) for name, value in claims.items()}
        for attribute, claims in by_token.items()
        if claims
    }


def _value(value: Any) -> Any:  # noqa: ANN401 - a literal or an expression
    """Return a literal as Cognito accepts it, or an expression as written."""
    form = form_of(value)
    if form is None:
        return _literal(value)
    compiled = {key: accepted(part) if form.keys[key] == "literal" else part for key, part in value.items()}
    if LITERAL not in compiled:
        return compiled
    literal = compiled[LITERAL]
    return {LITERAL: literal} if looks_like_expression(literal) or holds_expression(literal) else literal


def _literal(value: Any) -> Any:  # noqa: ANN401 - a literal, with or without expressions inside
    if not holds_expression(value):
        return accepted(value)
    if isinstance(value, list):
        return [_value(part) for part in value]
    return {name: _value(part) for name, part in value.items()}


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(set(names))

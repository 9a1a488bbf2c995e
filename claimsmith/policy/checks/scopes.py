"""Scopes: characters that Cognito accepts, grants only of managed scopes, and grants that some client allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.limits import OIDC_SCOPES, SCOPE
from claimsmith.engine.language import is_unmanaged
from claimsmith.errors import Code
from claimsmith.policy.finding import clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for scopes that no token can have, and for grants of unmanaged scopes."""
    for entry, attribute, scopes in _lists(policy):
        for index, scope in enumerate(scopes):
            if not SCOPE.fullmatch(scope):
                message = (
                    "a scope needs 1 to 256 printable ASCII characters, without spaces, double quotes and backslashes"
                )
                yield found(Code.INVALID_SCOPE, entry, (attribute, str(index)), message)
    for attribute in ("unmanaged_scopes", "privileged_scopes"):
        for index, pattern in enumerate(getattr(policy.settings, attribute)):
            if "*" in pattern.removesuffix("/*"):
                message = "use * only at the end, after a slash, as in legacy/*"
                yield found(Code.INVALID_SCOPE, policy.settings_entry, (attribute, str(index)), message)
    yield from _unmanaged(policy)


def _unmanaged(policy: Policy) -> Iterator[Finding]:
    unmanaged = frozenset(policy.settings.unmanaged_scopes)
    oidc = OIDC_SCOPES.intersection(policy.settings.oidc_scopes)
    for index, scope in enumerate(policy.settings.oidc_scopes):
        if scope not in OIDC_SCOPES:
            message = f"only {', '.join(sorted(OIDC_SCOPES))} can stand here; other scopes are granted without"
            yield found(Code.INVALID_SCOPE, policy.settings_entry, ("oidc_scopes", str(index)), message)
    for entry, attribute, scopes in grants(policy):
        for index, scope in enumerate(scopes):
            if is_unmanaged(scope, unmanaged) and scope not in oidc:
                remedy = "or the entry in unmanaged_scopes"
                if scope in OIDC_SCOPES:
                    remedy = "or add the scope to oidc_scopes, for sign-ins by API"
                message = f"the policy does not manage {clipped(scope)}; remove the grant, {remedy}"
                yield found(Code.UNMANAGED_SCOPE, entry, (attribute, str(index)), message)


def not_allowed(policy: Policy) -> Iterator[Finding]:
    """Yield grants that reach no token, because no client's row allows them.

    Clients without a row have no ceiling, but if there are rows, the policy is about those.
    """
    if not policy.clients:
        return
    # Scopes that a client with a ceiling allows, and scopes that every client without one suppresses.
    allowed: set[str] = set()
    suppressed: set[str] | None = None
    for client in policy.clients.values():
        never = set(client.suppress_scopes)
        if client.scopes_allowed is not None:
            allowed |= set(client.scopes_allowed) - never
        else:
            suppressed = never if suppressed is None else suppressed & never
    for entry, attribute, scopes in grants(policy):
        for index, scope in enumerate(scopes):
            if scope not in allowed and (suppressed is None or scope in suppressed):
                message = f"no client's row allows {clipped(scope)}; add it to scopes_allowed, or remove the grant"
                yield found(Code.SCOPE_NOT_ALLOWED, entry, (attribute, str(index)), message)


def grants(policy: Policy) -> Iterator[tuple[Entry, str, Sequence[str]]]:
    """Yield every list of scopes that a row grants."""
    for name, role in policy.roles.items():
        yield policy.entries["roles"][name], "scopes", role.scopes
    for name, rule in policy.rules.items():
        yield policy.entries["rules"][name], "add_scopes", rule.add_scopes


def _lists(policy: Policy) -> Iterator[tuple[Entry, str, Sequence[str]]]:
    yield policy.settings_entry, "unmanaged_scopes", policy.settings.unmanaged_scopes
    yield policy.settings_entry, "privileged_scopes", policy.settings.privileged_scopes
    yield from grants(policy)
    for name, rule in policy.rules.items():
        yield policy.entries["rules"][name], "suppress_scopes", rule.suppress_scopes
    for name, client in policy.clients.items():
        yield policy.entries["clients"][name], "scopes_allowed", client.scopes_allowed or ()
        yield policy.entries["clients"][name], "suppress_scopes", client.suppress_scopes
    for name, route in policy.routes.items():
        yield policy.entries["routes"][name], "any_scope", route.any_scope
        yield policy.entries["routes"][name], "all_scopes", route.all_scopes


ERRORS: Final = (check,)
WARNINGS: Final = (not_allowed,)

"""Identity providers: what they say is safe to hear, and their rows stay within what the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.engine.federation import ANY, PUBLIC
from claimsmith.engine.language import NAME, matches
from claimsmith.errors import Code
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.documents import IdentityProvider
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy


def check(policy: Policy) -> Iterator[Finding]:
    """Yield attributes that users could write, and rows that say more than the settings allow."""
    shared, trusted = policy.settings.groups_from, policy.settings.trusted_attributes
    for index, name in enumerate(shared.attributes):
        if name not in trusted and not shared.suppress_admin_scope:
            message = (
                f"users may be able to write {clipped(name)}: set suppress_admin_scope: true, which removes "
                f"{ADMIN_SCOPE} from the tokens of the providers' users; "
                "or add it to trusted_attributes if no app client may write it"
            )
            path = ("groups_from", "attributes", str(index))
            yield found(Code.GROUPS_ATTRIBUTE_WRITABLE, policy.settings_entry, path, message)
    for name, provider in policy.identity_providers.items():
        yield from _provider(policy, policy.entries["identity_providers"][name], provider)


def _provider(policy: Policy, entry: Entry, provider: IdentityProvider) -> Iterator[Finding]:
    known = policy.settings.groups_from.attributes
    for index, tenant in enumerate(provider.tenants):
        if tenant != ANY and not NAME.fullmatch(tenant):
            message = f"a tenant id must match {NAME.pattern}; {ANY} stands for all"
            yield found(Code.INVALID_NAME, entry, ("tenants", str(index)), message)
    for index, name in enumerate(provider.attributes or ()):
        if name not in known:
            message = f"{clipped(name)} is not in attributes of groups_from; add it there"
            suggestion = Suggestion((name,), known)
            yield found(Code.PROVIDER_OUT_OF_BOUNDS, entry, ("attributes", str(index)), message, suggestion)
    if provider.just_in_time and ANY in provider.tenants:
        message = f"nobody is a member of every tenant; name the tenants in place of {ANY}, or remove just_in_time"
        yield found(Code.PROVIDER_OUT_OF_BOUNDS, entry, ("just_in_time",), message)
    if provider.just_in_time and entry.name in PUBLIC:
        message = "anybody can have an account there, and would be a member; remove just_in_time"
        yield found(Code.PROVIDER_OUT_OF_BOUNDS, entry, ("just_in_time",), message)
    if provider.groups is None:
        return
    prefix = policy.settings.groups_from.prefix if provider.prefix is None else provider.prefix
    patterns = frozenset(provider.groups)
    for group in provider.roles or {}:
        if not matches(prefix + group, patterns):
            message = (
                f"groups does not allow {clipped(prefix + group)}, so this never counts; add it, or remove it here"
            )
            yield found(Code.PROVIDER_OUT_OF_BOUNDS, entry, ("roles", group), message)


def unheard(policy: Policy) -> Iterator[Finding]:
    """Yield providers that nobody hears, and groups that nobody may name."""
    shared = policy.settings.groups_from
    if shared.attributes and not policy.identity_providers:
        message = "no identity provider has a row, so none is heard; add identity_providers with their tenants"
        yield found(Code.PROVIDER_UNHEARD, policy.settings_entry, ("groups_from",), message)
    for name, provider in policy.identity_providers.items():
        roles = shared.roles if provider.roles is None else provider.roles
        attributes = shared.attributes if provider.attributes is None else provider.attributes
        message = ""
        if not provider.tenants:
            message = "it may speak for no tenant; name its tenants"
        elif not provider.just_in_time and not (roles and attributes):
            message = "its groups give no roles, and its users become no members; add roles or just_in_time"
        if message:
            entry = policy.entries["identity_providers"][name]
            yield found(Code.PROVIDER_UNHEARD, entry, ("tenants",) if not provider.tenants else (), message)


ERRORS: Final = (check,)
WARNINGS: Final = (unheard,)

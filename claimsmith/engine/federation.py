"""For whom an identity provider speaks: the roles that its groups give, and the tenants whose member its users are.

A provider's administrator decides what its assertions say, so what they say counts only in the tenants that the
provider's row names. Only the provider of this sign-in speaks, and none where that is not certain
(``language.paths.identity_provider``). ``docs/adr/0048-who-may-speak-for-a-tenant.md`` has the reasons.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from claimsmith.engine.facts import Membership
from claimsmith.engine.language import matches
from claimsmith.engine.language.paths import OWN_PROVIDER, STATUS, identities, identity_provider
from claimsmith.engine.reasons import SETTINGS_ROW, Reason
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle, Provider
    from claimsmith.engine.facts import UserFacts

#: In ``tenants`` of a provider: every tenant, and no tenant at all.
ANY: Final = "*"

#: The names of Cognito's social providers (CreateIdentityProvider): anybody can have an account there.
PUBLIC: Final = frozenset({"Facebook", "Google", "LoginWithAmazon", "SignInWithApple"})

#: Characters of an attribute that are looked at; Cognito's have 2,048 at most.
_MAX_TEXT: Final = 32_768

#: What a list in text may have around its members. Other white space may be part of a name that merely looks alike.
_SPACE: Final = " \t\r\n"

_EXTERNAL: Final = "EXTERNAL_PROVIDER"

#: Why tokens of a provider's users lack Cognito's admin scope.
SEALED: Final = "with it, users could write the attributes in which their provider names groups"


class Given(NamedTuple):
    """Roles that a group of the provider gives.

    Attributes:
        row: the provider's, as reasons name it.
        detail: which group, and where it was found.
    """

    roles: tuple[str, ...]
    row: str
    detail: str


class Federated(NamedTuple):
    """What a provider says that counts, and why something does not."""

    given: tuple[Given, ...] = ()
    reasons: tuple[Reason, ...] = ()


NOTHING: Final = Federated()


def listed(text: str) -> frozenset[str]:
    """The groups in an attribute, in any form in which providers and Cognito write lists.

    A JSON list (OIDC), ``[a, b]`` (SAML), ``a;b``, ``a,b``, or one name. Where there is a semicolon, commas are part of
    names, as in those of directories. Text with a quotation mark is JSON or nothing, so that no name is ever split:
    a list that was cut off has no members.
    """
    if len(text) > _MAX_TEXT:
        return frozenset()
    text = text.strip(_SPACE)
    if '"' in text:
        try:
            # Numbers stay as they are spelt.
            parsed = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return frozenset()
        members = parsed if isinstance(parsed, list) else [parsed]
        return frozenset(member for member in members if isinstance(member, str) and member)
    if text.startswith("["):
        members = text[1:-1].split(",") if text.endswith("]") else []
    else:
        members = text.split(";" if ";" in text else ",")
    return frozenset(stripped for member in members if (stripped := member.strip(_SPACE)))


def speaking(bundle: Bundle, request: Request) -> tuple[Provider | None, str]:
    """The provider of a sign-in, if it has a row; otherwise why nobody speaks, which may be empty."""
    name = identity_provider(request)
    if name is None:
        return None, "which identity provider this sign-in used is not certain"
    if name == OWN_PROVIDER:
        return None, ""
    provider = bundle.providers.get(name)
    return provider, "" if provider is not None else f"identity provider {name} has no row"


def admitted(bundle: Bundle, user: UserFacts, request: Request) -> UserFacts:
    """The user's facts, with memberships that the provider of this sign-in gives just in time.

    A row of the user's own comes first, also one that does not count: who was suspended stays so.
    """
    if not bundle.providers or request.machine or user.user is None:
        return user
    provider, _ = speaking(bundle, request)
    if provider is None or not provider.just_in_time:
        return user
    return _with_members(user, provider, provider.tenants)


def possibly_admitted(bundle: Bundle, user: UserFacts, tenant: str | None) -> UserFacts:
    """The same where the sign-in is not known: with every membership that some provider could give.

    Args:
        bundle: the policy.
        user: the user's own facts.
        tenant: only the membership of this one; None for all.
    """
    for provider in bundle.providers.values():
        if provider.just_in_time:
            user = _with_members(user, provider, provider.tenants & {tenant} if tenant else provider.tenants)
    return user


def _with_members(user: UserFacts, provider: Provider, tenants: frozenset[str]) -> UserFacts:
    new = tenants - user.barred - user.memberships.keys() - {ANY}
    if not new:
        return user
    member = Membership(admitted_by=provider.row)
    return user._replace(memberships={**user.memberships, **dict.fromkeys(new, member)})


def given(bundle: Bundle, request: Request, tenant: str | None) -> Federated:
    """What the groups of this sign-in's provider give in a tenant, or without one."""
    if not bundle.providers or request.machine:
        return NOTHING
    provider, why = speaking(bundle, request)
    if provider is not None and not may_speak_for(provider, tenant):
        where = f"for tenant {tenant}" if tenant else "where there is no tenant"
        why, provider = f"{provider.row} may not speak {where}", None
    if provider is None:
        return Federated(reasons=tuple(_unheard(bundle, request, why)) if why else ())
    return Federated(tuple(_of(provider, request.attributes)))


def possibly_given(bundle: Bundle, tenant: str | None) -> tuple[Given, ...]:
    """The same where the sign-in is not known: all that some provider could give in a tenant, or without one."""
    return tuple(
        Given(roles, provider.row, "")
        for provider in bundle.providers.values()
        if may_speak_for(provider, tenant)
        for roles in provider.roles.values()
    )


def sealed_by(bundle: Bundle, request: Request) -> str | None:
    """The row of a provider for whose users tokens carry no admin scope; None where this user's may.

    It is enough that the provider may one day speak by this profile: what the user wrote until then would stay.
    """
    if request.attributes.get(STATUS) != _EXTERNAL:
        return None
    linked = identities(request.attributes)
    names = [identity.provider for identity in linked] if linked else [*bundle.providers]
    known = (bundle.providers[name] for name in names if name in bundle.providers)
    return next((provider.row for provider in known if provider.sealed), None)


def may_be_sealed(bundle: Bundle | None, request: Request) -> bool:
    """The same for when the policy may not be known: then every profile of a provider may be of such a user."""
    if bundle is None:
        return request.attributes.get(STATUS) == _EXTERNAL
    return sealed_by(bundle, request) is not None


def may_speak_for(provider: Provider, tenant: str | None) -> bool:
    """Whether a provider may speak for a tenant, or, without one, for nobody's."""
    return ANY in provider.tenants or (tenant is not None and tenant in provider.tenants)


def _of(provider: Provider, attributes: Mapping[str, str]) -> Iterator[Given]:
    """What the groups give that the attributes name. However many they name, only the policy's map is gone through."""
    for attribute in provider.attributes:
        if attribute not in attributes:
            continue
        named = listed(attributes[attribute])
        for whole, roles in groups_of(provider):
            if whole in named:
                yield Given(roles, provider.row, f"group {whole} in {attribute}")


def groups_of(provider: Provider) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups that a provider may name, each with the roles that it gives."""
    for group, roles in provider.roles.items():
        whole = provider.prefix + group
        if provider.groups is None or matches(whole, provider.groups):
            yield whole, roles


def _unheard(bundle: Bundle, request: Request, why: str) -> Iterator[Reason]:
    """Why what the user's attributes say does not count, for each attribute in which some provider names groups."""
    attributes = dict.fromkeys(name for provider in bundle.providers.values() for name in provider.attributes)
    for name in attributes:
        if name in request.attributes:
            yield Reason("group", name, "dropped", SETTINGS_ROW, why)

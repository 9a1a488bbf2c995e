"""Names: of rows, and of the tenants, groups and attributes that rows refer to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.cognito.identifiers import is_pool_id
from claimsmith.cognito.limits import CLIENT_ID
from claimsmith.engine.language import NAME
from claimsmith.engine.language.paths import ATTRIBUTES, OWN_PROVIDER
from claimsmith.errors import Code
from claimsmith.policy.documents import KINDS
from claimsmith.policy.finding import clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.documents import Kind
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

#: The longest group name of a user pool (CreateGroup); policy tests have the same limit.
_LENGTH: Final = 128

#: The longest name of an identity provider (CreateIdentityProvider).
_PROVIDER_LENGTH: Final = 32

#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
_IAM_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}")

#: The sections whose names are anything that a person may read.
_TITLED: Final = ("groups", "tests")


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for names that do not have the required form."""
    for section, kind in KINDS.items():
        for name, entry in policy.entries[section].items():
            wrong = _wrong(section, kind, name)
            if wrong is not None:
                yield found(Code.INVALID_NAME, entry, (), wrong)
    yield from _alike(policy)
    yield from _named(policy)


def _alike(policy: Policy) -> Iterator[Finding]:
    """Yield roles of which an earlier one differs only by case."""
    seen: dict[str, str] = {}
    for name, entry in policy.entries["roles"].items():
        first = seen.setdefault(name.lower(), name)
        if first != name:
            message = f"this role and {clipped(first)} differ only by case, which people overlook; rename one of them"
            yield found(Code.DUPLICATE, entry, (), message)


def _wrong(section: str, kind: Kind, name: str) -> str | None:
    """Return what is wrong with the name of a row; None if nothing is."""
    if section == "clients":
        return None if CLIENT_ID.fullmatch(name) else "this is not an app client id; copy the id from the user pool"
    if section == "identity_providers":
        return None if _is_provider(name) else "this is no provider of a user pool; copy its name from there"
    if section in _TITLED:
        return None if _is_title(name) else f"the {kind.key or 'name'} needs 1 to {_LENGTH} characters, not only spaces"
    return None if NAME.fullmatch(name) else f"the {kind.key or 'name'} must match {NAME.pattern}"


def _named(policy: Policy) -> Iterator[Finding]:
    for index, name in enumerate(policy.settings.trusted_attributes):
        if not name or name.startswith(ATTRIBUTES):
            message = f"write the name that the attribute has in the pool, without {ATTRIBUTES}"
            yield found(Code.INVALID_NAME, policy.settings_entry, ("trusted_attributes", str(index)), message)
    for name, client in policy.clients.items():
        if client.tenant is not None and not NAME.fullmatch(client.tenant):
            entry = policy.entries["clients"][name]
            yield found(Code.INVALID_NAME, entry, ("tenant",), f"a tenant id must match {NAME.pattern}")
        if client.user_pool is not None and not is_pool_id(client.user_pool):
            entry, message = (
                policy.entries["clients"][name],
                "this is not the id of a user pool, as eu-central-1_EXAMPLE",
            )
            yield found(Code.INVALID_NAME, entry, ("user_pool",), message)
    yield from _named_groups(policy)
    yield from _iam_roles(policy)


def _named_groups(policy: Policy) -> Iterator[Finding]:
    for entry, attribute, groups in _groups(policy):
        for index, group in enumerate(groups):
            if not _is_title(group):
                message = f"a group's name needs 1 to {_LENGTH} characters, not only spaces"
                yield found(Code.INVALID_NAME, entry, (attribute, str(index)), message)
    for index, pattern in enumerate(policy.settings.directory_groups):
        if not _is_title(pattern) or "*" in pattern[:-1]:
            message = f"a group's name, or a prefix as in plant-*; at most {_LENGTH} characters"
            yield found(Code.INVALID_NAME, policy.settings_entry, ("directory_groups", str(index)), message)


def _groups(policy: Policy) -> Iterator[tuple[Entry, str, list[str]]]:
    for name, role in policy.roles.items():
        yield policy.entries["roles"][name], "add_groups", role.add_groups
    for name, rule in policy.rules.items():
        yield policy.entries["rules"][name], "add_groups", rule.add_groups
        yield policy.entries["rules"][name], "suppress_groups", rule.suppress_groups


def _iam_roles(policy: Policy) -> Iterator[Finding]:
    for name, group in policy.groups.items():
        entry = policy.entries["groups"][name]
        for index, arn in enumerate(group.iam_roles):
            if not _IAM_ROLE.fullmatch(arn):
                message = "this is not the ARN of an IAM role, as arn:aws:iam::123456789012:role/reader"
                yield found(Code.INVALID_NAME, entry, ("iam_roles", str(index)), message)
        if group.preferred_role is not None and group.preferred_role not in group.iam_roles:
            message = "preferred_role must be one of iam_roles; add it there"
            yield found(Code.INVALID_NAME, entry, ("preferred_role",), message)


def _is_provider(name: str) -> bool:
    """Whether CreateIdentityProvider takes a name, as far as it matters: the pool itself is none."""
    return 0 < len(name) <= _PROVIDER_LENGTH and name == name.strip() and name.upper() != OWN_PROVIDER.upper()


def _is_title(name: str) -> bool:
    return 0 < len(name) <= _LENGTH and not name.isspace()


ERRORS: Final = (check,)

"""Trust: what users or callers can write may decide ordinary claims, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import STANDARD, WRITTEN_BY_USERS, is_of_aws
from claimsmith.engine.language import AUTHORITY, conditions, values
from claimsmith.engine.language.paths import ATTRIBUTES, METADATA, is_trusted
from claimsmith.errors import Code
from claimsmith.policy.checks.claims import by_attribute
from claimsmith.policy.documents import Rule
from claimsmith.policy.finding import clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.policy.documents import ClaimsRow
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy


def check(policy: Policy) -> Iterator[Finding]:
    """Yield rules and values in which untrusted input decides more than ordinary claims."""
    trusted = frozenset(policy.settings.trusted_attributes)
    for entry, row in policy.claims_rows():
        yield from _standard_claims(entry, row)
        yield from _claims_of_aws(entry, row, trusted)
        if isinstance(row, Rule):
            yield from _authority(entry, row, trusted)


def _authority(entry: Entry, rule: Rule, trusted: frozenset[str]) -> Iterator[Finding]:
    read = [*conditions.fields(rule.when)]
    for _, claims, _ in by_attribute(rule):
        for value in claims.values():
            read += paths_of(value)
    untrusted = next((path for path in read if not is_trusted(path, trusted)), None)
    if untrusted is None:
        return
    for attribute in AUTHORITY:
        if getattr(rule, attribute):
            message = f"this rule reads {clipped(untrusted)}, which is untrusted, so it may only set claims"
            yield found(Code.UNTRUSTED_INPUT, entry, (attribute,), message + _trust_remedy(untrusted))


def _standard_claims(entry: Entry, row: ClaimsRow) -> Iterator[Finding]:
    """Yield claims about the identity of the user that come from client metadata, which callers write."""
    read = list(conditions.fields(row.when)) if isinstance(row, Rule) else []
    for attribute, claims, _ in by_attribute(row):
        for name, value in claims.items():
            if name not in STANDARD:
                continue
            source = _metadata((*read, *paths_of(value)))
            if source is not None:
                message = f"{name} identifies the user, and callers write {clipped(source)}; read something trusted"
                yield found(Code.UNTRUSTED_INPUT, entry, (attribute, name), message)


def _claims_of_aws(entry: Entry, row: ClaimsRow, trusted: frozenset[str]) -> Iterator[Finding]:
    """Yield untrusted claims in the namespace of AWS, which turns them into session tags that IAM policies grant by."""
    read = list(conditions.fields(row.when)) if isinstance(row, Rule) else []
    for attribute, claims, _ in by_attribute(row):
        for name, value in claims.items():
            if not is_of_aws(name):
                continue
            source = next((path for path in (*read, *paths_of(value)) if not is_trusted(path, trusted)), None)
            if source is not None:
                message = (
                    f"AWS grants access by claims in its namespace, and {source} is untrusted{_trust_remedy(source)}"
                )
                yield found(Code.UNTRUSTED_INPUT, entry, (attribute, name), message)


def _trust_remedy(path: str) -> str:
    """Return the end of a message about an attribute: how to trust it."""
    name = path.removeprefix(ATTRIBUTES)
    return f"; if no user can write it, add {clipped(name)} to trusted_attributes" if name != path else ""


def written_by_users(policy: Policy) -> Iterator[Finding]:
    """Yield trusted attributes that users can usually write."""
    for index, name in enumerate(policy.settings.trusted_attributes):
        if name in WRITTEN_BY_USERS:
            message = (
                f"users can write {name} if the pool requires it or a client has no WriteAttributes; "
                "trust it only if no client may write it"
            )
            yield found(Code.USERS_WRITE_ATTRIBUTE, policy.settings_entry, ("trusted_attributes", str(index)), message)


def _metadata(paths: Iterable[str]) -> str | None:
    return next((path for path in paths if path.startswith(METADATA)), None)


def paths_of(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - a literal or an expression
    """Return the paths that a value reads; none if the value is invalid."""
    try:
        compiled = values.compiled(value)
    except (ValueError, TypeError):
        return ()
    return compiled.paths if isinstance(compiled, values.Expression) else ()


ERRORS: Final = (check,)
WARNINGS: Final = (written_by_users,)

"""Trust: what a user or a caller can write decides about ordinary claims, and about nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Rules and values in which untrusted input decides too much."""
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
            message = f"this rule reads {clipped(untrusted)}, which is not trusted, so it may only set claims"
            yield found(Code.UNTRUSTED_INPUT, entry, (attribute,), message + _promise(untrusted))


def _standard_claims(entry: Entry, row: ClaimsRow) -> Iterator[Finding]:
    """Client metadata is what the caller says; a claim about who the user is must not come from it."""
    read = list(conditions.fields(row.when)) if isinstance(row, Rule) else []
    for attribute, claims, _ in by_attribute(row):
        for name, value in claims.items():
            if name not in STANDARD:
                continue
            source = _metadata((*read, *paths_of(value)))
            if source is not None:
                message = f"{name} says who the user is, and {clipped(source)} is what the caller says"
                yield found(Code.UNTRUSTED_INPUT, entry, (attribute, name), message)


def _claims_of_aws(entry: Entry, row: ClaimsRow, trusted: frozenset[str]) -> Iterator[Finding]:
    """AWS makes session tags of such a claim, and policies grant by session tags."""
    read = list(conditions.fields(row.when)) if isinstance(row, Rule) else []
    for attribute, claims, _ in by_attribute(row):
        for name, value in claims.items():
            if not is_of_aws(name):
                continue
            source = next((path for path in (*read, *paths_of(value)) if not is_trusted(path, trusted)), None)
            if source is not None:
                message = f"AWS grants by claims of its own namespace, and {source} is not trusted{_promise(source)}"
                yield found(Code.UNTRUSTED_INPUT, entry, (attribute, name), message)


def _promise(path: str) -> str:
    """The end of a message about an attribute: what would make it trusted."""
    name = path.removeprefix(ATTRIBUTES)
    return f"; if no user can write it, put {clipped(name)} into trusted_attributes" if name != path else ""


def written_by_users(policy: Policy) -> Iterator[Finding]:
    """Trusted attributes that users can usually write."""
    for index, name in enumerate(policy.settings.trusted_attributes):
        if name in WRITTEN_BY_USERS:
            message = (
                f"every app client may write {name} where the pool requires it, and else those that are not forbidden "
                "to; trust it only if no client's WriteAttributes has it"
            )
            yield found(Code.USERS_WRITE_ATTRIBUTE, policy.settings_entry, ("trusted_attributes", str(index)), message)


def _metadata(paths: Iterable[str]) -> str | None:
    return next((path for path in paths if path.startswith(METADATA)), None)


def paths_of(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - a literal or an expression
    """The paths that a value reads; none where it is none."""
    try:
        compiled = values.compiled(value)
    except (ValueError, TypeError):
        return ()
    return compiled.paths if isinstance(compiled, values.Expression) else ()

"""Checks a draft before it can reach a token, and compiles it: what is not compiled was refused, with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.errors import PolicyError
from claimsmith.policy import rehearsal
from claimsmith.policy.checks import (
    bounds,
    claims,
    conditions,
    names,
    reach,
    roles,
    routes,
    scopes,
    size,
    templates,
    tests,
    trust,
)
from claimsmith.policy.compile import document as compiled
from claimsmith.policy.draft import SETTINGS_SECTION
from claimsmith.policy.finding import MAX_FINDINGS, Finding, cut
from claimsmith.policy.reading import NO_SETTINGS, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claimsmith.policy.draft import Draft
    from claimsmith.policy.reading import Policy

    Check = Callable[[Policy], Iterator[Finding]]

__all__ = ["Finding", "compile", "lint"]

#: What refuses a policy, read from its rows alone.
_REFUSALS: Final[tuple[Check, ...]] = (
    names.check,
    routes.check,
    roles.check,
    scopes.check,
    claims.names,
    claims.check,
    claims.suppressions,
    conditions.check,
    trust.check,
    templates.check,
    tests.check,
)

#: What is worth a look in a policy that nothing above refuses.
_WARNINGS: Final[tuple[Check, ...]] = (
    reach.check,
    scopes.not_allowed,
    routes.many_scopes,
    size.check,
    trust.written_by_users,
)


def lint(draft: Draft) -> list[Finding]:
    """What is wrong with a draft or worth a look, errors and warnings, by place.

    A draft without an error (``Finding.severity``) may be published. Of more than ``MAX_FINDINGS``, errors are told
    first, and the last one says how many are left out.
    """
    findings, _ = _checked(draft)
    return findings


def compile(draft: Draft) -> dict[str, Any]:  # noqa: A001 - the field's own word; nobody calls Python's compile here
    """The document of a draft.

    Raises:
        PolicyError: lint has errors; they are on it, without the warnings.
    """
    findings, document = _checked(draft, warn=False)
    if document is None:
        count = sum(finding.left_out or 1 for finding in findings)
        raise PolicyError(findings[0].code, f"The policy has {count} findings.", findings)
    return document


def _checked(draft: Draft, *, warn: bool = True) -> tuple[list[Finding], dict[str, Any] | None]:
    """The findings, and the document where none of them is an error."""
    settings = draft.section(SETTINGS_SECTION).get("", NO_SETTINGS)
    if too_large := [*bounds.draft(draft, settings)]:
        # Nothing else is looked at: what that costs is bounded by the bound that is exceeded.
        return too_large, None
    policy, findings = read(draft)
    for check in _REFUSALS:
        findings += check(policy)
    findings = findings or [*bounds.inheritance(policy)]
    document = None
    if not findings:
        document = compiled(policy)
        if too_large := [*bounds.document(policy, document)]:
            return too_large, None
        # A policy's own tests say something only about a policy that could be in force.
        findings += rehearsal.check(policy, document)
        document = None if findings else document
        if warn:
            findings += [finding for check in _WARNINGS for finding in check(policy)]
    return _told(findings), document


def _told(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by place; where there are too many, warnings are left out first."""
    by_place = sorted(findings, key=lambda one: (one.file or "", one.line or 0, one.row, one.attribute, one.code))
    kept = cut(sorted(by_place, key=lambda one: one.severity != "error"), MAX_FINDINGS)
    return kept if kept and kept[-1].left_out else [finding.told() for finding in by_place]

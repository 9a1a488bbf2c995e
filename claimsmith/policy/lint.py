"""Checks a draft before it can affect a token, and compiles it if it has no errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.errors import PolicyError
from claimsmith.policy import policy_tests
from claimsmith.policy.checks import (
    bounds,
    claims,
    conditions,
    context,
    federation,
    names,
    reachability,
    roles,
    routes,
    scopes,
    size,
    templates,
    tests,
    trust,
)
from claimsmith.policy.compile import document as compiled
from claimsmith.policy.documents import SETTINGS_SECTION
from claimsmith.policy.finding import MAX_FINDINGS, Finding, cut
from claimsmith.policy.reading import NO_SETTINGS, Policy, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claimsmith.policy.draft import Draft

    Check = Callable[[Policy], Iterator[Finding]]

__all__ = ["Finding", "compile", "lint"]

#: Each lists its checks: ``ERRORS``, which read only the rows, and ``WARNINGS``, which read a policy without errors.
_MODULES: Final = (
    names,
    federation,
    routes,
    context,
    roles,
    scopes,
    claims,
    conditions,
    trust,
    templates,
    tests,
    reachability,
    size,
)

_ERRORS: Final[tuple[Check, ...]] = tuple(check for module in _MODULES for check in getattr(module, "ERRORS", ()))
_WARNINGS: Final[tuple[Check, ...]] = tuple(check for module in _MODULES for check in getattr(module, "WARNINGS", ()))


def lint(draft: Draft) -> list[Finding]:
    """Return the errors and warnings of a draft, sorted by location.

    A draft without errors (``Finding.severity``) may be published. Beyond ``MAX_FINDINGS``, warnings are left out
    before errors, and the last finding counts those left out.
    """
    findings, _ = _checked(draft)
    return findings


def compile(draft: Draft) -> dict[str, Any]:  # noqa: A001 - the usual word; nothing here needs Python's compile
    """Return the bundle document of a draft.

    Raises:
        PolicyError: the draft has errors; ``findings`` lists them, without warnings.
    """
    findings, document = _checked(draft, warn=False)
    if document is None:
        raise _refused(findings)
    return document


def without_tests(draft: Draft) -> tuple[Policy, dict[str, Any]]:
    """Return a policy and its bundle document, whatever its tests say.

    Raises:
        PolicyError: as ``compile``.
    """
    policy, document, findings = _compiled(draft)
    if document is None:
        raise _refused(_by_location(findings))
    return policy, document


def _refused(findings: list[Finding]) -> PolicyError:
    count = sum(finding.left_out or 1 for finding in findings)
    return PolicyError(findings[0].code, f"The policy has {count} finding{'s' * (count > 1)}.", findings)


def _checked(draft: Draft, *, warn: bool = True) -> tuple[list[Finding], dict[str, Any] | None]:
    """Return the findings, and the document if none of them is an error."""
    policy, document, findings = _compiled(draft)
    if document is not None:
        # Policy tests are meaningful only for a policy that could go live.
        findings += policy_tests.check(policy, document)
        document = None if findings else document
        if warn:
            findings += [finding for check in _WARNINGS for finding in check(policy)]
    return _by_location(findings), document


def _compiled(draft: Draft) -> tuple[Policy, dict[str, Any] | None, list[Finding]]:
    """Return the policy; its document if it has no errors; and its errors. Its tests are not run."""
    settings = draft.section(SETTINGS_SECTION).get("", NO_SETTINGS)
    if too_large := [*bounds.draft(draft, settings)]:
        # Stop here, so that the size limits also bound the cost of lint.
        return Policy(entries={}), None, too_large
    policy, findings = read(draft)
    for check in _ERRORS:
        findings += check(policy)
    findings = findings or [*bounds.inheritance(policy)]
    if findings:
        return policy, None, findings
    document = compiled(policy)
    if too_large := [*bounds.document(policy, document)]:
        return policy, None, too_large
    return policy, document, []


def _by_location(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by location; if there are too many, warnings are left out first."""
    by_location = sorted(findings, key=lambda one: (one.file or "", one.line or 0, one.row, one.attribute, one.code))
    kept = cut(sorted(by_location, key=lambda one: one.severity != "error"), MAX_FINDINGS)
    return kept if kept and kept[-1].left_out else [finding.with_suggestion() for finding in by_location]

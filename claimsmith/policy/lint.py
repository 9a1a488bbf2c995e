"""Checks a draft before it can reach a token, and compiles it: what is not compiled was refused, with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.bundle import MAX_BYTES, encode
from claimsmith.errors import Code, PolicyError
from claimsmith.policy import rehearsal
from claimsmith.policy.checks import (
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
from claimsmith.policy.finding import Finding, found
from claimsmith.policy.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

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
    """Everything that is wrong with a draft or worth a look, errors and warnings, by place.

    A draft without an error (``Finding.severity``) may be published.
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
        raise PolicyError(findings[0].code, f"The policy has {len(findings)} findings.", findings)
    return document


def _checked(draft: Draft, *, warn: bool = True) -> tuple[list[Finding], dict[str, Any] | None]:
    """The findings, and the document where none of them is an error."""
    policy, findings = read(draft)
    for check in _REFUSALS:
        findings += check(policy)
    document = None
    if not findings:
        document = compiled(policy)
        # A policy's own tests say something only about a policy that could be in force.
        findings += [*_too_large(policy, document)] or [*rehearsal.check(policy, document)]
        document = None if findings else document
        if warn:
            findings += [finding for check in _WARNINGS for finding in check(policy)]
    return _by_place(findings), document


def _too_large(policy: Policy, document: Mapping[str, Any]) -> Iterator[Finding]:
    stored, _ = encode(document)
    if len(stored) > MAX_BYTES:
        message = f"the compiled policy has {len(stored):,} bytes; {MAX_BYTES:,} are allowed"
        yield found(Code.BUNDLE_TOO_LARGE, policy.settings_entry, (), message)


def _by_place(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.file or "", one.line or 0, one.row, one.attribute, one.code))

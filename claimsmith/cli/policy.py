"""``lint`` and ``apply``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from claimsmith import policy
from claimsmith.cli.session import Session
from claimsmith.errors import Code, ConfigurationError, PolicyError
from claimsmith.policy import Finding
from claimsmith.service.publish import Result, apply
from claimsmith.store import drafts

Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Fill in ${NAME} in the file; may be given several times."),
]

_TOLD = {
    Result.PUBLISHED: "[green]Published[/green]: version {version} is in force; the next tokens see it.",
    Result.UNCHANGED: "Nothing changed: version {version} says the same already.",
    Result.HELD: "[yellow]Stored, not in force[/yellow]: somebody rolled back, and publishing is on hold.",
    Result.MANUAL: "[yellow]Stored, not in force[/yellow]: the settings say publish: manual.",
    Result.WAITING: "[yellow]Not published[/yellow]: somebody changed the draft at the same moment. Apply again.",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("lint")(lint_command)
    app.command("apply")(apply_command)


def lint_command(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A policy file; without it, the draft in the table is checked.")
    ] = None,
    var: Variables = None,
) -> None:
    """Check a policy: every finding has a code and a place. Exit code 1 where there is one."""
    session: Session = context.obj
    draft = policy.load(file, variables(var)) if file else policy.from_rows(drafts.policy_rows(session.rows))
    findings = policy.lint(draft)
    if findings:
        raise PolicyError(findings[0].code, f"{len(findings)} findings.", findings)
    session.answer({"findings": []}, f"[green]Fine[/green]: {len(draft.entries)} rows, no findings.")


def apply_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy file.")],
    var: Variables = None,
    *,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Go on although somebody else began to apply another policy.")
    ] = False,
) -> None:
    """Make a file the policy: check it, write its rows, publish. Rows that it does not name are removed."""
    session: Session = context.obj
    outcome = apply(session.rows, policy.load(file, variables(var)), by=session.by, take_over=take_over)
    if outcome.result is Result.REFUSED:
        raise PolicyError(
            outcome.findings[0].code, "The draft was changed meanwhile, and is refused.", outcome.findings
        )
    session.answer(
        {"result": outcome.result, "policy_version": outcome.version},
        _TOLD[outcome.result].format(version=outcome.version),
    )
    if outcome.result is Result.WAITING:
        raise typer.Exit(1)


def variables(given: list[str] | None) -> dict[str, str]:
    """The variables of ``--var NAME=VALUE``.

    Raises:
        ConfigurationError: one is not of that form.
    """
    found: dict[str, str] = {}
    for item in given or ():
        name, sign, value = item.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigurationError("--var is given as NAME=VALUE.")
        found[name] = value
    return found


def finding_row(finding: Finding) -> dict[str, Any]:
    """A finding for JSON."""
    return {
        "code": finding.code,
        "name": Code(finding.code).name.lower(),
        "row": finding.row,
        "attribute": finding.attribute,
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
    }

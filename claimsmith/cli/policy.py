"""``lint``, ``apply``, ``export`` and ``schema``."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from claimsmith import policy
from claimsmith.cli.session import Session
from claimsmith.errors import Code, ConfigurationError, PolicyError
from claimsmith.policy import Finding, sarif
from claimsmith.policy.finding import left_out
from claimsmith.policy.yaml import FileError
from claimsmith.service.publish import Result, apply
from claimsmith.store import drafts

if TYPE_CHECKING:
    from claimsmith.policy import Draft


class Format(StrEnum):
    """How ``lint`` answers."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Fill in ${NAME} in the file; may be given several times."),
]

_TOLD = {
    Result.PUBLISHED: "[green]Published[/green]: version {version} is in force; the next tokens see it.",
    Result.UNCHANGED: "Nothing changed: version {version} says the same already.",
    Result.HELD: "[yellow]Stored, not in force[/yellow]: somebody rolled back, and publishing is on hold. "
    "claimsmith resume ends the hold and publishes it.",
    Result.MANUAL: "[yellow]Stored, not in force[/yellow]: the settings say publish: manual. "
    "claimsmith promote puts it in force.",
    Result.WAITING: "[yellow]Not published[/yellow]: somebody changed the draft at the same moment. Apply again.",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("lint")(lint_command)
    app.command("apply")(apply_command)
    app.command("export")(export_command)
    app.command("schema")(schema_command)


def lint_command(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A policy file; without it, the draft in the table is checked.")
    ] = None,
    var: Variables = None,
    form: Annotated[Format | None, typer.Option("--format", help="How to answer; --json is --format json.")] = None,
) -> None:
    """Check a policy: every finding has a code and a place. Exit code 1 where one is an error; warnings are told."""
    session: Session = context.obj
    draft: Draft | None = None
    try:
        draft = policy.load(file, variables(var)) if file else _draft(session)
        findings = policy.lint(draft)
    except FileError as unreadable:
        findings = [unreadable.finding]
    form = form or (Format.JSON if session.as_json else Format.TEXT)
    errors = [finding for finding in findings if finding.severity == "error"]
    if form is Format.SARIF:
        session.out.print_json(json.dumps(sarif.log(findings)))
    elif form is Format.JSON:
        session.out.print_json(json.dumps(_told(findings, errors)))
    else:
        _tell(session, findings, errors, rows=len(draft.entries) if draft else 0)
    if errors:
        raise typer.Exit(1)


def _draft(session: Session) -> Draft:
    return policy.from_rows(drafts.policy_rows(session.rows))


def _told(findings: list[Finding], errors: list[Finding]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "findings": [finding_row(finding) for finding in findings],
        "left_out": left_out(findings),
    }
    if errors:
        told["error"] = {"code": errors[0].code, "message": _counted(findings, errors)}
    return told


def _tell(session: Session, findings: list[Finding], errors: list[Finding], *, rows: int) -> None:
    for finding in findings:
        session.out.print(f"{finding.severity}: {finding}", markup=False, highlight=False, soft_wrap=True)
    if errors:
        session.out.print(f"[red]{_counted(findings, errors)}[/red]", highlight=False)
    else:
        said = _counted(findings, errors) if findings else "no findings."
        session.out.print(f"[green]Fine[/green]: {rows} rows, {said}", highlight=False)


def _counted(findings: list[Finding], errors: list[Finding]) -> str:
    more = left_out(findings)
    counts = {"error": len(errors), "warning": len(findings) - len(errors) - bool(more)}
    told = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count]
    return " and ".join([*told, f"{more:,} more"] if more else told) + "."


def export_command(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; without it, the policy is shown.")
    ] = None,
) -> None:
    """Write the draft in the table as a policy file: applied again, it changes nothing."""
    session: Session = context.obj
    text = policy.dump(_draft(session))
    _write(session, text, output)


def schema_command(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; without it, the schema is shown.")
    ] = None,
) -> None:
    """The JSON Schema of a policy file, for editors that check and complete while one writes."""
    session: Session = context.obj
    _write(session, policy.schema_text(), output)


def _write(session: Session, text: str, output: Path | None) -> None:
    if output is None:
        # As it is: no markup, no wrapping, no colour, so that it can be piped into a file.
        session.out.file.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written.") from error
    session.answer({"file": str(output)}, f"[green]Written[/green]: {output}")


def apply_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy file.")],
    var: Variables = None,
    *,
    note: Annotated[
        str | None, typer.Option(help="What there is to say about the version; kept with it, and shown by versions.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Go on although somebody else began to apply another policy.")
    ] = False,
) -> None:
    """Make a file the policy: check it, write its rows, publish. Rows that it does not name are removed."""
    session: Session = context.obj
    outcome = apply(session.rows, policy.load(file, variables(var)), by=session.by, note=note, take_over=take_over)
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
        "severity": finding.severity,
        "row": finding.row,
        "attribute": finding.attribute,
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
    }

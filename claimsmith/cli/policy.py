"""The ``lint``, ``export`` and ``schema`` commands."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from claimsmith import policy
from claimsmith.cli import panels
from claimsmith.cli.files import text_of
from claimsmith.cli.session import Session
from claimsmith.engine.staging import MAX_VERSION
from claimsmith.errors import Code, ConfigurationError
from claimsmith.policy import Finding, sarif
from claimsmith.policy.dump import dump_json
from claimsmith.policy.finding import left_out
from claimsmith.policy.yaml import FileError, parse
from claimsmith.service.export import draft_of_version
from claimsmith.store import drafts

if TYPE_CHECKING:
    from claimsmith.policy import Draft


class Format(StrEnum):
    """The output formats of ``lint``."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Set the value of ${NAME} in the file. Repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("lint", rich_help_panel=panels.POLICY)(lint_command)
    app.command("export", rich_help_panel=panels.POLICY)(export_command)
    app.command("schema", rich_help_panel=panels.POLICY)(schema_command)


def lint_command(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The policy file; default: the draft in the table.")] = None,
    var: Variables = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Choose the output format; --json means --format json.")
    ] = None,
) -> None:
    """Check a policy and list its errors and warnings. Exits with 1 if there is an error.

    Example: claimsmith lint policy.yaml
    """
    session: Session = context.obj
    draft: Draft | None = None
    try:
        draft = loaded(file, var) if file else _draft(session)
        findings = policy.lint(draft)
    except FileError as unreadable:
        findings = [unreadable.finding]
    form = form or (Format.JSON if session.as_json else Format.TEXT)
    errors = [finding for finding in findings if finding.severity == "error"]
    if form is Format.SARIF:
        session.out.print_json(json.dumps(sarif.log(findings)))
    elif form is Format.JSON:
        session.out.print_json(json.dumps(_data(findings, errors)))
    else:
        _print_findings(session, findings, errors, rows=len(draft.entries) if draft else 0)
    if errors:
        raise typer.Exit(1)


def _draft(session: Session) -> Draft:
    return policy.from_rows(drafts.policy_rows(session.rows))


def _data(findings: list[Finding], errors: list[Finding]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "findings": [finding_row(finding) for finding in findings],
        "left_out": left_out(findings),
    }
    if errors:
        data["error"] = {"code": errors[0].code, "message": _counted(findings, errors)}
    return data


def _print_findings(session: Session, findings: list[Finding], errors: list[Finding], *, rows: int) -> None:
    for finding in findings:
        session.out.print(f"{finding.severity}: {finding}", markup=False, highlight=False, soft_wrap=True)
    if errors:
        session.out.print(f"[red]{_counted(findings, errors)}[/red]", highlight=False)
    else:
        summary = _counted(findings, errors) if findings else "no findings."
        session.out.print(f"[green]OK[/green]: {rows} rows, {summary}", highlight=False)


def _counted(findings: list[Finding], errors: list[Finding]) -> str:
    more = left_out(findings)
    counts = {"error": len(errors), "warning": len(findings) - len(errors) - bool(more)}
    parts = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count]
    return " and ".join([*parts, f"{more:,} more"] if more else parts) + "."


def export_command(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file; default: print it.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, max=MAX_VERSION, metavar="N", help="Export this version, not the draft.")
    ] = None,
) -> None:
    """Export the draft in the table, or a version, as a policy file that gives the same policy when applied.

    With --json, the file is JSON. A version has no tests, no descriptions and no disabled rules.

    Example: claimsmith export --output policy.yaml
    """
    session: Session = context.obj
    draft = _draft(session) if version is None else draft_of_version(session.rows, version)
    _write(session, dump_json(draft) if session.as_json else policy.dump(draft), output)


def schema_command(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file; default: print it.")
    ] = None,
) -> None:
    """Print the JSON Schema of policy files, for completion and checks in your editor.

    Example: claimsmith schema --output policy.schema.json
    """
    session: Session = context.obj
    _write(session, policy.schema_text(), output)


def _write(session: Session, text: str, output: Path | None) -> None:
    if output is None:
        # Without markup, wrapping and colour, so that it can be piped into a file.
        session.out.file.write(text)
        return
    write(text, output)
    session.answer({"file": str(output)}, f"[green]Written[/green]: {output}")


def write(text: str, output: Path) -> None:
    """Write a file.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written. Check the folder and its permissions.") from error


def loaded(file: Path, var: list[str] | None) -> Draft:
    """The policy in a file, with the values of ``--var``.

    Raises:
        ConfigurationError: a ``--var`` is not ``NAME=VALUE``.
        OperationError: the file cannot be read.
        PolicyError: it has no policy.
    """
    return parse(text_of(file), str(file), variables(var))


def variables(given: list[str] | None) -> dict[str, str]:
    """Parse the values of ``--var``.

    Raises:
        ConfigurationError: one is not ``NAME=VALUE``.
    """
    found: dict[str, str] = {}
    for item in given or ():
        name, sign, value = item.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigurationError("--var must be NAME=VALUE.")
        found[name] = value
    return found


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON output."""
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

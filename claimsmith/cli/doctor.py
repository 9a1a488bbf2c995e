"""The ``doctor`` command."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.markup import escape

from claimsmith.cli import panels
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.progress import progress
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import one_line, say
from claimsmith.errors import ConfigurationError
from claimsmith.service.checkup.doctor import Report, examine
from claimsmith.service.checkup.observation import Observation, Places
from claimsmith.store.deployment import Deployment
from claimsmith.store.dynamodb import PATIENT, Table, connect

if TYPE_CHECKING:
    from claimsmith.service.checkup.finding import Finding

_STYLES: Final = {"error": "red", "warning": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel=panels.OPERATIONS)(doctor)


def doctor(context: typer.Context) -> None:
    """Check the deployed stack, and show what to mend and how. Changes nothing.

    Looks at the pool, its trigger, the tables, the policy in force, the publisher, the alarms and every row of the
    directory. With --user-pool-id alone, the table is found through the pool's trigger. Exits with 1 if there are
    findings, errors or warnings.

    Example: claimsmith doctor --user-pool-id eu-central-1_EXAMPLE --table TABLE
    """
    session: Session = context.obj
    place = session.connection
    if not place.table and not place.user_pool_id:
        raise ConfigurationError("Nothing to check is given. Use --user-pool-id ID, --table NAME, or both.")
    deployment = Deployment(endpoint_url=place.endpoint_url, region=place.region)
    places = Places(place.user_pool_id or None, place.table or None, place.audit_table or None)
    try:
        with progress("Reading rows") as read:
            report = examine(Observation(deployment, places, lambda name: _table(session, name), time.time(), read))
    except KeyboardInterrupt:
        say("Stopped. Nothing was changed.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if session.as_json:
        session.answer(_data(report), "")
    else:
        session.out.print(_text(report), highlight=False, soft_wrap=True)
    if report.findings:
        raise typer.Exit(1)


def _table(session: Session, name: str) -> Table:
    place = session.connection
    return Table(connect(PATIENT, endpoint_url=place.endpoint_url, region=place.region), name)


def _data(report: Report) -> dict[str, Any]:
    return {
        "deployment": asdict(report.summary),
        "findings": [_finding_data(finding) for finding in report.findings],
        "checked": report.checked,
        "not_checked": [
            {"check": each.check, "reason": each.reason, "action": each.action or None} for each in report.not_checked
        ],
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.code.name.lower(),
        "severity": finding.severity,
        "subject": finding.subject or None,
        "message": finding.message,
        "remedy": finding.remedy,
        "left_out": finding.left_out,
    }


def _text(report: Report) -> str:
    about = {name.replace("_", " "): value for name, value in asdict(report.summary).items() if value is not None}
    lines = [f"{name}: {_plain(str(value))}" for name, value in about.items()]
    for finding in report.findings:
        subject = f"{finding.subject}: " if finding.subject else ""
        severity = f"[{_STYLES[finding.severity]}]{finding.severity}[/]"
        lines.append(f"\n{severity} {_plain(f'{subject}{finding.message} [{finding.code}]')}")
        lines.append(f"  {_plain(finding.remedy)}")
    if report.not_checked:
        lines += ["", "[yellow]Not checked[/yellow]:"]
        for each in report.not_checked:
            allow = f" Allow {each.action}." if each.action else ""
            lines.append(f"  {each.check.replace('_', ' ')}: {_plain(each.reason)}{allow}")
    errors = sum(finding.severity == "error" for finding in report.findings)
    counted = _counts(errors, len(report.findings) - errors)
    lines += ["", f"{counted} {len(report.checked)} checks made, {len(report.not_checked)} not made."]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A text that may hold names of rows, which anybody may have written."""
    return escape(one_line(text))


def _counts(errors: int, warnings: int) -> str:
    counts = {"error": errors, "warning": warnings}
    parts = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count]
    return f"[red]{' and '.join(parts)}.[/red]" if parts else "[green]No findings.[/green]"

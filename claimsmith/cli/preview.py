"""The ``preview`` command: both tokens of a user with the reasons, without a sign-in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli import panels, requests
from claimsmith.cli.requests import Options, asked, of_its_time
from claimsmith.cli.terminal import columns
from claimsmith.engine.decide import Refusal
from claimsmith.errors import Code
from claimsmith.service.compare import claim_differences
from claimsmith.service.preview import Preview, preview
from claimsmith.service.rollout import is_in_shadow
from claimsmith.service.times import iso

if TYPE_CHECKING:
    from claimsmith.cli.requests import Asked
    from claimsmith.cli.session import Session
    from claimsmith.engine.facts import Problem
    from claimsmith.engine.reasons import Reason
    from claimsmith.service.compare import ClaimDifference
    from claimsmith.service.past import AsOf


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("preview", rich_help_panel=panels.ANSWERS)(preview_command)


def preview_command(  # noqa: PLR0913 - the options of a request
    context: typer.Context,
    user: requests.User = None,
    client: requests.Client = None,
    source: requests.Source = None,
    tenant: requests.Tenant = None,
    scope: Annotated[requests.Repeated, typer.Option("--scope", "--request-scope", help=requests.REQUESTED)] = None,
    group: Annotated[requests.Repeated, typer.Option("--group", "--in-group", help=requests.IN_GROUP)] = None,
    attribute: requests.Attribute = None,
    event: requests.Event = None,
    with_rows: requests.With = None,
    version: requests.Version = None,
    compare: requests.Compare = None,
    at: requests.At = None,
) -> None:
    """Preview both tokens of a user, and the row that each part comes from. Exits with 1 if the sign-in is refused.

    Example: claimsmith preview --user alice --client web --with new-role.yaml
    """
    session: Session = context.obj
    options = Options(
        user=user,
        client=client,
        source=source,
        tenant=tenant,
        scopes=scope,
        groups=group,
        attributes=attribute,
        event=event,
        rows=with_rows,
        version=version,
        at=at,
    )
    request = asked(session, options)
    with of_its_time(request):
        result = _previewed(request)
        other = None if compare is None else _previewed(replace(request, version=compare))
    in_shadow = is_in_shadow(request.rows, request.request)
    if session.as_json:
        answer = {**_data(result, other), "in_shadow": in_shadow, **as_of_data(request.past)}
        session.out.print_json(json.dumps(answer))
    else:
        show_as_of(session, request.past)
        show_shadow(session, in_shadow=in_shadow)
        _show(session, result)
        if other is not None:
            _show_differences(session, result, other)
    if isinstance(result.outcome, Refusal):
        raise typer.Exit(1)


def _previewed(request: Asked) -> Preview:
    return preview(
        request.rows,
        request.request,
        issuer=request.issuer,
        readable=request.readable,
        version=request.version,
        clock=request.clock,
    )


def _data(result: Preview, other: Preview | None) -> dict[str, Any]:
    outcome = result.outcome
    data: dict[str, Any] = {
        "policy_version": result.version,
        "refused": refused(outcome),
        "access": result.access,
        "id": result.id,
        "reasons": [reason._asdict() for reason in outcome.reasons],
        "problems": [problem._asdict() for problem in outcome.problems],
    }
    if other is not None:
        data["compared"] = {
            "policy_version": other.version,
            "refused": refused(other.outcome),
            "differences": [difference._asdict() for difference in claim_differences(other, result)],
        }
    return data


def refused(outcome: object) -> Code | None:
    """The code of a refusal; None for a decision."""
    return outcome.code if isinstance(outcome, Refusal) else None


def _show(session: Session, result: Preview) -> None:
    outcome = result.outcome
    show_outcome(session, outcome, result.version)
    for title, token, claims in (("Access token", "access", result.access), ("ID token", "id", result.id)):
        if claims:
            session.out.print(_token(title, token, claims, outcome.reasons))
    grid = columns("what", "name", "outcome", "row", "why", title="Why", title_justify="left", title_style="bold")
    for reason in outcome.reasons:
        if reason.kind != "claim" or reason.outcome != "set":
            cells = (reason.kind, reason.name, reason.outcome, reason.source, reason.detail)
            grid.add_row(*(escape(cell) for cell in cells))
    session.out.print(grid)
    show_problems(session, outcome.problems)


def as_of_data(past: AsOf | None) -> dict[str, Any]:
    """What is known about the time that was asked for; nothing if it is now."""
    if past is None:
        return {}
    gaps = past.gaps
    return {"as_of": {"time": iso(past.at), "exact": not gaps, "gaps": [gap._asdict() for gap in gaps]}}


def show_as_of(session: Session, past: AsOf | None) -> None:
    """Print the time that was asked for, and what is not known about it."""
    if past is None:
        return
    gaps = past.gaps
    session.out.print(f"As of {iso(past.at)}{', which is not certain' if gaps else ''}.", highlight=False)
    for gap in gaps:
        text = f"  not known: {gap.row}: {gap.why}" if gap.row else f"  not known: {gap.why}"
        session.out.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def show_shadow(session: Session, *, in_shadow: bool) -> None:
    """Print that the policy does not reach the subject, if it does not."""
    if in_shadow:
        text = "[yellow]In shadow[/yellow]: this token is not issued; Cognito's own is. See claimsmith rollout."
        session.out.print(text, highlight=False, soft_wrap=True)


def show_outcome(session: Session, outcome: object, version: int) -> None:
    """Print the version of the policy and whether it refuses."""
    if isinstance(outcome, Refusal):
        session.out.print(f"[red]Refused[/red] with {outcome.code} ({outcome.code.name.lower()}).", highlight=False)
    session.out.print(f"Policy version {version}.", highlight=False)


def show_problems(session: Session, problems: tuple[Problem, ...]) -> None:
    """Print rows that cannot be read or are not applied."""
    for problem in problems:
        what = "cannot be read" if problem.code == Code.ROW_UNREADABLE else "ignored"
        text = f"{what}: {problem.row} {problem.attribute} {problem.why} [{problem.code}]"
        session.out.print(text, style="yellow", markup=False, highlight=False)


def _show_differences(session: Session, result: Preview, other: Preview) -> None:
    if isinstance(other.outcome, Refusal):
        session.out.print(f"Version {other.version} refuses with {other.outcome.code}.", highlight=False)
    found = claim_differences(other, result)
    if not found:
        session.out.print(f"No claim differs from version {other.version}.", highlight=False)
        return
    grid = columns("token", "claim", f"version {other.version}", f"version {result.version}", title="Differences")
    grid.title_justify, grid.title_style = "left", "bold"
    for difference in found:
        grid.add_row(*map(escape, _cells(difference)))
    session.out.print(grid)


def _cells(difference: ClaimDifference) -> tuple[str, str, str, str]:
    before, after = ("-" if value is None else _written(value) for value in (difference.before, difference.after))
    return difference.token, difference.claim, before, after


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _token(title: str, token: str, claims: dict[str, Any], reasons: tuple[Reason, ...]) -> Grid:
    sources = {
        reason.name: reason.source
        for reason in reasons
        if reason.kind == "claim" and reason.token == token and reason.outcome == "set"
    }
    sources["scope"] = "see scopes below"
    grid = columns("claim", "value", "row", title=title, title_justify="left", title_style="bold")
    for name, value in claims.items():
        grid.add_row(escape(name), escape(_written(value)), escape(sources.get(name, "Cognito")))
    return grid

"""The ``plan`` and ``apply`` commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from claimsmith.cli import panels, plan_shown
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.policy import Variables, loaded
from claimsmith.cli.progress import progress
from claimsmith.cli.rollout import notes
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import say
from claimsmith.cognito.limits import SCOPE
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.draft import TooLargeError, read_draft
from claimsmith.service.plan import Plan, plan
from claimsmith.service.publish import Result, apply
from claimsmith.service.rollout import rollout_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claimsmith.policy import Draft

_MESSAGES: Final = {
    Result.PUBLISHED: "[green]Published[/green]: version {version} is in force for the next tokens.",
    Result.UNCHANGED: "Nothing changed: version {version} already has this policy.",
    Result.HELD: "[yellow]Stored, not in force[/yellow]: publishing is on hold since a rollback. "
    "Run claimsmith resume to end the hold and publish.",
    Result.MANUAL: "[yellow]Stored, not in force[/yellow]: the settings have publish: manual. "
    "Run claimsmith promote to publish.",
    Result.WAITING: "[yellow]Not published[/yellow]: somebody else changed the draft meanwhile. Run apply again.",
}


Sample = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Decide only the first N users of the table; the plan says that it sampled."),
]


class FailOn(NamedTuple):
    """A condition of ``--fail-on``.

    Attributes:
        scope: a scope, or a prefix as in ``admin/*``; empty for a refusal.
    """

    what: Literal["gain", "loss", "refusal"]
    scope: str = ""

    @classmethod
    def parsed(cls, text: str) -> FailOn:
        """The condition in words.

        Raises:
            OperationError: it is none.
        """
        what, sign, scope = text.partition(":")
        if text == "refusal":
            return cls("refusal")
        if sign and what in ("gain", "loss") and SCOPE.fullmatch(scope):
            return cls("gain" if what == "gain" else "loss", scope)
        message = "--fail-on must be gain:SCOPE, loss:SCOPE or refusal. A scope has no spaces and no quotes."
        raise OperationError(Code.BAD_ARGUMENT, message)

    def __str__(self) -> str:
        return f"{self.what}:{self.scope}" if self.scope else self.what

    def is_met(self, found: Plan) -> bool:
        """Whether somebody's tokens change in this way."""
        directions = {"gain": "gained", "loss": "lost", "refusal": "gained"}
        kind = "refusal" if self.what == "refusal" else "scope"
        return any(
            effect.change.kind == kind
            and effect.change.direction == directions[self.what]
            and self._is(effect.change.name)
            for effect in found.effects
        )

    def _is(self, name: str) -> bool:
        if not self.scope:
            return True
        return name.startswith(self.scope[:-1]) if self.scope.endswith("*") else name == self.scope


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("plan", rich_help_panel=panels.POLICY)(plan_command)
    app.command("apply", rich_help_panel=panels.POLICY)(apply_command)


def plan_command(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The policy file; default: the draft in the table.")] = None,
    var: Variables = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="gain:SCOPE|loss:SCOPE|refusal",
            help="Exit with 1 only if somebody gains or loses this scope (or admin/*), or is refused. Repeatable.",
        ),
    ] = None,
    sample: Sample = None,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a summary for a pull request.")] = False,
) -> None:
    """Show what publishing a policy would change: the policy, and whose tokens gain or lose what. Changes nothing.

    Exits with 0 if nothing changes and with 1 if something does, in the policy or in a token. With --fail-on, exits
    with 1 only if one of its conditions is met.

    Example: claimsmith plan policy.yaml
    """
    session: Session = context.obj
    conditions = [FailOn.parsed(text) for text in fail_on or ()]
    found = planned(session, loaded(file, var) if file else _draft(session), sample)
    met = [str(condition) for condition in conditions if condition.is_met(found)]
    if session.as_json:
        session.out.print_json(json.dumps(plan_shown.data(found, met), ensure_ascii=False))
    elif markdown:
        say(plan_shown.markdown(found).removesuffix("\n"))
    else:
        show(session, plan_shown.lines(found))
        if met:
            session.out.print(f"[red]Fails[/red] on {', '.join(met)}.", highlight=False)
    if found.interrupted:
        say(f"Interrupted after {plan_shown.count_of(found.users_read, 'user')}; nothing was changed.", err=True)
        raise typer.Exit(INTERRUPTED)
    if met or (not conditions and found.changes):
        raise typer.Exit(1)


def apply_command(  # noqa: PLR0913 - the options of the command
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy file.")],
    var: Variables = None,
    sample: Sample = None,
    *,
    note: Annotated[str | None, typer.Option(help="Describe the version; shown by claimsmith versions.")] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take over from an apply that has not finished.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply even if somebody gains a privileged scope.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and write nothing.")] = False,
    no_plan: Annotated[
        bool, typer.Option("--no-plan", help="Apply without reading all users first, and without the question.")
    ] = False,
) -> None:
    """Apply a policy file: show what it changes, replace the rows of the policy, publish.

    Asks first if somebody would gain a privileged scope. Without a terminal to ask on, refuses, unless there is --yes.

    Example: claimsmith apply policy.yaml
    """
    session: Session = context.obj
    draft = loaded(file, var)
    if dry_run or not no_plan:
        found = _planned_for_apply(session, draft, sample)
        if dry_run:
            _answer_dry_run(session, found)
            return
        if not session.as_json:
            show(session, [*plan_shown.policy_lines(found), *plan_shown.effect_lines(found, examples=False)])
        if not yes:
            _confirm(session, found)
    try:
        outcome = apply(session.rows, draft, by=session.by, note=note, take_over=take_over)
    except KeyboardInterrupt:
        say("Interrupted while applying: what is in force is whole. Apply again to finish.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if outcome.result is Result.REFUSED:
        raise PolicyError(
            outcome.findings[0].code, "The draft has been changed in the meantime and has errors.", outcome.findings
        )
    session.answer(
        {"result": outcome.result, "policy_version": outcome.version},
        "\n".join([_MESSAGES[outcome.result].format(version=outcome.version), *notes(rollout_of(session.rows))]),
    )
    if outcome.result is Result.WAITING:
        raise typer.Exit(1)


def planned(session: Session, draft: Draft, sample: int | None) -> Plan:
    """The plan of a draft, with progress on a terminal."""
    with progress("Deciding users", total=sample) as advance:
        return plan(session.rows, draft, pool=session.pool, sample=sample, progress=advance)


def show(session: Session, lines: Iterable[str]) -> None:
    """Print lines of rich markup."""
    for line in lines:
        session.out.print(line, highlight=False, soft_wrap=True)


def _planned_for_apply(session: Session, draft: Draft, sample: int | None) -> Plan:
    try:
        found = planned(session, draft, sample)
    except PolicyError as refused:
        message = "The policy is refused; nothing was written."
        raise PolicyError(refused.code, message, refused.findings) from None
    except OperationError as error:
        if error.code is not Code.ACCESS_DENIED:
            raise
        raise OperationError(error.code, f"{error.message} Or apply without a plan: --no-plan.") from error
    if found.interrupted:
        say(f"Interrupted after {plan_shown.count_of(found.users_read, 'user')}; nothing was written.", err=True)
        raise typer.Exit(INTERRUPTED)
    return found


def _answer_dry_run(session: Session, found: Plan) -> None:
    if session.as_json:
        session.out.print_json(json.dumps(plan_shown.data(found, []), ensure_ascii=False))
    else:
        show(session, plan_shown.lines(found))


def _confirm(session: Session, found: Plan) -> None:
    """Ask before somebody gains a privileged scope; where nothing is in force, there is nobody yet to ask about.

    Raises:
        OperationError: the answer is no, or nobody can be asked.
    """
    if found.before is None or not found.privileged_gains:
        return
    scopes = ", ".join(effect.change.name for effect in found.privileged_gains)
    if session.as_json or not sys.stdin.isatty():
        message = f"Somebody would gain a privileged scope ({scopes}). Nothing was written. Add --yes to apply it."
        raise OperationError(Code.NOT_CONFIRMED, message)
    if not typer.confirm(f"Somebody gains a privileged scope ({scopes}). Apply?"):
        raise OperationError(Code.NOT_CONFIRMED, "Not applied; nothing was written.")


def _draft(session: Session) -> Draft:
    """The draft in the table."""
    try:
        return read_draft(session.rows)
    except TooLargeError as error:
        finding = error.finding
        raise PolicyError(finding.code, "The draft is larger than a policy may be.", [finding]) from None

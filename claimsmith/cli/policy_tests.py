"""The ``test`` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claimsmith.cli import panels
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.policy import Variables, loaded, write
from claimsmith.cli.progress import progress
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import say
from claimsmith.errors import Code, PolicyError
from claimsmith.policy.junit import Case, xml
from claimsmith.policy.test_report import Report, Result, run_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.policy.test_report import Difference, Share

#: Columns of the lines that divide the report.
_WIDTH: Final = 80

#: Outcomes as pytest shows them: in a row of letters, in words, and their colour.
_SHOWN: Final = {"passed": (".", "PASSED", "green"), "failed": ("F", "FAILED", "red"), "error": ("E", "ERROR", "red")}

#: Singular and plural, in the summary.
_COUNTED: Final = {"failed": ("failed", "failed"), "passed": ("passed", "passed"), "error": ("error", "errors")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test", rich_help_panel=panels.POLICY)(run_command)


def run_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy file.")],
    var: Variables = None,
    matching: Annotated[
        str | None, typer.Option("-k", metavar="NAME", help="Run only tests whose name contains this text.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results to this file, as JUnit XML.")
    ] = None,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each test.")] = False,
) -> None:
    """Run the tests of a policy file, and see what no test depends on. Needs no AWS. Exits with 1 if one fails.

    Example: claimsmith test policy.yaml -k editor
    """
    session: Session = context.obj
    try:
        draft = loaded(file, var)
        with progress("Testing", len(draft.section("tests"))) as done:
            report = run_tests(draft, matching, done)
    except KeyboardInterrupt:
        say("Stopped. Nothing was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except PolicyError as refused:
        if junit is not None:
            details = "\n".join(map(str, refused.findings)) or refused.message
            write(xml(str(file), [Case("lint", "error", refused.code, refused.message, details)]), junit)
        raise
    if junit is not None:
        write(xml(str(file), map(_case, report.results)), junit)
    if session.as_json:
        session.out.print_json(json.dumps(_data(file, report)))
    else:
        _print(session, file, report, verbose=verbose)
    if not report.green:
        raise typer.Exit(1)


def _data(file: Path, report: Report) -> dict[str, Any]:
    counts = {outcome: report.count(outcome) for outcome in _SHOWN}
    data: dict[str, Any] = {
        "file": str(file),
        "tests": [_result(result) for result in report.results],
        "counts": {**counts, "deselected": report.deselected},
        "coverage": None if report.coverage is None else {name: _share(s) for name, s in report.coverage.items()},
    }
    if not report.green:
        data["error"] = {"code": _code(report), "message": f"{_counted(report)}."}
    return data


def _result(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "outcome": result.outcome,
        "line": result.entry.line(()),
        "differences": [
            {
                "attribute": ".".join(difference.path),
                "line": result.entry.line(difference.path),
                "expected": difference.expected,
                "got": difference.got,
                "why": list(difference.why),
                "code": difference.code,
            }
            for difference in result.differences
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    return {"total": share.total, "depended_on": share.depended_on, "missing": list(share.missing)}


def _code(report: Report) -> Code:
    return next(result.differences[0].code for result in report.results if result.differences)


def _case(result: Result) -> Case:
    if not result.differences:
        return Case(result.name)
    first = result.differences[0]
    message = f"{'.'.join(first.path)}: {first}"
    return Case(result.name, result.outcome, first.code, message, "\n".join(_failure(result)))


def _print(session: Session, file: Path, report: Report, *, verbose: bool) -> None:
    def line(text: str = "", style: str | None = None) -> None:
        session.out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    if verbose:
        for result in report.results:
            _, word, colour = _SHOWN[result.outcome]
            session.out.print(f"{file}::{result.name} ", end="", markup=False, highlight=False, soft_wrap=True)
            line(word, colour)
    else:
        line(f"{file} {''.join(_SHOWN[result.outcome][0] for result in report.results)}")
    if not report.green:
        line()
        line(" FAILURES ".center(_WIDTH, "="))
        for result in report.results:
            if result.differences:
                line(f" {result.name} ".center(_WIDTH, "_"), "red")
                for text in _failure(result):
                    line(text)
    if report.coverage is not None:
        line()
        for text in _coverage(report.coverage):
            line(text)
    line(f" {_counted(report)} ".center(_WIDTH, "="), "green" if report.green else "red")


def _failure(result: Result) -> Iterator[str]:
    for difference in result.differences:
        yield f"{result.place(difference.path)}: {'.'.join(difference.path)} [{difference.code}]"
        yield from _difference(difference)


def _difference(difference: Difference) -> Iterator[str]:
    if difference.code == Code.INVALID_TEST:
        yield f"  {difference}"
        return
    yield f"  expected  {difference.expected}"
    yield f"  got       {difference.got}"
    yield from (f"  because   {why}" for why in difference.why)


def _coverage(coverage: Mapping[str, Share]) -> Iterator[str]:
    shares = (f"{share.depended_on} of {share.total} {name}" for name, share in coverage.items() if share.total)
    yield "Tests depend on " + (", ".join(shares) or "no rules, roles or routes: there are none") + "."
    for name, share in coverage.items():
        if share.missing:
            yield f"  no test depends on these {name}: {', '.join(share.missing)}"


def _counted(report: Report) -> str:
    counts = {outcome: report.count(outcome) for outcome in _COUNTED}
    parts = [f"{count} {_COUNTED[outcome][count > 1]}" for outcome, count in counts.items() if count]
    return ", ".join([*parts, f"{report.deselected} deselected"] if report.deselected else parts)

"""The ``claimsmith`` command. Exit codes: 0 fine, 1 findings or refused, 2 usage, 3 AWS could not be reached."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from claimsmith import environment
from claimsmith.cli import directory, policy, preview, verifier, versions
from claimsmith.cli.options import Connection, shared_options_first
from claimsmith.cli.session import Session
from claimsmith.errors import ClaimsmithError, Code, PolicyError
from claimsmith.policy import Finding
from claimsmith.policy.finding import left_out

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Decides what goes into an Amazon Cognito token, and says why.",
    epilog="The options above may stand anywhere. Exit codes: 0 fine, 1 findings or refused, 2 usage, "
    "3 AWS could not be reached. Every code is in docs/codes.md with its remedy.",
)

#: Exit codes of errors; any other error of Claimsmith is 1.
_EXIT: Final = {
    Code.MISCONFIGURED: 2,
    Code.BAD_ARGUMENT: 2,
    Code.AWS_UNREACHABLE: 3,
    Code.TABLE_MISSING: 3,
    Code.ACCESS_DENIED: 3,
}

#: What to do about an error whose message cannot know the command line.
_REMEDY: Final = {
    Code.AWS_UNREACHABLE: "Check --region, --endpoint-url and your AWS credentials.",
    Code.TABLE_MISSING: "Check --table and --region; the stack's output TableName has the name.",
    Code.ACCESS_DENIED: "Check which AWS identity you are, and what it may do.",
    Code.NO_BUNDLE: "Apply a policy first: claimsmith apply FILE.",
}


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer passes it so
    if asked:
        # Standard output and nothing else, for scripts; no console wraps it.
        typer.echo(f"claimsmith {metadata.version('claimsmith')}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    table: Annotated[str | None, typer.Option(envvar=environment.TABLE, help="The table's name.")] = None,
    audit_table: Annotated[
        str | None, typer.Option(envvar=environment.AUDIT_TABLE, help="The audit table's name.")
    ] = None,
    user_pool_id: Annotated[
        str | None,
        typer.Option(envvar=environment.USER_POOL_ID, help="The user pool; with it, users may be given by name."),
    ] = None,
    region: Annotated[str | None, typer.Option(envvar="AWS_REGION", help="The AWS region.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(envvar="AWS_ENDPOINT_URL", help="Another address for AWS, as for a local stack.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Keep the shared options for the command."""
    places = Connection(table, audit_table, user_pool_id, region, endpoint_url)
    context.obj = Session(places, as_json, Console())


policy.register(app)
versions.register(app)
preview.register(app)
directory.register(app)
verifier.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(shared_options_first(arguments), prog_name="claimsmith")
    except ClaimsmithError as error:
        _tell(error, as_json="--json" in arguments)
        sys.exit(_EXIT.get(error.code, 1))


def _tell(error: ClaimsmithError, *, as_json: bool) -> None:
    findings = error.findings if isinstance(error, PolicyError) else ()
    if as_json:
        told: dict[str, Any] = {"error": {"code": error.code, "message": error.message}}
        if findings:
            those = [finding for finding in findings if isinstance(finding, Finding)]
            told["findings"] = [policy.finding_row(finding) for finding in those]
            told["left_out"] = left_out(those)
        Console().print_json(json.dumps(told))
        return
    console = Console(stderr=True)
    for finding in findings:
        console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{error.message} [{error.code}]", markup=False, style="red", highlight=False)
    if error.code in _REMEDY:
        console.print(_REMEDY[error.code], markup=False, highlight=False)


if __name__ == "__main__":
    main()

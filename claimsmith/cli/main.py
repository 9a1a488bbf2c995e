"""The ``claimsmith`` command. Exit codes: 0 success, 1 findings or refused, 2 usage, 3 AWS unreachable."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Annotated, Any, Final

import typer

from claimsmith import environment
from claimsmith.cli import (
    attach,
    audit,
    backup,
    doctor,
    explain,
    members,
    plan,
    policy,
    policy_tests,
    preview,
    replay,
    rollout,
    tenants,
    users,
    verifier,
    verify,
    versions,
    who,
)
from claimsmith.cli.options import Connection, shared_options_first
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import Terminal, say
from claimsmith.errors import ClaimsmithError, Code, PolicyError
from claimsmith.policy import Finding
from claimsmith.policy.finding import left_out

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Control what goes into Amazon Cognito tokens, and see why.",
    epilog="These options may go before or after the command. Exit codes: 0 success, 1 findings or refused, "
    "2 usage, 3 AWS unreachable. docs/reference/codes.md explains every code and how to fix it.",
)

#: Exit codes by error; 1 for all others.
_EXIT: Final = {
    Code.MISCONFIGURED: 2,
    Code.BAD_ARGUMENT: 2,
    Code.INPUT_UNREADABLE: 2,
    Code.AWS_UNREACHABLE: 3,
    Code.TABLE_MISSING: 3,
    Code.TABLE_KEYS: 3,
    Code.ACCESS_DENIED: 3,
}

#: Remedies in terms of the command line, which the errors themselves do not know.
_REMEDY: Final = {
    Code.AWS_UNREACHABLE: "Check --region, --endpoint-url and your AWS credentials.",
    Code.TABLE_KEYS: "Check --table; the table name is the stack output TableName.",
    Code.TABLE_MISSING: "Check --table and --region; the table name is the stack output TableName.",
    Code.ACCESS_DENIED: "Check your AWS identity (aws sts get-caller-identity) and its permissions.",
    Code.NO_BUNDLE: "Apply a policy first: claimsmith apply FILE.",
}


def _show_version(requested: bool) -> None:  # noqa: FBT001 - typer passes it positionally
    if requested:
        # Plain standard output for scripts, without line wrapping.
        say(f"claimsmith {metadata.version('claimsmith')}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    table: Annotated[str | None, typer.Option(envvar=environment.TABLE, help="Use this table.")] = None,
    audit_table: Annotated[
        str | None, typer.Option(envvar=environment.AUDIT_TABLE, help="Use this audit table.")
    ] = None,
    user_pool_id: Annotated[
        str | None,
        typer.Option(
            envvar=environment.USER_POOL_ID, help="Use this user pool, so that users can be given by username."
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(envvar="AWS_REGION", help="Use this AWS region.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(envvar="AWS_ENDPOINT_URL", help="Use this AWS endpoint, for example of a local stack.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback handles it
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Store the shared options for the command."""
    connection = Connection(table, audit_table, user_pool_id, region, endpoint_url)
    context.obj = Session(connection, as_json, Terminal())


policy.register(app)
plan.register(app)
policy_tests.register(app)
versions.register(app)
rollout.register(app)
preview.register(app)
explain.register(app)
who.register(app)
audit.register(app)
tenants.register(app)
members.register(app)
users.register(app)
verifier.register(app)
verify.register(app)
doctor.register(app)
replay.register(app)
backup.register(app)
attach.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(shared_options_first(arguments), prog_name="claimsmith")
    except ClaimsmithError as error:
        _report(error, as_json="--json" in arguments)
        sys.exit(_EXIT.get(error.code, 1))


def _report(error: ClaimsmithError, *, as_json: bool) -> None:
    findings = error.findings if isinstance(error, PolicyError) else ()
    if as_json:
        output: dict[str, Any] = {"error": {"code": error.code, "message": error.message}}
        if findings:
            those = [finding for finding in findings if isinstance(finding, Finding)]
            output["findings"] = [policy.finding_row(finding) for finding in those]
            output["left_out"] = left_out(those)
        Terminal().print_json(json.dumps(output))
        return
    console = Terminal(stderr=True)
    for finding in findings:
        console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{error.message} [{error.code}]", markup=False, style="red", highlight=False)
    if error.code in _REMEDY:
        console.print(_REMEDY[error.code], markup=False, highlight=False)


if __name__ == "__main__":
    main()

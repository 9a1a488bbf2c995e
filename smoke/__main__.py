"""``make smoke``: deploy a development stage to an AWS account, try what cannot be known offline, take it all away.

::

    python -m smoke                    in the account and Region of the environment; asks first
    python -m smoke --probe-only       only the questions about Cognito, without the app
    python -m smoke --remove NAME      delete what a run that was killed has left

Credentials and Region are those of the AWS command line (AWS_PROFILE, AWS_REGION, …). Exits with 0 if all that was
looked at is as assumed, 1 if something differs, 2 if it was called wrongly, 3 if it could not be done or something is
left, 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from demo.cdk import architecture
from smoke import deployment, probe
from smoke.report import Report
from smoke.tries import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smoke.probe import Clients

_PYTHON: Final = "3.13"
_ONCE: Final = Config(retries={"total_max_attempts": 1})
#: A sign-in that a trigger refuses is an answer; deployments wait for AWS as long as it takes.
_TRIED_ONCE: Final = frozenset({"cognito-idp"})

_COST: Final = """\
Estimated cost: below 1 USD, for some ten minutes of about 40 alarms, four users on the Essentials plan, two app clients
of machines, and a few requests. Your contract decides; Cognito's price list has machine-to-machine clients."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        name: of the stage, and the end of the stacks' names.
        clients: makes botocore clients.
        account: of AWS.
        region: of AWS.
        endpoint: of a local stack; None at AWS.
        python: the functions' runtime.
        probe_only: without the app.
        tell: is given what is done.
    """

    name: str
    clients: Clients
    account: str
    region: str
    endpoint: str | None
    python: str
    probe_only: bool
    tell: Callable[[str], None]

    @property
    def stacks(self) -> tuple[str, ...]:
        """The names of all stacks, in the order in which they can be deleted."""
        return f"ClaimsmithVerifier-{self.name}", f"Claimsmith-{self.name}", f"ClaimsmithProbe-{self.name}"

    def carry_out(self, report: Report) -> None:
        """Deploy, try and note; take all away, whatever happens.

        Args:
            report: what is known is added to it at once.

        Raises:
            KeyboardInterrupt: it was interrupted, after everything was taken away.
        """
        try:
            self._try_all(report)
        except Exception as error:  # noqa: BLE001 - what is known already is reported, whatever happened
            report.failure = f"{type(error).__name__}: {error}"
        except KeyboardInterrupt:
            report.failure = "It was interrupted."
            raise
        finally:
            report.left = self.remove()

    def _try_all(self, report: Report) -> None:
        local = self.endpoint is not None
        processor = architecture() if local else "arm64"
        self.tell(f"Creating {self.stacks[-1]}")
        made = probe.create(self.clients, self.stacks[-1], self.region, self.endpoint, processor, self.python)
        for finding in findings(made):
            report.findings.append(finding)
            self.tell(f"Question {finding.question.number}: {finding.outcome}")
        if self.probe_only:
            return
        options: dict[str, Any] = {"setting": "development", "account": self.account, "region": self.region}
        if local:
            options |= {"arch": processor, "python": self.python, "jwks_endpoint": self.endpoint}
        self.tell("Deploying the app: some minutes")
        with tempfile.TemporaryDirectory() as folder:
            outputs = deployment.deploy(self.name, options, Path(folder), self.tell)
        for check in deployment.checks(self.clients, outputs, self.endpoint):
            report.checks.append(check)
            self.tell(f"{check.promise} {'Yes.' if check.holds else 'No.'}")

    def remove(self) -> list[str]:
        """Delete the stacks, and return the names of those that are still there."""
        left = []
        for stack in self.stacks:
            self.tell(f"Deleting {stack}")
            try:
                probe.delete(self.clients, stack)
            except (ClientError, WaiterError, KeyboardInterrupt) as error:
                self.tell(f"{stack} is not deleted: {error or 'interrupted'}")
                left.append(stack)
        return left


def main(arguments: Sequence[str], tell: Callable[[str], None] | None = None) -> int:
    """Run as a command.

    Args:
        arguments: of the command line.
        tell: is given what is done; by default it is printed with the seconds since the beginning.

    Returns:
        The exit code.
    """
    given = _parser().parse_args(arguments)
    tell = tell or _printed()
    try:
        run = _run(given, tell)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS cannot be used: {error}", file=sys.stderr)
        return 3
    if given.remove:
        left = run.remove()
        return 3 if left else 0
    if not given.probe_only and not _bootstrapped(run):
        where = f"aws://{run.account}/{run.region}"
        print(
            f"Nothing was done: the CDK's own stack is missing. Create it with: npx cdk bootstrap {where}",
            file=sys.stderr,
        )
        return 3
    if not (given.yes or _confirmed(run)):
        print("Nothing was done.", file=sys.stderr)
        return 2
    report = Report(run.account, run.region, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
    code = 0
    try:
        run.carry_out(report)
    except KeyboardInterrupt:
        code = 130
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "smoke.md").write_text(report.markdown(), encoding="utf-8")
    (given.out / "smoke.json").write_text(
        json.dumps(report.data(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(f"The report is in {given.out / 'smoke.md'} and smoke.json.")
    if report.failure:
        print(report.failure, file=sys.stderr)
    if report.left:
        print(f"Still there: {', '.join(report.left)}. Again: python -m smoke --remove {run.name}", file=sys.stderr)
        return 3
    return code or (3 if report.failure else 0 if report.as_assumed else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m smoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--region", help="another Region than that of the environment")
    parser.add_argument("--endpoint-url", default=os.environ.get("AWS_ENDPOINT_URL"), help="of a local stack")
    parser.add_argument("--python", default=_PYTHON, help=f"the functions' runtime; default: {_PYTHON}")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the report goes")
    parser.add_argument("--probe-only", action="store_true", help="only the questions about Cognito, without the app")
    parser.add_argument("--remove", metavar="NAME", help="delete what a run left, and do nothing else")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _run(given: argparse.Namespace, tell: Callable[[str], None]) -> Run:
    """The run that is asked for.

    Raises:
        botocore.exceptions.BotoCoreError: there are no credentials, or no Region.
        botocore.exceptions.ClientError: AWS refuses the credentials.
    """
    if given.region:
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = given.region
    if given.endpoint_url:
        os.environ["AWS_ENDPOINT_URL"] = given.endpoint_url
    session = botocore.session.get_session()

    def client(service: str) -> Any:  # noqa: ANN401 - botocore's clients
        config = _ONCE if service in _TRIED_ONCE else None
        return session.create_client(service, region_name=os.environ.get("AWS_REGION"), config=config)

    sts = client("sts")
    account = sts.get_caller_identity()["Account"]
    name = given.remove or f"smoke-{secrets.token_hex(3)}"
    region = sts.meta.region_name
    return Run(name, client, account, region, given.endpoint_url, given.python, given.probe_only, tell)


def _bootstrapped(run: Run) -> bool:
    try:
        return bool(run.clients("cloudformation").describe_stacks(StackName="CDKToolkit")["Stacks"])
    except ClientError:
        return False


def _confirmed(run: Run) -> bool:
    print(
        f"Account {run.account}, Region {run.region}: create {', '.join(reversed(run.stacks))}, and delete them again."
    )
    print(_COST)
    return sys.stdin.isatty() and input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


def _printed() -> Callable[[str], None]:
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

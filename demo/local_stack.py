"""The app, deployed to an AWS on this machine: what the demonstration and the end-to-end tests stand on.

The emulator checks signatures and IAM (``AUTH=true``) and speaks plain http on loopback. With TLS, every program that
talks to it (node, Python, each Lambda worker) would have to be taught a certificate of its own; without, one bucket
policy of the bootstrap has to go (see ``demo.cdk``). The second is less to break.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from demo import aws
from demo.api import Api
from demo.cdk import Cdk, outputs
from demo.emulator import Emulator, LocalStackError
from demo.user_pool import UserPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
#: Beside each environment of this project, the emulator has one on the same Python: ``.venv-3.13``, ``emulator-3.13``.
_VENV: Final = Path(sys.prefix).name
EMULATOR: Final = _VENV.replace(".venv", "emulator") if _VENV.startswith(".venv-") else "emulator"
EMULATOR_PYTHON: Final = ROOT / ".local" / EMULATOR / "bin" / "python"

_CLI_SECONDS: Final = 300


def emulator(folder: Path, port: int | None = None) -> Emulator:
    """The emulator that ``make install`` has installed, with a folder of its own for this use of it."""
    return Emulator(EMULATOR_PYTHON, folder / "ministack", port)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ``claimsmith`` command answered.

    Attributes:
        code: 0 fine, 1 findings or refused.
        data: the JSON it printed.
    """

    code: int
    data: dict[str, Any]


class LocalStack:
    """The deployed app, and how to talk to it.

    Attributes:
        outputs: of the CloudFormation stacks, all together.
        endpoint: where AWS is.
        pool: the user pool.
        public_client: the app client for SRP.
        http_api: the sample and introspection.
        rest_api: the sample.
    """

    def __init__(self, endpoint: str, outputs: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.outputs = outputs
        self.pool = UserPool(endpoint, outputs["UserPoolId"])
        self.public_client = outputs["PublicClientId"]
        self.http_api = Api(endpoint, outputs["HttpApiId"], "$default")
        # The stage is the last part of the address.
        self.rest_api = Api(endpoint, outputs["RestApiId"], outputs["RestApiUrl"].rstrip("/").rpartition("/")[2])
        self.table = outputs["TableName"]
        self.audit_table = outputs["AuditTableName"]
        self._dynamodb: Any = aws.client("dynamodb", endpoint)
        self._lambda: Any = aws.client("lambda", endpoint)
        self._logs: Any = aws.client("logs", endpoint)

    @classmethod
    def deploy(
        cls, running: Emulator, folder: Path, tell: Callable[[str], None], options: Mapping[str, object] | None = None
    ) -> LocalStack:
        """Bootstrap and deploy; quick where nothing has changed.

        Args:
            running: the emulator, started.
            folder: where cloud assembly and outputs go.
            tell: is given each line that the CDK prints, as it comes.
            options: of the stage, besides those that this machine decides.

        Raises:
            LocalStackError: it failed; the message says what to do.
        """
        cdk = Cdk(ROOT, folder / "cdk", running.endpoint, tell)
        cdk.bootstrap()
        chosen = {
            # The emulator's tokens name Cognito as their issuer, and Cognito has no such pool.
            "jwks_endpoint": running.endpoint,
            "rest_api": True,
            **(options or {}),
        }
        return cls(running.endpoint, cdk.deploy(running.python_version(), chosen))

    @classmethod
    def deployed(cls, running: Emulator, folder: Path) -> LocalStack:
        """The app as an earlier ``deploy`` left it.

        Raises:
            LocalStackError: there is none.
        """
        try:
            return cls(running.endpoint, outputs(folder / "cdk"))
        except FileNotFoundError:
            raise LocalStackError("Nothing is deployed here yet. Run: make demo") from None

    def cli(self, *arguments: str, given: str | None = None) -> Answer:
        """Run a ``claimsmith`` command, as an admin would, with ``--json``.

        Args:
            arguments: the command.
            given: its standard input.

        Raises:
            LocalStackError: the command could not do its work (exit code above 1).
        """
        scripts = Path(sysconfig.get_path("scripts"))
        program = scripts / "claimsmith"
        if not program.exists():
            raise LocalStackError("The claimsmith command is not installed. Install it with: make install")
        done = subprocess.run(  # noqa: S603 - our own command
            [program, *arguments, "--json"],
            cwd=ROOT,
            env=aws.environment(
                self.endpoint,
                scripts,
                CLAIMSMITH_TABLE=self.table,
                CLAIMSMITH_AUDIT_TABLE=self.audit_table,
                CLAIMSMITH_USER_POOL_ID=self.pool.id,
            ),
            check=False,
            capture_output=True,
            input=given or "",
            text=True,
            timeout=_CLI_SECONDS,
        )
        if done.returncode > 1 or not done.stdout:
            raise LocalStackError(f"claimsmith {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}".strip())
        return Answer(done.returncode, json.loads(done.stdout))

    def get_item(self, pk: str, sk: str) -> dict[str, Any] | None:
        """A row of the table, as DynamoDB's JSON has it."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        item: dict[str, Any] | None = self._dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get(
            "Item"
        )
        return item

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Write a row of the table as the DynamoDB console does: no check, no lease, no command of this project."""
        self._dynamodb.put_item(TableName=self.table, Item=dict(item))

    def delete_item(self, pk: str, sk: str) -> None:
        """Delete a row of the table as the DynamoDB console does."""
        self._dynamodb.delete_item(TableName=self.table, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        return [
            item
            for page in self._dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
            for item in page["Items"]
        ]

    def policy_version(self) -> int | None:
        """The version of the policy in force."""
        row = self.get_item("BUNDLE", "CURRENT")
        return int(row["version"]["N"]) if row else None

    def trigger_arn(self) -> str:
        """The deployed trigger function."""
        found = self._lambda.get_function(FunctionName=self.outputs["TriggerName"])
        return str(found["Configuration"]["FunctionArn"])

    def invoke(self, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function and wait.

        Returns:
            ``payload``, what it answered, and ``error``, how it failed (``Unhandled``) or None.
        """
        answer = self._lambda.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return {"payload": json.loads(answer["Payload"].read()), "error": answer.get("FunctionError")}

    def log(self, function: str) -> list[str]:
        """What a function has logged, line by line."""
        config = self._lambda.get_function_configuration(FunctionName=function)
        return self._lines(config["LoggingConfig"]["LogGroup"])

    def logs(self) -> dict[str, list[str]]:
        """What is in every log group, line by line."""
        pages = self._logs.get_paginator("describe_log_groups").paginate()
        names = [str(group["logGroupName"]) for page in pages for group in page["logGroups"]]
        return {name: self._lines(name) for name in names}

    def codes(self, function: str) -> Counter[str]:
        """How often a function has logged each code."""
        entries = [json.loads(line) for line in self.log(function) if line.startswith("{")]
        return Counter(str(entry["code"]) for entry in entries if "code" in entry)

    def invocations(self, function: str) -> int:
        """How often a function has been called, according to its log."""
        return sum(1 for line in self.log(function) if line.startswith("START RequestId"))

    def _lines(self, log_group: str) -> list[str]:
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
        return [str(event["message"]) for page in pages for event in page["events"]]

"""The real ``cdk bootstrap`` and ``cdk deploy``, against the local stack."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import tomli_w
from botocore.exceptions import ClientError

from demo import aws
from demo.emulator import ACCOUNT, REGION, LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_OUTPUTS: Final = "outputs.json"
_TOOLKIT_STACK: Final = "CDKToolkit"
ASSET_BUCKET: Final = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_DONE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_SECONDS: Final = 600
_KEPT_LINES: Final = 40

#: What the templates and the assets are made from.
_SOURCES: Final = ("app.py", "cdk.json", "infra", "claimsmith", "claimsmith-cdk", "lambdas", "requirements")

#: AWS's name of a processor, by the output of ``uname -m`` on Linux and macOS.
_ARCHITECTURES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

_QUIET: Final = {
    # Making the rules that templates are compared with takes four seconds, and this machine's AWS has none of them.
    "CDK_VALIDATION": "false",
    "CDK_DISABLE_VERSION_CHECK": "1",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
    "NO_COLOR": "1",
}


class Cdk:
    """The CDK command line with the local stack for AWS."""

    def __init__(self, root: Path, folder: Path, endpoint: str, tell: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            root: the project.
            folder: where the cloud assembly and the outputs go.
            endpoint: where the local stack listens.
            tell: is given each line that the command prints, as it comes.
        """
        self._root = root
        self._folder = folder.absolute()
        self._endpoint = endpoint
        self._tell = tell

    def bootstrap(self) -> bool:
        """Make the toolkit stack, unless it is there.

        The policy of its bucket refuses requests without TLS and the local stack, which speaks plain http on
        loopback, enforces it; so the policy goes. Nothing else of the bootstrap is changed.

        Returns:
            Whether there was something to do.

        Raises:
            LocalStackError: it failed. The message has the end of what it printed.
        """
        made = self._status(_TOOLKIT_STACK) not in _DONE
        if made:
            # In an empty folder: where it sees an app, it synthesises it first.
            empty = self._folder / "empty"
            empty.mkdir(parents=True, exist_ok=True)
            self._run(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], empty)
        aws.client("s3", self._endpoint).delete_bucket_policy(Bucket=ASSET_BUCKET)
        return made

    def deploy(self, python: str, options: Mapping[str, object] | None = None) -> dict[str, str]:
        """Deploy every stack of the app; quick where nothing has changed since the last time.

        Args:
            python: the minor version of the interpreter that runs the functions, such as ``3.13``.
            options: of the stage, besides those that this machine decides.

        Returns:
            The outputs of all stacks together; no two have the same name.

        Raises:
            LocalStackError: it failed. The message has the end of what it printed.
        """
        chosen = {"setting": "development", "arch": architecture(), "python": python, **(options or {})}
        stage = self._folder / "local.toml"
        self._folder.mkdir(parents=True, exist_ok=True)
        stage.write_text(tomli_w.dumps(chosen), encoding="utf-8")
        assembly = self._folder / "cdk.out"
        made_from = self._folder / "cdk.out.digest"
        digest = _digest(self._root, chosen)
        if assembly.is_dir() and made_from.exists() and made_from.read_text() == digest:
            return self.deploy_assembly(assembly)
        made_from.unlink(missing_ok=True)
        self._tell("making the templates and the functions' assets: some ten to twenty seconds")
        self._deploy("--context", f"stage={stage}", "--output", str(assembly))
        made_from.write_text(digest)
        return outputs(self._folder)

    def deploy_assembly(self, assembly: Path) -> dict[str, str]:
        """Deploy every stack of a finished cloud assembly.

        Returns:
            The outputs of all stacks together; no two have the same name.

        Raises:
            LocalStackError: it failed. The message has the end of what it printed.
        """
        self._deploy("--app", str(assembly))
        return outputs(self._folder)

    def _deploy(self, *source: str) -> None:
        written = self._folder / _OUTPUTS
        written.unlink(missing_ok=True)
        command = ["deploy", "--all", "--require-approval", "never", "--progress", "events"]
        self._run([*command, "--outputs-file", str(written), *source], self._root)

    def _status(self, stack: str) -> str | None:
        try:
            answer = aws.client("cloudformation", self._endpoint).describe_stacks(StackName=stack)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return str(answer["Stacks"][0]["StackStatus"])

    def _run(self, arguments: Sequence[str], where: Path) -> None:
        environment = aws.environment(self._endpoint, Path(sysconfig.get_path("scripts")))
        try:
            run(self._root, arguments, where, environment, self._tell)
        except LocalStackError as error:
            raise LocalStackError(
                f"{error}\nIf it happens again, start over with: make demo-stop && make demo"
            ) from None


def run(
    root: Path,
    arguments: Sequence[str],
    where: Path,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
    seconds: float = _SECONDS,
) -> None:
    """Run the CDK's command line.

    Args:
        root: the project, where it is installed.
        arguments: of the command.
        where: its working folder.
        environment: its variables.
        tell: is given each line that it prints, as it comes.
        seconds: after which it is ended.

    Raises:
        LocalStackError: it failed, or is not installed. The message has the end of what it printed.
    """
    node = shutil.which("node")
    program = root / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if node is None or not program.exists():
        raise LocalStackError("The CDK command line is not installed. Install it with: make install")
    with subprocess.Popen(  # noqa: S603 - our own arguments
        [node, program, *arguments, "--ci", "--no-notices", "--no-version-reporting"],
        cwd=where,
        env={**environment, **_QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # Its own process group, so that the app it starts ends with it.
        start_new_session=True,
    ) as process:
        watchdog = threading.Timer(seconds, _kill, [process])
        watchdog.start()
        try:
            last = _listen(process, tell)
        except BaseException:
            _kill(process)
            raise
        finally:
            watchdog.cancel()
    if process.returncode:
        printed = "\n".join(last)
        raise LocalStackError(f"cdk {arguments[0]} failed. The end of what it printed:\n{printed}")


def _listen(process: subprocess.Popen[str], tell: Callable[[str], None]) -> list[str]:
    """Pass on what it prints, and keep the end of it."""
    last: list[str] = []
    for line in process.stdout or ():
        if stripped := line.rstrip():
            last = [*last, stripped][-_KEPT_LINES:]
            tell(stripped)
    return last


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def outputs(folder: Path) -> dict[str, str]:
    """The outputs of all stacks that were last deployed from a folder.

    Raises:
        FileNotFoundError: nothing was.
        LocalStackError: two stacks have an output of the same name.
    """
    merged: dict[str, str] = {}
    for stack, own in json.loads((folder / _OUTPUTS).read_text()).items():
        if taken := merged.keys() & own.keys():
            raise LocalStackError(f"{stack} has outputs of names that another stack has: {', '.join(sorted(taken))}.")
        merged |= own
    return merged


def architecture() -> str:
    """AWS's name of this machine's processor.

    Raises:
        LocalStackError: Lambda has no such processor.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise LocalStackError(f"No Lambda runtime has this machine's processor, {machine}.")
    return _ARCHITECTURES[machine]


def _digest(root: Path, options: Mapping[str, object]) -> str:
    """Of everything that the templates and the assets are made from."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for file in _files(root):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _SOURCES:
        source = root / name
        if source.is_dir():
            yield from sorted(path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
        else:
            yield source

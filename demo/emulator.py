"""MiniStack, the local AWS emulator: starting it, finding it again, stopping it and nothing else.

It lives in a folder of its own (state, log, what its Lambda workers write) and sees no variable of this machine's
environment, because every Lambda function it runs inherits all of its environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT: Final = "111122223333"
REGION: Final = "eu-west-1"
#: MiniStack takes these as the root user of the account. They open nothing anywhere else.
ACCESS_KEY: Final = "test"
SECRET_KEY: Final = "test"

_HOST: Final = "127.0.0.1"
_PREFERRED_PORT: Final = 4566
#: Far more than they take on an idle machine.
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 60
_ANSWER_SECONDS: Final = 30
#: A port that was free may be taken before MiniStack listens on it.
_START_ATTEMPTS: Final = 5
_LOG_TAIL_LINES: Final = 20


class LocalStackError(Exception):
    """Something about the local stack did not work; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Running:
    """What the pid file holds: which process it is, and where it listens.

    Attributes:
        mark: when the process started, so that another process with a recycled id is never taken for it.
        nonce: part of its health response, so that another server on the port is never mistaken for it.
    """

    pid: int
    mark: str
    port: int
    nonce: str


class Emulator:
    """One MiniStack with its own folder.

    Attributes:
        folder: where everything it writes goes.
    """

    def __init__(self, python: Path, folder: Path, port: int | None = None) -> None:
        """Describe it; nothing is started.

        Args:
            python: the interpreter of the environment that MiniStack is installed in. Lambda functions run on it too.
            folder: its own folder, made where it is missing.
            port: where it must listen; 0 for any free port; without it the usual one where that is free, else any.
        """
        self.folder = folder.absolute()
        self._python = python
        self._wanted_port = port
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Where it listens: ``http://127.0.0.1:PORT``. Not ``localhost``, which switches S3 to another address style.

        Raises:
            LocalStackError: it does not run.
        """
        running = self._running()
        if running is None:
            raise LocalStackError("The local stack is not running. Start it with: make demo")
        return f"http://{_HOST}:{running.port}"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / "ministack.log"

    def python_version(self) -> str:
        """The version, such as ``3.11``, of the interpreter that Lambda functions run on here.

        Raises:
            LocalStackError: the environment is missing or broken.
        """
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run(  # noqa: S603 - the interpreter that `make install` made
                [self._python, "-c", code], check=True, capture_output=True, text=True, timeout=_START_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LocalStackError(f"No working Python in {self._python}. Install it with: make install") from error
        return answer.stdout.strip()

    def is_running(self) -> bool:
        """Whether the process that the pid file names is still that process."""
        return self._running() is not None

    def start(self) -> bool:
        """Start it and wait until it answers; a running one is kept.

        Returns:
            Whether it had to be started.

        Raises:
            LocalStackError: it died or did not answer in time. The message has the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            running = self._running()
            if running is not None and _is_healthy(running, _ANSWER_SECONDS):
                return False
            if running is not None:
                self._stop(running)
            if not self._python.exists():
                raise LocalStackError(f"MiniStack is not installed in {self._python}. Install it with: make install")
            if self._wanted_port:
                self._await_health(self._spawn(self._wanted_port))
            else:
                self._start_somewhere()
            return True

    def _start_somewhere(self) -> None:
        """Start it on a free port; on another one where that is taken in the same moment."""
        for left in reversed(range(_START_ATTEMPTS)):
            port = _free_port(0 if self._wanted_port == 0 else _PREFERRED_PORT)
            try:
                self._await_health(self._spawn(port))
            except LocalStackError:
                if not left or "already in use" not in self._log_tail():
                    raise
            else:
                return

    def stop(self) -> bool:
        """Stop it and its Lambda workers, and nothing else.

        Returns:
            Whether there was something to stop.

        Raises:
            LocalStackError: it does not end.
        """
        if not self.folder.exists():
            return False
        with self._locked():
            running = self._running()
            if running is not None:
                self._stop(running)
            self._pid_file.unlink(missing_ok=True)
            return running is not None

    @property
    def _pid_file(self) -> Path:
        return self.folder / "ministack.json"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two runs at once must not start two of them."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _running(self) -> _Running | None:
        if self._child is not None and _started_at(self._child.pid) is None:
            self._child.wait()  # it has ended, or its last threads are about to; this lets its id go
        try:
            running = _Running(**json.loads(self._pid_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None
        if _started_at(running.pid) == running.mark:
            return running
        if self._child is not None and self._child.pid == running.pid:
            self._child.wait()  # it may have ended meanwhile
        return None

    def _spawn(self, port: int) -> _Running:
        """Start the process. It leads a process group, which its Lambda workers are in."""
        nonce = secrets.token_hex(8)
        private = {name: self.folder / name for name in ("home", "tmp", "state", "s3")}
        for path in private.values():
            path.mkdir(exist_ok=True)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(private["home"]),
            "TMPDIR": str(private["tmp"]),
            "STATE_DIR": str(private["state"]),
            "S3_DATA_DIR": str(private["s3"]),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": _HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": "true",
            "MINISTACK_EDITION": nonce,
            # Without it a trigger that fails yields a token without claims, where Cognito yields none.
            "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",
            # Both would listen on every interface of the machine, whatever BIND_HOST is.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Where it finds a Docker daemon, it removes what it takes for containers of its own.
            "DOCKER_HOST": f"unix://{self.folder}/no-docker.sock",
        }
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the interpreter that `make install` made
                [self._python, "-m", "ministack"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=private["home"],
                env=environment,
                start_new_session=True,
            )
        running = _Running(self._child.pid, _started_at(self._child.pid) or "", port, nonce)
        written = self._pid_file.with_suffix(".new")
        written.write_text(json.dumps(asdict(running)))
        written.replace(self._pid_file)
        return running

    def _await_health(self, running: _Running) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running():
                raise LocalStackError(f"MiniStack ended at once. The end of {self.log}:\n{self._log_tail()}")
            if _is_healthy(running, 2):
                return
            time.sleep(0.05)
        self._stop(running)
        raise LocalStackError(
            f"MiniStack did not answer within {_START_SECONDS} s. The end of {self.log}:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _stop(self, running: _Running) -> None:
        """End its process group, politely first; a signal is sent only while the leader is known to be ours."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            if self._running() is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal_number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if self._running() is None:
                    return
                time.sleep(0.05)
        raise LocalStackError(f"MiniStack (process {running.pid}) does not end.")


def _started_at(pid: int) -> str | None:
    """What distinguishes a process from an earlier or later one with the same id; None if there is nothing."""
    if platform.system() == "Linux":
        try:
            # The name, in brackets, may hold spaces; state is the third field and start time the twenty-second.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] == "Z" else f"{boot} {fields[19]}"
    answer = subprocess.run(  # noqa: S603 - a fixed command; the id is a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
        env={"LC_ALL": "C"},
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def _is_healthy(running: _Running, seconds: float) -> bool:
    # An opener without proxies: the machine's proxy, if it has one, does not know this loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{_HOST}:{running.port}/_ministack/health", timeout=seconds) as answer:
            return bool(json.load(answer)["edition"] == running.nonce)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _free_port(preferred: int) -> int:
    """This port where it is free, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HOST, port))
            return int(probe.getsockname()[1])
    raise LocalStackError(f"No free port on {_HOST}.")

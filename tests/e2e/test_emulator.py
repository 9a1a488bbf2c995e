"""The emulator is started once, found again, and stopped without hitting anything else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from demo.emulator import LocalStackError
from demo.local_stack import emulator

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_start_finds_the_first_and_a_stop_ends_it(tmp_path: Path) -> None:
    first, second = emulator(tmp_path, port=0), emulator(tmp_path, port=0)
    try:
        assert first.start()
        assert not second.start()
        assert second.endpoint == first.endpoint
    finally:
        assert second.stop()
    assert not first.is_running()
    assert not first.stop(), "there is nothing left to stop"


def test_two_of_them_do_not_meet(tmp_path: Path) -> None:
    with emulator(tmp_path / "one", port=0) as one, emulator(tmp_path / "two", port=0) as two:
        assert one.endpoint != two.endpoint
        one.stop()
        assert two.is_running()


def test_a_process_that_has_got_its_id_meanwhile_is_left_alone(tmp_path: Path) -> None:
    ours = emulator(tmp_path, port=0)
    with ours:
        (pid_file,) = ours.folder.glob("*.json")
        noted = json.loads(pid_file.read_text())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        pid_file.write_text(json.dumps(noted | {"pid": bystander.pid}))
        assert not ours.is_running()
        assert not ours.stop()
        assert bystander.poll() is None
        bystander.kill()


def test_a_port_in_use_is_reported_with_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalStackError, match="already in use"):
            emulator(tmp_path, port=port).start()


def test_it_knows_nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Lambda function inherits the emulator's environment."""
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "1")
    with emulator(tmp_path, port=0) as started:
        (pid_file,) = started.folder.glob("*.json")
        pid = json.loads(pid_file.read_text())["pid"]
        shown = subprocess.run(["/bin/ps", "eww", "-p", str(pid)], check=True, capture_output=True, text=True).stdout
    assert "MINISTACK_COGNITO_PRETOKEN_STRICT=1" in shown
    assert "SECRET_OF_THIS_MACHINE" not in shown

"""How assets are built, on a small function of the tests' own; the real ones are in ``test_assets.py``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claimsmith_cdk.bundling import BundlingError, build_asset, find_interpreter, find_uv

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SIX = (
    "six==1.17.0 \\\n"
    "    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\\n"
    "    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81\n"
)
HANDLER = "lambdas.sample.handler"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    folder = root / "lambdas" / "sample"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text(SIX)
    (folder / "handler.py").write_text("import six\n\nNAMES = {'a', 'b', 'c'}\nIN = 'a' in {'x', 'y', 'z', six}\n")
    return root


def _build(root: Path, build: Path, arch: str = "x86_64", python: str = PYTHON) -> Path:
    return build_asset(HANDLER, arch=arch, python=python, root=root, build=build).path


def _contents(folder: Path) -> dict[str, tuple[int, float, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def test_two_builds_are_equal_in_every_byte_time_and_permission(project: Path, tmp_path: Path) -> None:
    first = _build(project, tmp_path / "one")
    (project / "lambdas" / "sample" / "handler.py").chmod(0o600)
    second = _build(project, tmp_path / "two")
    assert first.name == second.name
    assert _contents(first) == _contents(second)


def test_a_second_build_from_the_same_inputs_only_finds_the_first(project: Path, tmp_path: Path) -> None:
    first = _build(project, tmp_path / "build")
    (first / "marker").touch()
    assert (_build(project, tmp_path / "build") / "marker").exists(), "it was built again"


@pytest.mark.parametrize("changed", ["handler.py", "requirements.txt"])
def test_another_input_is_another_asset(project: Path, tmp_path: Path, changed: str) -> None:
    first = _build(project, tmp_path / "build")
    with (project / "lambdas" / "sample" / changed).open("a") as file:
        file.write("# a change\n")
    assert _build(project, tmp_path / "build") != first


def test_another_target_is_another_asset(project: Path, tmp_path: Path) -> None:
    assert _build(project, tmp_path / "build") != _build(project, tmp_path / "build", arch="arm64")


def test_an_asset_is_dropped_once_nothing_used_it_for_a_day_and_only_then(project: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    yesterday = _build(project, build)
    (project / "lambdas" / "sample" / "handler.py").write_text("import six\n")
    just_now = _build(project, build)
    other_target = _build(project, build, arch="arm64")
    for path in (yesterday, other_target):
        os.utime(path, (0, 0))
    (project / "lambdas" / "sample" / "handler.py").write_text("")
    current = _build(project, build)
    assert not yesterday.exists()
    assert all(path.is_dir() for path in (just_now, other_target, current))
    assert sorted(path.name[:3] for path in build.iterdir()) == ["lam"] * 3, "unfinished builds were left behind"


def test_the_cache_of_uv_is_not_trimmed_with_the_asset(project: Path, tmp_path: Path) -> None:
    asset = _build(project, tmp_path / "build")
    assert (asset / "six.py").stat().st_nlink == 1, "a hard link would share uv's copy"


def test_bytecode_is_valid_whatever_the_times_are_and_names_the_task_root(project: Path, tmp_path: Path) -> None:
    asset = _build(project, tmp_path / "build")
    tag = sys.implementation.cache_tag
    compiled = (asset / "lambdas" / "sample" / "__pycache__" / f"handler.{tag}.pyc").read_bytes()
    assert compiled[4:8] == b"\x01\x00\x00\x00", "PEP 552: hash-based, unchecked"
    assert b"/var/task/lambdas/sample/handler.py" in compiled
    assert str(tmp_path).encode() not in compiled


def test_only_scanners_and_licence_metadata_is_kept(project: Path, tmp_path: Path) -> None:
    asset = _build(project, tmp_path / "build")
    assert sorted(path.name for path in asset.glob("*.dist-info/*")) == ["LICENSE", "METADATA"]


def test_a_package_with_another_hash_is_not_installed(project: Path, tmp_path: Path) -> None:
    (project / "lambdas" / "sample" / "requirements.txt").write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundlingError, match=r"(?s)uv could not install .*requirements\.txt for Python .*[Hh]ash"):
        _build(project, tmp_path / "build")
    assert list((tmp_path / "build").iterdir()) == [], "a failed build leaves nothing behind"


def test_a_package_without_a_hash_is_not_installed(project: Path, tmp_path: Path) -> None:
    (project / "lambdas" / "sample" / "requirements.txt").write_text("six==1.17.0\n")
    with pytest.raises(BundlingError, match="--require-hashes"):
        _build(project, tmp_path / "build")


def test_source_that_does_not_compile_is_reported_with_its_place(project: Path, tmp_path: Path) -> None:
    broken = project / "lambdas" / "sample" / "handler.py"
    broken.write_text("import six\nreturn\n")  # it parses, so only the compiler can tell
    with pytest.raises(BundlingError, match=r"(?s)could not compile the asset.*handler\.py"):
        _build(project, tmp_path / "build")


def test_without_uv_the_error_has_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundlingError, match="run `make install` first"):
        find_uv(scripts=str(tmp_path), path=str(tmp_path))


def test_uv_of_this_environment_comes_before_another_on_the_path(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "uv").write_text("#!/bin/sh\n")
        (folder / "uv").chmod(0o755)
    assert find_uv(scripts=str(own), path=str(other)) == str(own / "uv")
    assert find_uv(scripts=str(tmp_path), path=str(other)) == str(other / "uv")


def _executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_running_interpreter_compiles_bytecode_for_its_own_version() -> None:
    found = find_interpreter(PYTHON)
    assert found is not None
    assert found.path == sys.executable


def test_a_shim_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    _executable(tmp_path / "shims" / "python3.99", "echo 'command not found' >&2; exit 127")
    _executable(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python3.99", "echo 3.99.1 cpython-399")
    found = find_interpreter("3.99", path=str(tmp_path / "shims"), pyenv=tmp_path / "pyenv")
    assert found is not None
    assert (found.path, found.version) == (str(tmp_path / "pyenv/versions/3.99.1/bin/python3.99"), "3.99.1")


def test_an_interpreters_version_is_the_reported_one_and_not_that_of_its_name(tmp_path: Path) -> None:
    _executable(tmp_path / "python3.99", f'exec "{sys.executable}" "$@"')
    assert find_interpreter("3.99", path=str(tmp_path), pyenv=tmp_path) is None


def test_without_such_an_interpreter_the_asset_has_no_bytecode_and_synth_warns(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "3.14" if PYTHON != "3.14" else "3.12"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    asset = build_asset(HANDLER, arch="arm64", python=other, root=project, build=tmp_path / "build")
    assert not asset.bytecode
    assert list(asset.path.rglob("*.pyc")) == []
    assert (asset.path / "lambdas" / "sample" / "handler.py").is_file()


def test_builds_at_the_same_time_do_not_disturb_each_other(project: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from claimsmith_cdk.bundling import build_asset; "
        f"print(build_asset({HANDLER!r}, arch='arm64', python={PYTHON!r}, root=Path(sys.argv[1]), "
        "build=Path(sys.argv[2])).path)"
    )
    (tmp_path / "build").mkdir()
    command = [sys.executable, "-c", program, str(project), str(tmp_path / "build")]
    root = Path(__file__).resolve().parents[2]
    running = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=600)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert len(set(printed)) == 1
    assert (Path(printed[0].strip()) / "six.py").is_file()
    shutil.rmtree(tmp_path / "build")

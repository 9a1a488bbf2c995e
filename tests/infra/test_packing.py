"""How assets are packed, on small ones of the tests' own; a wheel with the real ones is built in ``tests/e2e``."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from claimsmith_cdk.packing import pack, packed, unpack

if TYPE_CHECKING:
    from pathlib import Path

COMMON = {"package/__init__.py": b"", "package/module.so": os.urandom(1 << 16), "package/other/__init__.py": b""}
ASSETS = {
    "audit": {**COMMON, "handler.py": b"audit"},
    "publisher": {**COMMON, "handler.py": b"publisher"},
    "trigger": {"handler.py": b"trigger", "package/module.so": b"another"},
}


def _written(folder: Path) -> dict[str, Path]:
    for name, files in ASSETS.items():
        for file, content in files.items():
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return {name: folder / name for name in ASSETS}


def _packed(assets: dict[str, Path], folder: Path) -> Path:
    folder.mkdir()
    pack(assets, folder)
    return folder


def test_each_asset_is_whole_again(tmp_path: Path) -> None:
    folder = _packed(_written(tmp_path), tmp_path / "packed")
    assert packed(folder) == sorted(ASSETS)
    for name, files in ASSETS.items():
        unpack(folder, name, tmp_path / "asset.zip")
        with zipfile.ZipFile(tmp_path / "asset.zip") as archive:
            assert archive.testzip() is None
            assert {entry: archive.read(entry) for entry in archive.namelist()} == files
    with pytest.raises(KeyError):
        unpack(folder, "probe", tmp_path / "asset.zip")


def test_an_asset_does_not_depend_on_what_is_packed_with_it(tmp_path: Path) -> None:
    """So its hash changes only with the function, and a deployment leaves the others alone."""
    assets = _written(tmp_path)
    together, alone = _packed(assets, tmp_path / "all"), _packed({"trigger": assets["trigger"]}, tmp_path / "one")
    unpack(together, "trigger", tmp_path / "together.zip")
    unpack(alone, "trigger", tmp_path / "alone.zip")
    assert (tmp_path / "together.zip").read_bytes() == (tmp_path / "alone.zip").read_bytes()


def test_what_two_have_in_common_is_stored_once(tmp_path: Path) -> None:
    folder = _packed(_written(tmp_path), tmp_path / "packed")
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert len(COMMON["package/module.so"]) < size < 2 * len(COMMON["package/module.so"])


def test_equal_assets_are_packed_equally_whatever_their_times(tmp_path: Path) -> None:
    assets = _written(tmp_path)
    first = _packed(assets, tmp_path / "first")
    for file in tmp_path.rglob("handler.py"):
        os.utime(file, (0, 0))
        file.chmod(0o600)
    second = _packed(dict(reversed(assets.items())), tmp_path / "second")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_a_checkout_has_nothing_packed(tmp_path: Path) -> None:
    assert packed(tmp_path) == []

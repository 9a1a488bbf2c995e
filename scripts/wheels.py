"""Builds the wheels of both packages: ``make wheels``.

The wheel of ``claimsmith-cdk`` has the functions' assets in it, for both processors, so that whoever installs it needs
no ``uv`` to synthesise. Two builds of one commit are equal in every byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from claimsmith_cdk.assets import asset_name
from claimsmith_cdk.bundling import PLATFORMS, BundlingError, build_asset
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.packing import pack

ROOT: Final = Path(__file__).resolve().parent.parent
CDK: Final = "claimsmith-cdk"

#: The time of every file in a wheel: the first that a zip archive can express.
_EPOCH: Final = "315532800"

#: What PyPI takes, in bytes: https://docs.pypi.org/project-management/storage-limits/
LIMIT: Final = 100_000_000


def handlers() -> list[str]:
    """The modules of the functions that constructs create. The sample is this app's own."""
    return sorted(
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in ROOT.glob("lambdas/*/*.py")
        if file.parent.name != "sample" and "\ndef handler(" in file.read_text(encoding="utf-8")
    )


def pack_assets(folder: Path, processors: list[str], python: str) -> None:
    """Build the functions' assets and pack them into a folder.

    Raises:
        BundlingError: an asset could not be built, or would have no bytecode.
    """
    folder.mkdir()
    assets: dict[str, Path] = {}
    for module in handlers():
        for arch in processors:
            asset = build_asset(module, arch=arch, python=python)
            if not asset.bytecode:
                raise BundlingError(
                    f"Python {python} is not here, and without it the functions would have no bytecode."
                )
            assets[asset_name(module, arch, python)] = asset.path
    pack(assets, folder)


def build(out: Path, processors: list[str], python: str) -> list[Path]:
    """Build both wheels.

    Args:
        out: the folder that they are written to.
        processors: for which the functions are packed.
        python: the runtime that they are packed for.

    Raises:
        BundlingError: an asset could not be built, or a wheel is larger than PyPI takes.
        subprocess.CalledProcessError: a wheel could not be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        for name in ("claimsmith", CDK):
            source = Path(folder, name)
            if name == CDK:
                shutil.copytree(ROOT / CDK, source, ignore=unwanted)
                pack_assets(source / "claimsmith_cdk" / "packed", processors, python)
            else:
                source.mkdir()
                shutil.copytree(ROOT / name, source / name, ignore=unwanted)
                for file in ("pyproject.toml", "README.md"):
                    shutil.copy(ROOT / file, source)
            shutil.copy(ROOT / "LICENSE", source)
            constraints = ROOT / "requirements/build.txt"
            subprocess.run(  # noqa: S603 - our own arguments
                (
                    *(Path(sys.prefix) / "bin/uv", "build", "--quiet", "--wheel", "--out-dir", out),
                    *("--build-constraints", constraints, source),
                ),
                env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
                check=True,
            )
    wheels = sorted(out.glob("claimsmith*.whl"))
    for wheel in wheels:
        if wheel.stat().st_size > LIMIT:
            raise BundlingError(f"{wheel} has {wheel.stat().st_size} bytes, and PyPI takes {LIMIT}.")
    return wheels


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out-dir", type=Path, default=ROOT / "dist", help="where they go; default: dist")
    parser.add_argument("--arch", action="append", choices=PLATFORMS, help="only this processor; default: both")
    parser.add_argument("--python", default=DEFAULT_HOSTING.python, help="another runtime of the functions")
    arguments = parser.parse_args()
    try:
        wheels = build(arguments.out_dir, arguments.arch or list(PLATFORMS), arguments.python)
    except BundlingError as error:
        print(error, file=sys.stderr)
        return 1
    for wheel in wheels:
        print(f"{wheel.stat().st_size / 1e6:6.1f} MB  {wheel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where a function's code comes from: packed in this package, or built from the checkout that it is part of."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from claimsmith_cdk.bundling import ROOT, Asset, BundlingError, build_asset

#: Empty in a checkout; ``make wheels`` fills it in the wheel.
PACKED: Final = Path(__file__).with_name("packed")

#: The first moment that a zip archive can express, and what every entry has as its time.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def function_asset(module: str, *, arch: str, python: str) -> Asset:
    """The asset of a handler.

    Args:
        module: the handler's module, with dots.
        arch: the processor, with AWS's name.
        python: the runtime's minor version.

    Raises:
        BundlingError: this package has none for this Python, or it could not be built.
    """
    packed = packed_file(PACKED, module, arch, python)
    if packed.is_file():
        return Asset(path=packed, bytecode=True)
    if not (ROOT / "lambdas").is_dir():
        versions = sorted({file.stem.rpartition("-")[2].replace("_", ".") for file in PACKED.glob("*.zip")})
        raise BundlingError(
            f"This package has the functions for Python {' and '.join(versions) or '(none)'}, not {python}. Leave "
            "python= of Hosting out, or install claimsmith-cdk from a checkout, which builds them."
        )
    return build_asset(module, arch=arch, python=python)


def packed_file(folder: Path, module: str, arch: str, python: str) -> Path:
    """The file of a packed asset. Without dots: CDK takes what follows one for a file's type."""
    return folder / f"{f'{module}-{arch}-{python}'.replace('.', '_')}.zip"


def pack(asset: Path, target: Path) -> None:
    """Pack a built asset; equal assets make equal files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(path for path in asset.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(asset).as_posix(), _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes())

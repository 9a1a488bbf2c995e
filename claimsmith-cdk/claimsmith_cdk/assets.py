"""Where a function's code comes from: packed in this package, or built from the checkout that it is part of."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from claimsmith_cdk.bundling import ROOT, Asset, BundlingError, build_asset
from claimsmith_cdk.packing import packed, unpack

#: Not in a checkout; ``make wheels`` makes it for the wheel.
PACKED: Final = Path(__file__).with_name("packed")


def function_asset(module: str, *, arch: str, python: str) -> Asset:
    """The asset of a handler.

    Args:
        module: the handler's module, with dots.
        arch: the processor, with AWS's name.
        python: the runtime's minor version.

    Raises:
        BundlingError: this package has none for this Python, or it could not be built.
    """
    names = packed(PACKED)
    name = asset_name(module, arch, python)
    if name in names:
        return Asset(path=_unpacked(name), bytecode=True)
    if not (ROOT / "lambdas").is_dir():
        versions = sorted({name.rpartition("-")[2].replace("_", ".") for name in names})
        raise BundlingError(
            f"This package has the functions for Python {' and '.join(versions) or '(none)'}, not {python}. Leave "
            "python= of Hosting out, or install claimsmith-cdk from a checkout, which builds them."
        )
    return build_asset(module, arch=arch, python=python)


def asset_name(module: str, arch: str, python: str) -> str:
    """The name of a packed asset. Without dots: CDK takes what follows one for a file's type."""
    return f"{module}-{arch}-{python}".replace(".", "_")


@cache
def _unpacked(name: str) -> Path:
    file = _folder() / f"{name}.zip"
    unpack(PACKED, name, file)
    return file


@cache
def _folder() -> Path:
    """Where assets are until this process ends; CDK copies each as soon as a function has it."""
    folder = tempfile.TemporaryDirectory(prefix="claimsmith-")
    atexit.register(folder.cleanup)
    return Path(folder.name)

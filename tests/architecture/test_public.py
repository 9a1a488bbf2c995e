"""The public surface of library and constructs is ``docs/reference/public.txt``: it changes only on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMITTED = (ROOT / "docs" / "reference" / "public.txt").read_text(encoding="utf-8")


def test_the_public_names_and_signatures_are_those_that_are_committed() -> None:
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}  # the CDK needs Node
    command = [sys.executable, str(ROOT / "scripts" / "public.py")]
    listed = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert listed == COMMITTED, (
        "The public surface has changed. If that is intended: python scripts/public.py > docs/reference/public.txt, "
        "and note the change in CHANGELOG.md."
    )

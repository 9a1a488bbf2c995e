"""Programs for Node that print JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]


def printed(script: Path | str, *arguments: str, given: str = "") -> Any:  # noqa: ANN401 - a JSON value
    """What a script prints that gets a text by standard input."""
    command = ["node", script, *arguments]
    ran = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)

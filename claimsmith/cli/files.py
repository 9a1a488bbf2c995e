"""Text that a command reads from a file that its arguments name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from claimsmith.errors import Code, OperationError

if TYPE_CHECKING:
    from pathlib import Path


def text_of(file: Path) -> str:
    """The text of a file; of standard input for ``-``.

    Raises:
        OperationError: the file cannot be read, or is not UTF-8.
    """
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise OperationError(Code.INPUT_UNREADABLE, f"{file} cannot be read: it is not UTF-8.") from error
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise OperationError(Code.INPUT_UNREADABLE, f"{file} cannot be read: {why}.") from error

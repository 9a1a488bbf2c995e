"""Exit codes that commands set themselves."""

from __future__ import annotations

from typing import Final

#: After Ctrl-C, as shells report it.
INTERRUPTED: Final = 130

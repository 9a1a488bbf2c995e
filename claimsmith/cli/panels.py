"""The jobs by which ``claimsmith --help`` groups the commands."""

from __future__ import annotations

from typing import Final

POLICY: Final = "Policy"
VERSIONS: Final = "Versions"
ANSWERS: Final = "Answers"
DIRECTORY: Final = "Directory"
TOKENS: Final = "Tokens"
OPERATIONS: Final = "Operations"

"""What both functions of the verifier work with: their environment, the table, and who is told what an answer hides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.environment import VerifierEnvironment
from claimsmith.service.check import Reports, TokenChecks
from claimsmith.store.dynamodb import TOKEN_PATH, Table, connect
from claimsmith.table import REVOKED
from lambdas.telemetry import count, logger

if TYPE_CHECKING:
    from claimsmith.errors import ClaimsmithError


def _unreadable(key: str) -> None:
    logger.error("a revocation cannot be read and ends tokens", extra={"row": f"{key} {REVOKED}"})
    count("UnreadableRows")


def _unchecked(error: ClaimsmithError) -> None:
    logger.error("let through without asking the table", extra={"code": error.code})
    count("Unknown")


_environment: Final = VerifierEnvironment.read()

#: Made while the process starts.
checks: Final = TokenChecks(
    Table(connect(TOKEN_PATH), _environment.table), _environment, Reports(_unreadable, _unchecked)
)

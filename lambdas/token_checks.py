"""Set-up shared by both functions of the verifier: environment, table, and reports of events that responses hide."""

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
    logger.error("revocation row cannot be read; its tokens are refused", extra={"row": f"{key} {REVOKED}"})
    count("UnreadableRows")


def _unchecked(error: ClaimsmithError) -> None:
    logger.error("token accepted without checking for revocation", extra={"code": error.code})
    count("Unknown")


_environment: Final = VerifierEnvironment.read()

#: Created while the process starts.
checks: Final = TokenChecks(
    Table(connect(TOKEN_PATH), _environment.table), _environment, Reports(_unreadable, _unchecked)
)

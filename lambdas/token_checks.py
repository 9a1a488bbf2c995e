"""Set-up shared by both functions of the verifier: environment, table, and reports of events that responses hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.environment import VerifierEnvironment
from claimsmith.service.check import Reports, TokenChecks
from claimsmith.table import REVOKED
from lambdas.rows import open_table
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
_opened: Final = open_table(_environment.table)
if _opened.why is not None:
    logger.info("botocore reads the table", extra={"why": _opened.why})

#: Created while the process starts.
checks: Final = TokenChecks(_opened.table, _environment, Reports(_unreadable, _unchecked))

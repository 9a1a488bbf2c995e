"""Set-up shared by both functions of the verifier: environment, table, and reports of events that responses hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.environment import VerifierEnvironment
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.check import Reports, TokenChecks
from claimsmith.table import REVOKED
from lambdas.rows import open_table
from lambdas.snapshots import Renewed
from lambdas.telemetry import count, logger

if TYPE_CHECKING:
    from claimsmith.errors import ClaimsmithError
    from lambdas.rows import Opened


def _unreadable(key: str) -> None:
    logger.error("revocation row cannot be read; its tokens are refused", extra={"row": f"{key} {REVOKED}"})
    count("UnreadableRows")


def _unchecked(error: ClaimsmithError) -> None:
    logger.error("token accepted without checking for revocation", extra={"code": error.code})
    count("Unknown")


def _reading(rows: int) -> None:
    count("RevocationsRead", rows)


_environment: Final = VerifierEnvironment.read()


class _Started(NamedTuple):
    opened: Opened
    checks: TokenChecks


def _start() -> _Started:
    opened = open_table(_environment.table)
    if opened.why is not None:
        logger.info("botocore reads the table", extra={"why": opened.why})
    return _Started(opened, TokenChecks(opened.table, _environment, Reports(_unreadable, _unchecked, _reading)))


_process: Final = Renewed(_start, lambda started: started.opened.table.close())


def checks() -> TokenChecks:
    """The checks of this process, made while it starts. They read policy and keys when they are first needed."""
    return _process.now.checks

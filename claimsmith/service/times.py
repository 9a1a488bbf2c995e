"""Times as people write and read them, and epoch seconds as rows hold them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from claimsmith.engine.facts import EARLIEST, LATEST
from claimsmith.errors import Code, OperationError

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECONDS: Final = re.compile(r"[0-9]{1,20}")
_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FORMS: Final = "Use a date (2027-01-31), a date and time (2027-01-31T18:00Z) or epoch seconds"


def instant(text: str, *, end_of_day: bool = False) -> int:
    """Epoch seconds of a time.

    Args:
        text: a date, an ISO 8601 date and time (UTC unless it says otherwise), or epoch seconds.
        end_of_day: a date means the end of that day, which is the start of the next one, and not its start. Both in
            UTC.

    Raises:
        OperationError: it is none of these, or before 2001 or after 5138, as rows cannot hold it.
    """
    try:
        seconds = _parsed(text.strip(), end_of_day=end_of_day)
    except (ValueError, OverflowError):
        raise OperationError(Code.BAD_ARGUMENT, f"This is not a time. {_FORMS}.") from None
    if not EARLIEST <= seconds <= LATEST:
        hint = ", not milliseconds" if seconds > LATEST else ""
        raise OperationError(Code.BAD_ARGUMENT, f"This time is not plausible. {_FORMS}{hint}.")
    return seconds


def moment(text: str, now: int, *, end_of_day: bool = False) -> int:
    """Epoch seconds of a time, or of so long ago: ``30m``, ``2h``, ``7d``, ``2w``.

    Args:
        text: as above, or as for ``instant``.
        now: epoch seconds.
        end_of_day: as for ``instant``.

    Raises:
        OperationError: as ``instant``.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is None:
        return instant(text, end_of_day=end_of_day)
    return instant(str(max(0, now - int(ago[1]) * _UNITS[ago[2]])))


def _parsed(text: str, *, end_of_day: bool) -> int:
    if _SECONDS.fullmatch(text):
        return int(text)
    moment = datetime.fromisoformat(text)
    if _DAY.fullmatch(text) and end_of_day:
        moment += timedelta(days=1)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def iso(seconds: int) -> str:
    """A time that a row may hold as ISO 8601 in UTC, for example ``2027-02-01T00:00:00Z``; ``instant`` reads it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

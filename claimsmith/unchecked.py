"""``ANY``: a check that is skipped on purpose."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unchecked(Enum):
    """The type of ``ANY``, so that a type checker can distinguish a skipped check from a missing value."""

    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


#: Skips a check explicitly.
ANY: Final = Unchecked.ANY

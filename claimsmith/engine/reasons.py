"""Why something is in a token, or is not: every step of a decision gives its reasons in this form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: The row with the settings that apply to everybody.
SETTINGS_ROW: Final = "POLICY SETTINGS"


class Reason(NamedTuple):
    """Why something is in a token, or is not.

    Attributes:
        kind: ``tenant``, ``role``, ``scope``, ``claim``, ``group``, ``rule`` or ``token``.
        name: of the role, scope, claim, group, rule or token.
        outcome: ``set``, ``granted``, ``kept``, ``suppressed``, ``shed``, ``dropped`` or ``refused``.
        source: the row it comes from (``POLICY ROLE#editor``), or ``request``.
        detail: in a few words; never a claim's value.
        token: ``access`` or ``id``; empty where it concerns both.
    """

    kind: str
    name: str
    outcome: str
    source: str
    detail: str = ""
    token: str = ""


#: ``new(Reason, (…))`` takes two thirds of the time of ``Reason(…)``, and a decision gives a hundred reasons.
new: Final[Callable[[type[Reason], tuple[str, str, str, str, str, str]], Reason]] = tuple.__new__

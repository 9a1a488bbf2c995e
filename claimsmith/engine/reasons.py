"""Why something is in a token, or is not: the form in which every part of a decision says so."""

from __future__ import annotations

from typing import Final, NamedTuple

#: The row that says what holds for everybody.
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

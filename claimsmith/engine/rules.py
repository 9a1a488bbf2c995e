"""Which rules apply to a token, and what they would have done had they not read what cannot be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claimsmith.engine.case import Case
    from claimsmith.engine.language.paths import Known


def apply(case: Case, known: Known) -> None:
    """Settle the rules that apply, in their order."""
    case.rules = tuple([rule for rule in case.bundle.rules if rule.when is None or rule.when(known)])
    for rule in case.rules:
        for effect in rule.withheld:
            case.say("rule", effect, "dropped", rule.row, "it reads what its users or callers can write")

"""Which rules apply to a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.engine.reasons import Reason, new

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Rule
    from claimsmith.engine.language.paths import EvaluationContext


class AppliedRules(NamedTuple):
    """The rules that apply, in the order of the policy.

    Attributes:
        reasons: effects that a rule does not have because it reads what its users or callers can write.
    """

    rules: tuple[Rule, ...]
    reasons: tuple[Reason, ...]


def apply(rules: tuple[Rule, ...], context: EvaluationContext) -> AppliedRules:
    """Those of the policy's rules whose condition is true."""
    applied = tuple([rule for rule in rules if rule.when is None or rule.when(context)])
    why = "it reads what its users or callers can write"
    reasons = [
        new(Reason, ("rule", effect, "dropped", rule.row, why, "")) for rule in applied for effect in rule.withheld
    ]
    return AppliedRules(applied, tuple(reasons))

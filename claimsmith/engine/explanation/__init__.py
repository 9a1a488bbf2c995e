"""Why something is in a token, and what would have to be different for something else to be there. Pure."""

from claimsmith.engine.explanation.absences import Absence, explain_absence, is_there
from claimsmith.engine.explanation.chains import Item, Link, items
from claimsmith.engine.explanation.plans import Target
from claimsmith.engine.explanation.situation import Change, PolicyVersion, Situation

__all__ = [
    "Absence",
    "Change",
    "Item",
    "Link",
    "PolicyVersion",
    "Situation",
    "Target",
    "explain_absence",
    "is_there",
    "items",
]

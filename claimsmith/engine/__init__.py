"""One pure function that decides a token's claims and says why."""

from claimsmith.engine.decide import Decision, Refusal, decide
from claimsmith.engine.reasons import Reason

__all__ = ["Decision", "Reason", "Refusal", "decide"]

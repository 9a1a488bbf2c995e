"""One pure function that decides a token's claims and says why."""

from claimsmith.engine.decide import Decision, Reason, Refusal, decide

__all__ = ["Decision", "Reason", "Refusal", "decide"]

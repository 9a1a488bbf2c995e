"""How far a policy is rolled out: whose tokens it makes while all others keep Cognito's own.

The row ``BUNDLE CURRENT`` has an attribute ``rollout`` until the policy reaches everybody. Whom a percentage reaches is
settled as for a staged version (``engine.staging``): who is reached by 10 percent is reached by 25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claimsmith import table
from claimsmith.engine.facts import Problem
from claimsmith.engine.staging import Wrong, is_served, read_share
from claimsmith.named_tuple import NamedTuple

#: The attribute of the row ``BUNDLE CURRENT``.
ROLLOUT: Final = "rollout"


class Rollout(NamedTuple):
    """A policy that does not reach everybody.

    Attributes:
        percent: of all subjects, 0 to 99. Zero is a shadow: nobody but ``subjects``.
        subjects: reached whatever the percentage: users' ``sub``, or app client ids for machine tokens.
        pools: the user pools that this is about; the policy reaches everybody in any other. Empty for all.
        changed_by: who set it, if the row says so; likewise ``changed_at``, in epoch seconds.
        problem: why the attribute cannot be read; then the policy reaches nobody.
    """

    percent: int = 0
    subjects: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    changed_by: str | None = None
    changed_at: int | None = None
    problem: Problem | None = None

    def reaches(self, subject: str | None, pool_id: str) -> bool:
        """Whether the policy makes the tokens of a subject.

        Args:
            subject: a user's ``sub``, or the app client id of a machine; None if it is not known who it is.
            pool_id: the user pool; empty if it is not known.
        """
        if self.pools and pool_id and pool_id not in self.pools:
            return True
        return subject is not None and is_served(subject, self.percent, self.subjects)

    def row(self) -> dict[str, Any]:
        """The attribute."""
        optional = {
            "subjects": sorted(self.subjects),
            "pools": sorted(self.pools),
            "changed_by": self.changed_by,
            "changed_at": self.changed_at,
        }
        return {"percent": self.percent, **{name: value for name, value in optional.items() if value}}


def read_rollout(row: Mapping[str, Any]) -> Rollout | None:
    """The rollout in the row ``BUNDLE CURRENT``; None if the policy reaches everybody.

    Where there is one that cannot be read, the policy reaches nobody: somebody meant it not to reach everybody.
    """
    if ROLLOUT not in row:
        return None
    given = row[ROLLOUT]
    if not isinstance(given, Mapping):
        return _unreadable(ROLLOUT, "is not a map")
    share = read_share(given)
    if isinstance(share, Wrong):
        return _unreadable(f"{ROLLOUT}.{share.attribute}", share.why)
    pools = given.get("pools", [])
    if not isinstance(pools, list | frozenset) or not all(isinstance(pool, str) for pool in pools):
        return _unreadable(f"{ROLLOUT}.pools", "is not a list of strings")
    by, at = given.get("changed_by"), given.get("changed_at")
    return Rollout(
        *share,
        frozenset(pools),
        by if isinstance(by, str) else None,
        at if isinstance(at, int) and not isinstance(at, bool) else None,
    )


def _unreadable(attribute: str, why: str) -> Rollout:
    return Rollout(problem=Problem(f"{table.BUNDLE} {table.CURRENT}", attribute, f"{why}; the policy reaches nobody"))

"""Everyone who can get a token, one at a time: who has rows in the directory, and who else is in the user pool.

Memory does not grow with the number of users in the directory. The pool lists users in an order of its own, so what a
policy reads of each is kept until its rows come: some two hundred bytes a user.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.limits import SUB
from claimsmith.engine.facts import Problem, Tenant, User, UserFacts, read_tenant, read_user
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.users import user_facts
from claimsmith.store import directory
from claimsmith.store.pool import Memberships

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from claimsmith.engine.reads import Reads
    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool import Pool


#: In ``Person.last``, instead of a key.
WITHOUT_ROWS: Final = ""

#: The facts of a user without rows.
NO_ROWS: Final = UserFacts(User())


class Profile(NamedTuple):
    """What a user pool knows of a user, as far as a policy reads it.

    Attributes:
        attributes: those that matter, sorted by name.
        memberships: the groups that matter.
        length: characters that the other attributes take in an ID token, at most.
    """

    username: str
    attributes: tuple[tuple[str, str], ...] = ()
    memberships: Memberships = Memberships()
    length: int = 0


class Person(NamedTuple):
    """A user, with all that a decision reads.

    Attributes:
        username: what to call the user: as in the pool; without a pool, as the USER row says, or else the sub.
        profile: from the pool; without one, the user's name is taken to be the sub.
        last: after which ``Everyone.users`` can go on: the key of the user's last row; without rows, an empty text and
            the sub.
    """

    sub: str
    username: str
    facts: UserFacts
    profile: Profile
    last: tuple[str, str] | None = None


@dataclass
class Everyone:
    """Reads everyone, once.

    Attributes:
        rows: the table.
        reads: what the policies read.
        pool: the user pool; None where it is not known, and then nobody without rows is found, and nothing is known
            of groups and attributes.
        now: epoch seconds.
        progress: called with the number of users read so far.
        tenants: every tenant that was read; None for one that does not exist or cannot be read.
        unreadable: rows that cannot be read, so far.
        strangers: users with rows who are not in the pool, so far; they can get no token.
    """

    rows: Table
    reads: Reads
    pool: Pool | None = None
    now: int = field(default_factory=lambda: int(time.time()))
    progress: Callable[[int], None] = lambda _: None
    tenants: dict[str, Tenant | None] = field(default_factory=dict)
    unreadable: int = 0
    strangers: int = 0

    def read_tenants(self) -> None:
        """Read every tenant, so that no user needs a read of their own.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        for row in directory.every_tenant(self.rows):
            self._add(row)

    def load(self, missing: list[str], known: dict[str, Tenant | None]) -> None:
        """Add these tenants to ``known``, as ``service.users.tenants_of`` asks for them.

        A tenant of which the index does not know yet is read.
        """
        unread = [tenant_id for tenant_id in missing if tenant_id not in self.tenants]
        if unread:
            self.tenants.update(dict.fromkeys(unread))
            for row in directory.tenant_rows(self.rows, unread):
                self._add(row)
        known.update((tenant_id, self.tenants[tenant_id]) for tenant_id in missing)

    def users(self, *, after: tuple[str, str] | None = None) -> Iterator[Person]:
        """Every user, one at a time: those with rows in the order of the table, then the others in the pool by sub.

        Args:
            after: the ``last`` of a user: go on with the next one.

        Raises:
            OperationError: Cognito is unavailable, or the user after whom to go on has no rows any more.
            StoreError: DynamoDB is unavailable.
        """
        profiles = None if self.pool is None else self._profiles(self.pool)
        # Who has no rows is known only once all rows are read, so with a pool they are read from the start.
        skipping = after if profiles is not None else None
        count = 0
        for found in directory.every_user(self.rows, after=after if skipping is None else None):
            if skipping is not None and profiles is not None:
                profiles.pop(found.sub, None)
                skipping = None if found.last[0] == skipping[0] else skipping
                continue
            if profiles is not None and found.sub not in profiles:
                self.strangers += 1
                continue
            if not SUB.fullmatch(found.sub):
                self.unreadable += len(found.rows)
                continue
            facts = read_user(found.rows, self.now) if found.whole else user_facts(self.rows, found.sub, self.now)
            self.unreadable += len(facts.problems)
            count += 1
            self.progress(count)
            if profiles is None:
                username = _written_username(found.rows) or found.sub
                yield Person(found.sub, username, facts, Profile(found.sub), found.last)
                continue
            profile = profiles.pop(found.sub)
            yield Person(found.sub, profile.username, facts, profile, found.last)
        if skipping is not None and skipping[0] != WITHOUT_ROWS:
            message = "The user after whom to go on has no rows any more. Start again without --after."
            raise OperationError(Code.CURSOR_UNUSABLE, message)
        for sub in sorted(profiles or {}):
            if profiles is None or (skipping is not None and sub <= skipping[1]):
                continue
            count += 1
            self.progress(count)
            yield Person(sub, profiles[sub].username, NO_ROWS, profiles[sub], (WITHOUT_ROWS, sub))

    def _add(self, row: Mapping[str, object]) -> None:
        tenant = read_tenant(row, self.now)
        if isinstance(tenant, Problem):
            self.unreadable += 1
            return
        if tenant is not None:
            self.tenants[tenant.id] = tenant

    def _profiles(self, pool: Pool) -> dict[str, Profile]:
        """What the pool knows of each of its users, by sub; equal parts are kept once."""
        memberships = pool.memberships(None if self.reads.every_group else self.reads.groups)
        mattering = self.reads.attributes
        found: dict[str, Profile] = {}
        kept: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        for user in pool.users():
            attributes = tuple(sorted(item for item in user.attributes.items() if item[0] in mattering))
            rest = [len(name) + len(value) + 6 for name, value in user.attributes.items() if name not in mattering]
            found[user.sub] = Profile(
                user.username,
                kept.setdefault(attributes, attributes),
                memberships.get(user.username, Memberships()),
                sum(rest),
            )
        return found


def _written_username(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The username in a user's own row, if there is one. No decision reads it."""
    found = next((row.get("username") for row in rows if row[table.SK] == table.USER), None)
    return found if isinstance(found, str) else None

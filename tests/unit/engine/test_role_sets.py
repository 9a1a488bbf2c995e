"""What is kept of the sets of roles that occur."""

from __future__ import annotations

from claimsmith.engine.role_sets import Ceiling, Closure, RoleBook, closure, together
from tests.events import SUB, event
from tests.policies import bundle, decided, facts, user_row

ROLES = {
    "a": {"scopes": ["x/read", "x/write"], "claims": {"n": 1, "only_a": True}},
    "b": {"scopes": ["x/write", "y/read"], "claims": {"n": 2}},
    "c": {"claims": {"n": {"from": "tenant.plan"}}},
    "d": {"scopes": ["y/read"], "claims": {"n": 4}},
}


def test_later_roles_win_claims_and_earlier_ones_give_scopes() -> None:
    given = together(bundle(roles=ROLES).roles, ("a", "b", "c", "d"), None)
    first, last = given.claims[0]
    assert (first.literals, last.literals) == ({"n": 2, "only_a": True}, {"n": 4})
    assert [name for name, _, _ in first.others] == ["n"], "and an expression comes after the literals before it"
    assert {scope: reason.source[-1] for scope, reason in given.scopes.items()} == {
        "x/read": "a",
        "x/write": "a",
        "y/read": "b",
    }


def test_each_client_has_its_own_ceiling() -> None:
    roles = bundle(roles=ROLES).roles
    for row, allowed in (("one", {"x/read"}), ("other", {"x/write", "y/read"}), ("one", {"x/read"})):
        given = together(roles, ("a", "b"), Ceiling(row, frozenset(allowed)))
        assert given.scopes.keys() == allowed
        assert {reason.source for reason in given.refused.values()} == {row}
    assert together(roles, ("a", "b"), None).refused == {}


def test_no_name_from_a_row_of_the_directory_is_kept() -> None:
    roles = bundle(roles={"a": {"inherits": ["b"]}, "b": {}}).roles
    assert closure(roles, ("a", "a")) is closure(roles, ("a", "a")) == Closure(("a", "b"), ())
    assert closure(roles, ("ghost", "b")) == Closure(("b",), ("ghost",))
    assert closure(roles, ("ghost", "b")) is not closure(roles, ("ghost", "b"))


def test_names_of_roles_take_little_of_what_may_be_kept() -> None:
    names = [f"r{at}" for at in range(999)]
    roles = bundle(roles={"all": {"inherits": names}, **{name: {} for name in names}}).roles
    every = tuple(sorted(roles))
    assert together(roles, every, None) is together(roles, every, None)
    assert closure(roles, ("all",)) is closure(roles, ("all",))


class _Counting(RoleBook):
    """Counts the names that it gives."""

    __slots__ = ("given",)
    given: int

    def closure(self, named: tuple[str, ...]) -> Closure:
        found = super().closure(named)
        self.given += len(found.names)
        return found


def test_what_many_groups_name_is_gone_through_once() -> None:
    """Also where each names something else besides, and so is no set that has occurred."""
    names = [f"r{at}" for at in range(50)]
    policy = bundle(
        roles={"all": {"inherits": names}, **{name: {} for name in names}},
        groups={f"g{at}": {"roles": ["all", name]} for at, name in enumerate(names)},
    )
    counting = _Counting(policy.roles)
    counting.given = 0
    asked = event(groups=[f"g{at}" for at in range(50)])
    decision = decided(policy._replace(roles=counting), facts(user_row(SUB)), asked)
    assert decision.roles == ("all", *sorted(names))
    assert counting.given == len(decision.roles) + len(names[1:]), "the first group's, and what is new in each other"


def test_as_many_sets_are_kept_as_fit_and_others_are_the_same_every_time() -> None:
    roles = bundle(roles={f"r{at}": {"claims": {f"{at % 3}-{n}": at for n in range(60)}} for at in range(200)}).roles
    assert isinstance(roles, RoleBook)
    assert roles.together(("r0", "r1"), None) is roles.together(("r0", "r1"), None)
    every = tuple(sorted(roles))
    assert roles.together(every, None) is not roles.together(every, None), "what is large is not kept"
    sets = [(f"r{at}",) for at in range(200)]
    first = [roles.together(names, None) for names in sets]
    again = [roles.together(names, None) for names in sets]
    assert first == again
    kept = [one is other for one, other in zip(first, again, strict=True)]
    assert kept == sorted(kept, reverse=True), "the first ones are kept"
    assert 125 <= sum(kept) <= 128, "16,384 entries, of which each set has 60 in each token, and 8 for itself"

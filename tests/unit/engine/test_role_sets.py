"""What is kept of the sets of roles that occur."""

from __future__ import annotations

from claimsmith.engine.role_sets import RoleBook, together
from tests.policies import bundle

ROLES = {
    "a": {"scopes": ["x/read", "x/write"], "claims": {"n": 1, "only_a": True}},
    "b": {"scopes": ["x/write", "y/read"], "claims": {"n": 2}},
    "c": {"claims": {"n": {"from": "tenant.plan"}}},
    "d": {"scopes": ["y/read"], "claims": {"n": 4}},
}


def test_later_roles_win_claims_and_earlier_ones_give_scopes() -> None:
    given = together(bundle(roles=ROLES).roles, ("a", "b", "c", "d"))
    first, evaluated, last = given.claims[0]
    assert (first.literals, last.literals) == ({"n": 2, "only_a": True}, {"n": 4})
    assert [name for name, _, _ in evaluated.others] == ["n"]
    assert [(grant.scope, grant.reason.source[-1]) for grant in given.grants] == [
        ("x/read", "a"),
        ("x/write", "a"),
        ("y/read", "b"),
    ]


def test_as_many_sets_are_kept_as_fit_and_others_are_the_same_every_time() -> None:
    roles = bundle(roles={f"r{at}": {"claims": {"n": at}} for at in range(80)} | {"large": _large()}).roles
    assert isinstance(roles, RoleBook)
    assert roles.together(("large",)) is not roles.together(("large",)), "what is large is not kept"
    sets = [(f"r{at}",) for at in range(80)]
    first = [roles.together(names) for names in sets]
    again = [roles.together(names) for names in sets]
    assert first == again
    assert [kept is one for kept, one in zip(first, again, strict=True)] == [True] * 64 + [False] * 16


def _large() -> dict[str, object]:
    return {"claims": {f"claim{at}": at for at in range(200)}}

"""What a policy would do to a sign-in, by name."""

from __future__ import annotations

from claimsmith.cognito.effect import Effect, effect
from claimsmith.cognito.event import MANAGED_LOGIN, parse
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, Groups, TokenChanges
from tests.events import event

REQUEST = parse(
    event(
        MANAGED_LOGIN,
        scopes=["openid", "orders/read"],
        groups=["Staff", "Crew"],
        attributes={"plan": "free", "email": "ada@example.com"},
    )
)


def test_no_changes_have_no_effect() -> None:
    assert effect(REQUEST, Changes()) == Effect()


def test_each_change_has_its_name_and_no_value() -> None:
    would = effect(
        REQUEST,
        Changes(
            TokenChanges({"tenant_id": "acme"}, ("username",)),
            TokenChanges({"plan": "pro", "roles": ["editor"]}, ("email",)),
            scopes_to_add=("orders/write",),
            scopes_to_suppress=("orders/read", "orders/never"),
            groups=Groups(("Staff", "Editors")),
        ),
    )
    assert would == Effect(
        scopes_added=("orders/write",),
        scopes_suppressed=("orders/read",),
        groups_added=("Editors",),
        groups_suppressed=("Crew",),
        access_added=("tenant_id",),
        access_suppressed=("username",),
        id_added=("roles",),
        id_overridden=("plan",),
        id_suppressed=("email",),
    )
    assert would.takes_away


def test_a_claim_that_is_set_to_what_it_is_changes_nothing_and_true_is_not_one() -> None:
    same = Changes(id=TokenChanges({"plan": "free"}))
    assert effect(REQUEST, same) == Effect()
    assert not effect(REQUEST, Changes(id=TokenChanges({"plan": True}))).takes_away


def test_groups_that_one_token_loses_are_suppressed() -> None:
    would = effect(REQUEST, Changes(id=TokenChanges(suppressed=(GROUPS_CLAIM,))))
    assert would.groups_suppressed == ("Crew", "Staff")

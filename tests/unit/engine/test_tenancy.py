"""Which tenant a token is for: the pin, the hint, the stored choice, the only membership, or none."""

from __future__ import annotations

import pytest

from claimsmith.errors import Code
from tests.events import CLIENT, MACHINE, SIGN_IN, SUB, event
from tests.policies import NOW, bundle, decided, facts, membership_row, refused, tenant_row, user_row

POLICY = bundle()
PINNED = bundle(clients={CLIENT: {"tenant": "acme"}})
STRICT = bundle(settings={"no_tenant": "deny"})

ACME, GLOBEX = tenant_row("acme", name="Acme"), tenant_row("globex", name="Globex")
IN_ACME, IN_GLOBEX = membership_row(SUB, "acme"), membership_row(SUB, "globex")
BOTH = (ACME, GLOBEX, IN_ACME, IN_GLOBEX)


def hinting(tenant: str) -> dict[str, object]:
    return event(SIGN_IN, metadata={"tenant_id": tenant})


def test_the_only_usable_membership_needs_no_choice() -> None:
    assert decided(POLICY, facts(ACME, IN_ACME), event()).tenant_id == "acme"


def test_a_second_membership_that_is_not_usable_does_not_make_it_a_choice() -> None:
    suspended = tenant_row("globex", status="suspended")
    assert decided(POLICY, facts(ACME, suspended, IN_ACME, IN_GLOBEX), event()).tenant_id == "acme"


def test_of_two_memberships_none_is_guessed_and_both_are_offered_in_the_id_token() -> None:
    decision = decided(POLICY, facts(*BOTH), event())
    assert decision.tenant_id is None
    assert decision.changes.id.claims["tenants"] == {"acme": "Acme", "globex": "Globex"}
    assert "tenants" not in decision.changes.access.claims
    assert "tenant_id" not in decision.changes.access.claims


def test_no_more_than_a_hundred_tenants_are_offered() -> None:
    names = [f"t{number:03d}" for number in range(130)]
    rows = [*(tenant_row(name) for name in names), *(membership_row(SUB, name) for name in names)]
    assert list(decided(POLICY, facts(*rows), event()).changes.id.claims["tenants"]) == names[:100]


def test_the_stored_choice_decides() -> None:
    assert decided(POLICY, facts(*BOTH, user_row(SUB, active_tenant="globex")), event()).tenant_id == "globex"


def test_the_stored_choice_for_this_client_comes_before_the_general_one() -> None:
    chosen = user_row(SUB, active_tenant="globex", active_tenant_by_client={CLIENT: "acme", "other": "globex"})
    assert decided(POLICY, facts(*BOTH, chosen), event()).tenant_id == "acme"


@pytest.mark.parametrize(
    "globex_rows",
    [
        (GLOBEX,),
        (tenant_row("globex", status="suspended"), IN_GLOBEX),
        (GLOBEX, membership_row(SUB, "globex", status="invited")),
        (GLOBEX, membership_row(SUB, "globex", expires_at=NOW)),
        (IN_GLOBEX,),
        (tenant_row("globex", roles_allowed="not a list"), IN_GLOBEX),
    ],
    ids=["no membership", "suspended", "not active", "expired", "no tenant row", "unreadable tenant row"],
)
def test_a_stored_choice_that_is_not_usable_yields_none_and_never_another(
    globex_rows: tuple[dict[str, object]],
) -> None:
    rows = (ACME, IN_ACME, *globex_rows, user_row(SUB, active_tenant="globex"))
    assert decided(POLICY, facts(*rows), event()).tenant_id is None


def test_a_hint_binds_this_token_whatever_is_stored() -> None:
    rows = (*BOTH, user_row(SUB, active_tenant="globex"))
    assert decided(POLICY, facts(*rows), hinting("acme")).tenant_id == "acme"


@pytest.mark.parametrize(
    "hint", ["unknown", "globex", "suspended", "", "ACME", "acme ", "TENANT#acme", "acme#", "x" * 5000]
)
def test_a_hint_to_what_is_unknown_foreign_suspended_or_no_tenant_id_is_refused_alike(hint: str) -> None:
    rows = (
        ACME,
        GLOBEX,
        IN_ACME,
        tenant_row("suspended", status="suspended"),
        membership_row(SUB, "suspended"),
    )
    assert refused(POLICY, facts(*rows), hinting(hint)).code is Code.TENANT_NOT_PERMITTED


def test_a_pinned_client_takes_its_own_tenant_whatever_is_stored() -> None:
    rows = (*BOTH, user_row(SUB, active_tenant="globex"))
    assert decided(PINNED, facts(*rows), event()).tenant_id == "acme"


def test_a_pinned_client_refuses_who_is_not_a_member() -> None:
    assert refused(PINNED, facts(ACME, GLOBEX, IN_GLOBEX), event()).code is Code.TENANT_NOT_PERMITTED


def test_a_hint_may_repeat_the_pin_and_may_not_contradict_it() -> None:
    assert decided(PINNED, facts(*BOTH), hinting("acme")).tenant_id == "acme"
    assert refused(PINNED, facts(*BOTH), hinting("globex")).code is Code.TENANT_NOT_PERMITTED


def test_no_tenant_is_allowed_or_denied_by_the_settings() -> None:
    assert decided(POLICY, facts(), event()).tenant_id is None
    assert refused(STRICT, facts(), event()).code is Code.TENANT_REQUIRED
    assert refused(STRICT, facts(*BOTH), event()).code is Code.TENANT_REQUIRED


def test_a_machine_belongs_to_the_tenant_of_its_pin_without_a_membership() -> None:
    assert decided(PINNED, facts(ACME, machine=True), event(MACHINE)).tenant_id == "acme"
    suspended = facts(tenant_row("acme", status="suspended"), machine=True)
    assert refused(PINNED, suspended, event(MACHINE)).code is Code.TENANT_NOT_PERMITTED


def test_a_machine_cannot_choose_a_tenant_by_a_hint() -> None:
    hint = event(MACHINE, metadata={"tenant_id": "acme"})
    assert refused(POLICY, facts(ACME, machine=True), hint).code is Code.TENANT_NOT_PERMITTED


def test_a_suspended_user_is_refused_before_anything_else() -> None:
    rows = (*BOTH, user_row(SUB, status="suspended", active_tenant="acme"))
    assert refused(POLICY, facts(*rows), event()).code is Code.USER_SUSPENDED

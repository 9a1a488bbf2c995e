"""Which TENANT rows are still to be read: no row that cannot decide, and every row that can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine import Reason
from claimsmith.engine.facts import MACHINE as A_MACHINE
from claimsmith.engine.facts import UserFacts, read_user
from claimsmith.engine.tenancy import BATCH, NO_TENANT, Choice, choose, tenants_to_load
from tests.events import CLIENT, MACHINE, SIGN_IN, SUB, event
from tests.policies import NOW, bundle, facts, membership_row, tenant_row, user_row

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

FREE, PINNED = bundle(), bundle(clients={CLIENT: {"tenant": "acme"}})
IN_ACME, IN_GLOBEX = membership_row(SUB, "acme"), membership_row(SUB, "globex")

NAMES = [f"t{number:04d}" for number in range(1000)]
OF_MANY = read_user([membership_row(SUB, name) for name in NAMES], NOW)


def asked(policy: Bundle, user: UserFacts, *known: dict[str, Any], hint: str | None = None) -> list[str]:
    request = parse(event(SIGN_IN, metadata={"tenant_id": hint} if hint else None))
    return tenants_to_load(policy, user, facts(*known).tenants, request)


def of(*rows: dict[str, Any]) -> UserFacts:
    return read_user(rows, NOW)


def test_a_tenant_that_the_client_is_pinned_to_or_the_hint_names_is_read_once_and_alone() -> None:
    user = of(IN_ACME, IN_GLOBEX)
    assert asked(PINNED, user) == ["acme"]
    assert asked(PINNED, user, tenant_row("acme")) == []
    assert asked(FREE, user, hint="globex") == ["globex"]
    assert asked(FREE, user, tenant_row("globex", status="suspended"), hint="globex") == []


def test_nothing_is_read_where_the_answer_is_no() -> None:
    assert asked(PINNED, of(IN_GLOBEX)) == [], "not a member of the client's tenant"
    assert asked(PINNED, of(IN_ACME, IN_GLOBEX), hint="globex") == [], "the hint contradicts the pin"
    assert asked(FREE, of(IN_ACME), hint="Not a tenant") == []
    assert asked(FREE, of(IN_ACME), hint="globex") == [], "not a member"
    assert asked(FREE, of(IN_ACME, user_row(SUB, roles=7))) == [], "the user's row cannot be read"
    assert asked(FREE, of(IN_ACME, user_row(SUB, status="suspended"))) == []
    assert asked(FREE, of()) == []


def test_a_machine_reads_the_tenant_of_its_client_and_no_other() -> None:
    assert tenants_to_load(PINNED, A_MACHINE, {}, parse(event(MACHINE))) == ["acme"]
    assert tenants_to_load(FREE, A_MACHINE, {}, parse(event(MACHINE, metadata={"tenant_id": "acme"}))) == []


@pytest.mark.parametrize(
    "known",
    [{"acme": None}, facts(tenant_row("acme", status="suspended")).tenants],
    ids=["not there", "suspended"],
)
def test_where_the_stored_choice_is_not_usable_those_to_choose_from_are_read(known: Any) -> None:  # noqa: ANN401 - rows
    user = of(IN_ACME, IN_GLOBEX, membership_row(SUB, "initech"), user_row(SUB, active_tenant="acme"))
    assert tenants_to_load(FREE, user, known, parse(event())) == ["globex", "initech"]


def test_a_stored_choice_without_a_membership_is_not_read() -> None:
    assert asked(FREE, of(IN_GLOBEX, user_row(SUB, active_tenant="acme"))) == ["globex"]


def test_a_stored_choice_that_is_usable_is_the_only_row_that_is_read() -> None:
    user = of(IN_ACME, IN_GLOBEX, user_row(SUB, active_tenant="acme"))
    assert asked(FREE, user) == ["acme"]
    assert asked(FREE, user, tenant_row("acme")) == []


@pytest.mark.parametrize(("usable", "more"), [(0, True), (99, True), (100, False), (130, False)])
def test_reading_ends_when_as_many_as_are_listed_are_usable(usable: int, *, more: bool) -> None:
    read = tenants_to_load(FREE, OF_MANY, facts(*map(tenant_row, NAMES[:usable])).tenants, parse(event()))
    assert read == (NAMES[usable : usable + BATCH] if more else [])


def test_tenants_that_are_not_there_are_read_once_and_others_in_their_place() -> None:
    assert tenants_to_load(FREE, OF_MANY, dict.fromkeys(NAMES[:BATCH]), parse(event())) == NAMES[BATCH : 2 * BATCH]


def test_a_choice_records_how_it_was_made() -> None:
    request = parse(event())
    assert choose(FREE, of(), {}, request) == NO_TENANT
    both = facts(tenant_row("acme"), tenant_row("globex")).tenants
    sole = Reason("tenant", "acme", "set", f"USER#{SUB} TENANT#acme", "the only usable membership")
    assert choose(FREE, of(IN_ACME), both, request) == Choice(sole, both["acme"])
    stored = of(IN_ACME, IN_GLOBEX, user_row(SUB, active_tenant="globex"))
    why = Reason("tenant", "globex", "set", f"USER#{SUB} USER", "the user's stored choice")
    assert choose(FREE, stored, both, request) == Choice(why, both["globex"])
    assert choose(FREE, of(IN_ACME, IN_GLOBEX), both, request).offered == (both["acme"], both["globex"])


def test_where_a_stored_choice_is_not_usable_the_only_usable_tenant_is_offered_and_not_taken() -> None:
    user = of(IN_ACME, IN_GLOBEX, user_row(SUB, active_tenant="globex"))
    known = facts(tenant_row("acme")).tenants
    choice = choose(FREE, user, known, parse(event()))
    assert (choice._replace(offered=()), choice.offered) == (NO_TENANT, (known["acme"],))


def test_a_machine_is_offered_nothing() -> None:
    assert choose(FREE, A_MACHINE, facts(tenant_row("acme")).tenants, parse(event(MACHINE))).offered == ()

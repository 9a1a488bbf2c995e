"""Freshness rule by rule: what makes a token stale, what does not, and what was left out of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, StoreError
from claimsmith.verifier import Claims
from claimsmith.verifier.claims import CLAIM_NAMES
from claimsmith.verifier.freshness import Freshness, freshness
from tests.policies import bundle, facts, membership_row, tenant_row, user_row
from tests.unit.verifier.introspecting import DOWN, INACTIVE, POOL, Revoked, Rows, answered, event, introspection, row
from tests.unit.verifier.minting import CLIENT, NOW, access_claims

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts

SUB: str = access_claims()["sub"]
ROLES: dict[str, Any] = {
    "viewer": {"scopes": ["orders/read"]},
    "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]},
}
ROWS = (user_row(SUB), membership_row(SUB, "acme", roles=["editor"]), tenant_row("acme", plan="pro"))


def policy(**sections: Any) -> Bundle:  # noqa: ANN401 - of a policy
    """The compiled policy, with roles; its rules apply in the order in which they are written."""
    rules = {name: {"order": at, **rule} for at, (name, rule) in enumerate(sections.pop("rules", {}).items())}
    return bundle(**{"roles": ROLES, **sections, "rules": rules})


def token(names: dict[str, str | None] | None = None, /, **changes: object) -> Claims:
    """A token that is read by these names, where they are not the usual ones."""
    return Claims(access_claims(**changes), {**CLAIM_NAMES, **(names or {})})


def machine(**changes: object) -> Claims:
    own: dict[str, object] = {"sub": CLIENT, "username": None, "cognito:groups": None, "policy_version": 7}
    return token(**{**own, **changes})


def stale(*rows: dict[str, Any], claims: Claims | None = None, **sections: Any) -> bool:  # noqa: ANN401 - of a policy
    issued = token() if claims is None else claims
    return freshness(policy(**sections), facts(*rows), issued).stale


def without(*names: str) -> tuple[dict[str, Any], ...]:
    """The rows but for those of these kinds."""
    kinds = {"user": ROWS[0], "membership": ROWS[1], "tenant": ROWS[2]}
    return tuple(row for name, row in kinds.items() if name not in names)


def test_a_token_that_the_rows_still_grant_is_fresh() -> None:
    assert not stale(*ROWS)
    assert not stale(*without("user")), "a user needs no row"


# --- The user, the membership and the tenant --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        (*without("user"), user_row(SUB, status="suspended")),
        (*without("user"), user_row(SUB, roles="unreadable")),
        without("membership"),
        (*without("membership"), membership_row(SUB, "acme", roles=["editor"], status="suspended")),
        (*without("membership"), membership_row(SUB, "acme", roles=["editor"], expires_at=NOW)),
        (*without("membership"), membership_row(SUB, "acme", roles="unreadable")),
        (*without("membership"), membership_row(SUB, "globex", roles=["editor"])),
        without("tenant"),
        (*without("tenant"), tenant_row("acme", status="suspended")),
        (*without("tenant"), tenant_row("acme", plan=7)),
    ],
)
def test_a_token_is_stale_if_user_membership_or_tenant_is_no_longer_usable(rows: tuple[dict[str, Any], ...]) -> None:
    assert stale(*rows)
    assert stale(*rows, claims=token(roles=None, scope="openid")), "whatever else the token contains"


FEDERATED: dict[str, Any] = {
    "settings": {"groups_from": {"attributes": ["custom:groups"], "suppress_admin_scope": True}},
    "identity_providers": {
        "AcmeSAML": {"tenants": ["acme"], "just_in_time": True, "roles": {"editors": ["editor"]}},
        "Initech": {"tenants": ["initech"], "just_in_time": True, "roles": {"viewers": ["viewer"]}},
    },
}


def test_a_member_just_in_time_has_no_row_and_is_fresh_as_long_as_the_provider_may_say_so() -> None:
    """No token says which provider its user came from, so what one of them could have said counts for it."""
    assert not stale(*without("membership"), **FEDERATED)
    assert not stale(*without("membership"), membership_row(SUB, "acme"), **FEDERATED), "a row without the roles"
    assert stale(*without("membership"), membership_row(SUB, "acme", status="suspended"), **FEDERATED)
    assert stale(*without("membership"), claims=token(tenant_id="globex"), **FEDERATED)
    assert stale(*without("user"), user_row(SUB, status="suspended"), **FEDERATED)
    fewer = {name: {**row, "roles": {}} for name, row in FEDERATED["identity_providers"].items()}
    assert stale(*without("membership"), **FEDERATED | {"identity_providers": fewer})


def test_a_token_without_a_tenant_depends_on_the_user_alone() -> None:
    plain = token(tenant_id=None, roles=["viewer"], scope="orders/read")
    assert not stale(user_row(SUB, roles=["viewer"]), claims=plain)
    assert stale(user_row(SUB), claims=plain)
    assert stale(user_row(SUB, roles=["viewer"], status="suspended"), claims=plain)


def test_without_a_tenant_claim_a_token_is_stale_only_if_it_is_for_all_of_the_users_tenants() -> None:
    def unnamed(scope: str = "orders/read", **changes: object) -> Claims:
        return token({"tenant_id": None}, scope=scope, **{"roles": None, **changes})

    elsewhere = membership_row(SUB, "globex")
    assert not stale(elsewhere, claims=unnamed(roles=["editor"]))
    assert stale(elsewhere, user_row(SUB, status="suspended"), claims=unnamed())
    assert stale(elsewhere, claims=unnamed(roles=["ghost"])), "no such role"
    assert stale(elsewhere, claims=unnamed("orders/delete")), "nothing gives it to anybody"
    assert not stale(elsewhere, claims=unnamed("orders/write"))
    for client in ({"suppress_scopes": ["orders/write"]}, {"scopes_allowed": ["orders/read"]}):
        assert stale(elsewhere, claims=unnamed("orders/write"), clients={CLIENT: client})
    never = {"suppress_scopes": ["orders/write"]}
    assert stale(elsewhere, claims=unnamed("orders/write"), rules={"r": never})
    assert not stale(elsewhere, claims=unnamed("orders/write"), rules={"r": {**never, "when": PLAN}})
    assert stale(claims=unnamed(roles=["editor"])), "a user of no tenant has none of its roles"
    assert stale(*ROWS, claims=unnamed(), clients={CLIENT: {"tenant": "globex"}}), "no member of the client's tenant"


def test_without_a_tenant_claim_each_known_tenant_is_tried() -> None:
    def unnamed(scope: str, *roles: str) -> Claims:
        return token({"tenant_id": None}, scope=scope, tenant_id=None, roles=list(roles))

    acme = (membership_row(SUB, "acme", roles=["editor"], scopes=["admin/all"]), tenant_row("acme"))
    globex = (membership_row(SUB, "globex", roles=["viewer"]), tenant_row("globex"))
    suspended = (acme[0], tenant_row("acme", status="suspended"))
    assert not stale(*acme, *globex, claims=unnamed("orders/write", "editor")), "asked for acme"
    assert stale(*globex, claims=unnamed("orders/read", "editor")), "no tenant gives the role"
    assert stale(*globex, claims=unnamed("orders/write")), "nor the scope"
    assert stale(*suspended, *globex, claims=unnamed("orders/write", "editor"))
    assert stale(*acme, *globex, claims=unnamed("admin/all"), settings={"privileged_scopes": ["admin/*"]})
    assert not stale(*suspended, claims=unnamed("openid")), "for no tenant"
    assert stale(*suspended, claims=unnamed("openid"), settings={"no_tenant": "deny"})


# --- All that a decision is certain of --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "is_stale"), [("acme", False), ("globex", True)], ids=["to the token's", "to another"]
)
def test_a_token_of_a_client_that_is_pinned_to_another_tenant_is_stale(tenant: str, *, is_stale: bool) -> None:
    rows = (*ROWS, membership_row(SUB, "globex", roles=["editor"]), tenant_row("globex"))
    assert stale(*rows, clients={CLIENT: {"tenant": tenant}}) is is_stale


def test_a_token_without_a_tenant_is_stale_if_a_new_one_would_need_one() -> None:
    plain = token(tenant_id=None, roles=["viewer"], scope="orders/read")
    rows = (user_row(SUB, roles=["viewer"]),)
    deny = {"no_tenant": "deny"}
    assert not stale(*rows, claims=plain)
    assert stale(*rows, claims=plain, settings=deny)
    member = (membership_row(SUB, "acme"), tenant_row("acme"))
    assert not stale(*rows, *member, claims=plain, settings=deny), "the new one is for the only tenant"
    second = (membership_row(SUB, "globex"), tenant_row("globex"))
    assert stale(*rows, *member, *second, claims=plain, settings=deny), "none of two is chosen"
    assert stale(*rows, claims=plain, clients={CLIENT: {"tenant": "acme"}}), "no member of the client's tenant"


def test_a_token_without_a_tenant_is_stale_if_a_new_ones_tenant_would_limit_it() -> None:
    plain = token(tenant_id=None, roles=["viewer"], scope="orders/read")
    rows = (user_row(SUB, roles=["viewer"]), membership_row(SUB, "acme"))
    assert not stale(*rows, tenant_row("acme"), claims=plain)
    assert stale(*rows, tenant_row("acme", scopes_allowed=[]), claims=plain)


@pytest.mark.parametrize("scope", ["orders/write", "openid", "aws.cognito.signin.user.admin", "legacy/x"])
def test_a_scope_that_is_certain_to_be_suppressed_makes_it_stale_managed_or_not(scope: str) -> None:
    issued = scoped(scope)
    settings = {"unmanaged_scopes": ["legacy/*"], **TRUSTED}
    never = {"suppress_scopes": [scope]}
    assert not stale(*ROWS, claims=issued, settings=settings)
    assert stale(*ROWS, claims=issued, settings=settings, clients={CLIENT: never})
    assert stale(*ROWS, claims=issued, settings=settings, rules={"r": never})
    assert stale(*ROWS, claims=issued, settings=settings, rules={"r": {**never, "when": PLAN}})
    for when in ({"not": PLAN}, ATTRIBUTE):
        assert not stale(*ROWS, claims=issued, settings=settings, rules={"r": {**never, "when": when}})


def test_a_privileged_scope_of_the_membership_alone_is_not_granted() -> None:
    rows = (*without("membership"), membership_row(SUB, "acme", roles=["editor"], scopes=["orders/delete"]))
    assert stale(*rows, claims=scoped("orders/delete"), settings={"privileged_scopes": ["orders/delete"]})


def test_a_token_that_would_be_refused_for_its_length_is_stale() -> None:
    rows = (*without("tenant"), tenant_row("acme", claims={"note": "x" * 9_000}))
    assert stale(*rows)
    unknown = {"access_claims": {"note": {"from": "user.attributes.note"}}}
    assert not stale(*rows, rules={"r": unknown}), "another note may be shorter"
    groups = token(**{"cognito:groups": [f"group-{at:03d}-{'x' * 80}" for at in range(80)]})
    assert not stale(*ROWS, claims=groups), "groups are no ground for refusal"
    assert stale(*rows, claims=groups)


def test_the_name_in_the_token_is_known() -> None:
    rule = {"add_scopes": ["reports/read"]}
    for name, is_stale in ((token().username, False), ("somebody else", True)):
        when = {"field": "user.username", "op": "equals", "value": name}
        assert stale(*ROWS, claims=scoped("reports/read"), rules={"r": {**rule, "when": when}}) is is_stale


def test_a_machine_has_no_user_claims() -> None:
    when = {"field": "user.attributes.org", "op": "exists"}
    rule = {"add_scopes": ["reports/read"], "when": when}
    issued = machine(scope="reports/read", roles=None)
    assert of_machine(issued, tenant_row("acme"), clients=PINNED, rules={"r": rule}, settings=TRUSTED)
    without_a_row = machine(tenant_id=None, roles=None, scope="openid")
    assert not of_machine(without_a_row)
    assert of_machine(without_a_row, settings={"no_tenant": "deny"})


def test_a_degraded_token_does_not_have_its_tenant() -> None:
    bare = token(tenant_id=None, roles=None, scope="openid", claims_degraded="CS2001", **{"cognito:groups": None})
    rows = (*ROWS, membership_row(SUB, "globex"), tenant_row("globex"))
    assert not stale(*rows, claims=bare, settings={"no_tenant": "deny"})
    assert stale(claims=bare, settings={"no_tenant": "deny"}), "there is none to choose"


def test_a_token_is_read_with_its_own_claim_names_and_not_those_of_the_current_policy() -> None:
    renamed = {"claim_names": {"tenant_id": "org", "roles": "permissions"}}
    old = token(org="globex", permissions=["boss"])
    assert not stale(*ROWS, claims=old, settings=renamed)
    assert stale(*without("membership"), claims=old, settings=renamed)
    new = token({"tenant_id": "org", "roles": "permissions"}, tenant_id="globex", roles=["boss"], org="acme",
                permissions=["editor", "viewer"])  # fmt: skip
    assert not stale(*ROWS, claims=new, settings=renamed)
    assert not stale(*ROWS, claims=new), "nor after the names are what they were"


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_a_role_that_is_no_longer_assigned_makes_it_stale() -> None:
    assert stale(*without("membership"), membership_row(SUB, "acme", roles=["viewer"]))
    assert not stale(
        *without("membership"), membership_row(SUB, "acme", roles=["viewer"]), user_row(SUB, roles=["editor"])
    )
    assert not stale(*ROWS, claims=token(roles=["viewer"])), "that a token could have more does not matter"


def test_a_role_that_the_tenant_no_longer_allows_makes_it_stale() -> None:
    assert stale(*without("tenant"), tenant_row("acme", roles_allowed=["viewer"]))


def test_a_role_that_the_policy_no_longer_has_makes_it_stale() -> None:
    assert stale(*ROWS, roles={"viewer": {"scopes": ["orders/read", "orders/write"]}})


def test_roles_of_groups_depend_on_the_groups_of_the_token() -> None:
    rows = (*without("membership"), membership_row(SUB, "acme"))
    groups = {"Staff": {"roles": ["editor"]}}
    assert not stale(*rows, groups=groups)
    assert stale(*rows, groups=groups, claims=token(**{"cognito:groups": ["Others"]}))
    assert stale(*rows, groups={"Staff": {"roles": ["viewer"]}}), "the policy took the role from the group"


@pytest.mark.parametrize("rule", [{"suppress_groups": ["Staff"]}, {"suppress_access_claims": ["cognito:groups"]}])
def test_a_group_that_a_rule_suppresses_may_have_granted_its_roles(rule: dict[str, Any]) -> None:
    rows = (*without("membership"), membership_row(SUB, "acme"))
    hidden = token(**{"cognito:groups": None})
    groups = {"Staff": {"roles": ["editor"]}}
    assert stale(*rows, claims=hidden, groups=groups)
    assert not stale(*rows, claims=hidden, groups=groups, rules={"r": rule})


# --- Scopes -----------------------------------------------------------------------------------------------------------


def scoped(*scopes: str) -> Claims:
    return token(roles=None, scope=" ".join(scopes))


def test_a_managed_scope_that_nothing_grants_makes_it_stale() -> None:
    assert not stale(*ROWS, claims=scoped("orders/read", "orders/write", "openid", "aws.cognito.signin.user.admin"))
    assert stale(*ROWS, claims=scoped("orders/delete"))
    assert not stale(*ROWS, claims=scoped("legacy/x"), settings={"unmanaged_scopes": ["legacy/*"]})


def test_a_token_of_a_client_that_gets_nothing_from_the_policy_is_fresh_without_tenant_and_roles() -> None:
    untouched = {"clients": {CLIENT: {"add_to_access_token": False}}, "settings": {"no_tenant": "deny"}}
    several = (
        user_row(SUB),
        *(row for name in ("acme", "globex") for row in (membership_row(SUB, name), tenant_row(name))),
    )
    own = access_claims(tenant_id=None, roles=None, scope="openid")
    assert not stale(*several, claims=Claims(own), **untouched)
    assert stale(*several, claims=Claims({**own, "scope": "openid orders/write"}), **untouched)
    assert stale(claims=Claims({**own, "roles": ["viewer"]}), **untouched), "a new one has no roles"


def test_a_scope_of_the_membership_counts() -> None:
    rows = (*without("membership"), membership_row(SUB, "acme", roles=["editor"], scopes=["orders/delete"]))
    assert not stale(*rows, claims=scoped("orders/delete"))


@pytest.mark.parametrize("allowed", [{"clients": {CLIENT: {"scopes_allowed": ["orders/read"]}}}, None])
def test_a_scope_beyond_a_ceiling_is_not_granted(allowed: dict[str, Any] | None) -> None:
    rows = ROWS if allowed else (*without("tenant"), tenant_row("acme", scopes_allowed=["orders/read"]))
    assert stale(*rows, claims=scoped("orders/write"), **(allowed or {}))
    assert not stale(*rows, claims=scoped("orders/read"), **(allowed or {}))


PLAN = {"field": "tenant.plan", "op": "equals", "value": "pro"}
ATTRIBUTE = {"field": "user.attributes.org", "op": "equals", "value": "x"}
TRUSTED = {"trusted_attributes": ["org"]}


@pytest.mark.parametrize(
    ("when", "plan", "is_stale"),
    [
        (None, "free", False),
        (PLAN, "pro", False),
        (PLAN, "free", True),
        (ATTRIBUTE, "free", False),
        ({"all": [PLAN, ATTRIBUTE]}, "pro", False),
        ({"all": [PLAN, ATTRIBUTE]}, "free", True),
        ({"all": [ATTRIBUTE, PLAN]}, "free", True),
        ({"all": [{"not": {"all": [ATTRIBUTE, ATTRIBUTE]}}, PLAN]}, "free", True),
        ({"any": [PLAN, ATTRIBUTE]}, "free", False),
        ({"not": {"any": [ATTRIBUTE, PLAN]}}, "pro", True),
        ({"not": {"any": [ATTRIBUTE, PLAN]}}, "free", False),
        ({"not": PLAN}, "pro", True),
        ({"field": "roles", "op": "contains", "value": "editor"}, "free", False),
        ({"not": {"field": "roles", "op": "contains", "value": "editor"}}, "free", True),
        ({"field": "user.groups", "op": "contains", "value": "Staff"}, "free", False),
        ({"field": "user.groups", "op": "contains", "value": "Others"}, "free", True),
    ],
)
def test_a_rule_that_could_apply_grants_its_scopes(when: dict[str, Any] | None, plan: str, *, is_stale: bool) -> None:
    """What the token does not contain, an attribute for example, may be as the rule requires."""
    rule = {"add_scopes": ["reports/read"], **({"when": when} if when else {})}
    rows = (*without("tenant"), tenant_row("acme", plan=plan))
    result = stale(*rows, claims=scoped("reports/read"), rules={"r": rule}, settings=TRUSTED)
    assert result is is_stale


# --- Machines ---------------------------------------------------------------------------------------------------------

PINNED = {CLIENT: {"tenant": "acme", "roles": ["editor"]}}


def of_machine(claims: Claims, *rows: dict[str, Any], **sections: Any) -> bool:  # noqa: ANN401 - of a policy
    return freshness(policy(**sections), facts(*rows, machine=True), claims).stale


def test_a_machines_token_depends_on_its_clients_row() -> None:
    assert not of_machine(machine(), tenant_row("acme"), clients=PINNED)
    assert of_machine(machine(), tenant_row("acme", status="suspended"), clients=PINNED)
    assert of_machine(machine(), tenant_row("acme"), clients={CLIENT: {"tenant": "globex", "roles": ["editor"]}})
    assert of_machine(machine(), tenant_row("acme"), clients={CLIENT: {"tenant": "acme", "roles": ["viewer"]}})
    assert of_machine(machine(), tenant_row("acme"))


def test_scopes_of_a_token_without_a_trigger_are_cognitos() -> None:
    """Below version 3 the trigger is not asked about machines; its mark, the policy's version, is then missing."""
    bare = {"tenant_id": None, "roles": None, "scope": "claimsmith/introspect"}
    assert not of_machine(machine(**bare, policy_version=None))
    assert of_machine(machine(**bare))


# --- What was left out for length -------------------------------------------------------------------------------------

OPTIONAL = {"optional": True}


def shed(*names: str, claims: dict[str, Any] | None = None, **sections: Any) -> Freshness:  # noqa: ANN401 - of a policy
    issued = token(**{**dict.fromkeys(names), "claims_shed": list(names), **(claims or {})})
    return freshness(policy(**sections), facts(*ROWS), issued)


def test_roles_that_were_left_out_are_filled_in() -> None:
    assert shed("roles") == Freshness(stale=False, roles=("editor", "viewer"))
    issued = token({"roles": "app_roles"}, app_roles=None, roles=None, claims_shed=["app_roles"])
    named = freshness(policy(settings={"claim_names": {"roles": "app_roles"}}), facts(*ROWS), issued)
    assert named == Freshness(stale=False, roles=("editor", "viewer"))


def test_groups_that_were_left_out_are_incomplete_and_so_are_roles_that_may_depend_on_them() -> None:
    claims = {"cognito:groups": None}
    groups = {"Staff": {"roles": ["viewer"]}}
    result = shed("cognito:groups", claims={**claims, "roles": ["viewer"]}, groups=groups)
    assert result == Freshness(stale=False, roles=("viewer",), incomplete=("cognito:groups",))
    both = shed("cognito:groups", "roles", claims={**claims, "roles": None}, groups=groups)
    assert both == Freshness(stale=False, roles=None, incomplete=("cognito:groups", "roles"))
    kept = freshness(
        policy(groups=groups),
        facts(*without("membership"), membership_row(SUB, "acme")),
        token(roles=["viewer"], scope="openid", claims_shed=["cognito:groups"], **claims),
    )
    assert not kept.stale, "the group may be there"


def test_roles_that_may_depend_on_groups_that_a_rule_hides_are_not_guessed() -> None:
    result = shed("roles", rules={"r": {"suppress_groups": ["Staff"]}}, groups={"Staff": {"roles": ["viewer"]}})
    assert result == Freshness(stale=False, roles=None, incomplete=("roles",))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a literal", "a literal"),
        ({"from": "tenant.plan"}, "pro"),
        ({"template": "{tenant.id}/{tenant.plan}"}, "acme/pro"),
        ({"from": "roles", "as": "list"}, ["editor", "viewer"]),
    ],
)
def test_a_claim_whose_inputs_are_known_is_filled_in(value: object, expected: object) -> None:
    result = shed("note", rules={"r": {**OPTIONAL, "access_claims": {"note": value}}})
    assert result == Freshness(stale=False, roles=("editor", "viewer"), filled={"note": expected})


@pytest.mark.parametrize(
    "rule",
    [
        {"access_claims": {"note": {"from": "user.attributes.org"}}},
        {"access_claims": {"note": {"from": "user.attributes.org", "default": "none"}}},
        {"access_claims": {"note": {"template": "{tenant.id} {request.metadata.device}"}}},
        {"access_claims": {"note": "x"}, "when": ATTRIBUTE},
    ],
)
def test_a_claim_that_depends_on_something_unknown_is_incomplete(rule: dict[str, Any]) -> None:
    result = shed("note", rules={"r": {**OPTIONAL, **rule}})
    assert result == Freshness(stale=False, roles=("editor", "viewer"), incomplete=("note",))


def test_a_rule_that_could_suppress_a_claim_makes_it_incomplete() -> None:
    rules = {
        "a": {**OPTIONAL, "access_claims": {"note": "x"}},
        "b": {"when": ATTRIBUTE, "suppress_access_claims": ["note"]},
    }
    assert shed("note", rules=rules, settings=TRUSTED).incomplete == ("note",)


def test_a_claim_that_a_new_token_would_not_have_is_neither_filled_in_nor_incomplete() -> None:
    rule = {
        **OPTIONAL,
        "when": {"field": "tenant.plan", "op": "equals", "value": "free"},
        "access_claims": {"note": "x"},
    }
    assert shed("note", rules={"r": rule}) == Freshness(stale=False, roles=("editor", "viewer"))


def test_nothing_is_filled_in_if_a_new_token_would_be_refused() -> None:
    result = freshness(policy(), facts(), token(claims_shed=["roles", "note"], roles=None))
    assert result == Freshness(stale=True, roles=None, incomplete=("note", "roles"))


@pytest.mark.parametrize("odd", ["roles", 7, {"a": 1}, [7, None]])
def test_a_mark_of_the_wrong_shape_is_ignored(odd: object) -> None:
    result = freshness(policy(), facts(*ROWS), token(claims_shed=odd))
    assert result == Freshness(stale=False, roles=("editor", "viewer"))


# --- In an introspection response -------------------------------------------------------------------------------------


class MemoryGrants:
    """Grants in memory; counts look-ups."""

    def __init__(self, *rows: dict[str, Any], error: StoreError | None = None, **sections: Any) -> None:  # noqa: ANN401 - of a policy
        self.policy = policy(**sections)
        self.known: Facts = facts(*rows)
        self.error = error
        self.asked = 0

    def of(self, _claims: Claims, /) -> Any:  # noqa: ANN401 - a bundle and facts
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.policy, self.known


def members(grants: MemoryGrants, **changes: object) -> dict[str, Any]:
    status, result = answered(event(POOL.sign(access_claims(**changes))), introspection(grants=grants))
    assert status == 200
    assert result["active"] is True
    found: dict[str, Any] = result
    return found


def test_the_response_has_whether_a_token_is_stale() -> None:
    fresh, old = members(MemoryGrants(*ROWS)), members(MemoryGrants(*without("membership")))
    assert (fresh["stale"], old["stale"]) == (False, True)
    assert {**fresh, "stale": True} == old, "and the token's claims are returned all the same"
    assert "incomplete" not in fresh


def test_the_response_fills_in_claims_and_lists_incomplete_ones() -> None:
    rules = {
        "a": {**OPTIONAL, "access_claims": {"note": {"from": "tenant.plan"}}},
        "b": {**OPTIONAL, "access_claims": {"device": {"from": "user.attributes.device"}}},
    }
    result = members(MemoryGrants(*ROWS, rules=rules), roles=None, claims_shed=["device", "note", "roles"])
    assert (result["note"], result["roles"], result["incomplete"]) == ("pro", ["editor", "viewer"], ["device"])
    unknown = members(MemoryGrants(*ROWS, rules={"r": {"add_groups": ["Ops"]}}), roles=None, claims_shed=["roles"])
    assert "roles" not in unknown, "no roles and unknown roles are not the same"
    assert unknown["incomplete"] == ["roles"]


@pytest.mark.parametrize("name", ["active", "stale", "incomplete", "token_type"])
def test_a_claim_that_was_left_out_never_replaces_a_member(name: str) -> None:
    rules = {"r": {**OPTIONAL, "access_claims": {name: "forged"}}}
    result = members(MemoryGrants(*ROWS, rules=rules), claims_shed=[name])
    assert "forged" not in json.dumps(result)
    assert result["incomplete"] == [name]


def test_an_unreachable_directory_is_503() -> None:
    service = introspection(grants=MemoryGrants(error=DOWN))
    answer = service.answer(event())
    assert (answer.response["statusCode"], answer.code) == (503, Code.AWS_UNREACHABLE)


def test_the_directory_is_not_read_for_inactive_tokens_or_those_of_other_callers() -> None:
    grants = MemoryGrants(error=DOWN)
    assert answered(event("x"), introspection(grants=grants)) == INACTIVE
    assert answered(event(), introspection(Rows({"orders-api": row(tenants=["globex"])}), grants=grants)) == INACTIVE
    revoked = Revoked({f"REVOKED#user#{SUB}": NOW})
    assert answered(event(), introspection(revoked=revoked, grants=grants)) == INACTIVE
    assert grants.asked == 0

"""Bundles that are stored stay readable: one document per format, as the code of its day wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.codec import FORMAT, decode, encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import MACHINE, SIGN_IN, SUB, event
from tests.policies import decided, facts, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

BUNDLES = Path(__file__).parents[2] / "fixtures" / "bundles"

ROWS = [membership_row(SUB, "acme", roles=["editor"]), tenant_row("acme", name="Acme", plan="pro")]

#: What all formats have in common.
SECTIONS: dict[str, Any] = {
    "settings": {
        "scope_mode": "exact",
        "unmanaged_scopes": ["legacy/*"],
        "no_tenant": "deny",
        "default_roles": ["viewer"],
        "claim_names": {"tenant_id": "org", "policy_version": None},
        "cache_seconds": 60,
    },
    "roles": {
        "viewer": {"scopes": ["orders/read"], "claims": {"level": 1}},
        "editor": {
            "inherits": ["viewer"],
            "scopes": ["orders/write"],
            "access_claims": {"limits": {"orders": 7}},
            "id_claims": {"nick": ["a", "b"]},
        },
    },
    "groups": {"Staff": {"roles": ["viewer"]}},
    "clients": {
        "1example": {
            "name": "web",
            "scopes_allowed": ["orders/read"],
            "suppress_scopes": ["openid"],
            "audience": True,
            "scope_mode": "intersect",
        },
        "2example": {"name": "batch", "tenant": "acme", "roles": ["editor"], "claims": {"kind": "machine"}},
    },
}
ROUTE = {
    "pk": "POLICY",
    "sk": "ROUTE#orders",
    "method": "GET",
    "path": "/orders/{id}",
    "any_scope": ["orders/read"],
    "tenant_from": "path:id",
}

#: What format 2 has besides.
SINCE_2: dict[str, Any] = {
    "settings": SECTIONS["settings"] | {"trusted_attributes": ["custom:plan"], "token_budget": 4096},
    "rules": {
        "plan": {
            "order": 10,
            "when": {"all": [{"field": "tenant.plan", "op": "in", "value": ["pro"]}]},
            "claims": {"plan": {"from": "tenant.plan"}, "like": {"value": {"from": "tenant.plan"}}},
            "optional": True,
            "add_scopes": ["orders/export"],
            "add_groups": ["Pro"],
        },
        "off": {"order": 20, "enabled": False},
        "quiet": {
            "order": 30,
            "when": {"field": "user.attributes.custom:plan", "op": "exists", "value": True},
            "suppress_scopes": ["openid"],
            "suppress_access_claims": ["level"],
            "suppress_id_claims": ["email"],
            "suppress_groups": ["Staff"],
        },
    },
}

#: What format 3 has besides.
SINCE_3: dict[str, Any] = {
    **SINCE_2,
    "rules": {
        **SINCE_2["rules"],
        "desk": {
            "order": 40,
            "when": {
                "any": [
                    {"field": "user.attributes.custom:plan", "as": "list", "op": "contains", "value": "desk"},
                    {"field": "user.attributes.custom:plan", "op": "contains_text", "value": "help"},
                ]
            },
            "claims": {"desk": True},
        },
    },
}

#: What format 4 has besides.
SINCE_4: dict[str, Any] = {
    **SINCE_3,
    "settings": SINCE_3["settings"]
    | {
        "oidc_scopes": ["openid"],
        "directory_groups": ["plant-*"],
        "groups_from": {
            "attributes": ["custom:groups"],
            "prefix": "app-",
            "roles": {"readers": ["viewer"]},
            "suppress_admin_scope": True,
        },
    },
    "clients": SECTIONS["clients"] | {"3example": {"name": "load balancer", "add_to_access_token": False}},
    "identity_providers": {
        "AcmeSAML": {"tenants": ["acme"], "just_in_time": True},
        "Own": {"tenants": ["*"], "attributes": [], "groups": ["a"], "prefix": "", "roles": {"a": ["editor"]}},
    },
    "roles": {**SECTIONS["roles"], "viewer": SECTIONS["roles"]["viewer"] | {"add_groups": ["Viewers"]}},
    "groups": {
        "Staff": {
            "roles": ["viewer"],
            "iam_roles": ["arn:aws:iam::123456789012:role/staff"],
            "preferred_role": "arn:aws:iam::123456789012:role/staff",
        }
    },
}


def stored(written: int) -> Bundle:
    document = json.loads((BUNDLES / f"format-{written}.json").read_text(encoding="utf-8"))
    assert document["format"] == written
    return decode(*encode(document), 7)


@pytest.mark.parametrize("written", range(1, FORMAT + 1))
def test_a_document_of_every_format_decides_as_it_did(written: int) -> None:
    policy = stored(written)
    web = decided(policy, facts(*ROWS), event(client_id="1example", scopes=["openid", "orders/read", "legacy/a"]))
    assert web.tenant_id == "acme"
    assert web.roles == ("editor", "viewer")
    access = web.changes.access.claims
    assert access.items() >= {"org": "acme", "level": 1, "limits": {"orders": 7}}.items()
    by_api = decided(policy, facts(*ROWS), event(SIGN_IN, client_id="1example"))
    assert by_api.changes.access.claims["aud"] == "1example"
    assert "policy_version" not in access
    assert web.changes.id.claims["nick"] == ["a", "b"]
    assert web.changes.scopes_to_suppress == ("openid",)
    batch = decided(policy, facts(ROWS[1], machine=True), event(MACHINE, client_id="2example", scopes=["orders/write"]))
    assert batch.changes.access.claims["kind"] == "machine"
    assert {"orders/read"} <= set(batch.changes.scopes_to_add)
    assert policy.routes["orders"]["tenant_from"] == "path:id"


def test_the_rules_of_format_2_decide_as_they_did() -> None:
    asked = event(SIGN_IN, groups=["Staff"], attributes={"custom:plan": "x"})
    decision = decided(stored(2), facts(*ROWS), asked)
    assert decision.changes.access.claims["like"] == {"from": "tenant.plan"}
    assert decision.changes.id.claims["plan"] == "pro"
    assert "orders/export" in decision.changes.scopes_to_add
    assert decision.changes.access.suppressed == ("level",)
    assert decision.changes.id.suppressed == ("email",)
    assert decision.changes.groups is not None
    assert decision.changes.groups.groups == ("Pro",)


@pytest.mark.parametrize(("text", "is_admin"), [("[superadmins, staff]", True), ("admin", True), ("[staff]", False)])
def test_contains_in_format_2_is_also_a_part_of_a_text(text: str, is_admin: bool) -> None:  # noqa: FBT001 - a case
    """What was published means what it meant, until somebody publishes again and lint shows what to write."""
    document = json.loads((BUNDLES / "format-2-contains.json").read_text(encoding="utf-8"))
    policy = decode(*encode(document), 7)
    asked = event(SIGN_IN, groups=["Staff"], attributes={"custom:groups": text})
    decision = decided(policy, facts(user_row(SUB, claims={"team": "abc"})), asked)
    assert (decision.changes.groups is not None) is is_admin
    assert decision.changes.access.claims["staff"] is True
    assert "outside" not in decision.changes.access.claims
    members = decided(policy, facts(user_row(SUB, claims={"team": ["abc"]})), asked)
    assert members.changes.access.claims["outside"] is True


@pytest.mark.parametrize(
    ("text", "has_desk"),
    [("[desk, a]", True), ('["desk"]', True), ("a,desk", True), ("desk", True), ("[desks, a]", False),
     ("[helpers]", True), ('[["desk"]]', False), ("", False)],
)  # fmt: skip
def test_a_member_of_a_list_in_a_text_is_asked_for_by_as_list(text: str, has_desk: bool) -> None:  # noqa: FBT001 - a case
    """Case 01: the forms in which identity providers write lists."""
    asked = event(SIGN_IN, attributes={"custom:plan": text})
    assert ("desk" in decided(stored(3), facts(*ROWS), asked).changes.access.claims) is has_desk


@pytest.mark.parametrize(("written", "sections"), [(3, SINCE_3), (4, SINCE_4)])
def test_what_is_compiled_today_is_the_document_of_the_oldest_format_that_has_it_all(
    written: int, sections: dict[str, Any]
) -> None:
    """A change of the document's form needs a new format, and a new fixture beside the old ones.

    Whatever format 3 can say is written in it: while a release is deployed, functions of the one before read it too.
    """
    rows = [*policy_rows(**SECTIONS | sections), ROUTE]
    newest = json.loads((BUNDLES / f"format-{written}.json").read_text(encoding="utf-8"))
    document = compile_policy(from_rows(rows))
    # A new built-in claim is a new name in the form that there is: older code does not emit it.
    names, known = document["settings"]["claim_names"], newest["settings"]["claim_names"]
    document["settings"]["claim_names"] = {meaning: names[meaning] for meaning in known}
    assert document == newest

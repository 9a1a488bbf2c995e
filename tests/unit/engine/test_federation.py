"""For whom an identity provider speaks; the last part is what its administrator, or one of its users, may try."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine import Decision, Refusal, decide
from claimsmith.engine.codec import from_document
from claimsmith.engine.decide import degraded
from claimsmith.engine.federation import listed
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from tests.events import HOSTED, REFRESH, SIGN_IN, SUB, event
from tests.policies import NOW, bundle, decided, facts, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.engine.bundle import Bundle

GROUPS, ADMIN_SCOPE = "custom:groups", "aws.cognito.signin.user.admin"

SECTIONS: dict[str, Any] = {
    "settings": {
        "groups_from": {
            "attributes": [GROUPS, "custom:teams"],
            "prefix": "app-",
            "roles": {"readers": ["reader"], "admins": ["admin"]},
            "suppress_admin_scope": True,
        },
    },
    "roles": {
        "reader": {"scopes": ["orders/read"]},
        "admin": {"inherits": ["reader"], "scopes": ["orders/admin"]},
        "guest": {},
    },
    "identity_providers": {
        "AcmeSAML": {"tenants": ["acme"], "attributes": [GROUPS], "just_in_time": True},
        "GlobexOIDC": {"tenants": ["globex"], "prefix": "", "groups": ["gx-*"], "roles": {"gx-boss": ["admin"]}},
        "Workforce": {"tenants": ["*"], "attributes": ["custom:teams"]},
    },
}
POLICY = bundle(**SECTIONS)

ACME = "POLICY IDENTITY_PROVIDER#AcmeSAML"
TENANTS = tenant_row("acme", default_roles=["guest"]), tenant_row("globex"), tenant_row("initech")


def profile(*linked: str, groups: str | None = None, status: str = "EXTERNAL_PROVIDER", **more: str) -> dict[str, str]:
    """The attributes of a user; the first provider made the profile, if the status says that one did."""
    made = status == "EXTERNAL_PROVIDER"
    written = [{"providerName": name, "primary": made and at == 0} for at, name in enumerate(linked)]
    attributes = {"cognito:user_status": status, **more}
    if linked:
        attributes["identities"] = json.dumps(written)
    return attributes if groups is None else attributes | {GROUPS: groups}


def outcome(
    *rows: Mapping[str, Any],
    attributes: Mapping[str, str],
    source: str = HOSTED,
    scopes: Sequence[str] = ("openid", "orders/read", "orders/admin", ADMIN_SCOPE),
    metadata: Mapping[str, str] | None = None,
    policy: Bundle = POLICY,
) -> Decision | Refusal:
    asked = parse(event(source, attributes=attributes, scopes=scopes, metadata=metadata))
    return decide(policy, facts(*rows, *TENANTS), asked, NOW)


def got(result: Decision | Refusal) -> tuple[str | None, tuple[str, ...]] | Code:
    return result.code if isinstance(result, Refusal) else (result.tenant_id, result.roles)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ('["app-admins", "b"]', {"app-admins", "b"}),
        ("[app-admins, b]", {"app-admins", "b"}),
        ("[app-admins]", {"app-admins"}),
        ("app-admins;b", {"app-admins", "b"}),
        (" app-admins , b,, ", {"app-admins", "b"}),
        ("app-admins", {"app-admins"}),
        ('"app-admins"', {"app-admins"}),
        ("[1001, 007]", {"1001", "007"}),
        ('[1001, 1e3, "a"]', {"1001", "1e3", "a"}),
        ("CN=Admins,OU=Acme;CN=b", {"CN=Admins,OU=Acme", "CN=b"}),
        ("{a-guid}", {"{a-guid}"}),
        ("", set()),
        ("[]", set()),
        ("   ", set()),
        # Nothing splits inside a JSON string, also not in one that was cut off.
        ('["x, app-admins, y"]', {"x, app-admins, y"}),
        ('["x","y, app-admins, z', set()),
        ("[x, app-admins, z", set()),
        ('"x","app-admins"', set()),
        ('[x "y", app-admins]', set()),
        ('{"value": "app-admins"}', set()),
        ('[["app-admins"], {"a": "app-admins"}, null, true, "b"]', {"b"}),
        # What looks alike is another name.
        ("app-\u0430dmins", {"app-\u0430dmins"}),
        ("app-admins\u200b", {"app-admins\u200b"}),
        ("app-admins\u00a0, app-Admins", {"app-admins\u00a0", "app-Admins"}),
        ("[" * 40_000, set()),
        ('["' + "a" * 40_000 + '"]', set()),
        ('["a",' + "[" * 5_000, set()),
    ],
)  # fmt: skip
def test_a_list_is_read_in_every_form_and_no_name_is_guessed(text: str, groups: set[str]) -> None:
    assert listed(text) == groups


@pytest.mark.parametrize("text", ["[app-readers, HR]", '["app-readers"]', "x;app-readers", "app-readers"])
def test_groups_give_roles_as_a_membership_does_and_the_reasons_say_so(text: str) -> None:
    result = outcome(membership_row(SUB, "acme"), attributes=profile("AcmeSAML", groups=text))
    assert isinstance(result, Decision)
    assert got(result) == ("acme", ("guest", "reader"))
    [reason] = [reason for reason in result.reasons if reason[:2] == ("role", "reader")]
    assert (reason.source, reason.detail) == (ACME, "group app-readers in custom:groups")


@pytest.mark.parametrize("text", ["[app-readers-old]", "[xapp-readers, readers]", "[app-Readers]", "Ex-app-readers"])
def test_a_part_of_a_name_is_no_group(text: str) -> None:
    assert got(outcome(attributes=profile("AcmeSAML", groups=text))) == ("acme", ("guest",))


def test_the_ceiling_of_the_tenant_cuts_them() -> None:
    asked = parse(event(HOSTED, attributes=profile("AcmeSAML", groups="app-admins"), scopes=["orders/admin"]))
    result = decide(POLICY, facts(tenant_row("acme", roles_allowed=["reader"])), asked, NOW)
    assert got(result) == ("acme", ("reader",))


def test_five_thousand_groups_cost_no_more_than_the_map() -> None:
    many = ",".join([*map(str, range(5_000)), "app-readers"])
    result = outcome(attributes=profile("AcmeSAML", groups=many))
    assert isinstance(result, Decision)
    assert result.roles == ("guest", "reader")
    assert len(result.reasons) < 20


@pytest.mark.parametrize(
    ("attributes", "source", "why"),
    [
        (profile("AcmeSAML", status="CONFIRMED"), HOSTED, "not certain"),
        (profile("AcmeSAML", "GlobexOIDC"), HOSTED, "not certain"),
        (profile("AcmeSAML", "GlobexOIDC", status="CONFIRMED"), HOSTED, "not certain"),
        (profile(status="CONFIRMED"), SIGN_IN, ""),
        (profile(), HOSTED, "not certain"),
        (profile("AcmeSAML") | {"identities": "[{"}, HOSTED, "not certain"),
        (profile("acmesaml"), HOSTED, "has no row"),
        (profile("GlobexOIDC"), HOSTED, "may not speak for tenant acme"),
    ],
)
def test_only_the_provider_of_this_sign_in_speaks_and_only_for_its_tenants(
    attributes: dict[str, str], source: str, why: str
) -> None:
    row, said = membership_row(SUB, "acme", roles=["guest"]), {GROUPS: "[app-admins, gx-boss]", "custom:teams": "x"}
    result = outcome(row, attributes=attributes | said, source=source)
    assert isinstance(result, Decision)
    assert got(result) == ("acme", ("guest",))
    found = [reason.detail for reason in result.reasons if reason[:3] == ("group", GROUPS, "dropped")]
    assert [why in detail for detail in found] == ([True] if why else [])


def test_a_provider_for_all_speaks_where_there_is_no_tenant_too() -> None:
    said = profile("Workforce", **{"custom:teams": "app-readers", GROUPS: "app-admins"})
    assert got(outcome(attributes=said)) == (None, ("reader",))
    assert got(outcome(membership_row(SUB, "initech"), attributes=said)) == ("initech", ("reader",))


def test_who_comes_from_the_tenants_provider_is_a_member_at_once() -> None:
    result = outcome(attributes=profile("AcmeSAML", groups="app-admins"))
    assert isinstance(result, Decision)
    assert got(result) == ("acme", ("admin", "guest", "reader"))
    assert result.reasons[0] == (
        "tenant",
        "acme",
        "set",
        ACME,
        "the identity provider's users are members without a row",
        "",
    )
    hinted = outcome(attributes=profile("AcmeSAML"), source=REFRESH, metadata={"tenant_id": "acme"})
    assert got(hinted) == ("acme", ("guest",))


@pytest.mark.parametrize(
    "row",
    [
        membership_row(SUB, "acme", status="suspended"),
        membership_row(SUB, "acme", expires_at=NOW),
        membership_row(SUB, "acme", roles=7),
    ],
)
def test_a_row_that_does_not_count_is_not_overruled(row: dict[str, Any]) -> None:
    assert got(outcome(row, attributes=profile("AcmeSAML", groups="app-admins"))) == (None, ())


def test_who_has_an_account_that_anybody_can_have_is_no_member_whatever_a_document_says() -> None:
    document = compile_policy(from_rows(policy_rows(**SECTIONS)))
    document["identity_providers"]["Google"] = {"tenants": ["acme"], "just_in_time": True}
    policy = from_document(document, 7)
    assert got(outcome(attributes=profile("Google"), policy=policy)) == (None, ())
    google = {"identity_providers": {"Google": {"tenants": ["acme"], "just_in_time": True}}}
    [finding] = [one for one in lint(from_rows(policy_rows(**google))) if one.severity == "error"]
    assert (finding.code, finding.attribute) == (Code.PROVIDER_OUT_OF_BOUNDS, "just_in_time")


def test_a_row_past_its_time_to_live_is_gone() -> None:
    row = membership_row(SUB, "acme", status="suspended", ttl=NOW)
    assert got(outcome(row, attributes=profile("AcmeSAML"))) == ("acme", ("guest",))


def test_a_suspended_user_and_a_suspended_tenant_stay_so() -> None:
    said = profile("AcmeSAML", groups="app-admins")
    assert got(outcome(user_row(SUB, status="suspended"), attributes=said)) == Code.USER_SUSPENDED
    asked = parse(event(HOSTED, attributes=said))
    assert got(decide(POLICY, facts(tenant_row("acme", status="suspended")), asked, NOW)) == (None, ())


# What the administrator of acme's provider can send, and what its users can.


@pytest.mark.parametrize("source", [HOSTED, REFRESH])
def test_acmes_administrator_gets_nothing_in_globex(source: str) -> None:
    everything = "[app-admins, gx-boss, globex, *, app-readers]"
    said = profile("AcmeSAML", groups=everything, **{"custom:teams": everything, "custom:tenant": "globex"})
    hint = {"tenant_id": "globex"} if source == REFRESH else None
    refused = outcome(attributes=said, source=source, metadata=hint)
    assert got(refused) == (Code.TENANT_NOT_PERMITTED if hint else ("acme", ("admin", "guest", "reader")))
    member = outcome(membership_row(SUB, "globex"), membership_row(SUB, "acme", status="gone"), attributes=said)
    assert got(member) == ("globex", ())


@pytest.mark.parametrize("source", [HOSTED, REFRESH])
@pytest.mark.parametrize("scopes", [(ADMIN_SCOPE,), (ADMIN_SCOPE, "openid", "orders/read")])
@pytest.mark.parametrize("linked", [["AcmeSAML"], ["AcmeSAML", "Google"], ["Google", "AcmeSAML"]])
def test_no_token_of_its_users_can_write_the_attribute(source: str, scopes: tuple[str, ...], linked: list[str]) -> None:
    """A refresh that looks like a sign-in by API is the way around that somebody would try."""
    asked = event(source, attributes=profile(*linked), scopes=scopes)
    decision = decided(POLICY, facts(*TENANTS), asked)
    assert ADMIN_SCOPE in decision.changes.scopes_to_suppress
    for known in (POLICY, None):
        assert ADMIN_SCOPE in degraded(known, parse(asked), Code.STORE_UNAVAILABLE).changes.scopes_to_suppress


def test_everybody_else_keeps_it() -> None:
    for attributes in (profile(status="CONFIRMED"), profile("AcmeSAML", status="CONFIRMED"), profile("Google")):
        asked = event(HOSTED, attributes=attributes, scopes=(ADMIN_SCOPE,))
        assert decided(POLICY, facts(*TENANTS), asked).changes.scopes_to_suppress == ()
        assert degraded(POLICY, parse(asked), Code.STORE_UNAVAILABLE).changes.scopes_to_suppress == ()


def test_an_attribute_that_users_may_write_names_no_groups_whatever_a_document_says() -> None:
    policy = POLICY._replace(
        providers={name: one._replace(attributes=(), sealed=False) for name, one in POLICY.providers.items()}
    )
    shared = SECTIONS["settings"]["groups_from"] | {"suppress_admin_scope": False}
    trusted = bundle(**SECTIONS | {"settings": {"groups_from": shared, "trusted_attributes": [GROUPS, "custom:teams"]}})
    assert trusted.providers["AcmeSAML"].attributes == (GROUPS,)
    assert not trusted.providers["AcmeSAML"].sealed
    assert got(outcome(attributes=profile("AcmeSAML", groups="app-admins"), policy=policy)) == ("acme", ("guest",))

"""No provider gives anything in a tenant for which it may not speak, and lists are read as they were written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.event import parse
from claimsmith.engine import Decision, decide
from claimsmith.engine.federation import ANY, listed
from tests.events import HOSTED, REFRESH, SIGN_IN, SUB, event
from tests.policies import NOW, bundle, facts, membership_row, tenant_row
from tests.property.strategies import TENANTS, some

PROVIDERS = ["AcmeSAML", "GlobexOIDC", "Okta"]
GROUPS = ["admins", "app-admins", "readers", "a, admins", 'say "admins"']
ATTRIBUTES = ["custom:groups", "custom:teams"]

#: Names that a list in brackets, or with commas, can hold.
names = st.text(st.characters(exclude_characters='",;[]', exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name == name.strip(" \t\r\n")
)


@given(st.lists(names, max_size=6))
def test_a_list_is_read_as_it_was_written_in_every_form(written: list[str]) -> None:
    for text in (f"[{', '.join(written)}]", ",".join(written), ";".join(written), json.dumps(written)):
        assert listed(text) == set(written)


@given(st.lists(st.text(max_size=8), max_size=6), st.booleans())
def test_nothing_is_split_inside_a_json_string(written: list[str], ascii_only: bool) -> None:  # noqa: FBT001 - a case
    text = json.dumps(written, ensure_ascii=ascii_only)
    assert listed(text) == {name for name in written if name} - {""}
    for end in range(1, len(text)):
        assert listed(text[:end]) == set()


providers = st.fixed_dictionaries(
    {"tenants": some([*TENANTS, ANY])},
    optional={
        "attributes": some(ATTRIBUTES),
        "prefix": st.sampled_from(["", "app-"]),
        "groups": some(["app-*", "admins"]),
        "roles": st.dictionaries(st.sampled_from(GROUPS), st.just(["owner"]), max_size=3),
    },
)
profiles = st.fixed_dictionaries(
    {"cognito:user_status": st.sampled_from(["EXTERNAL_PROVIDER", "EXTERNAL_PROVIDER", "CONFIRMED"])},
    optional={
        "identities": st.lists(
            st.fixed_dictionaries({"providerName": st.sampled_from(PROVIDERS), "primary": st.booleans()}), max_size=2
        ).map(json.dumps),
        **{
            name: st.one_of(some(GROUPS).map(json.dumps), some(GROUPS).map(", ".join), st.text(max_size=9))
            for name in ATTRIBUTES
        },
    },
)


@given(
    st.dictionaries(st.sampled_from(PROVIDERS), st.tuples(providers, st.booleans()), max_size=3),
    profiles,
    some(TENANTS),
    st.sampled_from([HOSTED, REFRESH, SIGN_IN]),
    st.sampled_from([None, *TENANTS]),
)
def test_what_a_provider_gives_stays_within_its_tenants(
    written: dict[str, tuple[dict[str, Any], bool]],
    profile: dict[str, str],
    memberships: list[str],
    source: str,
    hint: str | None,
) -> None:
    rows = {
        name: row | {"just_in_time": True} if admits and ANY not in row["tenants"] else row
        for name, (row, admits) in written.items()
    }
    # Lint refuses groups that the same row does not allow.
    for row in rows.values():
        allowed, prefix = row.get("groups"), row.get("prefix", "")
        if allowed is not None and "roles" in row:
            row["roles"] = {
                group: given
                for group, given in row["roles"].items()
                if any((prefix + group).startswith(pattern.rstrip("*")) for pattern in allowed if pattern != "admins")
                or ("admins" in allowed and prefix + group == "admins")
            }
    shared = {"attributes": ATTRIBUTES, "roles": {"readers": ["viewer"]}, "suppress_admin_scope": True}
    policy = bundle(settings={"groups_from": shared}, roles={"owner": {}, "viewer": {}}, identity_providers=rows)
    metadata = None if hint is None or source == HOSTED else {"tenant_id": hint}
    known = facts(*(membership_row(SUB, tenant) for tenant in memberships), *map(tenant_row, TENANTS))
    decision = decide(policy, known, parse(event(source, attributes=profile, metadata=metadata)), NOW)
    if not isinstance(decision, Decision):
        return
    linked = {one["providerName"] for one in json.loads(profile.get("identities", "[]"))}
    external = profile["cognito:user_status"] == "EXTERNAL_PROVIDER" and source != SIGN_IN
    speakers = [rows[name] for name in linked if len(linked) == 1 and external and name in rows]
    may_speak = [row for row in speakers if ANY in row["tenants"] or decision.tenant_id in row["tenants"]]
    assert not decision.roles or may_speak
    member = decision.tenant_id is None or decision.tenant_id in memberships
    assert member or any(row.get("just_in_time") and decision.tenant_id in row["tenants"] for row in speakers)

"""What holds for every decision, whatever the policy, the directory and the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import build
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Decision, Refusal, decide
from claimsmith.engine.decide import degraded
from claimsmith.errors import Code
from tests.events import HOSTED, MACHINE
from tests.policies import NOW, bundle, facts
from tests.property import oracle, referee
from tests.property.strategies import (
    CLIENTS,
    GROUPS,
    MANAGED,
    ORDINARY_NAMES,
    SCOPES,
    Policy,
    any_events,
    authority,
    directories,
    hostile_bundles,
    hostile_directories,
    policies,
    rule_sections,
    user_events,
    whens,
)

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

Rows = list[dict[str, Any]]
Event = dict[str, Any]


def decided(policy: Bundle, rows: Rows, event: Event) -> Decision | Refusal:
    known = facts(*rows, machine=event["triggerSource"] == MACHINE)
    return decide(policy, known, parse(event), NOW)


def answered(decision: Decision, event: Event) -> dict[str, Any]:
    return build(decision.changes, parse(event))


def scopes_of(policy: Bundle, rows: Rows, event: Event) -> set[str]:
    """The scopes of the token; none where there is no token."""
    decision = decided(policy, rows, event)
    return set() if isinstance(decision, Refusal) else referee.scopes_issued(event, answered(decision, event))


@given(policies(), directories(), any_events)
def test_the_answer_obeys_the_contract(policy: Policy, rows: Rows, event: Event) -> None:
    decision = decided(bundle(**policy.sections()), rows, event)
    if isinstance(decision, Decision):
        referee.check(event, answered(decision, event))


@given(hostile_bundles, st.one_of(directories(), hostile_directories()), any_events)
def test_no_policy_and_no_row_makes_it_raise_or_break_the_contract(policy: Bundle, rows: Rows, event: Event) -> None:
    decision = decided(policy, rows, event)
    if isinstance(decision, Decision):
        referee.check(event, answered(decision, event))


@given(st.one_of(st.none(), hostile_bundles), any_events, st.sampled_from(list(Code)))
def test_a_degraded_token_obeys_the_contract_and_is_marked(policy: Bundle | None, event: Event, code: Code) -> None:
    response = build(degraded(policy, parse(event), code).changes, parse(event))
    referee.check(event, response)
    client = policy.clients.get(parse(event).client_id) if policy else None
    for name, generation in response["claimsAndScopeOverrideDetails"].items():
        unmarked = name == "accessTokenGeneration" and client is not None and not client.add_to_access_token
        assert generation.get("claimsToAddOrOverride", {}) == ({} if unmarked else {"claims_degraded": code.value})
    # With hostile unmanaged scopes nothing more is known; without a policy nothing managed stays.
    assert policy is not None or not referee.scopes_issued(event, response) & {*MANAGED, "legacy/a", "legacy/b"}


@given(policies(), directories(), any_events)
def test_equal_inputs_give_equal_bytes_in_whatever_order_the_rows_come(
    policy: Policy, rows: Rows, event: Event
) -> None:
    turned = Policy(*({name: section[name] for name in reversed(section)} for section in policy.sections().values()))
    first = decided(bundle(**policy.sections()), rows, event)
    again = decided(bundle(**turned.sections()), [dict(reversed(row.items())) for row in reversed(rows)], event)
    assert first == again
    if isinstance(first, Decision) and isinstance(again, Decision):
        assert json.dumps(answered(first, event)) == json.dumps(answered(again, event))
        assert repr(first.reasons) == repr(again.reasons)


@given(
    st.one_of(st.builds(lambda policy: bundle(**policy.sections()), policies()), hostile_bundles),
    st.one_of(directories(), hostile_directories()),
    any_events,
)
def test_what_is_found_and_kept_of_a_policy_changes_no_answer(policy: Bundle, rows: Rows, event: Event) -> None:
    """Rules that are found by what they ask, and what a set of roles gives, against each rule and role by itself."""
    plain = policy._replace(rules=tuple(policy.rules), roles=dict(policy.roles))
    expected = repr(decided(plain, rows, event))
    assert repr(decided(policy, rows, event)) == expected
    assert repr(decided(policy, rows, event)) == expected, "from what was kept"


# Isolation.


@given(policies(), directories(), any_events)
def test_nothing_of_another_tenant_reaches_the_token(policy: Policy, rows: Rows, event: Event) -> None:
    compiled = bundle(**policy.sections())
    decision = decided(compiled, rows, event)
    if isinstance(decision, Refusal):
        return
    own = decision.tenant_id
    without_others = [row for row in rows if not _is_of_another(row, own)]
    alone = decided(compiled, without_others, event)
    assert isinstance(alone, Decision)
    if own is not None:
        assert (alone.changes, alone.roles, alone.reasons) == (decision.changes, decision.roles, decision.reasons)
        return
    # Without a tenant the ID token offers the choice, and nothing else of any tenant is in it.
    offered = dict(decision.changes.id.claims)
    offered.pop("tenants", None)
    assert offered == alone.changes.id.claims
    assert (alone.changes.access, alone.roles) == (decision.changes.access, decision.roles)
    assert alone.changes.scopes_to_add == decision.changes.scopes_to_add
    assert alone.changes.scopes_to_suppress == decision.changes.scopes_to_suppress


def _is_of_another(row: dict[str, Any], own: str | None) -> bool:
    name: str = row["pk"] if row["sk"] == "TENANT" else row["sk"]
    return name.startswith("TENANT#") and name != f"TENANT#{own}"


@given(policies(), directories(), any_events)
def test_a_token_is_only_ever_for_a_tenant_that_is_usable(policy: Policy, rows: Rows, event: Event) -> None:
    decision = decided(bundle(**policy.sections()), rows, event)
    if isinstance(decision, Refusal) or decision.tenant_id is None:
        return
    [tenant] = [row for row in rows if row["pk"] == f"TENANT#{decision.tenant_id}"]
    assert tenant.get("status", "active") == "active"
    if event["triggerSource"] == MACHINE:
        assert policy.clients[event["callerContext"]["clientId"]]["tenant"] == decision.tenant_id
        return
    [member] = [row for row in rows if row["sk"] == f"TENANT#{decision.tenant_id}"]
    assert member.get("status", "active") == "active"
    assert member.get("expires_at", NOW + 1) > NOW
    hint = event["request"].get("clientMetadata", {}).get("tenant_id")
    assert hint in (None, decision.tenant_id)


# Scopes, against a second account of what is granted.


def grants(policy: Policy, rows: Rows, event: Event, tenant_id: str | None) -> tuple[set[str], set[str]]:
    """What the design grants, and what it never grants, computed from the rows and not from the bundle."""

    def closed(names: set[str]) -> set[str]:
        known = names & policy.roles.keys()
        more = {parent for name in known for parent in policy.roles[name].get("inherits", ())}
        return known if more <= known else closed(known | more)

    def row(pk: str, sk: str) -> dict[str, Any]:
        return next((found for found in rows if (found["pk"], found["sk"]) == (pk, sk)), {})

    client = policy.clients.get(event["callerContext"]["clientId"])
    tenant = row(f"TENANT#{tenant_id}", "TENANT")
    scopes: set[str] = set()
    member: dict[str, Any] = {}
    user = "USER#"
    if event["triggerSource"] == MACHINE:
        own = set() if client is None else set(client.get("roles", ()))
        elsewhere = set() if client is None else set(policy.settings.get("default_roles", ()))
        within = own | set(tenant.get("default_roles", ())) if tenant_id else set()
        elsewhere |= set() if tenant_id else own
    else:
        user = f"USER#{event['request']['userAttributes']['sub']}"
        member = row(user, f"TENANT#{tenant_id}")
        within = {*member.get("roles", ()), *tenant.get("default_roles", ())} if tenant_id else set()
        elsewhere = {*row(user, "USER").get("roles", ()), *policy.settings.get("default_roles", ())}
        for group in event["request"]["groupConfiguration"]["groupsToOverride"]:
            elsewhere |= set(policy.groups.get(group, {}).get("roles", ()))
        scopes |= set(member.get("scopes", ())) if tenant_id else set()
    held = closed(within) & set(tenant.get("roles_allowed", policy.roles)) | closed(elsewhere)
    scopes |= {scope for name in held for scope in policy.roles[name].get("scopes", ())}
    allowed = (
        set(SCOPES) & set((client or {}).get("scopes_allowed", SCOPES)) & set(tenant.get("scopes_allowed", SCOPES))
    )
    # Rules speak of what is left after the ceilings.
    known = fields(event, policy, {"user": row(user, "USER"), "member": member, "tenant": tenant}, held)
    rules = [rule for rule in policy.rules.values() if oracle.holds(rule.get("when", {"all": []}), known)]
    if client is not None or event["triggerSource"] != MACHINE:
        scopes |= {scope for rule in rules for scope in rule.get("add_scopes", ())}
    never = {scope for rule in rules for scope in rule.get("suppress_scopes", ())}
    return scopes & allowed & set(MANAGED), never


def fields(event: Event, policy: Policy, rows: dict[str, dict[str, Any]], roles: set[str]) -> dict[str, Any]:
    """What conditions may ask about, by path, as the rows say it."""
    machine, request = event["triggerSource"] == MACHINE, event["request"]
    client_id = event["callerContext"]["clientId"]
    known: dict[str, Any] = {"roles": sorted(roles), "client.id": client_id, "request.scopes": request["scopes"]}
    known |= {"request.source": event["triggerSource"]}
    known |= {f"request.metadata.{name}": value for name, value in request.get("clientMetadata", {}).items()}
    known |= {f"user.attributes.{name}": value for name, value in request["userAttributes"].items()}
    known |= {f"client.{name}": value for name, value in policy.clients.get(client_id, {}).items() if name == "name"}
    if not machine:
        known |= {"user.status": "active", "user.identity_provider": "Cognito", "user.identity_providers": []}
        known |= {"user.groups": request["groupConfiguration"]["groupsToOverride"]}
    if "pk" in rows["tenant"]:
        known |= {"tenant.id": rows["tenant"]["pk"].removeprefix("TENANT#"), "tenant.status": "active"}
        known |= {f"tenant.{name}": rows["tenant"][name] for name in ("name", "plan") if name in rows["tenant"]}
    if "pk" in rows["member"]:
        known["membership.roles"] = list(rows["member"].get("roles", ()))
    for of, path in (("user", "user"), ("tenant", "tenant"), ("member", "membership")):
        known |= {f"{path}.claims.{name}": value for name, value in rows[of].get("claims", {}).items()}
    return known


def by_api(event: Event) -> bool:
    """Whether this is a sign-in, or the refresh of one, that could request nothing."""
    hosted = event["triggerSource"] == "TokenGeneration_HostedAuth"
    return not hosted and set(event["request"]["scopes"]) == {"aws.cognito.signin.user.admin"}


@given(policies(), directories(), any_events)
def test_managed_scopes_are_those_that_the_rows_grant_and_no_others(policy: Policy, rows: Rows, event: Event) -> None:
    decision = decided(bundle(**policy.sections()), rows, event)
    if isinstance(decision, Refusal):
        return
    client = policy.clients.get(event["callerContext"]["clientId"], {})
    requested = set(event["request"]["scopes"])
    granted, never = grants(policy, rows, event, decision.tenant_id)
    never |= set(client.get("suppress_scopes", ()))
    mode = client.get("scope_mode", policy.settings.get("scope_mode", "intersect"))
    if mode == "intersect" and not by_api(event):
        granted &= requested
    issued = referee.scopes_issued(event, answered(decision, event))
    assert issued & set(MANAGED) == granted - never
    assert issued - set(MANAGED) == requested - set(MANAGED) - never, "unmanaged scopes are left alone"


def in_mode(policy: Policy, mode: str) -> Bundle:
    clients = {name: {**client, "scope_mode": mode} for name, client in policy.clients.items()}
    return bundle(**policy.sections() | {"settings": {**policy.settings, "scope_mode": mode}, "clients": clients})


@given(policies(), directories(), any_events, st.sets(st.sampled_from(MANAGED)))
def test_exact_does_not_depend_on_the_managed_scopes_that_were_requested(
    policy: Policy, rows: Rows, event: Event, other: set[str]
) -> None:
    unmanaged = [scope for scope in event["request"]["scopes"] if scope not in MANAGED]
    asked_otherwise = {**event, "request": {**event["request"], "scopes": [*unmanaged, *sorted(other)]}}
    exact = in_mode(policy, "exact")
    assert scopes_of(exact, rows, event) == scopes_of(exact, rows, asked_otherwise)


@given(policies(), directories(), any_events)
def test_intersect_is_exact_cut_to_what_was_requested(policy: Policy, rows: Rows, event: Event) -> None:
    requested = set(event["request"]["scopes"])
    exact = scopes_of(in_mode(policy, "exact"), rows, event)
    assert scopes_of(in_mode(policy, "intersect"), rows, event) == (exact if by_api(event) else exact & requested)


#: Rules that ask about nothing that a grant may give: what asks for the lack of a role gives more without it.
lasting_rules = rule_sections(authority(whens(["client.id", "user.status"], [], [])))


@given(policies(lasting_rules), directories(), any_events, st.data())
def test_taking_a_grant_away_never_adds_a_scope(policy: Policy, rows: Rows, event: Event, data: st.DataObject) -> None:
    before = scopes_of(bundle(**policy.sections()), rows, event)
    # Every list that gives something: in the policy's rows and in the directory's.
    sections: dict[str, Any] = json.loads(json.dumps(policy.sections()))
    directory: Rows = json.loads(json.dumps(rows))
    holders = [sections["settings"], *directory]
    holders += [row for name in ("roles", "groups", "clients", "rules") for row in sections[name].values()]
    giving = ("roles", "scopes", "inherits", "default_roles", "roles_allowed", "scopes_allowed", "add_scopes")
    lists = [holder[name] for holder in holders for name in giving if isinstance(holder.get(name), list)]
    lists = [given_list for given_list in lists if given_list]
    if not lists:
        return
    shortened = data.draw(st.sampled_from(lists))
    shortened.pop(data.draw(st.integers(0, len(shortened) - 1)))
    assert scopes_of(bundle(**sections), directory, event) <= before


@given(policies(lasting_rules), directories(), user_events(), st.data())
def test_taking_a_membership_a_group_or_a_role_away_never_adds_a_scope(
    policy: Policy, rows: Rows, event: Event, data: st.DataObject
) -> None:
    compiled = bundle(**policy.sections())
    # A tenant's ceiling holds for its own tokens: one without a tenant is not under it.
    rows = [{name: row[name] for name in row if not name.endswith("_allowed")} for row in rows]
    before = decided(compiled, rows, event)
    if isinstance(before, Refusal):
        return
    # Without the chosen membership, and not with another one in its place: there the user may have more.
    own = [row for row in rows if row["sk"] in (f"TENANT#{before.tenant_id}", "USER")]
    left = [row for row in rows if row["sk"] == "TENANT" or row in own]
    removed = data.draw(st.sampled_from([*own, None]))
    asked = json.loads(json.dumps(event))
    if removed is None:
        asked["request"]["groupConfiguration"]["groupsToOverride"] = []
    alone = scopes_of(compiled, left, event)
    after = scopes_of(compiled, [row for row in left if row != removed], asked)
    managed = set(MANAGED)
    assert after & managed <= alone & managed


# What users and callers write.


@given(policies(), directories(), user_events(), st.text(max_size=3), st.none() | st.text(max_size=3))
def test_untrusted_input_changes_ordinary_claims_and_nothing_else(
    policy: Policy, rows: Rows, event: Event, written: str, said: str | None
) -> None:
    compiled = bundle(**policy.sections())
    other = json.loads(json.dumps(event))
    other["request"]["userAttributes"]["org"] = written
    other["request"]["userAttributes"]["email"] = written
    if other["triggerSource"] != HOSTED and said is not None:
        other["request"]["clientMetadata"] = {**other["request"].get("clientMetadata", {}), "other": said}
    one, two = decided(compiled, rows, event), decided(compiled, rows, other)
    assert type(one) is type(two)
    if isinstance(one, Refusal) or isinstance(two, Refusal):
        return
    assert (one.tenant_id, one.roles) == (two.tenant_id, two.roles)
    assert one.changes.scopes_to_add == two.changes.scopes_to_add
    assert one.changes.scopes_to_suppress == two.changes.scopes_to_suppress
    assert one.changes.groups == two.changes.groups
    # Only what would pass for a claim of the engine's is hidden where it appears.
    own = set(compiled.settings.claim_names.values()) | {"claims_degraded", "claims_shed"}
    assert set(one.changes.access.suppressed) == set(two.changes.access.suppressed)
    assert set(one.changes.id.suppressed) - own == set(two.changes.id.suppressed) - own
    for token in ("access", "id"):
        before, after = (getattr(made.changes, token).claims for made in (one, two))
        differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert differing <= set(ORDINARY_NAMES)


# Denials.


@given(policies(), directories(), any_events, st.integers(-5, 45), st.data())
def test_what_a_rule_takes_away_is_in_no_token_wherever_the_rule_stands(
    policy: Policy, rows: Rows, event: Event, order: int, data: st.DataObject
) -> None:
    scope, claim = data.draw(st.sampled_from(SCOPES)), data.draw(st.sampled_from(ORDINARY_NAMES))
    group = data.draw(st.sampled_from(GROUPS))
    denial = {
        "order": order,
        "suppress_scopes": [scope],
        "suppress_access_claims": [claim],
        "suppress_id_claims": [claim],
        "suppress_groups": [group],
    }
    compiled = bundle(**policy.sections() | {"rules": {**policy.rules, "denial": denial}})
    decision = decided(compiled, rows, event)
    if isinstance(decision, Refusal):
        return
    assert scope not in referee.scopes_issued(event, answered(decision, event))
    access, identity = issued(parse(event), decision.changes)
    for claims in (access, identity):
        assert claim not in claims
        assert group not in claims.get("cognito:groups", ())


@given(policies(), directories(), any_events)
def test_a_rule_of_another_client_and_a_tenant_of_nobodys_change_nothing(
    policy: Policy, rows: Rows, event: Event
) -> None:
    elsewhere = {
        "order": 15,
        "when": {"field": "client.id", "op": "equals", "value": "9other"},
        "add_scopes": list(MANAGED),
        "suppress_groups": list(GROUPS),
        "claims": {"plan": "other"},
    }
    more = policy.sections() | {
        "rules": {**policy.rules, "elsewhere": elsewhere},
        "clients": {**policy.clients, "9other": {"scopes_allowed": [], "suppress_scopes": list(SCOPES)}},
        "groups": {**policy.groups, "Nobodys": {"roles": []}},
    }
    stranger = {"pk": "TENANT#nobodys", "sk": "TENANT", "status": "suspended", "claims": {"plan": "x"}}
    assert decided(bundle(**policy.sections()), rows, event) == decided(bundle(**more), [*rows, stranger], event)


@given(policies(), directories(), user_events(), st.sampled_from(CLIENTS), st.sampled_from(SCOPES))
def test_a_scope_that_a_client_suppresses_is_never_issued(
    policy: Policy, rows: Rows, event: Event, client: str, scope: str
) -> None:
    clients = {**policy.clients, client: {**policy.clients.get(client, {}), "suppress_scopes": [scope]}}
    compiled = bundle(**policy.sections() | {"clients": clients})
    event["callerContext"]["clientId"] = client
    assert scope not in scopes_of(compiled, rows, event)


# Rows that cannot be read.


@given(policies(), directories(), user_events(), hostile_directories())
def test_an_unreadable_row_is_as_good_as_none_or_refuses(
    policy: Policy, rows: Rows, event: Event, hostile: Rows
) -> None:
    keys = {(row["pk"], row["sk"]) for row in hostile}
    mixed = [row for row in rows if (row["pk"], row["sk"]) not in keys] + hostile
    compiled = bundle(**policy.sections())
    problems = {problem.row for problem in facts(*mixed).problems} | {
        problem.row for problem in facts(*mixed).user.problems
    }
    decision = decided(compiled, mixed, event)
    if any(row.endswith(" USER") for row in problems):
        assert isinstance(decision, Refusal)
        assert decision.code is Code.USER_UNREADABLE
        return
    readable = [row for row in mixed if f"{row['pk']} {row['sk']}" not in problems]
    without = decided(compiled, readable, event)
    assert type(decision) is type(without)
    assert decision.reasons == without.reasons
    if isinstance(decision, Decision) and isinstance(without, Decision):
        assert decision.changes == without.changes

"""What holds for freshness, whatever the policy, the directory and the token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given
from hypothesis import strategies as st

from claimsmith.cognito import size
from claimsmith.cognito.event import parse
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Decision, Refusal, decide
from claimsmith.engine.decide import degraded
from claimsmith.engine.language import SHED_CLAIM
from claimsmith.engine.language import TENANT_HINT as HINT
from claimsmith.errors import Code
from claimsmith.verifier import Claims
from claimsmith.verifier.claims import CLAIM_NAMES
from claimsmith.verifier.freshness import Freshness, freshness
from tests.events import API_SCOPES, CLIENT, HOSTED, MACHINE, SIGN_IN, SUB, USER_SOURCES
from tests.policies import NOW, bundle, facts
from tests.property.strategies import (
    MANAGED,
    OPEN,
    ORDINARY_NAMES,
    SCOPES,
    TENANTS,
    Policy,
    any_events,
    attributes,
    directories,
    hostile_bundles,
    hostile_directories,
    policies,
    rule_sections,
    some,
    user_events,
    whens,
)

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts

Rows = list[dict[str, Any]]
Event = dict[str, Any]

#: Octets, enough for every token here.
ROOMY = 1_000_000


def token_of(decision: Decision, request: Request, policy: Bundle) -> Claims:
    """The access token as a verifier reads it: JSON, under the names that the policy gives tenant and roles."""
    access, _ = issued(request, decision.changes, issuer="https://issuer.example")
    names = policy.settings.claim_names
    meanings = {meaning: names.get(meaning) for meaning in CLAIM_NAMES}
    return Claims(json.loads(json.dumps({**access, "exp": NOW + 900})), meanings)


def signed_in(policy: Bundle, known: Facts, event: Event) -> Claims:
    """The token of a sign-in that is not refused."""
    request = parse(event)
    decision = decide(policy, known, request, NOW)
    assume(isinstance(decision, Decision))
    assert isinstance(decision, Decision)
    return token_of(decision, request, policy)


def with_budget(policy: Bundle, budget: int) -> Bundle:
    return policy._replace(settings=policy.settings._replace(token_budget=budget))


@given(policies(), directories(), any_events)
def test_a_fresh_token_is_never_called_stale(policy: Policy, rows: Rows, event: Event) -> None:
    compiled, known = bundle(**policy.sections()), facts(*rows, machine=event["triggerSource"] == MACHINE)
    claims = signed_in(compiled, known, event)
    now = freshness(compiled, known, claims)
    assert not now.stale
    assert now == Freshness(stale=False, roles=claims.roles)


@given(hostile_bundles, st.one_of(directories(), hostile_directories()), any_events)
def test_a_fresh_token_is_never_called_stale_under_an_unlinted_policy(policy: Bundle, rows: Rows, event: Event) -> None:
    known = facts(*rows, machine=event["triggerSource"] == MACHINE)
    assert not freshness(policy, known, signed_in(policy, known, event)).stale


def gives_all(policy: Bundle, known: Facts, event: Event, claims: Claims) -> bool:
    """Whether a new token of this event has the tenant, the roles and the scopes of an earlier one."""
    request = parse(event)
    decision = decide(policy, known, request, NOW)
    if isinstance(decision, Refusal):
        return False
    new = token_of(decision, request, policy)
    same = claims.tenant_id in (None, new.tenant_id)
    return same and set(claims.roles) <= set(new.roles) and set(claims.scopes) <= set(new.scopes)


def asking(event: Event, tenant: str | None, **changes: Any) -> Event:  # noqa: ANN401 - parts of an event
    """The event of the same subject that asks for this tenant, with other parts changed."""
    metadata = {name: value for name, value in event["request"].get("clientMetadata", {}).items() if name != HINT}
    return {
        **event,
        "triggerSource": changes.pop("source", event["triggerSource"]),
        "request": {
            **event["request"],
            **changes,
            "clientMetadata": metadata if tenant is None else {**metadata, HINT: tenant},
        },
    }


@given(policies(), directories(), any_events)
def test_a_degraded_token_is_never_called_stale(policy: Policy, rows: Rows, event: Event) -> None:
    """Its tenant is not known: if it would be whole again for any, it is fresh."""
    compiled, known = bundle(**policy.sections()), facts(*rows, machine=event["triggerSource"] == MACHINE)
    request = parse(event)
    claims = token_of(degraded(compiled, request, Code.STORE_UNAVAILABLE), request, compiled)
    if any(gives_all(compiled, known, asking(event, tenant), claims) for tenant in (None, *TENANTS)):
        assert not freshness(compiled, known, claims).stale


#: What a policy may take away, by section.
TAKEN = {"rules": {"suppress_scopes"}, "clients": {"tenant", "scopes_allowed", "suppress_scopes"}}


def earlier(sections: dict[str, Any]) -> dict[str, Any]:
    """The policy before it took anything away, so that its tokens have more than those of today."""
    settings = {name: value for name, value in sections["settings"].items() if name != "no_tenant"}
    kept = {
        section: {
            name: {attribute: value for attribute, value in entry.items() if attribute not in taken}
            for name, entry in sections[section].items()
        }
        for section, taken in TAKEN.items()
    }
    return {**sections, **kept, "settings": settings}


#: What a later request of the same subject may say otherwise.
others = st.fixed_dictionaries(
    {
        "scopes": st.none() | some(SCOPES, 6),
        "source": st.sampled_from(USER_SOURCES),
        "attributes": st.dictionaries(st.sampled_from(["org", "email"]), st.sampled_from(["a", "x@acme.example"])),
        "asks": st.booleans(),
    }
)


@given(policies(), directories(), st.none() | directories(), any_events, others, st.sampled_from([700, 1_000, 6_144]))
def test_a_token_that_some_request_would_get_again_is_never_called_stale(
    policy: Policy, rows: Rows, later: Rows | None, event: Event, other: dict[str, Any], budget: int
) -> None:
    machine = event["triggerSource"] == MACHINE
    compiled, then = (with_budget(bundle(**of), budget) for of in (policy.sections(), earlier(policy.sections())))
    claims = signed_in(then, facts(*rows, machine=machine), event)
    known = facts(*(rows if later is None else later), machine=machine)
    changes: dict[str, Any] = {}
    if other["scopes"] is not None:
        changes["scopes"] = sorted({*other["scopes"], *claims.scopes})
    if not machine:
        changes["source"] = other["source"]
        changes["userAttributes"] = {**event["request"]["userAttributes"], **other["attributes"]}
    again = asking(event, claims.tenant_id if other["asks"] else None, **changes)
    if gives_all(compiled, known, again, claims):
        assert not freshness(compiled, known, claims).stale


@given(hostile_bundles, directories(), hostile_directories(), any_events)
def test_no_directory_makes_it_raise(policy: Bundle, rows: Rows, later: Rows, event: Event) -> None:
    machine = event["triggerSource"] == MACHINE
    claims = signed_in(policy, facts(*rows, machine=machine), event)
    json.dumps(freshness(policy, facts(*later, machine=machine), claims).filled)


def usable(rows: Rows, tenant: str) -> Rows:
    """The rows, with a membership in this tenant that can be used."""
    wanted = [(f"USER#{SUB}", f"TENANT#{tenant}"), (f"TENANT#{tenant}", "TENANT")]
    changed = [
        {name: value for name, value in row.items() if name not in {"status", "expires_at"}}
        if (row["pk"], row["sk"]) in wanted
        else row
        for row in rows
    ]
    there = {(row["pk"], row["sk"]) for row in changed}
    return [*changed, *({"pk": pk, "sk": sk} for pk, sk in wanted if (pk, sk) not in there)]


#: Paths whose values the token or the directory contains.
TOLD = ["tenant.id", "tenant.plan", "client.id", "client.name", "user.status", "user.sub", "user.username"]
#: Rules that read nothing else and do not change groups.
told_rules = attributes(
    when=whens(TOLD, ["roles", "membership.roles", "user.groups"], OPEN),
    add_scopes=some(MANAGED, 2),
    suppress_scopes=some(SCOPES, 1),
)


#: What a client's row takes away.
TAKES: list[dict[str, Any]] = [
    {},
    {"tenant": "acme"},
    {"tenant": "globex"},
    {"suppress_scopes": ["orders/read"]},
    {"suppress_scopes": [*API_SCOPES, "openid"]},
    {"scopes_allowed": ["orders/read"]},
]


@st.composite
def taking(draw: st.DrawFn) -> dict[str, Any]:
    """The sections of a policy by which every token has something to lose, and that takes some of it away."""
    sections = draw(policies(rules=rule_sections(told_rules))).sections()
    sections["settings"] = {**sections["settings"], "claim_names": {}, "default_roles": ["viewer"]}
    sections["roles"]["viewer"]["scopes"] = ["orders/read", "orders/write"]
    sections["clients"][CLIENT] = {**sections["clients"].get(CLIENT, {}), **draw(st.sampled_from(TAKES))}
    taken = draw(some([*MANAGED, *API_SCOPES], 1))
    sections["rules"]["taking"] = {"order": 1, "suppress_scopes": taken}
    return sections


@given(taking(), directories(), st.none() | directories(), any_events, st.booleans())
def test_a_complete_token_is_stale_exactly_if_every_new_one_would_lack_something(
    sections: dict[str, Any],
    rows: Rows,
    later: Rows | None,
    event: Event,
    in_tenant: bool,  # noqa: FBT001 - drawn
) -> None:
    """The engine itself is the judge: of a request for the same tenant and scopes, and of a sign-in by API."""
    machine = event["triggerSource"] == MACHINE
    if in_tenant and not machine:
        event, rows = asking(event, "acme"), usable(rows, "acme")
    compiled, then = bundle(**sections), bundle(**earlier(sections))
    claims = signed_in(then, facts(*rows, machine=machine), event)
    known = facts(*(rows if later is None else later), machine=machine)
    best = [asking(event, claims.tenant_id, scopes=list(claims.scopes), **({} if machine else {"source": HOSTED}))]
    if not machine:
        best.append(asking(event, claims.tenant_id, scopes=list(API_SCOPES), source=SIGN_IN))
    lacks = not any(gives_all(compiled, known, again, claims) for again in best)
    assert freshness(compiled, known, claims).stale == lacks


@given(taking(), directories(), st.none() | directories(), user_events())
def test_a_token_without_its_tenant_is_stale_exactly_if_it_would_lack_something_for_each_of_the_users_tenants(
    sections: dict[str, Any], rows: Rows, later: Rows | None, event: Event
) -> None:
    sections["settings"] = {**sections["settings"], "claim_names": {"tenant_id": None}}
    compiled, then = bundle(**sections), bundle(**earlier(sections))
    claims = signed_in(then, facts(*rows), event)
    known = facts(*(rows if later is None else later))
    tenants = known.user.memberships.keys()
    assume(tenants <= known.tenants.keys())
    lacks = not any(
        gives_all(compiled, known, asking(event, tenant, scopes=list(scopes), source=source), claims)
        for tenant in (None, *tenants)
        for scopes, source in ((claims.scopes, HOSTED), (API_SCOPES, SIGN_IN))
    )
    assert freshness(compiled, known, claims).stale == lacks


@given(policies(), directories(), any_events, st.integers(1, 250))
def test_claims_left_out_for_length_are_filled_in_correctly_or_listed(
    policy: Policy, rows: Rows, event: Event, octets: int
) -> None:
    sections = policy.sections()
    # The first rule gives what is left out last, so that there is always something left to leave out.
    filler = {"order": 0, "optional": True, "access_claims": {"region": "x" * 300}}
    others = {name: {**rule, "order": rule["order"] + 1, "optional": True} for name, rule in sections["rules"].items()}
    sections["rules"] = {"filler": filler, **others}
    compiled, known = bundle(**sections), facts(*rows, machine=event["triggerSource"] == MACHINE)
    request = parse(event)
    roomy = decide(with_budget(compiled, ROOMY), known, request, NOW)
    assume(isinstance(roomy, Decision))
    assert isinstance(roomy, Decision)
    full = token_of(roomy, request, compiled)
    length = size.signed(size.payload(issued(request, roomy.changes)[0], request))
    short = decide(with_budget(compiled, length - octets), known, request, NOW)
    assume(isinstance(short, Decision))
    assert isinstance(short, Decision)
    claims = token_of(short, request, compiled)
    shed = set(claims.get(SHED_CLAIM, ()))
    assume(shed)
    now = freshness(compiled, known, claims)
    roles_name = compiled.settings.claim_names["roles"]
    assert not now.stale
    assert set(now.incomplete) <= shed
    assert now.filled.keys() <= shed - set(now.incomplete)
    for name in shed - set(now.incomplete):
        if name == roles_name:
            assert now.roles == full.roles
        else:
            assert now.filled[name] == json.loads(json.dumps(plain(full[name])))
    assert (now.roles is None) == (roles_name in now.incomplete)
    for name in set(now.incomplete):
        assert name == roles_name or name in ORDINARY_NAMES


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A claim's value as JSON has it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in value.items()} if hasattr(value, "items") else value

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
from claimsmith.engine.language import SHED_CLAIM, is_unmanaged
from claimsmith.errors import Code
from claimsmith.verifier import Claims
from claimsmith.verifier.claims import CLAIM_NAMES
from claimsmith.verifier.freshness import Freshness, freshness
from tests.events import MACHINE, SUB
from tests.policies import NOW, bundle, facts
from tests.property.strategies import (
    ORDINARY_NAMES,
    Policy,
    any_events,
    directories,
    hostile_bundles,
    hostile_directories,
    policies,
    user_events,
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
def test_nor_under_a_policy_that_no_lint_has_seen(policy: Bundle, rows: Rows, event: Event) -> None:
    known = facts(*rows, machine=event["triggerSource"] == MACHINE)
    assert not freshness(policy, known, signed_in(policy, known, event)).stale


@given(policies(), directories(), any_events)
def test_nor_one_that_was_made_while_nothing_could_be_known(policy: Policy, rows: Rows, event: Event) -> None:
    compiled, known = bundle(**policy.sections()), facts(*rows, machine=event["triggerSource"] == MACHINE)
    assume(known.user.user is not None and known.user.user.active)
    request = parse(event)
    assert not freshness(
        compiled, known, token_of(degraded(compiled, request, Code.STORE_UNAVAILABLE), request, compiled)
    ).stale


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


@given(policies(rules=st.just({})), directories(), directories(), user_events())
def test_without_rules_a_token_is_stale_exactly_where_a_new_one_for_its_tenant_would_lack_something(
    policy: Policy, rows: Rows, later: Rows, event: Event
) -> None:
    """The engine itself is the judge: it makes a new token for the same tenant, from what the directory says later."""
    sections = policy.sections()
    sections["settings"] = {**sections["settings"], "scope_mode": "exact", "claim_names": {}}
    sections["clients"] = {
        name: {key: value for key, value in client.items() if key not in {"scope_mode", "tenant"}}
        for name, client in sections["clients"].items()
    }
    compiled, then, now = bundle(**sections), facts(*usable(rows, "acme")), facts(*later)
    claims = signed_in(
        compiled, then, {**event, "request": {**event["request"], "clientMetadata": {"tenant_id": "acme"}}}
    )
    assert claims.tenant_id == "acme"
    again = parse({**event, "request": {**event["request"], "clientMetadata": {"tenant_id": claims.tenant_id}}})
    decision = decide(compiled, now, again, NOW)
    if isinstance(decision, Refusal):
        lacks = True
    else:
        new = token_of(decision, again, compiled)
        managed = {scope for scope in claims.scopes if not is_unmanaged(scope, compiled.settings.unmanaged_scopes)}
        lacks = not (set(claims.roles) <= set(new.roles) and managed <= set(new.scopes))
    assert freshness(compiled, now, claims).stale == lacks


@given(policies(), directories(), any_events, st.integers(1, 250))
def test_what_was_left_out_for_length_is_filled_in_as_it_would_have_been_or_named(
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

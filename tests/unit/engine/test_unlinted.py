"""A bundle that no lint has seen: what would have been refused at publish is refused again when a token is made."""

from __future__ import annotations

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine.built_in import RESERVED_CLAIMS
from claimsmith.engine.bundle import Role
from claimsmith.engine.codec import from_document
from claimsmith.engine.decide import degraded
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import CLIENT, SIGN_IN, SUB, event
from tests.policies import bundle, decided, facts, membership_row, policy_rows, tenant_row, unlinted, user_row

POLICY = bundle()


def test_a_role_that_inherits_what_is_not_there_does_not_make_it_raise() -> None:
    dangling = POLICY._replace(roles={"viewer": Role("POLICY ROLE#viewer", (), ("ghost", "viewer"))})
    assert decided(dangling, facts(user_row(SUB, roles=["viewer"])), event()).roles == ("viewer",)


def test_a_built_in_claim_named_like_one_of_cognitos_is_not_suppressed() -> None:
    named = POLICY._replace(settings=POLICY.settings._replace(claim_names={"tenant_id": "sub"}))
    assert decided(named, facts(), event()).changes.id.suppressed == ()
    assert degraded(named, parse(event()), Code.STORE_UNAVAILABLE).changes.id.suppressed == ("cognito:groups",)


def test_a_built_in_claim_under_a_name_that_is_not_its_own_is_none() -> None:
    """Or a verifier would read Cognito's claim, or the other meaning's, as the tenant or the roles."""
    document = compile_policy(from_rows(policy_rows()))
    written = {"tenant_id": "sub", "roles": "claims_shed", "tenant_name": "org", "tenants": "org"}
    settings = {**document["settings"], "claim_names": written}
    assert from_document({**document, "settings": settings}, 1).settings.claim_names == {"tenant_name": "org"}
    swapped = {"tenant_name": "tenant_id", "roles": "tenants", "policy_version": "policy_version"}
    settings["claim_names"] = swapped
    assert from_document({**document, "settings": settings}, 1).settings.claim_names == {
        "policy_version": "policy_version"
    }


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
def test_the_default_names_stay_the_engines_whatever_the_built_in_claims_are_called(name: str) -> None:
    """A verifier that knows nothing of the policy would believe what a rule or a row put there."""
    settings = {"claim_names": {"tenant_id": "org", "roles": None, "tenant_name": "on", "tenants": None,
                                "policy_version": "pv"}}  # fmt: skip
    rule = {"access_claims": {name: "globex"}, "id_claims": {name: {"from": "request.metadata.t"}}}
    policy = unlinted(rule, settings=settings)
    rows = [user_row(SUB, claims={name: "globex"}), membership_row(SUB, "acme", claims={name: "globex"}),
            tenant_row("acme", claims={name: "globex"})]  # fmt: skip
    decision = decided(policy, facts(*rows), event(SIGN_IN, metadata={"t": "globex"}))
    assert decision.tenant_id == "acme"
    assert name not in decision.changes.access.claims
    assert name not in decision.changes.id.claims


@pytest.mark.parametrize("path", ["request.metadata.t", "user.attributes.custom:t", "request.scopes"])
def test_what_aws_believes_is_withheld_where_it_is_not_trusted(path: str) -> None:
    name = "https://aws.amazon.com/tags"
    asked = event(SIGN_IN, metadata={"t": "x"}, attributes={"custom:t": "x"})
    for rule in (
        {"access_claims": {name: {"from": path}, "plain": {"from": path}}},
        {"access_claims": {name: "x", "plain": "x"}, "when": {"field": path, "op": "exists", "value": True}},
    ):
        access = decided(unlinted(rule), facts(), asked).changes.access.claims
        assert name not in access
        assert "plain" in access
    document = compile_policy(from_rows(policy_rows(clients={CLIENT: {"access_claims": {"plain": {"from": path}}}})))
    document["clients"][CLIENT]["access_claims"][name] = {"from": path}
    access = decided(from_document(document, 1), facts(), asked).changes.access.claims
    assert name not in access
    assert "plain" in access
    trusted = unlinted(
        {"access_claims": {name: {"from": "user.attributes.custom:t"}}}, settings={"trusted_attributes": ["custom:t"]}
    )
    assert decided(trusted, facts(), asked).changes.access.claims[name] == "x"

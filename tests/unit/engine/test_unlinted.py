"""A bundle that no lint has seen: what would have been refused at publish is refused again when a token is made."""

from __future__ import annotations

from claimsmith.cognito.event import parse
from claimsmith.engine.bundle import Role, from_document
from claimsmith.engine.decide import degraded
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import SUB, event
from tests.policies import bundle, decided, facts, policy_rows, user_row

POLICY = bundle()


def test_a_role_that_inherits_what_is_not_there_does_not_make_it_raise() -> None:
    dangling = POLICY._replace(roles={"viewer": Role("POLICY ROLE#viewer", ("orders/read",), ("ghost", "viewer"))})
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

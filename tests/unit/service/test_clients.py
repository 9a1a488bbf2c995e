"""Whose tokens a verifier accepts: the policy's clients and the listed ones, each from the pool that is its own."""

from __future__ import annotations

import pytest

from claimsmith.errors import Code, VerificationError
from claimsmith.service.clients import accepted_clients, any_client
from claimsmith.verifier import ANY
from claimsmith.verifier.checks import ClaimChecks
from tests.policies import NOW, bundle

A = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_A"
UPDATED_A = "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_A"
B = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_B"
OTHER = "https://login.example.com/tenants/local_C"

POLICY = bundle(clients={"web": {"user_pool": "eu-central-1_A"}, "batch": {}})
LISTED = [("cli", None), ("kiosk", "eu-west-1_B"), ("local", "local_C")]


def test_a_client_is_accepted_from_its_pool_and_one_without_from_every_pool() -> None:
    assert accepted_clients(POLICY, LISTED, [A, B]) == {A: {"web", "batch", "cli"}, B: {"batch", "cli", "kiosk"}}


def test_the_only_issuer_has_all_but_those_of_other_pools() -> None:
    assert accepted_clients(POLICY, LISTED, [OTHER]) == {OTHER: {"batch", "cli", "local"}}
    assert accepted_clients(bundle(), [], [A]) == {A: set()}


def test_an_issuer_that_can_choose_ids_has_only_its_own_beside_others() -> None:
    accepted = accepted_clients(POLICY, LISTED, [A, OTHER])
    assert accepted[OTHER] == {"local"}
    assert any_client(accepted) == {A: ANY, OTHER: {"local"}}
    assert any_client({OTHER: frozenset()}) == {OTHER: ANY}


def test_a_client_that_two_places_say_to_be_of_two_pools_is_of_both() -> None:
    accepted = accepted_clients(POLICY, [("web", "eu-west-1_B"), ("web", None)], [A, B])
    assert "web" in accepted[A] & accepted[B]


@pytest.mark.parametrize(
    ("issuer", "client", "taken"),
    [(A, "web", True), (UPDATED_A, "web", True), (B, "web", False), (B, "kiosk", True), (A, "kiosk", False)],
)
def test_a_token_of_one_pool_is_never_accepted_for_a_client_of_another(issuer: str, client: str, taken: bool) -> None:  # noqa: FBT001
    checks = ClaimChecks(client_ids=accepted_clients(POLICY, LISTED, [A, B]), token_use="access", leeway=0)
    claims = {"iss": issuer, "client_id": client, "sub": "s", "exp": NOW + 1, "token_use": "access"}
    if taken:
        checks.check(claims, NOW)
    else:
        with pytest.raises(VerificationError) as refused:
            checks.check(claims, NOW)
        assert refused.value.code is Code.WRONG_CLIENT

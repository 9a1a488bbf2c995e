"""What each path yields, and whether to trust it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine.bundle import Client
from claimsmith.engine.facts import Literals, Membership, Tenant, User
from claimsmith.engine.language.paths import FIXED, MISSING, OPEN, Known, identity_provider, is_trusted, kind
from tests.events import CLIENT, MACHINE, SIGN_IN, SUB, event

USER = User(claims=Literals({"level": Decimal(3), "tags": {"b", "a"}, "bad": None, "one": 1}, {"one": 2, "two": 2}))
TENANT = Tenant("acme", name="Acme", plan="pro", claims=Literals({"tier": "gold"}, {}))
MEMBERSHIP = Membership(roles=("editor",), claims=Literals({"seat": 7}, {}))
REQUEST = parse(
    event(SIGN_IN, groups=["Staff"], attributes={"org": "x", "email_verified": "true"}, metadata={"device": "tv"})
)
KNOWN = Known(REQUEST, USER, TENANT, MEMBERSHIP, ("editor", "viewer"), Client(name="web"))
NOTHING = Known(parse(event(MACHINE)), None, None, None, (), None)

YIELDED: dict[str, Any] = {
    "user.sub": SUB,
    "user.username": REQUEST.username,
    "user.status": "active",
    "user.groups": ["Staff"],
    "user.identity_provider": "Cognito",
    "user.attributes.org": "x",
    "user.attributes.email_verified": "true",
    "user.claims.level": 3,
    "user.claims.tags": ["a", "b"],
    "user.claims.one": 1,
    "user.claims.two": 2,
    "tenant.id": "acme",
    "tenant.name": "Acme",
    "tenant.plan": "pro",
    "tenant.status": "active",
    "tenant.claims.tier": "gold",
    "membership.roles": ["editor"],
    "membership.claims.seat": 7,
    "roles": ["editor", "viewer"],
    "client.id": CLIENT,
    "client.name": "web",
    "request.scopes": list(REQUEST.scopes),
    "request.source": REQUEST.source,
    "request.metadata.device": "tv",
}


@pytest.mark.parametrize("path", YIELDED)
def test_a_path_yields_what_is_known(path: str) -> None:
    assert KNOWN[path] == YIELDED[path]
    assert type(KNOWN[path]) is type(YIELDED[path])


def test_every_path_is_among_these() -> None:
    assert set(FIXED) <= set(YIELDED)
    assert all(any(path.startswith(prefix) for path in YIELDED) for prefix in OPEN)


def test_what_is_missing_says_so() -> None:
    assert repr(MISSING) == "MISSING"


@pytest.mark.parametrize("path", sorted(set(YIELDED) - {"client.id", "roles", "request.scopes", "request.source"}))
def test_a_machine_without_a_tenant_has_nothing_there(path: str) -> None:
    assert NOTHING[path] is MISSING


@pytest.mark.parametrize(
    "path",
    ["", "user", "user.", "user.emial", "user.attributes.", "tenant.claims", "Roles", "roles.0", "user.claims.bad"],
)
def test_there_is_nothing_at_any_other_path(path: str) -> None:
    assert KNOWN[path] is MISSING
    assert kind(path) is None or path == "user.claims.bad"


@pytest.mark.parametrize("path", YIELDED)
def test_a_path_has_the_kind_it_says(path: str) -> None:
    kinds = {"text": str, "list": list, "any": object}
    assert isinstance(YIELDED[path], kinds[str(kind(path))])


@pytest.mark.parametrize("path", YIELDED)
def test_what_users_and_callers_can_write_is_not_trusted(path: str) -> None:
    written = path.startswith(("user.attributes.", "request."))
    assert is_trusted(path, frozenset()) is not written
    assert is_trusted("user.attributes.org", {"org"})
    assert not is_trusted("request.metadata.org", {"org", "request.metadata.org"})
    assert not is_trusted("ghost", frozenset())


@pytest.mark.parametrize(
    ("identities", "name"),
    [
        ('[{"providerName":"Okta","userId":"1"}]', "Okta"),
        ("[]", "Cognito"),
        ("", "Cognito"),
        ("{", "Cognito"),
        ("{}", "Cognito"),
        ("[1]", "Cognito"),
        ("[" * 100_000, "Cognito"),
    ],
    ids=["federated", "none", "empty", "broken", "object", "number", "deep"],
)
def test_the_identity_provider_is_the_first_of_the_identities(identities: str, name: str) -> None:
    assert identity_provider({"identities": identities}) == name

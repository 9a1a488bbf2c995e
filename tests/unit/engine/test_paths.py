"""What each path yields, and whether to trust it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine.facts import Literals, Membership, Tenant, User
from claimsmith.engine.language.paths import (
    FIXED,
    MISSING,
    OPEN,
    EvaluationContext,
    identity_provider,
    is_trusted,
    kind,
)
from tests.events import CLIENT, HOSTED, MACHINE, REFRESH, SIGN_IN, SUB, event

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request

USER = User(claims=Literals({"level": Decimal(3), "tags": {"b", "a"}, "bad": None, "one": 1}, {"one": 2, "two": 2}))
TENANT = Tenant("acme", name="Acme", plan="pro", claims=Literals({"tier": "gold"}, {}))
MEMBERSHIP = Membership(roles=("editor",), claims=Literals({"seat": 7}, {}))
REQUEST = parse(
    event(SIGN_IN, groups=["Staff"], attributes={"org": "x", "email_verified": "true"}, metadata={"device": "tv"})
)
KNOWN = EvaluationContext(REQUEST, USER, TENANT, MEMBERSHIP, ("editor", "viewer"), "web")
NOTHING = EvaluationContext(parse(event(MACHINE)), None, None, None, (), None)

YIELDED: dict[str, Any] = {
    "user.sub": SUB,
    "user.username": REQUEST.username,
    "user.status": "active",
    "user.groups": ["Staff"],
    "user.identity_provider": "Cognito",
    "user.identity_providers": [],
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


def test_what_is_missing_is_reported_as_missing() -> None:
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
def test_a_path_has_the_kind_that_it_declares(path: str) -> None:
    kinds = {"text": str, "list": list, "any": object}
    assert isinstance(YIELDED[path], kinds[str(kind(path))])


@pytest.mark.parametrize("path", YIELDED)
def test_what_users_and_callers_can_write_is_not_trusted(path: str) -> None:
    written = path.startswith(("user.attributes.", "request."))
    assert is_trusted(path, frozenset()) is not written
    assert is_trusted("user.attributes.org", {"org"})
    assert not is_trusted("request.metadata.org", {"org", "request.metadata.org"})
    assert not is_trusted("ghost", frozenset())


def identity(provider: str, *, primary: Any = True) -> dict[str, Any]:  # noqa: ANN401 - boolean or text
    return {"userId": "jo", "providerName": provider, "providerType": "SAML", "issuer": None, "primary": primary}


def linked(*entries: Any, source: str = HOSTED, status: str = "EXTERNAL_PROVIDER", **more: Any) -> Request:  # noqa: ANN401 - passed on
    """A request of a user with these identities."""
    attributes = {"cognito:user_status": status, "identities": json.dumps(entries)}
    return parse(event(source, attributes=attributes, **more))


OKTA = identity("Okta")


@pytest.mark.parametrize(
    "request_",
    [
        linked(OKTA),
        linked(identity("Okta", primary="true")),
        linked(OKTA, source=REFRESH, scopes=["openid"]),
        # A refresh by GetTokensFromRefreshToken has the source of a sign-in; no API sign-in has these scopes.
        linked(OKTA, source=SIGN_IN, scopes=["openid", "orders/read"]),
    ],
)
def test_a_profile_that_one_provider_made_is_authenticated_by_it(request_: Request) -> None:
    assert identity_provider(request_) == "Okta"


@pytest.mark.parametrize("source", [HOSTED, SIGN_IN, REFRESH])
def test_a_profile_without_any_identity_is_authenticated_by_the_pool(source: str) -> None:
    assert identity_provider(parse(event(source))) == "Cognito"
    assert identity_provider(linked(source=source, status="CONFIRMED")) == "Cognito"


@pytest.mark.parametrize(
    "request_",
    [
        # An own user with a provider linked: by password, or by the provider?
        linked(identity("Okta", primary=False), status="CONFIRMED"),
        linked(identity("Okta", primary=False), status="CONFIRMED", source=SIGN_IN),
        # A provider's user to whom a password was given.
        linked(OKTA, status="CONFIRMED"),
        linked(OKTA, identity("Google", primary=False)),
        linked(identity("Google", primary=False), OKTA),
        linked(identity("Okta", primary=False)),
        linked({"providerName": "Okta"}),
        # By API, or the refresh of such a sign-in.
        linked(OKTA, source=SIGN_IN),
        linked(OKTA, source=REFRESH),
        # What contradicts itself.
        linked(),
        linked(identity("Cognito")),
    ],
)
def test_where_more_than_one_could_have_authenticated_the_user_nobody_is_named(request_: Request) -> None:
    assert identity_provider(request_) is None
    assert EvaluationContext(request_, USER, None, None, (), None)["user.identity_provider"] is MISSING


def test_the_identity_providers_are_those_linked_in_no_order_of_linking() -> None:
    for entries in ((OKTA, identity("Google", primary=False)), (identity("Google"), OKTA, OKTA)):
        assert EvaluationContext(linked(*entries), USER, None, None, (), None)["user.identity_providers"] == [
            "Google",
            "Okta",
        ]


@pytest.mark.parametrize(
    "written",
    ["", "{", "{}", "7", "[1]", "[{}]", '[{"providerName": 7, "primary": true}]', '["Okta"]', "[" * 100_000],
    ids=["empty", "broken", "object", "number", "numbers", "nameless", "named 7", "texts", "deep"],
)
def test_identities_that_cannot_be_read_name_nobody_and_not_the_pool(written: str) -> None:
    for status in ("CONFIRMED", "EXTERNAL_PROVIDER"):
        request = parse(event(HOSTED, attributes={"cognito:user_status": status, "identities": written}))
        known = EvaluationContext(request, USER, None, None, (), None)
        assert known["user.identity_provider"] is MISSING
        assert known["user.identity_providers"] is MISSING

"""A compiled document read whole, and what is withheld of one that no lint has seen."""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Any

import pytest

from claimsmith.engine.built_in import RESERVED_CLAIMS
from claimsmith.engine.bundle import NO_CLAIMS, TOKEN_BUDGET, Bundle, Client, Role, Rule, Settings, Withheld, granted_by
from claimsmith.engine.codec import FORMAT, BundleError, decode, encode, from_document
from claimsmith.engine.language.values import Expression
from tests.policies import VERSION, unlinted

MINIMAL: dict[str, Any] = {
    "format": 1,
    "settings": {
        "claim_names": {"roles": "groups"},
        "scope_mode": "exact",
        "unmanaged_scopes": ["legacy/*"],
        "no_tenant": "deny",
        "default_roles": ["viewer"],
        "cache_seconds": 60,
    },
    "roles": {"viewer": {"scopes": ["orders/read"], "closure": ["viewer"]}},
    "groups": {"Staff": ["viewer"]},
    "clients": {"web": {}},
    "routes": {"orders": {"path": "/orders"}},
}

SETTINGS = Settings(
    claim_names={"roles": "groups"},
    own_claims=RESERVED_CLAIMS | {"groups"},
    scope_mode="exact",
    unmanaged_scopes=frozenset({"legacy/*"}),
    no_tenant="deny",
    default_roles=("viewer",),
    cache_seconds=60,
    token_budget=TOKEN_BUDGET,
)


def rule(**attributes: Any) -> Rule:  # noqa: ANN401 - any attribute
    [read] = unlinted(attributes).rules
    return read


def validated(name: str, value: object, *, token: str = "access", **attributes: Any) -> Any:  # noqa: ANN401 - any value
    part = getattr(rule(**{f"{token}_claims": {name: value}}, **attributes).claims, token)
    return part.literals.get(name, {of: value for of, value, _ in part.others}.get(name))


def test_what_a_document_leaves_out_has_the_defaults_of_the_design() -> None:
    row = "POLICY ROLE#viewer"
    assert from_document(MINIMAL, 3) == Bundle(
        version=3,
        settings=SETTINGS,
        roles={"viewer": Role(row, granted_by(row, ["orders/read"], frozenset()), ("viewer",), NO_CLAIMS)},
        groups={"Staff": ("viewer",)},
        clients={"web": Client(None, None, (), None, frozenset(), None, audience=False, claims=NO_CLAIMS)},
        rules=(),
        routes={"orders": {"path": "/orders"}},
    )


def test_a_client_and_the_settings_of_a_document_are_read_completely() -> None:
    client = {
        "name": "web",
        "tenant": "acme",
        "roles": ["viewer"],
        "scopes_allowed": ["orders/read"],
        "suppress_scopes": ["openid"],
        "scope_mode": "intersect",
        "audience": True,
        "access_claims": {"a": 1},
        "id_claims": {"b": 2},
    }
    settings = {**MINIMAL["settings"], "token_budget": 2048}
    read = from_document({**MINIMAL, "clients": {"web": client}, "settings": settings}, 3)
    assert read.settings == SETTINGS._replace(token_budget=2048)
    web = read.clients["web"]
    assert [dict(part.literals) for part in web.claims] == [{"a": 1}, {"b": 2}]
    assert web._replace(claims=NO_CLAIMS) == Client(
        name="web",
        tenant="acme",
        roles=("viewer",),
        scopes_allowed=frozenset({"orders/read"}),
        suppress_scopes=frozenset({"openid"}),
        scope_mode="intersect",
        audience=True,
    )


def test_a_rule_without_anything_does_nothing_always_and_for_good() -> None:
    assert rule() == Rule(row="POLICY RULE#r0", when=None, optional=False, claims=NO_CLAIMS)


def test_what_a_rule_does_is_read_whole() -> None:
    effects = {
        "add_scopes": ["a"],
        "suppress_scopes": ["b"],
        "suppress_access_claims": ["c"],
        "suppress_id_claims": ["d"],
        "add_groups": ["e"],
        "suppress_groups": ["f"],
    }
    read = rule(optional=True, id_claims={"x": 1}, **effects)
    assert [dict(part.literals) for part in read.claims] == [{}, {"x": 1}]
    assert read._replace(claims=NO_CLAIMS) == Rule(
        row="POLICY RULE#r0",
        optional=True,
        grants=granted_by("POLICY RULE#r0", ["a"], frozenset()),
        suppress_scopes=("b",),
        suppress_claims=(("c",), ("d",)),
        add_groups=("e",),
        suppress_groups=("f",),
    )
    caller = {"when": {"field": "request.source", "op": "exists", "value": True}}
    assert rule(**caller, **effects).withheld == tuple(effects)
    assert rule(**caller, **effects)._replace(when=None, withheld=()) == rule()


def test_the_catalogue_has_what_roles_and_rules_can_grant_that_is_managed_and_fit_to_be_sent() -> None:
    policy = unlinted(
        {"add_scopes": ["orders/export", "two words", "openid", "legacy/x"]},
        {"when": {"field": "request.source", "op": "exists", "value": True}, "add_scopes": ["never"]},
        roles={"viewer": {"scopes": ["orders/read"]}},
        settings={"unmanaged_scopes": ["legacy/*"]},
    )
    assert policy.scopes == {"orders/read", "orders/export"}


def test_a_value_that_no_token_takes_is_withheld_and_the_reason_is_kept() -> None:
    assert validated("roles", 1) == Withheld("only Claimsmith sets this claim")
    assert validated("claims_shed", 1) == validated("claims_degraded", 1) == validated("roles", 1)
    assert validated("x", {"from": 1}) == Withheld("it is not a value")
    assert validated("x", None) == Withheld("null is not a claim value")
    assert validated("sub", {"from": "user.sub"}) == Withheld("Cognito alone sets this claim")
    assert validated("address", [1]) == [1]
    assert validated("address", [1], token="id") == Withheld("the ID token takes no array and no object here")
    assert isinstance(validated("address", {"from": "roles"}), Expression)


@pytest.mark.parametrize(
    ("value", "when"),
    [
        ({"from": "request.metadata.x"}, None),
        ({"from": "user.sub"}, {"field": "request.metadata.x", "op": "exists", "value": True}),
        ("ada@example.com", {"field": "request.metadata.x", "op": "exists", "value": True}),
    ],
    ids=repr,
)
def test_client_metadata_feeds_no_standard_claim_but_any_other(value: object, when: object) -> None:
    condition: dict[str, Any] = {} if when is None else {"when": when}
    assert validated("email", value, **condition) == Withheld("what the caller says is not what a user is")
    assert not isinstance(validated("mail", value, **condition), Withheld)


def test_a_standard_claim_may_come_from_the_directory() -> None:
    assert validated("email", "ada@example.com") == "ada@example.com"
    assert isinstance(validated("email", {"from": "user.attributes.email"}), Expression)


def test_a_document_is_stored_as_canonical_json_as_small_as_it_gets() -> None:
    canonical = '{"a":"ü","b":[1,2]}'.encode()
    assert encode({"b": [1, 2], "a": "ü"}) == (zlib.compress(canonical, 9), sha256(canonical).hexdigest())


def test_a_document_as_long_as_its_bound_is_read_and_a_longer_one_is_not() -> None:
    start = b'{"format":99,"x":"'
    newer = f"has format 99; this code reads up to {FORMAT}"
    too_long = "is damaged, or too large to be read: it has more than 2,000,000 bytes of JSON"
    for size, said in ((2_000_000, newer), (2_000_001, too_long)):
        plain = start + b" " * (size - len(start) - 2) + b'"}'
        with pytest.raises(BundleError) as refused:
            decode(zlib.compress(plain, 1), sha256(plain).hexdigest(), VERSION)
        assert str(refused.value) == f"Bundle version {VERSION} {said}. [CS2003]"

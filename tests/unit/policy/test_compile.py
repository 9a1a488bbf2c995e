"""Equal policies compile to equal bytes; what is compiled is closed and sorted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.policies import policy_rows
from tests.property.strategies import MANAGED, Policy, attributes, good_claims, policies, some


def compiled(**sections: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to policy_rows
    return compile_policy(from_rows(policy_rows(**sections)))


def test_what_decides_nothing_is_not_compiled() -> None:
    annotations = {"description": "x", "updated_by": "someone", "updated_at": 1_800_000_000, "ttl": 1_900_000_000}
    assert compiled(settings=annotations, roles={"a": annotations}) == compiled(roles={"a": {}})


def test_inheritance_is_closed_at_any_depth() -> None:
    chain = {f"r{number:02d}": {"inherits": [f"r{number + 1:02d}"]} for number in range(30)} | {"r30": {}}
    assert compiled(roles=chain)["roles"]["r00"]["closure"] == [f"r{number:02d}" for number in range(31)]


def test_a_route_without_an_audience_is_not_one_that_names_none() -> None:
    routes: dict[str, dict[str, Any]] = {
        "any": {},
        "none": {"audience": []},
        "two": {"audience": frozenset({"b", "a"})},
    }
    rows = [{"pk": "POLICY", "sk": f"ROUTE#{name}", "path": f"/{name}", **route} for name, route in routes.items()]
    compiled_routes = compile_policy(from_rows([*policy_rows(), *rows]))["routes"]
    assert [compiled_routes[name].get("audience") for name in routes] == [None, [], ["a", "b"]]


def test_claims_are_compiled_by_token() -> None:
    role = compiled(roles={"a": {"claims": {"x": 1, "y": 1}, "access_claims": {"y": 2}}})["roles"]["a"]
    assert (role["access_claims"], role["id_claims"]) == ({"x": 1, "y": 2}, {"x": 1, "y": 1})


def test_a_set_among_claims_becomes_a_sorted_list() -> None:
    role = compiled(roles={"a": {"claims": {"tags": frozenset({"b", "a"})}}})["roles"]["a"]
    assert role["id_claims"] == {"tags": ["a", "b"]}


RULES: list[dict[str, Any]] = [
    {"pk": "POLICY", "sk": "RULE#late", "order": 20, "claims": {"n": 1.0, "m": {"value": 5}}, "optional": True},
    {"pk": "POLICY", "sk": "RULE#b", "order": 5, "add_scopes": {"y", "x"}, "suppress_groups": ["b", "a", "b"]},
    {"pk": "POLICY", "sk": "RULE#a", "order": 5, "when": {"not": {"field": "tenant.id", "op": "exists"}},
     "id_claims": {"as": {"from": "tenant.name", "default": 2.0}, "object": {"value": {"from": 1.0}}}},
    {"pk": "POLICY", "sk": "RULE#off", "order": 1, "enabled": False, "add_scopes": ["never"]},
]  # fmt: skip


def with_rules(rules: list[dict[str, Any]], **sections: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
    return compile_policy(from_rows([*policy_rows(**sections), *rules]))


def test_rules_stand_in_their_order_then_by_id_and_say_only_what_they_do() -> None:
    assert with_rules(RULES)["rules"] == [
        {
            "id": "a",
            "when": {"not": {"field": "tenant.id", "op": "exists", "value": True}},
            "id_claims": {"as": {"from": "tenant.name", "default": 2}, "object": {"value": {"from": 1}}},
        },
        {"id": "b", "add_scopes": ["x", "y"], "suppress_groups": ["a", "b"]},
        {"id": "late", "optional": True, "access_claims": {"n": 1, "m": 5}, "id_claims": {"n": 1, "m": 5}},
    ]


def test_the_catalogue_is_every_scope_that_a_role_or_an_enabled_rule_can_grant() -> None:
    assert with_rules(RULES, roles={"r": {"scopes": ["z", "x"]}})["scopes"] == ["x", "y", "z"]


def test_roles_and_clients_take_expressions_too() -> None:
    claims = {"claims": {"plan": {"from": "tenant.plan"}, "shape": {"value": {"kind": "round"}}}}
    document = compiled(roles={"a": claims}, clients={"web": claims})
    for row in (document["roles"]["a"], document["clients"]["web"]):
        assert row["access_claims"] == {"plan": {"from": "tenant.plan"}, "shape": {"kind": "round"}}


def test_numbers_of_the_order_decide_nothing_but_the_order() -> None:
    renumbered = [{**rule, "order": rule["order"] * 100 - 7} for rule in RULES]
    assert with_rules(RULES) == with_rules(renumbered)


def test_settings_have_what_the_engine_needs_of_trust_and_budget() -> None:
    settings = {"trusted_attributes": frozenset({"b", "a"}), "token_budget": 2048, "privileged_scopes": ["x"]}
    document = compiled(settings=settings)["settings"]
    assert (document["trusted_attributes"], document["token_budget"]) == (["a", "b"], 2048)
    assert document["privileged_scopes"] == ["x"]
    plain = compiled()["settings"]
    assert plain["token_budget"] == 6144
    assert not {"privileged_scopes", "shed_groups"} & plain.keys()
    assert compiled(settings={"shed_groups": True})["settings"]["shed_groups"] is True


def as_others_write(value: Any, draw: st.DrawFn, *, names: bool = False) -> Any:  # noqa: ANN401 - any value of a row
    """The same value, written another way: other orders, sets for lists of names, 1.0 for 1."""
    if isinstance(value, dict):
        items: list[tuple[str, Any]] = draw(st.permutations(list(value.items())))
        as_names = {"scopes", "inherits", "roles", "add_scopes", "suppress_scopes", "add_groups", "any_scope"}
        return {key: as_others_write(item, draw, names=key in as_names) for key, item in items}
    if isinstance(value, list):
        if names and value and draw(st.booleans()):
            return frozenset(value)
        return draw(st.permutations(value)) if names else [as_others_write(item, draw) for item in value]
    if type(value) is int and abs(value) < 2**50 and draw(st.booleans()):
        return float(value)
    return value


_rules = st.lists(
    attributes(
        order=st.integers(0, 3),
        add_scopes=some(MANAGED),
        suppress_scopes=some(MANAGED),
        add_groups=some(["Staff", "Admins"]),
        claims=good_claims,
        optional=st.booleans(),
        when=st.just({"any": [{"field": "user.claims.n", "op": "in", "value": [1, {"a": [2]}]}]}),
    ),
    max_size=3,
)


@given(policies(), _rules, st.data())
def test_equal_policies_are_equal_bytes(policy: Policy, rules: list[dict[str, Any]], data: st.DataObject) -> None:
    sections = policy.sections()
    sections.pop("rules", None)
    rows = policy_rows(**sections)
    rows += [{"pk": "POLICY", "sk": f"RULE#r{at}", "order": 0, **rule} for at, rule in enumerate(rules)]
    written: list[dict[str, Any]] = []
    for row in data.draw(st.permutations(rows)):
        keep = {name: row[name] for name in ("pk", "sk", "order") if name in row}
        # Ceilings are lists and stay lists; everything else may be written in several ways.
        rest = {name: item for name, item in row.items() if name not in keep and name != "scopes_allowed"}
        ceiling = {name: row[name] for name in row if name == "scopes_allowed"}
        others: dict[str, Any] = data.draw(_rewritten(rest))
        written.append(others | ceiling | keep | {"updated_by": "somebody"})
    assert encode(compile_policy(from_rows(rows))) == encode(compile_policy(from_rows(written)))


@st.composite
def _rewritten(draw: st.DrawFn, row: dict[str, Any]) -> dict[str, Any]:
    rewritten: dict[str, Any] = as_others_write(row, draw)
    return rewritten

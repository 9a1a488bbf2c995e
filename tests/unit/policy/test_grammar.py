"""Rules and expressions: what the grammar does not have is refused, and so is what can never be true."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.event import SOURCES
from claimsmith.engine.language.conditions import MAX_NODES, OPERATORS, compiled, fields
from claimsmith.engine.language.paths import MISSING
from claimsmith.engine.language.values import compiled as compiled_value
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from claimsmith.policy.checks.reachability import is_unsatisfiable
from tests.policies import policy_rows
from tests.property.strategies import conditions, expressions

PRO = {"field": "tenant.plan", "op": "equals", "value": "pro"}


def findings_of(rule: dict[str, Any], **sections: Any) -> list[tuple[Code, str, str]]:  # noqa: ANN401 - passed on
    """Code, attribute and message of what is wrong with a rule."""
    row = {"pk": "POLICY", "sk": "RULE#r", "order": 10, **rule}
    return [
        (finding.code, finding.attribute, finding.message)
        for finding in lint(from_rows([*policy_rows(**sections), row]))
    ]


def the_finding(rule: dict[str, Any], **sections: Any) -> tuple[Code, str, str]:  # noqa: ANN401 - passed on
    [finding] = findings_of(rule, **sections)
    return finding


def leaf(field: str, op: str, value: Any, /) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    return {"field": field, "op": op, "value": value}


# Conditions.


@pytest.mark.parametrize(
    ("when", "code", "attribute", "words"),
    [
        ({}, Code.INVALID_CONDITION, "when", "field is required"),
        ({"all": []}, Code.INVALID_CONDITION, "when.all", "at least one"),
        ({"any": PRO}, Code.INVALID_CONDITION, "when.any", "a list"),
        ({"not": [PRO]}, Code.INVALID_CONDITION, "when.not", "one condition"),
        ({"all": ["pro"]}, Code.INVALID_CONDITION, "when.all.0", "write all, any or not"),
        ({"all": [PRO], **PRO}, Code.INVALID_CONDITION, "when", "all allows no other keys"),
        ({"all": [PRO], "any": [PRO]}, Code.INVALID_CONDITION, "when", "all allows no other keys"),
        ({"alll": [PRO]}, Code.INVALID_CONDITION, "when.alll", "did you mean all?"),
        ({**PRO, "values": 1}, Code.INVALID_CONDITION, "when.values", "did you mean value?"),
        ({"field": "tenant.plan", "op": "equals"}, Code.INVALID_CONDITION, "when", "equals needs a value"),
        ({"op": "equals", "value": 1}, Code.INVALID_CONDITION, "when", "field is required"),
        (leaf("tenant.plan", "equals", None), Code.INVALID_CONDITION, "when.value", "but null"),
        (leaf("tenant.plan", "exists", "yes"), Code.INVALID_CONDITION, "when.value", "true or false"),
        (leaf("tenant.plan", "starts_with", 1), Code.INVALID_CONDITION, "when.value", "text"),
        (leaf("user.claims.n", "less_than", "5"), Code.INVALID_CONDITION, "when.value", "a number"),
        (leaf("tenant.plan", "contains", "pro"), Code.NEVER_HOLDS, "when.op", "contains_text"),
        (leaf("user.attributes.custom:groups", "contains", "a"), Code.NEVER_HOLDS, "when.op", "or as: list"),
        ({**leaf("user.claims.n", "contains", "a"), "as": "string"}, Code.NEVER_HOLDS, "when.op", "contains_text"),
        (leaf("user.groups", "contains_text", "a"), Code.NEVER_HOLDS, "when.op", "is a list"),
        ({**leaf("tenant.plan", "contains", "a"), "as": "lst"}, Code.INVALID_CONDITION, "when.as", "mean list?"),
        ({**leaf("tenant.plan", "contains", "a"), "as": None}, Code.INVALID_CONDITION, "when.as", "as must be one of"),
        ({**leaf("roles", "less_than", 1), "as": "number"}, Code.INVALID_CONDITION, "when.as", "is a list"),
        ({**leaf("tenant.plan", "equals", "a"), "as": "list"}, Code.NEVER_HOLDS, "when.value", "use contains"),
        ({**leaf("tenant.plan", "in", [["a"], "a"]), "as": "list"}, Code.NEVER_HOLDS, "when.value.1", "use contains"),
        ({**leaf("tenant.plan", "starts_with", "a"), "as": "list"}, Code.NEVER_HOLDS, "when.op", "is a list"),
        (leaf("tenant.id", "equals", "{client.name}"), Code.TEMPLATE_IN_LITERAL, "when.value", "the literal itself"),
        (leaf("tenant.id", "in", ["a", "{ roles }"]), Code.TEMPLATE_IN_LITERAL, "when.value.1", "the literal itself"),
        (leaf("user.claims.a", "equals", {"from": "tenant.id"}), Code.TEMPLATE_IN_LITERAL, "when.value", "the literal"),
        ({"field": "user.claims.n", "op": "less_than", "value": True}, Code.INVALID_CONDITION, "when.value", "number"),
        (leaf("user.claims.n", "contains", ["a"]), Code.INVALID_CONDITION, "when.value", "text, a number"),
        (leaf("user.claims.n", "in", "abc"), Code.INVALID_CONDITION, "when.value", "a list"),
        (leaf("tenant.plan", "like", "p"), Code.UNKNOWN_OPERATOR, "when.op", "there is no op like"),
        (leaf("tenant.plan", "start_with", "p"), Code.UNKNOWN_OPERATOR, "when.op", "did you mean starts_with?"),
        (leaf("tenant.plann", "equals", "p"), Code.UNKNOWN_PATH, "when.field", "did you mean tenant.plan?"),
        (leaf("user.attribute.x", "equals", "p"), Code.UNKNOWN_PATH, "when.field", "did you mean user.attributes.x?"),
        (leaf("user.claims.", "equals", "p"), Code.UNKNOWN_PATH, "when.field", "there is no path"),
        (leaf("tenant.plan", "less_than", 5), Code.NEVER_HOLDS, "when.op", "less_than never holds"),
        (leaf("roles", "starts_with", "a"), Code.NEVER_HOLDS, "when.op", "is a list"),
        (leaf("tenant.plan", "equals", 5), Code.NEVER_HOLDS, "when.value", "is text"),
        (leaf("tenant.plan", "in", ["a", 5]), Code.NEVER_HOLDS, "when.value.1", "is text"),
        (leaf("user.groups", "contains", 5), Code.NEVER_HOLDS, "when.value", "only text"),
        (leaf("user.groups", "in", ["Staff"]), Code.NEVER_HOLDS, "when.value.0", "use contains"),
        (leaf("user.groups", "not_equals", "Staff"), Code.NEVER_HOLDS, "when.value", "use contains"),
        (leaf("tenant.plan", "not_equals", 5), Code.NEVER_HOLDS, "when.value", "so not_equals always holds"),
        (leaf("roles", "contains", "edtor"), Code.UNKNOWN_ROLE, "when.value", "did you mean editor?"),
        (leaf("roles", "not_equals", ["editor", "edtor"]), Code.UNKNOWN_ROLE, "when.value.1", "did you mean editor?"),
        (leaf("roles", "in", [["editor"], ["edtor"]]), Code.UNKNOWN_ROLE, "when.value.1.0", "did you mean editor?"),
        ({"not": {"any": [PRO, {"all": [leaf("x", "in", [])]}]}}, Code.UNKNOWN_PATH, "when.not.any.1.all.0.field", ""),
    ],
)  # fmt: skip
def test_a_malformed_condition_is_refused_where_it_is_wrong(
    when: dict[str, Any], code: Code, attribute: str, words: str
) -> None:
    found = the_finding({"when": when, "claims": {"x": 1}}, roles={"editor": {}})
    assert found[:2] == (code, attribute)
    assert words in found[2]


@pytest.mark.parametrize(
    "when",
    [
        leaf("user.groups", "equals", ["Admins", "Staff"]),
        leaf("user.groups", "in", [["Admins"], []]),
        leaf("user.claims.n", "equals", {"a": [1]}),
        leaf("user.claims.n", "contains", 5),
        leaf("tenant.plan", "in", frozenset({"pro", "free"})),
        leaf("tenant.plan", "contains_text", "pro"),
        {**leaf("user.attributes.custom:groups", "contains", "admins"), "as": "list"},
        {**leaf("user.attributes.custom:groups", "contains", 1001), "as": "list"},
        {**leaf("user.attributes.custom:groups", "equals", [1001, "a"]), "as": "list"},
        {**leaf("user.attributes.custom:level", "greater_than", 3), "as": "number"},
        {**leaf("user.groups", "contains", "admins"), "as": "list"},
        leaf("tenant.name", "equals", '{"a": 1}'),
        leaf("user.claims.n", "equals", {"value": 1}),
        leaf("roles", "contains", "editor"),
        leaf("roles", "in", [["editor"], []]),
        {"field": "tenant.id", "op": "exists"},
        {"field": "tenant.id", "op": "exists", "value": False},
        leaf("user.attributes.custom:x y.z", "starts_with", ""),
    ],
)
def test_a_condition_of_the_grammar_is_accepted(when: dict[str, Any]) -> None:
    assert findings_of({"when": when, "claims": {"x": 1}}, roles={"editor": {}}) == []


@pytest.mark.parametrize(("parts", "fine"), [(MAX_NODES - 1, True), (MAX_NODES, False)])
def test_the_number_of_parts_of_a_condition_is_limited(parts: int, fine: bool) -> None:  # noqa: FBT001 - a case of the test
    found = findings_of({"when": {"any": [PRO] * parts}, "claims": {"x": 1}})
    assert [code for code, _, _ in found] == ([] if fine else [Code.CONDITION_TOO_LARGE])


@given(conditions)
def test_the_engine_compiles_every_condition_that_lint_accepts(when: dict[str, Any]) -> None:
    row = {"pk": "POLICY", "sk": "RULE#r", "order": 10, "when": when}
    draft = from_rows([*policy_rows(roles={"editor": {}}), row])
    if all(finding.severity == "warning" for finding in lint(draft)):
        [rule] = compile_policy(draft)["rules"]
        compiled(rule["when"])


# Conditions that are never true.


@pytest.mark.parametrize(
    "when",
    [
        {"all": [PRO, leaf("tenant.plan", "equals", "free")]},
        {"all": [PRO, {"not": PRO}]},
        {"all": [PRO, leaf("tenant.plan", "not_equals", "pro")]},
        {"all": [PRO, {"field": "tenant.plan", "op": "exists", "value": False}]},
        {"all": [{"field": "tenant.id", "op": "exists", "value": False}, leaf("tenant.id", "starts_with", "a")]},
        {"all": [leaf("tenant.plan", "in", ["a", "b"]), leaf("tenant.plan", "in", ["c"])]},
        {"all": [leaf("tenant.plan", "in", ["a", "b"]), leaf("tenant.plan", "ends_with", "c")]},
        {"all": [{"all": [PRO]}, {"any": [leaf("tenant.plan", "equals", x) for x in "ab"]}]},
        {"any": [{"all": [PRO, {"not": PRO}]}, leaf("tenant.plan", "in", [])]},
        {"not": {"any": [leaf("request.source", "in", sorted(SOURCES))]}},
        leaf("request.source", "equals", "TokenGeneration_Refresh"),
        leaf("user.status", "equals", "suspended"),
        leaf("tenant.plan", "in", []),
        {"all": [leaf("user.claims.n", "less_than", 3), leaf("user.claims.n", "greater_than", 3)]},
    ],
)
def test_a_condition_that_can_never_be_true_is_reported(when: dict[str, Any]) -> None:
    assert the_finding({"when": when, "claims": {"x": 1}})[:2] == (Code.RULE_NEVER_APPLIES, "when")


@pytest.mark.parametrize(
    "when",
    [
        {"any": [PRO, {"not": PRO}]},
        {"all": [PRO, leaf("tenant.plan", "in", ["pro"])]},
        {"all": [PRO, leaf("tenant.name", "equals", "free")]},
        {"all": [{"not": PRO}, {"field": "tenant.plan", "op": "exists", "value": False}]},
        {"all": [leaf("user.claims.n", "less_than", 4), leaf("user.claims.n", "greater_than", 3)]},
        {"all": [leaf("user.claims.n", "equals", 1.0), leaf("user.claims.n", "in", [1])]},
        leaf("request.source", "ends_with", "RefreshTokens"),
        leaf("tenant.status", "not_equals", "active"),
    ],
)
def test_a_condition_that_may_be_true_is_not_reported(when: dict[str, Any]) -> None:
    assert findings_of({"when": when, "claims": {"x": 1}}) == []


_few = st.sampled_from(["a", "b", 1, 1.0, 2, True, ["a"], []])
_leaves = st.fixed_dictionaries(
    {"field": st.sampled_from(["p", "q"]), "op": st.sampled_from(sorted(OPERATORS)), "value": _few}
).filter(
    lambda one: (
        (one["op"] != "in" or isinstance(one["value"], list))
        and (one["op"] not in ("less_than", "greater_than") or type(one["value"]) in (int, float))
    )
)
_branches = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=4,
)


class Known(dict[str, Any]):
    """What the paths lead to."""

    @staticmethod
    def has_text(values: list[Any], text: str) -> bool:
        return text in values


@given(st.lists(_branches, min_size=2, max_size=4), st.data())
def test_a_condition_reported_as_never_true_is_never_true(parts: list[Any], data: st.DataObject) -> None:
    if not is_unsatisfiable({"all": parts}):
        return
    test = compiled({"all": parts})
    values = st.one_of(_few, st.just(MISSING), st.integers(0, 3))
    for _ in range(10):
        known: Any = Known({path: data.draw(values) for path in sorted(set(fields({"all": parts})))})
        assert not test(known), known


# Values.


@pytest.mark.parametrize(
    ("value", "code", "attribute", "words"),
    [
        ({"from": "tenant.plann"}, Code.UNKNOWN_PATH, "claims.x.from", "did you mean tenant.plan?"),
        ({"from": 5}, Code.INVALID_EXPRESSION, "claims.x.from", "must be a path"),
        ({"from": "tenant.plan", "defalt": 1}, Code.INVALID_EXPRESSION, "claims.x", "did you mean default?"),
        ({"from": "tenant.plan", "value": 1}, Code.INVALID_EXPRESSION, "claims.x", "without other keys"),
        ({"value": 1, "unit": "m"}, Code.INVALID_EXPRESSION, "claims.x", "{value: …}"),
        ({"from": "tenant.plan", "as": "nubmer"}, Code.INVALID_EXPRESSION, "claims.x.as", "did you mean number?"),
        ({"from": "tenant.plan", "as": ["list"]}, Code.INVALID_EXPRESSION, "claims.x.as", "as must be one of"),
        ({"from": "roles", "as": "string"}, Code.INVALID_EXPRESSION, "claims.x.as", "is a list"),
        ({"from": "tenant.plan", "default": None}, Code.UNSUPPORTED_VALUE, "claims.x.default", "null"),
        ({"from": "tenant.plan", "default": {"from": "x"}}, Code.INVALID_EXPRESSION, "claims.x.default", "a literal"),
        ({"template": 5}, Code.INVALID_EXPRESSION, "claims.x.template", "text"),
        ({"template": "{"}, Code.INVALID_EXPRESSION, "claims.x.template", "a brace stands alone"),
        ({"template": "{}"}, Code.UNKNOWN_PATH, "claims.x.template", "there is no path"),
        ({"template": "{tenant.plann}"}, Code.UNKNOWN_PATH, "claims.x.template", "did you mean tenant.plan?"),
        ({"template": "{roles}"}, Code.INVALID_EXPRESSION, "claims.x.template", "roles is a list"),
        ({"plan": {"from": "tenant.plann"}}, Code.UNKNOWN_PATH, "claims.x.plan.from", "did you mean tenant.plan?"),
        (["a", {"form": 1, "from": "roles"}], Code.INVALID_EXPRESSION, "claims.x.1", "without other keys"),
        ([{"plan": {"from": "tenant.plan"}}], Code.UNSUPPORTED_VALUE, "claims.x", "array"),
        (
            {"from": "roles", "default": {"a": {"from": "roles"}}},
            Code.INVALID_EXPRESSION,
            "claims.x.default.a",
            "{value",
        ),
        ({"value": None}, Code.UNSUPPORTED_VALUE, "claims.x.value", "null"),
        ({"value": [[1]]}, Code.UNSUPPORTED_VALUE, "claims.x.value", "array"),
        (None, Code.UNSUPPORTED_VALUE, "claims.x", "null"),
    ],
)
def test_a_malformed_expression_is_refused(value: object, code: Code, attribute: str, words: str) -> None:
    found = the_finding({"claims": {"x": value}})
    assert found[:2] == (code, attribute)
    assert words in found[2]


@pytest.mark.parametrize("value", [{"from": "roles"}, {"from": "user.claims.a", "as": "list"}, {"value": {}}])
def test_the_id_token_takes_no_list_where_cognito_takes_none(value: object) -> None:
    assert the_finding({"id_claims": {"address": value}})[0] is Code.UNSUPPORTED_VALUE
    assert findings_of({"access_claims": {"address": value}}) == []


@given(expressions)
def test_the_engine_compiles_every_expression_that_lint_accepts(value: dict[str, Any]) -> None:
    row = {"pk": "POLICY", "sk": "RULE#r", "order": 10, "access_claims": {"x": value}}
    draft = from_rows([*policy_rows(), row])
    if not lint(draft):
        [rule] = compile_policy(draft)["rules"]
        compiled_value(rule["access_claims"]["x"])


# Trust.

AUTHORITY = {
    "add_scopes": ["a"], "suppress_scopes": ["a"], "suppress_access_claims": ["x"], "suppress_id_claims": ["x"],
    "add_groups": ["a"], "suppress_groups": ["a"],
}  # fmt: skip
UNTRUSTED = ["user.attributes.unit", "request.scopes", "request.source", "request.metadata.x"]


@pytest.mark.parametrize("path", UNTRUSTED)
@pytest.mark.parametrize("attribute", AUTHORITY)
def test_untrusted_input_decides_no_scope_no_group_and_no_suppression(path: str, attribute: str) -> None:
    ask = {"when": {"any": [PRO, {"field": path, "op": "exists"}]}, "claims": {"x": 1}}
    use = {"claims": {"x": {"from": path}}}
    fill = {"claims": {"x": {"template": "{" + path + "}"}}} if path != "request.scopes" else use
    for rule in (ask, use, fill):
        code, blamed, message = the_finding({**rule, attribute: AUTHORITY[attribute]})
        assert (code, blamed) == (Code.UNTRUSTED_INPUT, attribute)
        assert path in message
        assert findings_of(rule) == [], "ordinary claims are allowed"


@pytest.mark.parametrize("attribute", AUTHORITY)
def test_a_trusted_attribute_may_decide(attribute: str) -> None:
    rule = {"when": leaf("user.attributes.unit", "equals", "x"), attribute: AUTHORITY[attribute]}
    assert "trusted_attributes" in the_finding(rule)[2]
    assert findings_of(rule, settings={"trusted_attributes": ["unit"]}) == []


@pytest.mark.parametrize("name", ["name", "email", "email_verified", "phone_number", "preferred_username", "picture"])
def test_the_caller_does_not_decide_who_the_user_is(name: str) -> None:
    value = {"from": "request.metadata.x"}
    when = {"field": "request.metadata.x", "op": "exists"}
    for rule in ({"id_claims": {name: value}}, {"when": when, "claims": {name: "x"}}):
        assert the_finding(rule)[0] is Code.UNTRUSTED_INPUT
    assert findings_of({"when": when, "claims": {"nick": value}}) == []
    roles = {"a": {"claims": {name: value}}}
    assert [finding.code for finding in lint(from_rows(policy_rows(roles=roles)))] == [Code.UNTRUSTED_INPUT]


AWS = ["https://aws.amazon.com/tags", "https://aws.amazon.com/tags/principal_tags/Department",
       "https://aws.amazon.com/tags/transitive_tag_keys", "https://aws.amazon.com/source_identity",
       "HTTPS://AWS.Amazon.COM/Tags", "http://aws.amazon.com/tags", "https://sts.amazonaws.com/", "https://aws.amazon.com",
       " https://aws.amazon.com/tags", "https://aws.amazon.com:443/tags", "https://aws.amazon.com./tags"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path"), [*((name, "request.metadata.x") for name in AWS), *((AWS[0], path) for path in UNTRUSTED)]
)
def test_a_claim_that_aws_relies_on_reads_only_trusted_input(name: str, path: str) -> None:
    value = {"from": path}
    for attribute in ("claims", "access_claims", "id_claims"):
        assert the_finding({attribute: {name: value}})[:2] == (Code.UNTRUSTED_INPUT, f"{attribute}.{name}")
    assert the_finding({"when": {"field": path, "op": "exists"}, "claims": {name: "x"}})[0] is Code.UNTRUSTED_INPUT
    for section in ("roles", "clients"):
        rows = policy_rows(**{section: {"a": {"claims": {name: value}}}})
        assert [finding.code for finding in lint(from_rows(rows))] == [Code.UNTRUSTED_INPUT]
    assert findings_of({"claims": {name: {"from": "tenant.plan"}}}) == []
    if path.startswith("user.attributes."):
        trusted = {"trusted_attributes": [path.removeprefix("user.attributes.")]}
        assert findings_of({"claims": {name: value}}, settings=trusted) == []


@pytest.mark.parametrize("name", ["https://example.com/tags", "https://aws.amazon.com.example.com/tags", "tags",
                                  "https://example.com/aws.amazon.com/", "https://amazon.com.test/tags"])  # fmt: skip
def test_a_claim_that_only_resembles_the_namespace_of_aws_is_ordinary(name: str) -> None:
    assert findings_of({"claims": {name: {"from": "request.metadata.x"}}}) == []


# Literals that look like templates.


@pytest.mark.parametrize(
    ("section", "row", "attribute"),
    [
        ("roles", {"scopes": ["{tenant.id}/read"]}, "scopes.0"),
        ("roles", {"claims": {"x": "by {tenant.id}"}}, "claims.x"),
        ("roles", {"claims": {"x": {"a": ["b", "{ user.claims.a }"]}}}, "claims.x.a.1"),
        ("roles", {"claims": {"x": "{tenant.plann}"}}, "claims.x"),
        ("roles", {"claims": {"x": {"from": "tenant.plan", "default": "{tenant.id}"}}}, "claims.x.default"),
        ("roles", {"claims": {"{tenant.id}": 1}}, "claims.{tenant.id}"),
        ("clients", {"scopes_allowed": ["a", "{x}"]}, "scopes_allowed.1"),
        ("clients", {"suppress_scopes": ["{x}"]}, "suppress_scopes.0"),
        ("clients", {"name": "app of {tenant.id}"}, "name"),
        ("rules", {"order": 1, "add_scopes": ["a/{}"]}, "add_scopes.0"),
        ("rules", {"order": 1, "suppress_scopes": ["{client.id}/a"]}, "suppress_scopes.0"),
        ("rules", {"order": 1, "add_groups": ["{tenant.id}-staff"]}, "add_groups.0"),
        ("rules", {"order": 1, "suppress_groups": ["{tenant.id}-staff"]}, "suppress_groups.0"),
        ("rules", {"order": 1, "suppress_access_claims": ["x-{tenant.id}"]}, "suppress_access_claims.0"),
        ("rules", {"order": 1, "suppress_id_claims": ["x-{tenant.id}"]}, "suppress_id_claims.0"),
    ],
)
def test_a_literal_that_looks_like_a_template_is_refused(section: str, row: dict[str, Any], attribute: str) -> None:
    found = lint(from_rows(policy_rows(**{section: {"a": row}})))
    assert [(finding.code, finding.attribute) for finding in found] == [(Code.TEMPLATE_IN_LITERAL, attribute)]


@pytest.mark.parametrize("attribute", ["unmanaged_scopes", "privileged_scopes", "trusted_attributes"])
def test_settings_have_no_templates_either(attribute: str) -> None:
    [finding] = lint(from_rows(policy_rows(settings={attribute: ["{tenant.id}"]})))
    assert (finding.code, finding.attribute) == (Code.TEMPLATE_IN_LITERAL, f"{attribute}.0")
    assert (
        lint(from_rows(policy_rows(settings={"claim_names": {"roles": "{roles}"}})))[0].attribute == "claim_names.roles"
    )


@pytest.mark.parametrize("value", ['{"x-hasura-role": "user"}', "{}", "{{tenant}}", {"value": "{tenant.id}"},
                                   {"value": {"a": "{tenant.id}"}}, {"template": "{tenant.id}"}])  # fmt: skip
def test_literal_braces_are_accepted(value: object) -> None:
    assert findings_of({"claims": {"x": value}}) == []


# Suppression and groups.


def test_the_tenant_stays_in_the_access_token_under_the_name_it_has() -> None:
    rule = {"suppress_access_claims": ["tenant_id"]}
    assert the_finding(rule)[0] is Code.NOT_SUPPRESSIBLE
    assert findings_of(rule, settings={"claim_names": {"tenant_id": None}}) == []
    assert findings_of({"suppress_id_claims": ["tenant_id"]}) == []
    assert findings_of({"suppress_access_claims": ["roles", "policy_version"]}) == []


@pytest.mark.parametrize("group", ["", " ", "\u2003", "g" * 129])
def test_a_group_needs_a_name(group: str) -> None:
    for attribute in ("add_groups", "suppress_groups"):
        assert the_finding({attribute: [group]})[:2] == (Code.INVALID_NAME, f"{attribute}.0")


# Rules as rows.


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("order", None), ("order", "10"), ("order", 1.5), ("order", True), ("order", 10**10), ("when", None),
     ("when", "true"), ("enabled", "true"), ("optional", 1), ("add_scopes", "a"), ("claims", [])],
)  # fmt: skip
def test_the_types_in_a_rule_are_checked(attribute: str, value: object) -> None:
    assert the_finding({attribute: value})[:2] == (Code.WRONG_TYPE, attribute)


def test_a_rule_in_rows_needs_an_order() -> None:
    [finding] = lint(from_rows([*policy_rows(), {"pk": "POLICY", "sk": "RULE#r"}]))
    assert (finding.code, finding.attribute, finding.message) == (
        Code.WRONG_TYPE,
        "order",
        "this attribute is required; add it",
    )


def test_a_disabled_rule_is_reported_and_left_out() -> None:
    row = {"pk": "POLICY", "sk": "RULE#r", "order": 1, "enabled": False, "add_scopes": ["orders/read"]}
    draft = from_rows([*policy_rows(), row])
    assert [(finding.code, finding.attribute) for finding in lint(draft)] == [(Code.RULE_NEVER_APPLIES, "enabled")]
    document = compile_policy(draft)
    assert (document["rules"], document["scopes"]) == ([], [])

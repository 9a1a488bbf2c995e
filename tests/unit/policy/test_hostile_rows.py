"""Rows of any shape that a hand in the console could give a policy: lint answers with findings and never raises."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.codec import from_document
from claimsmith.errors import PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import dump, from_rows, lint, sarif
from claimsmith.policy.documents import DOCUMENTS, KINDS, Given
from claimsmith.policy.yaml import parse
from tests.property.strategies import any_value, conditions, expressions, hostile_claims, json_values

#: Every attribute of any kind of row, and one of none.
PREFIXES = [kind.prefix for kind in KINDS.values()]
ATTRIBUTES = sorted({name for model in DOCUMENTS.values() for name in model.model_fields} | {"id", "name", "odd"})

_parts = st.dictionaries(
    st.sampled_from([*Given.model_fields, "access", "id", "absent", "scopes", "groups", "refused"]),
    st.one_of(any_value, st.dictionaries(st.sampled_from(["id", "sub", "roles", "source", "scopes"]), any_value)),
    max_size=3,
)
_contents = st.dictionaries(
    st.sampled_from(ATTRIBUTES),
    st.one_of(any_value, hostile_claims, conditions, expressions, _parts, st.dictionaries(st.text(), expressions)),
    max_size=4,
)
_sort_keys = st.one_of(
    st.just("SETTINGS"),
    st.builds(
        lambda prefix, name: prefix + name,
        st.sampled_from(PREFIXES),
        st.text(max_size=3),
    ),
    st.text(max_size=6),
)


@given(st.dictionaries(_sort_keys, _contents, max_size=4))
def test_lint_never_raises_and_what_has_no_error_compiles_to_what_the_engine_reads(
    rows: dict[str, dict[str, Any]],
) -> None:
    draft = from_rows({**attributes, "pk": "POLICY", "sk": sk} for sk, attributes in rows.items())
    findings = lint(draft)
    assert len(sarif.log(findings)["runs"][0]["results"]) == len(findings)
    if any(finding.severity == "error" for finding in findings):
        with suppress(PolicyError):
            compile_policy(draft)
            raise AssertionError("it has an error and compiles")
    else:
        from_document(compile_policy(draft), 1)


@given(st.sampled_from(["RULE#r", "TEST#t"]), json_values, json_values, expressions)
def test_a_rule_and_a_test_with_anything_in_them_are_refused_or_understood(
    sk: str, first: object, second: object, expression: object
) -> None:
    row = {"RULE#r": {"order": 1, "when": first, "claims": {"x": second, "y": expression}},
           "TEST#t": {"given": first, "expect": second}}[sk]  # fmt: skip
    draft = from_rows([{"pk": "POLICY", "sk": "SETTINGS"}, {"pk": "POLICY", "sk": sk, **row}])
    if all(finding.severity == "warning" for finding in lint(draft)):
        assert compile_policy(parse(dump(draft), "policy.yaml", {})) == compile_policy(draft)


def test_rows_that_nest_as_deep_as_a_table_can_are_refused_and_not_followed() -> None:
    deep: Any = "x"
    for _ in range(31):
        deep = {"not": deep}
    for attribute in ("when", "claims", "given"):
        draft = from_rows([{"pk": "POLICY", "sk": "RULE#r", "order": 1, attribute: deep}])
        assert lint(draft)


def test_a_file_that_nests_without_end_is_refused_before_it_is_composed() -> None:
    for opening in ("[", "{a: ", "- ", "? "):
        with suppress(PolicyError):
            parse("settings: " + opening * 100_000, "policy.yaml", {})
            raise AssertionError("it was read")

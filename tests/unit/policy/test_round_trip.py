"""Rows and files are equivalent: conversion loses nothing but who wrote a row and the numbers of ``order``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, PolicyError
from claimsmith.policy import Draft, dump, from_rows
from claimsmith.policy.dump import dump_json
from claimsmith.policy.literals import plain
from claimsmith.policy.yaml import parse
from claimsmith.store.attributes import decode_row, encode_row
from tests.property.strategies import GROUPS, ROLES, SCOPES, attributes, conditions, expressions, fractions, integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

#: Text that some YAML reader would take for something else, or for a variable.
_TRAPS = [
    "", " ", "null", "~", "true", "Yes", "off", "y", "1", "1e3", "0o17", "0x1F", "1_000", "12:30", "2026-11-21", ".inf",
    "<<", "=", "- a", "a: b", "a #b", "#", "&a", "*a", "!a", "|", ">", "%", "@a", "`a`", "'a'", '"a"', "[a]", "{a}",
    "a\nb", "a\n\nb\n", "a\n b", "a \nb", "\na", "a\r\nb", "\t", "\ufeff", "\x85", "\u2028", "\U0010ffff", "\x00", "é",
    "${X}", "$${X}", "$$${X}", "a${X}b$${Y}", "${", "$X", "${X-y}", "?", "-", ":", "a:", "---", "...",
]  # fmt: skip

texts = st.one_of(st.sampled_from(_TRAPS), st.text(max_size=8))
scalars = st.one_of(texts, integers, fractions, st.booleans(), st.floats(1e-9, 1e9), st.sampled_from([1e30, 1e-7]))
values = st.recursive(
    st.one_of(scalars, st.none(), st.frozensets(texts, min_size=1, max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
names = st.one_of(st.sampled_from([*ROLES, *GROUPS]), texts.filter(bool))
strings = st.lists(texts, max_size=3)
sets = st.frozensets(texts, min_size=1, max_size=3)
some_names = st.one_of(strings, sets)
signed = {"updated_by": texts, "updated_at": integers, "description": texts}
claims = st.dictionaries(texts, st.one_of(values, expressions), max_size=3)
all_claims = {"claims": claims, "access_claims": claims, "id_claims": claims}


def rows_of(prefix: str, sk: SearchStrategy[str], content: SearchStrategy[Any]) -> SearchStrategy[list[Any]]:
    """Rows of one kind, with different keys."""
    return st.dictionaries(sk, content, max_size=3).map(
        lambda entries: [{"pk": "POLICY", "sk": prefix + name, **row} for name, row in entries.items()]
    )


policies = st.tuples(
    attributes(unmanaged_scopes=some_names, claim_names=st.dictionaries(texts, texts), cache_seconds=integers, **signed)
    .map(lambda row: [{"pk": "POLICY", "sk": "SETTINGS", **row}]),
    rows_of("ROLE#", names, attributes(scopes=some_names, inherits=some_names, odd=values, **all_claims, **signed)),
    rows_of("GROUP#", names, attributes(roles=some_names, **signed)),
    rows_of("CLIENT#", names, attributes(scopes_allowed=some_names, audience=st.booleans(), **all_claims, **signed)),
    rows_of(
        "RULE#",
        names,
        st.builds(
            lambda order, row: {"order": order, **row},
            st.integers(-50, 50),
            attributes(when=conditions, add_scopes=st.lists(st.sampled_from(SCOPES)), **all_claims, **signed),
        ),
    ),
    rows_of("ROUTE#", names, attributes(path=texts, any_scope=some_names, audience=some_names, **signed)),
    rows_of("TEST#", names, attributes(given=values, expect=values, **signed)),
).map(lambda kinds: [row for rows in kinds for row in rows])  # fmt: skip


def renumbered(rows: list[dict[str, Any]]) -> Draft:
    """The policy with its rules numbered as a file numbers them."""
    rules = sorted((row["order"], row["sk"]) for row in rows if row["sk"].startswith("RULE#"))
    orders = {sk: 10 * (index + 1) for index, (_, sk) in enumerate(rules)}
    return from_rows({**row, "order": orders[row["sk"]]} if row["sk"] in orders else row for row in rows)


@given(policies)
def test_rows_written_as_a_file_and_read_back_are_the_same_policy(rows: list[dict[str, Any]]) -> None:
    stored = [decode_row(encode_row(row)) for row in rows]
    draft = from_rows(stored)
    assert parse(dump(draft), "policy.yaml", {}).digest() == renumbered(rows).digest()
    as_json = dump_json(draft)
    # JSON has no sets.
    assert parse(as_json, "policy.json", {}).digest() == renumbered([plain(row) for row in rows]).digest()
    json.loads(as_json)


@given(policies)
def test_a_file_stored_as_rows_and_written_again_is_the_same_file(rows: list[dict[str, Any]]) -> None:
    text = dump(from_rows(rows))
    stored = [decode_row(encode_row(row)) for row in parse(text, "policy.yaml", {}).rows()]
    assert dump(from_rows(reversed(stored))) == text


@given(texts)
def test_text_is_read_as_the_same_text_by_any_yaml_reader(text: str) -> None:
    written = dump(from_rows([{"pk": "POLICY", "sk": "SETTINGS", "description": text}]))
    # Nothing but a quoted or plainly textual scalar can be mistaken by a reader of another version of YAML.
    root = yaml.compose(written)
    assert isinstance(root, yaml.MappingNode)
    [(_, node)] = root.value[0][1].value
    assert node.style in ('"', "|") or (node.value[0].isalpha() and node.value.isascii())
    assert "${" in text or node.value == text


def test_rules_are_written_in_their_order_and_renumbered() -> None:
    rows = [{"pk": "POLICY", "sk": f"RULE#{name}", "order": order} for name, order in (("a", 7), ("b", -1), ("c", 7))]
    draft = parse(dump(from_rows(rows)), "policy.yaml", {})
    assert {row["sk"]: row["order"] for row in draft.rows()} == {"RULE#b": 10, "RULE#a": 20, "RULE#c": 30}


def test_a_file_is_written_for_people() -> None:
    rows: list[dict[str, Any]] = [
        {"pk": "POLICY", "sk": "RULE#plan", "order": 10, "description": "One.\nTwo.", "updated_by": "somebody",
         "claims": {"b": {"as": "number", "from": "tenant.plan"}, "a": 1},
         "when": {"all": [{"value": "pro", "op": "equals", "field": "tenant.plan"}]}},
        {"pk": "POLICY", "sk": "SETTINGS"},
        {"pk": "POLICY", "sk": "CLIENT#1example23456789", "scopes_allowed": ["orders/read"]},
    ]  # fmt: skip
    assert dump(from_rows(rows)) == (
        'settings: {}\n\nclients:\n  "1example23456789":\n    scopes_allowed:\n      - orders/read\n\n'
        "rules:\n  - id: plan\n    description: |-\n      One.\n      Two.\n    when:\n      all:\n"
        "        - field: tenant.plan\n          op: equals\n          value: pro\n"
        "    claims:\n      a: 1\n      b:\n        from: tenant.plan\n        as: number\n"
    )


def test_a_ceiling_that_is_a_set_stays_one_so_that_lint_can_still_refuse_it() -> None:
    rows = [{"pk": "POLICY", "sk": "CLIENT#web", "scopes_allowed": frozenset({"orders/read"})}]
    [entry] = parse(dump(from_rows(rows)), "policy.yaml", {}).entries
    assert entry.attributes["scopes_allowed"] == {"orders/read"}


#: A ceiling in a row of its own and in what a test gives, by how it is written.
CEILINGS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "a client's": lambda scopes: {"sk": "CLIENT#web", "scopes_allowed": scopes},
    "a test's": lambda scopes: {"sk": "TEST#one", "given": {"tenant": {"id": "acme", "scopes_allowed": scopes}}},
}


@pytest.mark.parametrize("row", CEILINGS.values(), ids=CEILINGS.keys())
def test_a_ceiling_that_is_a_set_is_not_the_same_policy_as_the_list_that_repairs_it(
    row: Callable[[Any], dict[str, Any]],
) -> None:
    as_list, as_set, as_another = (
        from_rows([decode_row(encode_row({"pk": "POLICY", **row(ceiling)}))]).digest()
        for ceiling in (["a/b", "b/c"], {"b/c", "a/b"}, {"a/b"})
    )
    assert len({as_list, as_set, as_another}) == 3


def test_a_claim_may_be_a_list_or_a_set_whatever_its_name() -> None:
    as_list, as_set = (
        from_rows([{"pk": "POLICY", "sk": "ROLE#viewer", "claims": {"scopes_allowed": value}}]).digest()
        for value in (["a/b"], {"a/b"})
    )
    assert as_list == as_set


def test_a_file_that_names_things_by_numbers_has_a_digest_too() -> None:
    """Lint is who refuses it."""
    one, two = (parse(f"tests: [{{name: a, given: {{tenant: {{1: {n}}}}}}}]", "policy.yaml", {}) for n in (1, 2))
    assert one.digest() != two.digest()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"sk": "ROLES#a"}, Code.UNKNOWN_ROW),
        ({"sk": "RULE#a"}, Code.WRONG_TYPE),
        ({"sk": "RULE#a", "order": "1"}, Code.WRONG_TYPE),
        ({"sk": "RULE#a", "order": 1, "id": "b"}, Code.UNKNOWN_ATTRIBUTE),
        ({"sk": "TEST#a", "name": "b"}, Code.UNKNOWN_ATTRIBUTE),
        ({"sk": "ROUTE#"}, Code.INVALID_NAME),
    ],
)
def test_what_no_file_can_say_is_refused_and_not_left_out(row: dict[str, Any], code: Code) -> None:
    with pytest.raises(PolicyError) as refused:
        dump(from_rows([{"pk": "POLICY", **row}]))
    assert refused.value.code is code


def test_an_order_in_a_file_is_refused_with_its_line() -> None:
    with pytest.raises(PolicyError) as refused:
        parse("settings: {}\nrules:\n  - id: a\n    order: 5\n", "policy.yaml", {})
    assert refused.value.code is Code.UNKNOWN_ATTRIBUTE
    assert "policy.yaml:4" in refused.value.message


def test_a_second_dollar_makes_a_variable_plain_text() -> None:
    [entry] = parse('settings: {description: "$${X} costs $$${X} or ${X}"}', "policy.yaml", {"X": "5"}).entries
    assert entry.attributes["description"] == "${X} costs $${X} or 5"

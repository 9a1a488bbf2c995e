"""Parsers refuse with their own error, whatever they are given, and read what they accept as it was written."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.claims import TOKENS, UnacceptableError, accepted, checked
from claimsmith.cognito.event import Request, parse
from claimsmith.engine.bundle import Bundle, BundleError, decode, encode
from claimsmith.engine.facts import Problem, Tenant, read_tenant, read_user
from claimsmith.errors import EventError, PolicyError
from claimsmith.policy import Draft, from_rows, lint
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.yaml import parse as parse_yaml
from claimsmith.store.attributes import decode_row, encode_row
from tests.policies import NOW, bundle, policy_rows
from tests.property.strategies import (
    Policy,
    any_events,
    any_value,
    hostile_attributes,
    hostile_claims,
    hostile_directories,
    integers,
    json_values,
    plain,
    policies,
)

# Events.


@given(json_values)
def test_any_json_is_an_event_or_an_event_error(value: object) -> None:
    with suppress(EventError):
        parse(value)


PARTS: list[tuple[str, ...]] = [
    ("version",),
    ("triggerSource",),
    ("userName",),
    ("callerContext",),
    ("callerContext", "clientId"),
    ("request",),
    ("request", "userAttributes"),
    ("request", "userAttributes", "sub"),
    ("request", "groupConfiguration"),
    ("request", "groupConfiguration", "groupsToOverride"),
    ("request", "scopes"),
    ("request", "clientMetadata"),
    ("response",),
    ("something",),
]


@given(any_events, st.sampled_from(PARTS), json_values)
def test_an_event_with_any_part_replaced_by_anything_is_read_or_refused(
    event: dict[str, Any], path: tuple[str, ...], value: object
) -> None:
    parent: Any = event
    for name in path[:-1]:
        if not isinstance(parent.get(name), dict):
            return
        parent = parent[name]
    parent[path[-1]] = value
    with suppress(EventError):
        request = parse(event)
        assert isinstance(request, Request)
        assert all(isinstance(text, str) for text in (*request.scopes, *request.groups, *request.metadata.values()))


# Policy files.

_words = "settings roles clients routes &a *a << !!set !!binary !!int !!bool !!float !!timestamp !!omap ! ${X} ${Y} ${"
_marks = ": - { } [ ] , ' | > ? # % --- ... null true 1.5 0x .nan \\U \\ud800 2024-13-45"
_fragments = st.lists(
    st.one_of(st.sampled_from([*_words.split(), *_marks.split(), '"', " ", "\n", "\n  "]), st.text(max_size=3)),
    max_size=20,
).map("".join)


@given(st.one_of(st.text(), _fragments))
def test_any_text_is_a_draft_or_a_policy_error(text: str) -> None:
    try:
        draft = parse_yaml(text, "policy.yaml", {"X": "x"})
    except PolicyError:
        return
    assert isinstance(draft, Draft)
    lint(draft)


@given(policies())
def test_a_policy_written_as_yaml_is_read_back_as_the_same_policy(policy: Policy) -> None:
    sections = policy.sections()
    # Through JSON, so that no part stands in it twice: YAML would write an alias for the second one.
    from_file = parse_yaml(yaml.safe_dump(json.loads(json.dumps(sections))), "policy.yaml", {})
    assert from_file.digest() == from_rows(policy_rows(**sections)).digest()
    assert compile_policy(from_file) == compile_policy(from_rows(policy_rows(**sections)))


_sort_keys = st.one_of(
    st.sampled_from(["SETTINGS", "ROLE#a", "ROLE#", "GROUP#Staff", "CLIENT#web", "ROUTE#r", "TEST#t", "RULE#x"]),
    st.text(max_size=6),
)
_names = "scopes inherits roles claims access_claims tenant scopes_allowed claim_names ttl default_roles cache_seconds"
_more_names = "publish path method tenant_from any_role order when enabled given expect anything"
_policy_attributes = st.dictionaries(
    st.sampled_from([*_names.split(), *_more_names.split()]), st.one_of(any_value, hostile_claims), max_size=4
)


@given(st.dictionaries(_sort_keys, _policy_attributes, max_size=5))
def test_lint_finds_and_never_raises_and_what_it_passes_compiles(rows: dict[str, dict[str, Any]]) -> None:
    draft = from_rows({**attributes, "pk": "POLICY", "sk": sk} for sk, attributes in rows.items())
    draft.digest()
    if findings := lint(draft):
        assert all(finding.code.startswith("CS1") for finding in findings)
    else:
        assert isinstance(decode(*encode(compile_policy(draft)), 1), Bundle)


# Bundles.


@given(st.binary(max_size=200), st.text(max_size=64))
def test_any_bytes_are_no_bundle(data: bytes, digest: str) -> None:
    with suppress(BundleError):
        decode(data, digest, 1)


@given(json_values)
def test_any_document_is_a_bundle_or_a_bundle_error(document: Any) -> None:  # noqa: ANN401 - any JSON value
    with suppress(BundleError):
        decode(*encode(document), 1)


@given(policies(), st.sampled_from(["format", "settings", "roles", "groups", "clients"]), json_values)
def test_a_document_with_any_part_replaced_is_a_bundle_or_a_bundle_error(
    policy: Policy, part: str, value: object
) -> None:
    document = compile_policy(from_rows(policy_rows(**policy.sections()))) | {part: value}
    with suppress(BundleError):
        decode(*encode(document), 1)


@given(policies())
def test_a_policy_survives_being_stored(policy: Policy) -> None:
    document = compile_policy(from_rows(policy_rows(**policy.sections())))
    assert decode(*encode(document), 7) == bundle(**policy.sections())


# Rows and claims.


@given(hostile_directories())
def test_rows_of_any_shape_are_read_or_reported(rows: list[dict[str, Any]]) -> None:
    read = read_user([row for row in rows if row["pk"].startswith("USER#")], NOW)
    assert all(problem.row and problem.attribute and problem.why for problem in read.problems)
    assert (read.user is None) == any(problem.row.endswith(" USER") for problem in read.problems)


@given(hostile_attributes)
def test_a_tenant_row_of_any_shape_is_a_tenant_a_problem_or_gone(attributes: dict[str, Any]) -> None:
    read = read_tenant({**attributes, "pk": "TENANT#acme", "sk": "TENANT"}, NOW)
    assert read is None or isinstance(read, Tenant | Problem)


@given(st.sampled_from(TOKENS), st.text(max_size=5), any_value)
def test_a_claim_value_is_taken_as_json_or_refused(token: Any, name: str, value: object) -> None:  # noqa: ANN401 - a literal
    with suppress(UnacceptableError):
        taken = checked(token, name, value)
        assert json.loads(json.dumps(taken, allow_nan=False)) == taken
        assert accepted(taken) == taken


_storable = st.recursive(
    plain
    | st.none()
    | st.binary(max_size=5)
    | st.frozensets(st.text(), min_size=1, max_size=3)
    | st.frozensets(integers, min_size=1, max_size=3),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), _storable, max_size=3))
def test_a_row_survives_being_written_and_read(row: dict[str, Any]) -> None:
    assert decode_row(encode_row(row)) == row

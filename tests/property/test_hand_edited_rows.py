"""Rows of every wrong shape that DynamoDB can hold: the trigger answers or refuses with a code; so does publishing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.engine.codec import encode
from claimsmith.errors import Code, SignInRefusedError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.policy.documents import DOCUMENTS
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import Result, publish
from claimsmith.store.attributes import encode_row
from claimsmith.store.dynamodb import Table
from tests.events import CLIENT, SIGN_IN, SUB, event
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row
from tests.property import referee
from tests.property.strategies import FORBIDDEN_NAMES, ROLES, SCOPES, TENANTS

#: Names that look like one another, are not ASCII, or are syntax elsewhere.
ODD_TEXTS = [
    "",
    " ",
    "\u0430cme",
    "ACME",
    "acme\u200b",
    "Ω",
    "🦊",
    "a#b",
    "${x}",
    "{tenant.id}",
    "NaN",
    "__proto__",
    "x" * 3000,
]
texts = st.one_of(st.sampled_from([*ODD_TEXTS, *ROLES, *SCOPES, *TENANTS, *FORBIDDEN_NAMES]), st.text(max_size=5))
numbers = st.sampled_from(["0", "-1", "1.5", "1E+125", "-9.9E-130", "1800000000", "1800000000000", "9" * 38])

#: Attribute values as DynamoDB holds them, of every type.
attribute_values = st.recursive(
    st.one_of(
        texts.map(lambda text: {"S": text}),
        numbers.map(lambda number: {"N": number}),
        st.booleans().map(lambda value: {"BOOL": value}),
        st.just({"NULL": True}),
        st.binary(max_size=3).map(lambda octets: {"B": octets}),
        st.lists(texts, min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members}),
        st.lists(numbers, min_size=1, max_size=2, unique=True).map(lambda members: {"NS": members}),
        st.just({"BS": [b"x"]}),
        st.just({"L": [{"S": "x"}] * 500}),
        st.just(json.loads('{"L":[' * 30 + '{"S":"deep"}' + "]}" * 30)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(texts, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)

DIRECTORY_ATTRIBUTES = [
    "status", "active_tenant", "active_tenant_by_client", "roles", "claims", "access_claims", "id_claims", "username",
    "scopes", "expires_at", "ttl", "name", "plan", "default_roles", "roles_allowed", "scopes_allowed", "unknown",
]  # fmt: skip

GOOD: list[dict[str, Any]] = [
    user_row(SUB, active_tenant="acme"),
    membership_row(SUB, "acme", roles=["viewer"]),
    tenant_row("acme", name="Acme"),
]
POLICY = policy_rows(roles={name: {"scopes": ["orders/read"]} for name in ROLES}, clients={CLIENT: {"name": "web"}})


def edits(names: list[str], at_most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """What somebody wrote into a row, over what was there."""
    return st.dictionaries(st.sampled_from(names), attribute_values, max_size=at_most)


def key(row: dict[str, Any]) -> tuple[str, str]:
    return row["pk"], row["sk"]


def in_force() -> list[dict[str, Any]]:
    document, digest = encode(compile_policy(from_rows(POLICY)))
    return [
        {"pk": table.BUNDLE, "sk": table.CURRENT, "version": 1, "digest": digest, "revision": 1, "hold": False},
        {"pk": table.BUNDLE, "sk": table.version_sk(1), "digest": digest, "document": document},
    ]


def answered(stored: MemoryDynamoDB, on_failure: Any = "deny") -> dict[str, Any] | Code:  # noqa: ANN401 - a literal
    """The answer, kept to the contract, or the code of the refusal."""
    asked = event(SIGN_IN, groups=["Staff"])
    try:
        issued = Issuer(Table(stored, "claimsmith"), on_failure, clock=lambda: NOW).issue(asked)
    except SignInRefusedError as refused:
        return refused.code
    response: dict[str, Any] = issued.event["response"]
    referee.check(asked, response)
    return response


@given(st.lists(edits(DIRECTORY_ATTRIBUTES), min_size=3, max_size=3))
def test_no_row_of_the_directory_makes_the_trigger_do_more_than_refuse_with_a_code(
    edited: list[dict[str, Any]],
) -> None:
    stored = holding([*in_force(), *GOOD])
    for row, edit in zip(GOOD, edited, strict=True):
        stored.items[key(row)] = {**stored.items[key(row)], **edit}
    answer = answered(stored)
    assert not isinstance(answer, Code) or answer in (Code.USER_UNREADABLE, Code.USER_SUSPENDED, Code.TOKEN_OVER_BUDGET)


POINTER_ATTRIBUTES = ["version", "digest", "revision", "hold", "candidate", "percent", "subjects", "document"]


@given(edits(POINTER_ATTRIBUTES), edits(["digest", "document"], 2), st.sampled_from(["deny", "unenriched"]))
def test_no_pointer_and_no_version_makes_it_do_more_either(
    pointer: dict[str, Any], version: dict[str, Any], on_failure: str
) -> None:
    stored = holding([*in_force(), *GOOD])
    for at, edit in (((table.BUNDLE, table.CURRENT), pointer), ((table.BUNDLE, table.version_sk(1)), version)):
        stored.items[at] = {**stored.items[at], **edit}
    answer = answered(stored, on_failure)
    assert not isinstance(answer, Code) or answer in (Code.BUNDLE_UNREADABLE, Code.NO_BUNDLE)


SORT_KEYS = [
    "SETTINGS",
    "ROLE#viewer",
    "GROUP#Staff",
    f"CLIENT#{CLIENT}",
    "RULE#r",
    "ROUTE#r",
    "TEST#t",
    "ROLE#",
    "WHAT",
]
POLICY_ATTRIBUTES = sorted({name for model in DOCUMENTS.values() for name in model.model_fields} | {"unknown"})


@given(st.dictionaries(st.sampled_from(SORT_KEYS), edits(POLICY_ATTRIBUTES), max_size=4))
def test_no_row_of_the_policy_is_published_or_refused_without_a_code(edited: dict[str, dict[str, Any]]) -> None:
    stored = holding([*in_force(), *POLICY, *GOOD])
    for sk, edit in edited.items():
        at = (table.POLICY, sk)
        stored.items[at] = {**stored.items.get(at, encode_row({"pk": table.POLICY, "sk": sk})), **edit}
    rows = Table(stored, "claimsmith")
    outcome = publish(rows, by="test", clock=lambda: NOW)
    if outcome.result is Result.REFUSED:
        assert outcome.findings
        assert all(finding.code.startswith("CS1") and finding.message for finding in outcome.findings)
        assert rows.get(table.PROBLEMS, table.DRAFT) is not None
    # Whatever came of it, sign-in goes on with a bundle that is whole.
    assert isinstance(answered(stored), dict)


def test_the_referee_of_these_tests_refuses_what_is_wrong() -> None:
    """A row that is right is answered, so that the tests above do not pass by refusing everything."""
    answer = answered(holding([*in_force(), *GOOD]))
    assert isinstance(answer, dict)
    access = answer["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
    assert access["claimsToAddOrOverride"]["tenant_id"] == "acme"
    assert access["scopesToAdd"] == ["orders/read"]

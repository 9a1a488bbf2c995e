"""Managed policies of people: what their commands ask is allowed, and what is not theirs is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.store.deployment import READS as READS_OF_DOCTOR
from tests.infra.permissions import LEADING_KEYS, Statement, allowed, arn, listed, wants

if TYPE_CHECKING:
    from tests.infra.template import Template


PERSONAS = ("PolicyEditor", "DirectoryEditor", "Auditor", "Operator", "Recovery")

READS = ("GetItem", "BatchGetItem", "Query")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
ROWS = (
    "POLICY",
    "BUNDLE",
    "LEASE",
    "PROBLEMS",
    "TENANT#acme",
    "USER#1",
    "REVOKED#token#1",
    "PROTECTED_RESOURCE#api",
)

#: What each may do to rows of the table, and nothing else.
READABLE = {
    "PolicyEditor": {"POLICY", "BUNDLE", "LEASE", "PROBLEMS"},
    "DirectoryEditor": {"TENANT#acme", "USER#1", "BUNDLE"},
    "Auditor": set(ROWS),
    "Operator": set(ROWS),
    "Recovery": set(ROWS),
}
WRITABLE = {
    "PolicyEditor": {(action, "POLICY") for action in WRITES},
    "DirectoryEditor": {(action, row) for action in WRITES for row in ("TENANT#acme", "USER#1")},
    "Auditor": set(),
    "Operator": {
        *((action, row) for action in ("PutItem", "DeleteItem") for row in ("POLICY", "LEASE", "PROBLEMS")),
        *((action, "PROTECTED_RESOURCE#api") for action in ("PutItem", "UpdateItem", "DeleteItem")),
        ("PutItem", "BUNDLE"),
        ("PutItem", "REVOKED#token#1"),
    },
    "Recovery": {*(("PutItem", row) for row in ROWS), ("DeleteItem", "LEASE"), ("DeleteItem", "PROBLEMS")},
}


@pytest.fixture(params=PERSONAS)
def persona(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def statements(production: Template, persona: str) -> list[Statement]:
    return _statements(production, persona)


def _statements(template: Template, persona: str) -> list[Statement]:
    document = template.properties("IAM::ManagedPolicy", f"Personas{persona}")["PolicyDocument"]
    found: list[Statement] = document["Statement"]
    return found


def _arns(template: Template) -> dict[str, dict[str, Any]]:
    """What requests name, and its ARN."""
    tables = {name: arn(template, "DynamoDB::Table", f"Claims{name}") for name in ("Table", "AuditTable")}
    return {**tables, "cognito-idp": arn(template, "Cognito::UserPool", "")}


def _index(template: Template) -> dict[str, Any]:
    return {"Fn::Join": ["", [_arns(template)["Table"], "/index/by_sk"]]}


def test_the_requests_of_their_commands_are_allowed(
    production: Template, statements: list[Statement], requests: dict[str, list[dict[str, Any]]], persona: str
) -> None:
    arns = {**_arns(production), "Table/index/by_sk": _index(production)}
    assert requests[persona]
    for request in requests[persona]:
        if request["service"] == "cognito-idp":
            wanted: list[tuple[str, str, list[str]]] = [(f"cognito-idp:{request['operation']}", "cognito-idp", [])]
        else:
            wanted = wants(request)
        for action, resource, keys in wanted:
            assert allowed(statements, action, arns[resource], keys), (action, keys)


def test_they_read_their_rows_and_no_others(production: Template, statements: list[Statement], persona: str) -> None:
    table = _arns(production)["Table"]
    for action in READS:
        assert {row for row in ROWS if allowed(statements, f"dynamodb:{action}", table, [row])} == READABLE[persona]


def test_they_write_their_rows_and_no_others(production: Template, statements: list[Statement], persona: str) -> None:
    table = _arns(production)["Table"]
    may = {
        (action, row) for action in WRITES for row in ROWS if allowed(statements, f"dynamodb:{action}", table, [row])
    }
    assert may == WRITABLE[persona]


def test_rows_of_others_cannot_be_smuggled_into_a_batch(
    production: Template, statements: list[Statement], persona: str
) -> None:
    table = _arns(production)["Table"]
    own = sorted({row for _, row in WRITABLE[persona]})
    for row in set(ROWS) - set(own):
        assert not allowed(statements, "dynamodb:BatchWriteItem", table, [*own, row])


@pytest.mark.parametrize("row", ["BUNDLE", "REVOKED#token#1", "PROTECTED_RESOURCE#api", "LEASE"])
def test_only_operator_and_recovery_write_rows_that_decide_directly(production: Template, row: str) -> None:
    table = _arns(production)["Table"]
    writers = {
        persona
        for persona in PERSONAS
        for action in WRITES
        if allowed(_statements(production, persona), f"dynamodb:{action}", table, [row])
    }
    assert writers == {"Operator", "Recovery"}


def test_the_audit_is_read_by_few_and_changed_by_nobody(
    production: Template, statements: list[Statement], persona: str
) -> None:
    audit = _arns(production)["AuditTable"]
    for action in (*READS, "Scan"):
        assert allowed(statements, f"dynamodb:{action}", audit, ["POLICY"]) is (
            persona in ("Auditor", "Operator", "Recovery")
        )
    may = {action for action in WRITES if allowed(statements, f"dynamodb:{action}", audit, ["POLICY"])}
    assert may == ({"PutItem"} if persona == "Recovery" else set()), "a replay adds what is missing"


def test_only_those_who_read_everything_scan(production: Template, statements: list[Statement], persona: str) -> None:
    scans = allowed(statements, "dynamodb:Scan", _arns(production)["Table"])
    assert scans is (READABLE[persona] == set(ROWS))


def test_the_index_lists_the_directory_for_those_who_may_read_it(
    production: Template, statements: list[Statement], persona: str
) -> None:
    may = {
        sk
        for sk in ("TENANT", "TENANT#acme", "USER", "SETTINGS")
        if allowed(statements, "dynamodb:Query", _index(production), [sk])
    }
    directory = {"TENANT", "TENANT#acme", "USER"}
    everything = {*directory, "SETTINGS"}
    expected = {
        "DirectoryEditor": directory,
        "Auditor": everything,
        "Operator": {"TENANT"},
        "Recovery": everything,
    }
    assert may == expected.get(persona, set())


def test_nobody_may_change_the_tables_or_the_pool_themselves(statements: list[Statement]) -> None:
    changing = ("Create", "Delete", "Update", "Restore", "Tag", "Untag", "Enable", "Disable", "Set", "Export", "Import")
    for statement in statements:
        for action in listed(statement["Action"]):
            assert "*" not in action
            name = action.partition(":")[2]
            assert name in (*WRITES, *READS, "Scan", "DeleteObject") or not name.removeprefix("Admin").startswith(
                changing
            ), action


def test_nobody_learns_the_secret_of_an_app_client(production: Template, statements: list[Statement]) -> None:
    # Its answer has the secret in it, and with that comes every scope of the machine client.
    assert not allowed(statements, "cognito-idp:DescribeUserPoolClient", _arns(production)["cognito-idp"])


def test_the_auditor_sees_what_doctor_looks_at_in_the_pool(production: Template) -> None:
    auditor = _statements(production, "Auditor")
    shows_a_secret = "cognito-idp:DescribeUserPoolClient"
    for (service, _), action in READS_OF_DOCTOR.items():
        if service == "cognito-idp" and action != shows_a_secret:
            assert allowed(auditor, action, _arns(production)["cognito-idp"]), action


def test_only_the_operator_signs_users_out(production: Template, statements: list[Statement], persona: str) -> None:
    pool = _arns(production)["cognito-idp"]
    assert allowed(statements, "cognito-idp:AdminUserGlobalSignOut", pool) is (persona == "Operator")


def test_resources_are_named_and_keys_guard_only_actions_that_name_theirs(statements: list[Statement]) -> None:
    for statement in statements:
        assert "*" not in [*listed(statement["Resource"])]
        if LEADING_KEYS in json.dumps(statement):
            assert {action.partition(":")[2] for action in listed(statement["Action"])} <= {*READS, *WRITES}

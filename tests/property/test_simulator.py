"""A pool of plain data gives the tokens that the same rows in a table give: the trigger reads the same facts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claimsmith.cognito.event import parse
from claimsmith.errors import SignInRefusedError
from claimsmith.policy import load
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.simulator.pool import PolicyPool
from claimsmith.store.dynamodb import Table
from tests.events import CLIENT, SUB
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW
from tests.property.strategies import ROLES, TENANTS, directories, some

if TYPE_CHECKING:
    from pathlib import Path

POLICY = f"""\
settings: {{cache_seconds: 0}}
roles: {{{", ".join(f"{role}: {{scopes: [{role}/all], claims: {{{role}: true}}}}" for role in ROLES)}}}
clients: {{{CLIENT}: {{name: web}}}}
"""


@pytest.fixture
def rows() -> Table:
    return Table(MemoryDynamoDB(), "claimsmith")


@pytest.fixture
def file(tmp_path: Path, rows: Table) -> Path:
    """The policy, which is in force in the table."""
    written = tmp_path / "policy.yaml"
    written.write_text(POLICY)
    apply(rows, load(written), by="test", clock=lambda: NOW)
    return written


def plain(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as the words of ``PolicyPool``."""
    found: dict[str, Any] = {"users": {"ana": {"sub": SUB}}, "tenants": {}, "members": {"ana": {}}}
    for row in rows:
        attributes = {name: value for name, value in row.items() if name not in {"pk", "sk"}}
        if row["sk"] == "USER":
            found["users"]["ana"] |= attributes
        elif row["sk"] == "TENANT":
            found["tenants"][row["pk"].removeprefix("TENANT#")] = attributes
        else:
            found["members"]["ana"][row["sk"].removeprefix("TENANT#")] = attributes
    return found


def known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what a pool refuses to take: roles that the policy has not, tenants that there are not.

    Nor groups of a USER row: a user's groups are those in the pool.
    """
    tenants = {row["pk"] for row in rows if row["sk"] == "TENANT"}
    kept = [row for row in rows if not row["sk"].startswith("TENANT#") or row["sk"] in tenants]
    for row in kept:
        if row["sk"] == "USER":
            row.pop("groups", None)
        if "roles" in row:
            row["roles"] = [role for role in row["roles"] if role in ROLES]
    return kept


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=directories().map(known), groups=some(["Staff"]), tenant=st.none() | st.sampled_from(TENANTS))
def test_the_tokens_of_plain_data_are_those_of_the_same_rows_in_a_table(
    file: Path, rows: Table, given_rows: list[dict[str, Any]], groups: list[str], tenant: str | None
) -> None:
    for row in given_rows:
        rows.put(row)
    data = plain(given_rows)
    data["users"]["ana"]["groups"] = groups
    pool = PolicyPool(file, clock=lambda: NOW, **data)
    seen: list[dict[str, Any]] = []
    trigger = pool.kit.trigger
    assert trigger is not None

    def watched(event: dict[str, Any], context: object) -> object:
        seen.append(event)
        return trigger(event, context)

    pool.kit.trigger = watched
    answer: Any
    try:
        answer = pool.sign_in("ana", tenant=tenant).answer
    except SignInRefusedError as refused:
        answer = refused.code
    [event] = seen
    table, memory = (Issuer(read, "deny", clock=lambda: NOW) for read in (rows, pool.rows))
    assert memory.read(parse(event)) == table.read(parse(event))
    expected: Any
    try:
        expected = json.loads(json.dumps(table.issue(event).event))
    except SignInRefusedError as refused:
        expected = refused.code
    assert answer == expected
    for row in given_rows:
        rows.delete(row["pk"], row["sk"])

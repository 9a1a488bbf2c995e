from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

_DAY = 86_400


@pytest.mark.parametrize(
    ("kind", "days"), [("session", 3651), ("user", 3651), ("token", 2), ("client", 2), ("tenant", 2)]
)
def test_a_revocation_is_kept_as_long_as_a_token_it_ends_can_live(
    claimsmith: Command, rows: Table, kind: str, days: int
) -> None:
    assert claimsmith("revoke", kind, "some-id", "--reason", "lost laptop").code == 0
    row = rows.get(f"REVOKED#{kind}#some-id", "REVOKED")
    assert row is not None
    assert row["ttl"] - row["revoked_at"] == days * _DAY
    assert row["reason"] == "lost laptop"


def test_revoking_a_user_without_a_pool_says_that_refresh_tokens_still_work(claimsmith: Command) -> None:
    assert "Refresh tokens still work" in " ".join(claimsmith("revoke", "user", "u1").out.split())


def test_revoking_a_user_signs_them_out_in_the_pool(claimsmith: Command, rows: Table, pool: tuple[str, str]) -> None:
    pool_id, sub = pool
    done = claimsmith("revoke", "user", "alice", "--user-pool-id", pool_id, "--json")
    assert done.data == {"kind": "user", "id": sub, "signed_out": True}
    assert rows.get(f"REVOKED#user#{sub}", "REVOKED") is not None, "the row goes by subject, not by name"


def test_a_secret_is_shown_once_and_kept_as_a_digest(claimsmith: Command, rows: Table) -> None:
    secret = claimsmith("resources", "add", "billing", "--client", "web1", "--tenant", "*", "--json").data["secret"]
    row = rows.get("PROTECTED_RESOURCE#billing", "PROTECTED_RESOURCE")
    assert row is not None
    assert row["secrets"] == [sha256(secret.encode()).hexdigest()]
    assert (row["clients"], row["tenants"]) == (["web1"], ["*"])
    again = claimsmith("resources", "add", "billing", "--client", "web1", "--tenant", "*")
    assert again.code == 1
    assert "rotate" in again.err


def test_two_secrets_are_valid_while_one_is_replaced(claimsmith: Command, rows: Table) -> None:
    first = claimsmith("resources", "add", "billing", "--client", "*", "--tenant", "*", "--json").data["secret"]
    second, third = (claimsmith("resources", "rotate", "billing", "--json").data["secret"] for _ in range(2))
    row = rows.get("PROTECTED_RESOURCE#billing", "PROTECTED_RESOURCE")
    assert row is not None
    assert row["secrets"] == [sha256(secret.encode()).hexdigest() for secret in (third, second)]
    assert len({first, second, third}) == 3


def test_a_removed_resource_is_gone(claimsmith: Command, rows: Table) -> None:
    claimsmith("resources", "add", "billing", "--client", "*", "--tenant", "*")
    assert claimsmith("resources", "remove", "billing").code == 0
    assert rows.get("PROTECTED_RESOURCE#billing", "PROTECTED_RESOURCE") is None
    assert claimsmith("resources", "rotate", "billing").code == 1


def test_a_resource_must_say_about_whose_tokens(claimsmith: Command) -> None:
    assert claimsmith("resources", "add", "billing").code == 2


def test_what_is_no_token_is_refused_with_its_code(claimsmith: Command) -> None:
    done = claimsmith("verify", "not-a-token", "--issuer", "https://issuer.example", "--json")
    assert done.code == 1
    assert done.data["error"]["code"] == "CS3001"
    assert "not-a-token" not in done.out

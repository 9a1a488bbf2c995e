from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.testing import CognitoKit
from tests.policies import membership_row, policy_rows, tenant_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claimsmith.store.dynamodb import Table
    from claimsmith.testing.tokens import Tokens
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


def test_a_resource_needs_clients_and_tenants(claimsmith: Command) -> None:
    assert claimsmith("resources", "add", "billing").code == 2


def test_what_is_no_token_is_refused_with_its_code(claimsmith: Command) -> None:
    done = claimsmith("verify", "not-a-token", "--issuer", "https://issuer.example", "--json")
    assert done.code == 1
    assert done.data["error"]["code"] == "CS3001"
    assert "not-a-token" not in done.out


@pytest.fixture
def issued(rows: Table) -> Iterator[Callable[..., tuple[Tokens, tuple[str, ...]]]]:
    """Sign in with these settings: the tokens, and the options that ``verify`` needs for their issuer."""
    kit = CognitoKit()
    user = kit.add_user("ada")
    kit.add_client("web", scopes=["openid"])
    rows.put(tenant_row("acme"))
    rows.put(membership_row(user.sub, "acme"))

    def sign_in(*, resource: str | None = None, **settings: object) -> tuple[Tokens, tuple[str, ...]]:
        apply(rows, from_rows(policy_rows(settings=settings)), by="test")
        issuer = Issuer(rows, "deny")
        kit.trigger = lambda event, _context: issuer.issue(event).event
        by = "RespondToAuthChallenge" if resource is None else "authorization_code"
        return kit.sign_in("ada", "web", by=by, resource=resource), (
            "--issuer",
            kit.issuer,
            "--jwks-uri",
            keys.jwks_uri,
            "--json",
        )

    with kit.serve() as keys:
        yield sign_in


def test_access_tokens_are_accepted_and_id_tokens_only_on_request(
    claimsmith: Command, issued: Callable[..., tuple[Tokens, tuple[str, ...]]]
) -> None:
    tokens, where = issued()
    assert claimsmith("verify", tokens.access_token, *where).data["claims"]["tenant_id"] == "acme"
    refused = claimsmith("verify", tokens.id_token, *where)
    assert (refused.code, refused.data["error"]["code"]) == (1, "CS3034")
    assert claimsmith("verify", tokens.id_token, *where, "--token-use", "id").code == 0
    assert claimsmith("verify", tokens.access_token, *where, "--token-use", "id").code == 1


def test_a_token_that_is_bound_to_a_resource_is_accepted_where_that_is_named(
    claimsmith: Command, issued: Callable[..., tuple[Tokens, tuple[str, ...]]]
) -> None:
    mcp = "https://mcp.example.com"
    _, where = issued(resource=mcp)
    token = issued(resource=mcp)[0].access_token
    refused = claimsmith("verify", token, *where, "--audience", "https://other.example.com")
    assert (refused.code, refused.data["error"]["code"]) == (1, "CS3040")
    assert claimsmith("verify", token, *where).data["error"]["code"] == "CS3040"
    done = claimsmith("verify", token, *where, "--audience", "https://other.example.com", "--audience", mcp)
    assert done.data["claims"]["aud"] == mcp
    assert claimsmith("verify", token, *where, "--audience", "*").data["error"]["code"] == "CS4001"


def test_a_resource_may_be_added_for_tokens_of_one_audience(claimsmith: Command, rows: Table) -> None:
    claimsmith("resources", "add", "mcp", "--client", "*", "--tenant", "*", "--audience", "https://mcp.example.com")
    row = rows.get("PROTECTED_RESOURCE#mcp", "PROTECTED_RESOURCE")
    assert row is not None
    assert row["audience"] == ["https://mcp.example.com"]
    claimsmith("resources", "add", "any", "--client", "*", "--tenant", "*")
    assert not {"audience", "claims"} & (rows.get("PROTECTED_RESOURCE#any", "PROTECTED_RESOURCE") or {}).keys()


def test_a_resource_may_be_told_further_claims(claimsmith: Command, rows: Table) -> None:
    add = ("resources", "add", "crm", "--client", "*", "--tenant", "*", "--claim", "email", "--claim")
    assert claimsmith(*add, "").code == 2
    assert claimsmith(*add, "custom:region", "--requests-per-second", "0").code == 2
    claimsmith(*add, "custom:region", "--ext", "tenant_id", "--ext", "roles", "--requests-per-second", "0.5")
    row = rows.get("PROTECTED_RESOURCE#crm", "PROTECTED_RESOURCE") or {}
    assert (row["claims"], row["ext"]) == (["email", "custom:region"], ["tenant_id", "roles"])
    assert row["requests_per_second"] == 0.5


def test_the_tenant_is_read_under_the_name_that_the_policy_gives_it(
    claimsmith: Command, issued: Callable[..., tuple[Tokens, tuple[str, ...]]]
) -> None:
    tokens, where = issued(claim_names={"tenant_id": "tid"})
    assert claimsmith("verify", tokens.access_token, *where).data["claims"]["tid"] == "acme"
    assert claimsmith("revoke", "tenant", "acme").code == 0
    refused = claimsmith("verify", tokens.access_token, *where)
    assert (refused.code, refused.data["error"]["code"]) == (1, "CS3050")
    assert claimsmith("verify", tokens.access_token, *where, "--no-revocation").code == 0

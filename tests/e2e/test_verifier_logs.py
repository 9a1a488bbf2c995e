"""Logs hold names and codes: no token, no secret, and nothing that a claim says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from demo.api import basic
from tests.e2e.forgeries import altered, by_another_key

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

#: How the header or payload of a JWT begins, and credentials.
TOKEN_LIKE = re.compile(r"eyJ[\w-]{8}|\b(?:Bearer|Basic) +\S", re.IGNORECASE)

#: Claims that say nothing of anybody: words of the protocol, and the client, which logs name on purpose.
PUBLIC = frozenset({"token_use", "iss", "client_id", "aud"})


def test_no_log_of_the_deployed_stacks_holds_anything_of_a_token(
    stack: LocalStack, caller: str, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "editor")
    tokens = person.sign_in()
    bad = [make(person, tokens) for make in (by_another_key, altered)]
    for token in (tokens.access, tokens.id, tokens.refresh, *bad, "nonsense"):
        stack.http_api.get("/orders", token)
        stack.http_api.get(f"/tenants/{other_tenant}/orders", token)
        stack.http_api.introspect(token, caller)
        stack.http_api.introspect(token, f"Bearer {token}")
        stack.http_api.introspect(token, basic(person.username, token[:100]))
    for token in (tokens.access, bad[-1]):
        stack.rest_api.get(f"/tenants/{other_tenant}/orders", token)
    issued = [(name, value) for claims in person.claims(tokens) for name, value in claims.items()]
    values = {value for name, value in issued if isinstance(value, str) and name not in PUBLIC | {"scope"}}
    values |= {scope for name, value in issued if name == "scope" for scope in value.split()}
    assert {person.sub, person.username, f"{person.username}@example.com", tenant, "orders/write"} <= values
    parts = {part for token in (tokens.access, tokens.id, tokens.refresh, *bad) for part in token.split(".") if part}
    logs = stack.logs()
    for group in ("Authorizer", "RestAuthorizer", "Introspection", "Trigger", "Sample"):
        assert any(group in name and lines for name, lines in logs.items()), (
            "it has logged, so there is what to look at"
        )
    for name, lines in logs.items():
        for line in lines:
            assert not TOKEN_LIKE.search(line), name
            assert not [value for value in values | parts | {other_tenant} if value in line], name
            assert "botocore reads the table" not in line, f"{name}: nothing is unusual here"

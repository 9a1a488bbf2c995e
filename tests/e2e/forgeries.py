"""Tokens that open nothing, each made from one that would; and what the verifier says of it."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

from claimsmith.errors import Code
from demo import aws
from demo.user_pool import UserPool
from tests.unit.verifier.minting import b64, compact, private_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from demo.local_stack import LocalStack
    from demo.user_pool import Tokens
    from tests.e2e.conftest import Person


def opened(segment: str) -> dict[str, Any]:
    """A header or a payload."""
    content: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return content


def sealed(content: dict[str, Any]) -> str:
    return b64(json.dumps(content).encode())


def signed_by(key: RSAPrivateKey, token: str, **members: str) -> str:
    """The same claims under the same header, but for these members of it."""
    header, payload, _signature = token.split(".")
    return compact(json.dumps(opened(header) | members).encode(), json.dumps(opened(payload)).encode(), key)


def by_another_key(_person: Person, tokens: Tokens) -> str:
    """With the pool's key id."""
    return signed_by(private_key(), tokens.access)


def altered(_person: Person, tokens: Tokens) -> str:
    """One claim more, under the true signature."""
    header, payload, signature = tokens.access.split(".")
    return f"{header}.{sealed(opened(payload) | {'scope': 'orders/read orders/write'})}.{signature}"


def of_another_pool(person: Person, _tokens: Tokens) -> str:
    """Genuine and valid, at another pool of the same account."""
    cognito: Any = aws.client("cognito-idp", person.stack.endpoint)
    pool_id = cognito.create_user_pool(PoolName=f"other-{secrets.token_hex(4)}")["UserPool"]["Id"]
    client_id = _client_of(person.stack, pool_id)
    other = UserPool(person.stack.endpoint, pool_id)
    other.put_user(person.username, f"{person.username}@example.com", person.password)
    token = other.sign_in(client_id, person.username, person.password).access
    assert other.verified(token)["iss"] == other.issuer
    return token


def of_a_client_that_is_not_listed(person: Person, _tokens: Tokens) -> str:
    """Genuine and valid, of a client that was made after the deployment."""
    client_id = _client_of(person.stack, person.stack.pool.id)
    token = person.stack.pool.sign_in(client_id, person.username, person.password).access
    assert "orders/read" in person.stack.pool.verified(token)["scope"].split()
    return token


def expired(person: Person, _tokens: Tokens) -> str:
    """Genuine, and over. Cognito takes no less than five minutes for a lifetime; the emulator takes a second."""
    with _lifetime(person.stack, seconds=1):
        token = person.sign_in().access
    claims = opened(token.split(".")[1])
    assert claims["exp"] - claims["iat"] == 1
    while time.time() <= claims["exp"]:
        time.sleep(0.05)
    return token


FORGERIES: dict[str, tuple[Callable[[Person, Tokens], str], Code]] = {
    "an ID token": (lambda _person, tokens: tokens.id, Code.WRONG_TOKEN_USE),
    "signed by another key": (by_another_key, Code.SIGNATURE_INVALID),
    "altered": (altered, Code.SIGNATURE_INVALID),
    "of another pool": (of_another_pool, Code.ISSUER_NOT_ALLOWED),
    "of a client that is not listed": (of_a_client_that_is_not_listed, Code.WRONG_CLIENT),
    "expired": (expired, Code.TOKEN_EXPIRED),
}


def _client_of(stack: LocalStack, pool_id: str) -> str:
    cognito: Any = aws.client("cognito-idp", stack.endpoint)
    made = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName=f"client-{secrets.token_hex(4)}",
        ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )
    return str(made["UserPoolClient"]["ClientId"])


@contextlib.contextmanager
def _lifetime(stack: LocalStack, seconds: int) -> Iterator[None]:
    """Access tokens of the public client live this long inside."""
    cognito: Any = aws.client("cognito-idp", stack.endpoint)
    key = {"UserPoolId": stack.pool.id, "ClientId": stack.public_client}
    described = cognito.describe_user_pool_client(**key)["UserPoolClient"]
    taken = cognito.meta.service_model.operation_model("UpdateUserPoolClient").input_shape.members
    # The emulator describes what is not set as empty, which it may not be sent as.
    before = {name: value for name, value in described.items() if name in taken and value not in ("", [])}
    units = before["TokenValidityUnits"] | {"AccessToken": "seconds"}
    cognito.update_user_pool_client(**before | {"AccessTokenValidity": seconds, "TokenValidityUnits": units})
    try:
        yield
    finally:
        cognito.update_user_pool_client(**before)

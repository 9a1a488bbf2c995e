"""Triggers for the tests of the kit: what they answer is all they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.testing import CognitoKit

if TYPE_CHECKING:
    from claimsmith.testing import Tokens
    from claimsmith.testing.trigger import Handler

USER = "ada"
SUB = "5c1b8f6e-9d6b-4a3e-8a57-0d6b2f0c9e11"
WEB = "1example23456789"
MACHINE = "2example23456789"
NOW = 1_800_000_000

ADMIN_SCOPE = "aws.cognito.signin.user.admin"
READER = "arn:aws:iam::111122223333:role/reader"
WRITER = "arn:aws:iam::111122223333:role/writer"


def answering(**details: Any) -> Handler:  # noqa: ANN401 - members of the answer, right or wrong
    """A trigger that always answers with these members of ``claimsAndScopeOverrideDetails``."""

    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    return handler


def access(**members: Any) -> Handler:  # noqa: ANN401 - members of the answer, right or wrong
    """A trigger that changes the access token."""
    return answering(accessTokenGeneration=members)


def identity(**members: Any) -> Handler:  # noqa: ANN401 - members of the answer, right or wrong
    """A trigger that changes the ID token."""
    return answering(idTokenGeneration=members)


def pool(trigger: Handler | None = None, **arguments: Any) -> CognitoKit:  # noqa: ANN401 - arguments of CognitoKit
    """A pool with one user, in groups and with roles, one web client and one machine."""
    kit = CognitoKit(trigger, **{"lambda_version": "V3_0", "clock": lambda: NOW, **arguments})
    kit.add_user(
        USER,
        sub=SUB,
        attributes={"email": "ada@example.com", "email_verified": "true", "custom:plan": "7", "dev:note": "x"},
        groups=["Staff", "Admins"],
        iam_roles=[READER, WRITER],
        preferred_role=READER,
    )
    kit.add_client(WEB, scopes=["openid", "email", "orders/read", "orders/write"])
    kit.add_client(
        MACHINE, secret="invented", scopes=["openid", "orders/read", "orders/write"], flows=["client_credentials"]
    )
    return kit


def signed_in(trigger: Handler | None = None, **arguments: Any) -> Tokens:  # noqa: ANN401 - arguments of CognitoKit
    """The tokens of a managed login."""
    return pool(trigger, **arguments).sign_in(USER, WEB, by="authorization_code")


def machine_tokens(trigger: Handler | None = None, **arguments: Any) -> Tokens:  # noqa: ANN401 - arguments of CognitoKit
    """A machine's."""
    return pool(trigger, **arguments).client_credentials(MACHINE)


def scopes(tokens: Tokens) -> set[str]:
    """Of the access token; their order is nobody's business."""
    return set(tokens.access.get("scope", "").split())

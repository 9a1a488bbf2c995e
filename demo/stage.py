"""What the steps of the story share: the stack, the screen, who signed in, and how a claim is checked."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.tokens import UNPREDICTABLE
from demo.emulator import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from demo.local_stack import LocalStack
    from demo.screen import Claims, Screen
    from demo.user_pool import Tokens

#: Who edits rows by hand.
ADMIN: Final = "admin@example.com"

_WAIT_SECONDS: Final = 120
_REMEDY: Final = "Start over with: make demo-stop && make demo. If it happens again, it is a bug; please report it."


class UnexpectedError(LocalStackError):
    """The stack works, but does not do what the story claims."""


@dataclass
class Stage:
    """What the steps share.

    Attributes:
        stack: the deployed app.
        screen: what is shown.
        passwords: by username; new in each run.
        subs: the subject of each user.
        tokens: alice's, as of now.
        service: the header by which the service of Globex authenticates.
    """

    stack: LocalStack
    screen: Screen
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    subs: dict[str, str] = field(default_factory=dict)
    tokens: Tokens | None = None
    service: str = field(default="", repr=False)

    @property
    def client(self) -> str:
        """The app client that everybody signs in with."""
        return self.stack.public_client

    def run(self, *arguments: str) -> dict[str, Any]:
        """Show and run a command that has to succeed; what it answers is not shown."""
        self.screen.command("claimsmith", *arguments)
        answer = self.stack.cli(*arguments)
        if answer.code:
            raise UnexpectedError(f"claimsmith {' '.join(arguments)} answered: {json.dumps(answer.data, indent=2)}")
        return answer.data

    def sign_in(self, username: str) -> Tokens:
        """Sign a user in by SRP."""
        return self.stack.pool.sign_in(self.client, username, self.passwords[username])

    def signed_in(self) -> Tokens:
        """Alice's tokens.

        Raises:
            UnexpectedError: she has not signed in.
        """
        if self.tokens is None:
            raise UnexpectedError("Alice has not signed in.")
        return self.tokens

    def refreshed(self) -> Tokens:
        """Alice's new tokens for her refresh token."""
        self.tokens = self.stack.pool.refresh(self.client, self.signed_in())
        return self.tokens

    def statuses(self, path: str, token: str | None) -> tuple[int, int]:
        """What HTTP API and REST API answer to the same request, with a bearer token or without one."""
        return self.stack.http_api.get(path, token).status, self.stack.rest_api.get(path, token).status

    def claims(self, tokens: Tokens) -> tuple[Claims, Claims]:
        """The verified claims of access and ID token."""
        return self.stack.pool.verified(tokens.access), self.stack.pool.verified(tokens.id)

    def rows(self, preview: Mapping[str, Any], token: str) -> dict[str, str]:
        """By claim, and by ``scope NAME``, the row it comes from, according to preview."""
        found: dict[str, str] = {}
        for reason in preview["reasons"]:
            if reason["token"] not in (token, "") or reason["outcome"] not in ("set", "granted", "kept"):
                continue
            if reason["kind"] == "claim":
                found[reason["name"]] = self.short(reason["source"])
            elif reason["kind"] == "scope" and token == "access":
                found[f"scope {reason['name']}"] = self.short(reason["source"])
        return found

    def policy_row(self, sk: str) -> dict[str, Any]:
        """A row of the policy.

        Raises:
            UnexpectedError: it is not there.
        """
        row = self.stack.get_item("POLICY", sk)
        if row is None:
            raise UnexpectedError(f"The row POLICY {sk} is not there.")
        return row

    def edit(self, item: Mapping[str, Any]) -> None:
        """Write a row as an admin does in the DynamoDB console, who signs it with their name."""
        signed = {**item, "updated_by": {"S": ADMIN}}
        self.screen.command(
            "aws", "dynamodb", "put-item", "--table-name", self.stack.table, "--item", json.dumps(signed)
        )
        self.stack.put_item(signed)

    def expect(self, what: str, *, holds: bool) -> None:
        """Say what was checked, if it holds.

        Raises:
            UnexpectedError: it does not.
        """
        if not holds:
            raise UnexpectedError(f"This should hold and does not: {what}\n{_REMEDY}")
        self.screen.good(what)

    def short(self, row: str) -> str:
        """A row's key with the start of the subject only, which is enough to recognise it."""
        for sub in self.subs.values():
            row = row.replace(sub, f"{sub[:8]}…")
        return row


def check_preview(shown: Mapping[str, Any], issued: tuple[Claims, Claims]) -> None:
    """Preview must say exactly what was issued, but for what only the moment of issue decides.

    Raises:
        UnexpectedError: it does not.
    """
    for name, previewed, token in zip(("access", "id"), (shown["access"], shown["id"]), issued, strict=True):
        expected, got = (
            {key: _comparable(key, value) for key, value in claims.items() if key not in UNPREDICTABLE}
            for claims in (previewed, token)
        )
        if expected != got:
            differing = sorted(key for key in {*expected, *got} if expected.get(key) != got.get(key))
            raise UnexpectedError(
                f"claimsmith preview and the issued {name} token differ in {', '.join(differing)}. This is a bug."
            )


def managed_scopes(access: Claims) -> str:
    """The scopes of a token that the policy gives."""
    return " ".join(scope for scope in access.get("scope", "").split() if not scope.startswith("aws."))


def _comparable(name: str, value: Any) -> Any:  # noqa: ANN401 - any claim
    return sorted(value.split()) if name == "scope" else value


def wait(complaint: str, done: Callable[[], bool]) -> None:
    """Ask again and again until something is done.

    Raises:
        UnexpectedError: it takes too long; the message begins with the complaint.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise UnexpectedError(
                f"{complaint} after {_WAIT_SECONDS} s. The emulator's log, in .local/stack/ministack, may say why."
            )
        time.sleep(0.1)

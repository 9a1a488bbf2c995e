"""A token is valid for minutes; revoking ends it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.errors import Code
from demo.story.calls import ALLOWED, REFUSED

if TYPE_CHECKING:
    from demo.stage import Stage


def revoke_session(stage: Stage) -> None:
    """One session ends, wherever tokens are checked; the next one begins as usual."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "Alice's session is revoked",
        "Her device is lost. The session's tokens end at once, including those that its refresh token can still get.",
    )
    token = stage.signed_in().access
    stage.expect("Until now her token gives access to both APIs.", holds=stage.statuses("/orders", token) == ALLOWED)
    access, _ = stage.claims(stage.signed_in())
    stage.run("revoke", "session", access["origin_jti"], "--reason", "device lost")
    answered = stack.http_api.introspect(token, stage.service).body
    stage.expect("Introspection returns that it is not active, and nothing else.", holds=answered == {"active": False})
    stage.expect(
        "HTTP API and REST API refuse it, 403 and 401; there was nothing to wait for.",
        holds=stage.statuses("/orders", token) == REFUSED,
    )
    screen.shell('claimsmith verify - <<< "$TOKEN"')
    verified = stack.cli("verify", "-", given=token)
    stage.expect(
        f"claimsmith verify ends with code 1 and shows why: {Code.TOKEN_REVOKED} token revoked.",
        holds=verified.code == 1 and verified.data["error"]["code"] == Code.TOKEN_REVOKED,
    )
    refreshed = stage.refreshed().access
    stage.expect(
        "A token that her refresh token gets now belongs to the same session, and is refused as well.",
        holds=stage.statuses("/orders", refreshed) == REFUSED,
    )
    with screen.progress("She signs in again"):
        tokens = stage.tokens = stage.sign_in("alice")
    stage.expect(
        "Her new session works: both APIs let her in, and introspection returns active.",
        holds=stage.statuses("/orders", tokens.access) == ALLOWED
        and stack.http_api.introspect(tokens.access, stage.service).body["active"] is True,
    )

"""What is in a token: before and after, three people, another tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.stage import check_preview, managed_scopes
from demo.story.start import USERS

if TYPE_CHECKING:
    from demo.stage import Stage


def before_and_after(stage: Stage) -> None:
    """A token without the trigger and one with it."""
    screen, pool = stage.screen, stage.stack.pool
    screen.step(
        "Alice signs in: before and after",
        "She signs in by SRP twice: once with the trigger taken off the pool, which is what Cognito gives by itself, "
        "and once with it.",
    )
    with screen.progress("Sign in without the trigger"), pool.without_trigger():
        before = stage.claims(stage.sign_in("alice"))
    with screen.progress("Sign in with the trigger"):
        stage.tokens = stage.sign_in("alice")
    after = stage.claims(stage.tokens)
    shown = stage.run("preview", "--user", "alice", "--client", stage.client)
    screen.tokens("Access token", before[0], after[0], stage.rows(shown, "access"))
    screen.tokens("ID token", before[1], after[1], stage.rows(shown, "id"))
    check_preview(shown, after)
    screen.good("claimsmith preview says exactly what was issued.")
    stage.expect("The token names the tenant acme.", holds=after[0].get("tenant_id") == "acme")


def three_people(stage: Stage) -> None:
    """The same policy for everybody."""
    stage.screen.step(
        "Three people, three tokens",
        "Nobody has code of their own: the same policy gives everybody what the rows about them say.",
    )
    lines = []
    for username in USERS:
        access, identity = stage.claims(stage.sign_in(username))
        shown = stage.stack.cli("preview", "--user", username, "--client", stage.client).data
        check_preview(shown, (access, identity))
        lines.append(
            (username, access.get("tenant_id", "none"), " ".join(access.get("roles", [])), managed_scopes(access))
        )
    stage.screen.grid(("user", "tenant_id", "roles", "scopes"), lines)
    stage.screen.good("claimsmith preview says exactly what was issued, for each of them.")
    stage.expect("Carol belongs to no tenant and her token names none.", holds=lines[2][1] == "none")


def switch_tenant(stage: Stage) -> None:
    """Another tenant without another sign-in."""
    stage.screen.step(
        "Alice switches to Globex",
        "Her choice is stored, and her refresh token gives new tokens for the other tenant, without a sign-in.",
    )
    old = stage.claims(stage.signed_in())
    stage.run("switch", "alice", "globex")
    new = stage.claims(stage.refreshed())
    shown = stage.run("preview", "--user", "alice", "--client", stage.client, "--source", "RefreshTokens")
    stage.screen.tokens("Access token", old[0], new[0], stage.rows(shown, "access"))
    check_preview(shown, new)
    stage.screen.good("claimsmith preview says exactly what was issued.")
    stage.expect("The refreshed token names the tenant globex.", holds=new[0].get("tenant_id") == "globex")
    stage.expect("What she may do at Acme stayed at Acme.", holds="orders/write" not in new[0]["scope"].split())

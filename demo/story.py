"""The story that the demonstration tells, step by step, on real tokens.

A step does something, shows it, and checks what it claims; where a check fails, the demonstration fails. A further
step is a function that takes a ``Stage``, and an entry of ``STEPS``.
"""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any, Final

from demo.local_stack import ROOT
from demo.stage import ADMIN, Stage, UnexpectedError, check_preview, managed_scopes, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from demo.screen import Claims

#: Username, and the roles by tenant.
USERS: Final[dict[str, dict[str, str]]] = {
    "alice": {"acme": "editor", "globex": "viewer"},
    "bob": {"globex": "editor"},
    "carol": {},
}
TENANTS: Final = {"acme": ("Acme Ltd", "pro"), "globex": ("Globex Corp", "free")}
POLICY_FILE: Final = ROOT / "demo" / "policy.yaml"

_EDITED_ROLE: Final = "ROLE#viewer"
_NEW_SCOPE: Final = "orders/export"
_MISSPELT_ROLE: Final = "suport"


def seed(stage: Stage, folder: Path) -> None:
    """Users, tenants, memberships and the policy; as they are at the start, whatever an earlier run has left."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "Two tenants, three users, one policy",
        "Alice edits orders at Acme and views them at Globex; Bob edits at Globex; Carol is staff and belongs to none.",
    )
    if stack.pool.trigger() is None:  # an earlier run was stopped while the trigger was off
        stack.pool.attach_trigger(stack.trigger_arn(), "V2_0")
    for username in USERS:
        stage.passwords[username] = f"{secrets.token_urlsafe(18)}-aA1"
        stage.subs[username] = stack.pool.put_user(username, f"{username}@example.com", stage.passwords[username])
    stack.pool.add_to_group("carol", "Staff")
    _keep(folder / "passwords.json", stage.passwords)
    stage.run("apply", str(POLICY_FILE.relative_to(ROOT)), "--var", f"WEB_CLIENT={stage.client}")
    for tenant, (name, plan) in TENANTS.items():
        stage.run("tenants", "add", tenant, "--name", name, "--plan", plan)
    for username, memberships in USERS.items():
        for tenant, role in memberships.items():
            stage.run("members", "grant", username, tenant, "--role", role)
    stage.run("switch", "alice", "acme")


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
        "Alice goes over to Globex",
        "Her choice is stored, and her refresh token gives new tokens for the other tenant, without a sign-in.",
    )
    old = stage.claims(stage.tokens or stage.sign_in("alice"))
    stage.run("switch", "alice", "globex")
    new = stage.claims(stage.refreshed())
    shown = stage.run("preview", "--user", "alice", "--client", stage.client, "--source", "RefreshTokens")
    stage.screen.tokens("Access token", old[0], new[0], stage.rows(shown, "access"))
    check_preview(shown, new)
    stage.screen.good("claimsmith preview says exactly what was issued.")
    stage.expect("The refreshed token names the tenant globex.", holds=new[0].get("tenant_id") == "globex")
    stage.expect("What she may do at Acme stayed at Acme.", holds="orders/write" not in new[0]["scope"].split())


def edit_role(stage: Stage) -> None:
    """An admin's edit reaches the next token."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "An admin edits a row",
        f"Somebody adds {_NEW_SCOPE} to the role viewer in the DynamoDB console: one PutItem, no deployment, no code.",
    )
    row, version = _policy_row(stage), stack.policy_version()
    stage.edit(row | {"scopes": {"L": [*row["scopes"]["L"], {"S": _NEW_SCOPE}]}})
    with screen.progress("Wait until the publisher has checked the edit, compiled it and put it in force"):
        wait("The publisher has not published the edit", lambda: stack.policy_version() != version)
    new_version = stack.policy_version()
    with screen.progress("Refresh the tokens"):
        access = _refreshed_at(stage, new_version)
    stage.expect(
        f"Alice's next token has {_NEW_SCOPE}: {managed_scopes(access)}.", holds=_NEW_SCOPE in access["scope"].split()
    )
    screen.say(f"policy_version {version} became {new_version}, and every version is kept.")
    audited = [row for row in stack.rows(stack.audit_table) if row["row"]["S"] == f"POLICY {_EDITED_ROLE}"]
    latest = max(audited, key=lambda row: row["sk"]["S"], default=None)
    stage.expect(
        "The audit table remembers who did it, and the row before and after.",
        holds=latest is not None and latest["by"]["S"] == ADMIN and {"before", "after"} <= latest.keys(),
    )


def broken_edit(stage: Stage) -> None:
    """A bad edit reaches no token."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "An admin makes a mistake",
        f"The role viewer now inherits {_MISSPELT_ROLE!r}, which does not exist. A bad edit must not keep anybody out.",
    )
    row, version = _policy_row(stage), stack.policy_version()
    stage.edit(row | {"inherits": {"L": [{"S": _MISSPELT_ROLE}]}})
    with screen.progress("Wait until the publisher has refused the edit"):
        wait("The publisher has not told the problem", lambda: stack.get_item("PROBLEMS", "DRAFT") is not None)
    access, _ = stage.claims(stage.sign_in("alice"))
    stage.expect(
        f"Alice signs in as before: version {version}, the last good one, stays in force.",
        holds=access.get("policy_version") == version,
    )
    problems = stack.get_item("PROBLEMS", "DRAFT") or {}
    screen.say("The row [bold]PROBLEMS DRAFT[/bold] says what is wrong, and so does [bold]claimsmith lint[/bold]:")
    findings = [{name: value["S"] for name, value in entry["M"].items()} for entry in problems["findings"]["L"]]
    screen.grid(
        ("code", "row", "attribute", "what is wrong"),
        [(found["code"], found["row"], found["attribute"], found["message"]) for found in findings],
    )
    screen.command("claimsmith", "lint")
    linted = stack.cli("lint")
    stage.expect(
        "claimsmith lint ends with code 1 and says the same.",
        holds=linted.code == 1
        and [found["code"] for found in linted.data["findings"]] == [found["code"] for found in findings],
    )


def repair(stage: Stage) -> None:
    """The mistake is put right."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "The admin puts it right", "The row is written once more without the mistake; nobody restarts anything."
    )
    row = _policy_row(stage)
    row.pop("inherits", None)
    stage.edit(row)
    with screen.progress("Wait until the publisher has looked again"):
        wait("The problem is still told", lambda: stack.get_item("PROBLEMS", "DRAFT") is None)
    stage.run("lint")
    screen.good("The draft is fine again, and PROBLEMS DRAFT is gone.")


#: In this order, after ``seed``.
STEPS: Final[tuple[Callable[[Stage], None], ...]] = (
    before_and_after,
    three_people,
    switch_tenant,
    edit_role,
    broken_edit,
    repair,
)


def _policy_row(stage: Stage) -> dict[str, Any]:
    row = stage.stack.get_item("POLICY", _EDITED_ROLE)
    if row is None:
        raise UnexpectedError(f"The row POLICY {_EDITED_ROLE} is not there.")
    return row


def _refreshed_at(stage: Stage, version: int | None) -> Claims:
    """Alice's access token by this version; the trigger reads the pointer anew after ``cache_seconds``."""
    found: list[Claims] = []

    def arrived() -> bool:
        found[:] = [stage.claims(stage.refreshed())[0]]
        return bool(found[0].get("policy_version") == version)

    wait("The trigger has not taken over the new version", arrived)
    return found[0]


def _keep(file: Path, passwords: Mapping[str, str]) -> None:
    """Keep the passwords where only this user can read them, so that one can sign in by hand."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(passwords, opened, indent=2)

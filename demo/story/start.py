"""Where the story begins: users, tenants, memberships, the policy."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Final

from demo.local_stack import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.stage import Stage

#: Username, and the roles by tenant.
USERS: Final[dict[str, dict[str, str]]] = {
    "alice": {"acme": "editor", "globex": "viewer"},
    "bob": {"globex": "editor"},
    "carol": {},
}
TENANTS: Final = {"acme": ("Acme Ltd", "pro"), "globex": ("Globex Corp", "free")}
POLICY_FILE: Final = ROOT / "demo" / "policy.yaml"
#: A service of Globex; it may ask about tokens, but only about Globex's.
SERVICE: Final = "orders-service"


def seed(stage: Stage, folder: Path) -> None:
    """Users, tenants, memberships and the policy; as they are at the start, whatever an earlier run left behind."""
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
    for caller in (SERVICE, stack.outputs["MachineClientId"]):
        stack.delete_item(f"PROTECTED_RESOURCE#{caller}", "PROTECTED_RESOURCE")


def _keep(file: Path, passwords: Mapping[str, str]) -> None:
    """Store the passwords where only this user can read them, for signing in by hand."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(passwords, opened, indent=2)

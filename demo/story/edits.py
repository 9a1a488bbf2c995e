"""What an admin's edits do: a good one, a bad one, and the repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from demo.stage import ADMIN, managed_scopes, wait

if TYPE_CHECKING:
    from demo.screen import Claims
    from demo.stage import Stage

_EDITED_ROLE: Final = "ROLE#viewer"
_NEW_SCOPE: Final = "orders/export"
_MISSPELT_ROLE: Final = "suport"


def edit_role(stage: Stage) -> None:
    """An admin's edit reaches the next token."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "An admin edits a row",
        f"Somebody adds {_NEW_SCOPE} to the role viewer in the DynamoDB console: one PutItem, no deployment, no code.",
    )
    row, version = stage.policy_row(_EDITED_ROLE), stack.policy_version()
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
        "The audit table remembers who claims to have done it, and the row before and after.",
        holds=latest is not None and latest["claimed_by"]["S"] == ADMIN and {"before", "after"} <= latest.keys(),
    )


def broken_edit(stage: Stage) -> None:
    """A bad edit reaches no token."""
    screen, stack = stage.screen, stage.stack
    screen.step(
        "An admin makes a mistake",
        f"The role viewer now inherits {_MISSPELT_ROLE!r}, which does not exist. A bad edit must not keep anybody out.",
    )
    row, version = stage.policy_row(_EDITED_ROLE), stack.policy_version()
    stage.edit(row | {"inherits": {"L": [{"S": _MISSPELT_ROLE}]}})
    with screen.progress("Wait until the publisher has refused the edit"):
        wait("The publisher has not reported the problem", lambda: stack.get_item("PROBLEMS", "DRAFT") is not None)
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
    """The mistake is corrected."""
    screen, stack = stage.screen, stage.stack
    screen.step("The admin corrects it", "The row is written again without the mistake; nothing is restarted.")
    row = stage.policy_row(_EDITED_ROLE)
    row.pop("inherits", None)
    stage.edit(row)
    with screen.progress("Wait until the publisher has checked the draft again"):
        wait("The problem is still reported", lambda: stack.get_item("PROBLEMS", "DRAFT") is None)
    stage.run("lint")
    screen.good("The draft has no findings again, and PROBLEMS DRAFT is gone.")


def _refreshed_at(stage: Stage, version: int | None) -> Claims:
    """Alice's access token by this version; the trigger reads the pointer again after ``cache_seconds``."""
    found: list[Claims] = []

    def arrived() -> bool:
        found[:] = [stage.claims(stage.refreshed())[0]]
        return bool(found[0].get("policy_version") == version)

    wait("The trigger does not use the new version yet", arrived)
    return found[0]

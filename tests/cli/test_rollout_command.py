"""The rollout command, and what others say while the policy does not reach everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]


def output(ran: Ran) -> str:
    return " ".join((ran.out + ran.err).split())


def test_before_the_first_version_there_is_nothing_to_roll_out(claimsmith: Command) -> None:
    done = claimsmith("rollout", "shadow", "--yes")
    assert done.code == 1
    assert "Apply a policy first" in output(done)


@pytest.mark.usefixtures("applied")
def test_it_says_what_follows_and_changes_nothing_unasked(claimsmith: Command) -> None:
    assert "The policy reaches everybody." in claimsmith("rollout").out
    refused = claimsmith("rollout", "shadow")
    assert refused.code == 1
    assert "CS4014" in refused.err
    assert "every scope that its client may request" in output(refused)
    assert claimsmith("rollout", "--json").data["rollout"] is None
    assert "Nothing changed." in claimsmith("rollout", "all").out


@pytest.mark.usefixtures("applied")
def test_it_is_shadow_then_a_percentage_then_all(claimsmith: Command) -> None:
    assert "In shadow" in claimsmith("rollout", "shadow", "--yes").out
    done = claimsmith("rollout", "10%", "--subject", "alice", "--client", "batch", "--pool", "eu-west-1_A", "--yes")
    assert "The policy reaches 10 % of all users and machines and 2 subjects by name in eu-west-1_A" in output(done)
    shown = claimsmith("rollout", "--subject", "alice", "--subject", "user-1", "--json").data
    rollout = {**shown["rollout"], "changed_at": 0, "changed_by": "cli"}
    assert rollout == {
        "percent": 10,
        "subjects": ["alice", "batch"],
        "pools": ["eu-west-1_A"],
        "changed_by": "cli",
        "changed_at": 0,
        "problem": None,
    }
    assert shown["reaches"] == {"alice": True, "user-1": False}
    assert claimsmith("rollout", "100", "--yes", "--json").data == {"rollout": None}
    text = output(claimsmith("rollout", "--subject", "alice"))
    assert "alice: reached" in text
    assert text.count("by cli") == 3


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("arguments", [("101",), ("half",), ("-1",), ("all", "--subject", "alice")])
def test_what_is_no_rollout_is_refused(claimsmith: Command, arguments: tuple[str, ...]) -> None:
    assert claimsmith("rollout", *arguments, "--yes").code == 2


@pytest.mark.usefixtures("applied")
def test_the_other_commands_tell_the_truth_about_who_is_reached(claimsmith: Command, policy_file: Path) -> None:
    def in_shadow(command: str, user: str) -> Any:  # noqa: ANN401 - JSON
        return claimsmith(command, "--user", user, "--json").data["in_shadow"]

    assert not in_shadow("preview", "user-1")
    claimsmith("rollout", "10", "--yes")
    assert [in_shadow("preview", user) for user in ("user-12", "user-1")] == [False, True]
    assert in_shadow("explain", "user-1")
    assert "In shadow: this token is not issued; Cognito's own is." in output(claimsmith("preview", "--user", "user-1"))
    reaches = "The policy reaches 10 % of all users and machines"
    assert reaches in output(claimsmith("versions"))
    assert reaches in output(claimsmith("who-can", "orders/read"))
    plan = ("plan", str(policy_file), "--var", "WEB=web2")
    assert reaches in output(claimsmith(*plan))
    assert claimsmith(*plan, "--json").data["rollout"]["percent"] == 10
    assert reaches in output(claimsmith("apply", str(policy_file), "--var", "WEB=web2"))
    assert claimsmith("versions", "--json").data["rollout"]["percent"] == 10

"""The commands about versions, as a user runs and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith import table
from tests.cli.conftest import tables_after
from tests.conftest import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran
    from tests.conftest import Client, Tables

    Command = Callable[..., Ran]

MANUAL = """\
settings: {publish: manual}
roles:
  viewer: {scopes: [orders/read, orders/list]}
"""


@pytest.fixture(scope="module")
def staged_tables(applied_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Version 1 is in force; version 2 is stored and waits for somebody to promote it."""
    file = tmp_path_factory.mktemp("staged") / "policy.yaml"
    file.write_text(MANUAL)
    return tables_after(applied_tables, ("apply", str(file)))


@pytest.fixture
def staged(dynamodb: Client, staged_tables: Tables, policy_file: Path) -> Path:
    """Those tables, and the file of version 2."""
    assert dynamodb
    restore(staged_tables)
    policy_file.write_text(MANUAL)
    return policy_file


def output(ran: Ran) -> str:
    """The output without line breaks."""
    return " ".join(ran.out.split())


def test_before_the_first_version_the_output_explains_what_that_means(claimsmith: Command) -> None:
    done = claimsmith("versions")
    assert done.code == 0
    assert "No version is in force" in done.out
    assert claimsmith("versions", "--json").data["in_force"] is None


def test_what_apply_stores_without_putting_it_in_force_names_the_command_that_does(
    claimsmith: Command, staged: Path
) -> None:
    staged.write_text(MANUAL.replace("orders/list", "orders/export"))
    assert "Run claimsmith promote to publish." in output(claimsmith("apply", str(staged)))
    claimsmith("rollback", "1")
    staged.write_text(MANUAL.replace("publish: manual", "publish: auto"))
    assert "Run claimsmith resume to end the hold and publish." in output(claimsmith("apply", str(staged)))


def test_a_note_of_apply_is_kept_with_the_version(claimsmith: Command, policy_file: Path) -> None:
    claimsmith("apply", str(policy_file), "--var", "WEB=web1", "--note", "editors may write")
    assert claimsmith("versions", "--json").data["versions"][0]["note"] == "editors may write"
    assert "editors may write" in output(claimsmith("versions"))


@pytest.mark.usefixtures("staged")
def test_versions_shows_who_created_each_and_which_one_is_in_force(claimsmith: Command) -> None:
    data = claimsmith("versions", "--json").data
    assert [version["version"] for version in data["versions"]] == [2, 1]
    assert data["versions"][0]["created_by"].startswith("cli")
    assert (data["in_force"], data["staged"], data["hold"], data["manual"]) == (1, None, False, True)
    text = output(claimsmith("versions"))
    assert "in force" in text
    assert "Publishing is manual; run claimsmith promote to publish the draft." in text
    assert (
        len(claimsmith("versions", "--limit", "1", "--json").data["versions"]) == 2
    )  # the one in force is always listed


@pytest.mark.usefixtures("staged")
def test_diff_names_what_came_went_and_changed(claimsmith: Command) -> None:
    done = claimsmith("diff", "1", "2")
    assert done.code == 0
    assert "  - editor: " in done.out
    assert "  ~ viewer scopes: +orders/list" in done.out
    differences = claimsmith("diff", "1", "2", "--json").data["differences"]
    changed = [(each["kind"], each["section"], each["name"], each["path"]) for each in differences]
    assert ("removed", "roles", "editor", []) in changed
    assert ("changed", "roles", "viewer", ["scopes"]) in changed
    assert "are the same" in claimsmith("diff", "2", "2").out


def test_a_role_of_a_staged_version_can_be_granted_to_those_who_try_it(
    claimsmith: Command, rows: Table, staged: Path
) -> None:
    staged.write_text(MANUAL.replace("viewer", "auditor"))
    assert claimsmith("apply", str(staged)).code == 0
    claimsmith("tenants", "add", "acme")
    assert "There is no role auditor." in claimsmith("members", "grant", "u1", "acme", "--role", "auditor").err
    claimsmith("stage", "3", "--subject", "u1")
    assert claimsmith("members", "grant", "u1", "acme", "--role", "auditor").code == 0
    rows.put({"pk": "BUNDLE", "sk": table.version_sk(3), "document": "damaged"})
    assert "There is no role auditor." in claimsmith("members", "grant", "u2", "acme", "--role", "auditor").err
    assert claimsmith("members", "grant", "u2", "acme", "--role", "viewer").code == 0


@pytest.mark.usefixtures("staged")
def test_a_version_is_staged_promoted_rolled_back_and_resumed(claimsmith: Command) -> None:
    done = claimsmith("stage", "2", "--percent", "10", "--subject", "user-1", "--client", "m2m", "--json")
    assert (done.code, done.data) == (
        0,
        {"in_force": 1, "staged": {"version": 2, "percent": 10, "subjects": ["m2m", "user-1"]}},
    )
    assert "Version 2 is staged: it serves 10 % of all subjects and 2 by name." in output(claimsmith("versions"))
    assert claimsmith("promote", "--json").data == {"result": "published", "policy_version": 2}
    back = claimsmith("rollback", "1")
    assert "Version 1 is in force for all" in back.out
    assert "on hold" in back.out
    assert "Publishing is on hold since a rollback; run claimsmith resume to end it." in output(claimsmith("versions"))
    refused = claimsmith("promote")
    assert refused.code == 1
    assert "CS4011" in refused.err
    assert "The hold has ended." in claimsmith("resume").out
    assert claimsmith("promote", "2", "--json").data == {"result": "published", "policy_version": 2}


@pytest.mark.usefixtures("staged")
def test_preview_is_by_the_staged_version_for_those_it_serves(claimsmith: Command) -> None:
    claimsmith("stage", "2", "--subject", "user-1")
    versions = [claimsmith("preview", "--user", user, "--json").data["policy_version"] for user in ("user-1", "user-2")]
    assert versions == [2, 1]


@pytest.mark.usefixtures("staged")
def test_a_staged_user_may_be_given_by_name_where_the_pool_is_known(claimsmith: Command, pool: tuple[str, str]) -> None:
    pool_id, sub = pool
    done = claimsmith("stage", "2", "--subject", "alice", "--user-pool-id", pool_id, "--json")
    assert done.data["staged"]["subjects"] == [sub]


def test_staging_says_that_the_next_publication_ends_it_where_publishing_is_automatic(
    claimsmith: Command, staged: Path
) -> None:
    staged.write_text(MANUAL.replace("manual", "auto"))
    assert claimsmith("apply", str(staged)).code == 0
    assert "Publishing is automatic" in output(claimsmith("stage", "1", "--percent", "10"))
    assert "Nothing is staged; version 2 serves all users." in output(claimsmith("stage", "1", "--percent", "0"))


@pytest.mark.usefixtures("staged")
@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("stage", "2"), 2, "CS4007"),
        (("stage", "1", "--percent", "10"), 2, "CS4007"),
        (("stage", "9", "--percent", "10"), 1, "CS4004"),
        (("stage", "2", "--percent", "101"), 2, "less than or equal to 100"),
        (("stage", "2", "--percent", "0.5"), 2, "valid integer"),
        (("rollback", "9"), 1, "CS4004"),
        (("rollback", "2"), 2, "CS4007"),
        (("rollback", "0"), 2, "greater than or equal to 1"),
        (("rollback",), 2, "N"),
        (("promote", "9"), 1, "CS4004"),
        (("diff", "1", "9"), 1, "CS4004"),
    ],
)
def test_what_cannot_be_done_ends_with_a_code(
    claimsmith: Command, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    done = claimsmith(*arguments)
    assert (done.code, code in done.err) == (exit_code, True), done.err
    assert claimsmith("versions", "--json").data["in_force"] == 1


@pytest.mark.usefixtures("staged")
def test_a_draft_with_errors_is_not_promoted_and_its_findings_are_shown(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "POLICY", "sk": "ROLE#x", "inherits": ["veiwer"]})
    for command in ("promote", "resume"):
        done = claimsmith(command)
        assert done.code == 1
        assert "CS1005" in done.err
    assert "The draft was refused at" in output(claimsmith("versions"))
    assert claimsmith("versions", "--json").data["problems"]["findings"][0]["row"] == "POLICY ROLE#x"


@pytest.mark.usefixtures("staged")
def test_an_unfinished_apply_is_listed_and_cancelled_by_command(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "LEASE", "sk": "DRAFT", "digest": "another", "by": "cli:bob", "started_at": 1_800_000_000})
    assert "cli:bob has been applying a policy since 2027-01-15 08:00:00 UTC" in output(claimsmith("versions"))
    waiting = claimsmith("promote")
    assert waiting.code == 1
    assert "claimsmith release" in output(waiting)
    released = claimsmith("release")
    assert released.code == 0
    assert "The apply that cli:bob started" in output(released)
    assert claimsmith("release", "--json").data == {"released": None}
    assert claimsmith("promote").code == 0


@pytest.mark.usefixtures("staged")
def test_a_staging_edited_by_hand_is_reported_and_ended(claimsmith: Command, rows: Table) -> None:
    rows.update("BUNDLE", "CURRENT", {"candidate": "two"})
    assert "The staging cannot be read: candidate is not the number of a version" in output(claimsmith("versions"))
    assert claimsmith("versions", "--json").data["staging_problem"]["attribute"] == "candidate"
    assert claimsmith("promote").code == 1
    assert claimsmith("stage", "2", "--percent", "0").code == 0
    assert claimsmith("versions", "--json").data["staging_problem"] is None


@pytest.mark.parametrize("command", ["versions", "diff", "rollback", "resume", "stage", "promote", "release"])
def test_every_command_explains_itself(claimsmith: Command, command: str) -> None:
    done = claimsmith(command, "--help")
    assert done.code == 0
    assert "Usage" in done.out

"""``plan``, the question of ``apply``, and ``export --version``, against an in-memory table and pool."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import boto3
import pytest
import yaml

from claimsmith.service.everyone import Everyone
from tests.cli.conftest import tables_after
from tests.conftest import restore
from tests.policies import membership_row, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran
    from tests.conftest import Tables

    Command = Callable[..., Ran]

IN_FORCE = """\
settings: {privileged_scopes: [admin/*]}
roles:
  viewer: {scopes: [orders/read]}
  editor: {inherits: [viewer], scopes: [orders/write]}
clients:
  web: {name: web}
  batch: {roles: [viewer]}
"""

CHANGED = """\
settings: {privileged_scopes: [admin/*]}
roles:
  viewer: {}
  editor: {inherits: [viewer], scopes: [admin/users, orders/write], access_claims: {tier: gold}}
clients:
  web: {name: web}
  batch: {roles: [viewer]}
"""


@pytest.fixture(scope="module")
def tables_in_force(empty_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    file = tmp_path_factory.mktemp("in-force") / "policy.yaml"
    file.write_text(IN_FORCE)
    return tables_after(empty_tables, ("apply", str(file)))


@pytest.fixture
def directory(rows: Table, tables_in_force: Tables, policy_file: Path) -> None:
    """A policy in force, three users in two tenants, of whom two are alike, and one membership that cannot be read.

    The file has a policy with a privileged scope more, a claim more, and a scope less.
    """
    restore(tables_in_force)
    rows.put(tenant_row("acme", name="Acme"))
    rows.put(tenant_row("globex"))
    rows.put(user_row("u-alice", username="alice"))
    rows.put(membership_row("u-alice", "acme", roles=["editor"]))
    rows.put(user_row("u-bob", username="bob"))
    rows.put(membership_row("u-bob", "acme", roles=["editor"]))
    rows.put(membership_row("u-carol", "globex", roles=["viewer"]))
    rows.put(membership_row("u-carol", "acme", roles=7))
    policy_file.write_text(CHANGED)


TEXT = """\
Compared with version 1, in force:
roles
  + editor access_claims: {"tier": "gold"}
  ~ editor scopes: +admin/users
  ~ viewer scopes: -orders/read

Plan: 0 to add, 3 to change, 0 to remove.
Tokens: those of 3 of 3 users and 1 machine change, in 2 tenants.
  + scope admin/users privileged 2 users, in 1 tenant
      alice at web (API sign-in, acme) <- POLICY ROLE#editor
      bob at web (API sign-in, acme) <- POLICY ROLE#editor
  - scope orders/read 3 users, machines batch, in 2 tenants
      alice at web (API sign-in, acme) <- POLICY ROLE#viewer (no longer gives it)
      bob at web (API sign-in, acme) <- POLICY ROLE#viewer (no longer gives it)
      u-carol at web (API sign-in, globex) <- POLICY ROLE#viewer (no longer gives it)
  + claim tier (access token) 2 users, in 1 tenant
      alice at web (API sign-in, acme): none -> "gold" <- POLICY ROLE#editor
      bob at web (API sign-in, acme): none -> "gold" <- POLICY ROLE#editor
By tenant: acme 2 users, globex 1 user.
1 row cannot be read, here or at a sign-in; claimsmith doctor says which.
Not taken into account: users without rows, groups and attributes: they are known with --user-pool-id.
"""

MARKDOWN = """\
### Claimsmith plan

**0 to add, 3 to change, 0 to remove** in the policy.

**Tokens:** those of 3 of 3 users and 1 machine change, in 2 tenants.

<details><summary>Policy</summary>

```diff
# roles
+ editor access_claims: {"tier": "gold"}
! editor scopes: +admin/users
! viewer scopes: -orders/read
```

</details>

| | what | users | machines | tenants | because of |
|---|---|---:|---:|---:|---|
| `+` | scope admin/users **privileged** | 2 | 0 | 1 | POLICY ROLE\\#editor |
| `-` | scope orders/read | 3 | 1 | 2 | POLICY ROLE\\#viewer |
| `+` | claim tier (access token) | 2 | 0 | 1 | POLICY ROLE\\#editor |

By tenant: acme 2 users, globex 1 user.

- 1 row cannot be read, here or at a sign-in; claimsmith doctor says which.
- Not taken into account: users without rows, groups and attributes: they are known with --user-pool-id.
"""


@pytest.mark.usefixtures("directory")
def test_the_plan_for_people_and_for_a_pull_request(claimsmith: Command, policy_file: Path) -> None:
    shown = claimsmith("plan", str(policy_file))
    assert (shown.code, shown.out) == (1, TEXT)
    assert claimsmith("plan", str(policy_file), "--markdown").out == MARKDOWN


@pytest.mark.usefixtures("directory")
def test_the_plan_as_json(claimsmith: Command, policy_file: Path) -> None:
    data = claimsmith("plan", str(policy_file), "--json").data
    assert data["differences"][0] == {
        "kind": "added",
        "section": "roles",
        "name": "editor",
        "path": ["access_claims"],
        "before": None,
        "after": {"tier": "gold"},
    }
    assert data["changed"] == {
        "users": 3,
        "machines": ["batch"],
        "tenants": {"acme": 2, "globex": 1},
        "no_tenant": 0,
    }
    assert data["effects"][0] == {
        "kind": "scope",
        "direction": "gained",
        "name": "admin/users",
        "token": "",
        "privileged": True,
        "users": 2,
        "machines": [],
        "tenants": 1,
        "clients": ["any_other_client", "batch", "web"],
        "examples": [
            {
                "subject": f"u-{name}",
                "username": name,
                "client": "web",
                "flow": "api",
                "tenant": "acme",
                "row": "POLICY ROLE#editor",
                "why": "",
                "before": None,
                "after": None,
            }
            for name in ("alice", "bob")
        ],
    }
    assert data["read"] == {
        "users": 3,
        "tenants": 2,
        "different_users": 2,
        "ways": 3,
        "sample": None,
        "interrupted": False,
        "unreadable_rows": 1,
        "not_in_pool": 0,
        "unknown": ["users without rows, groups and attributes: they are known with --user-pool-id"],
    }
    assert {name: data[name] for name in ("from", "staged", "changes", "failed_on")} == {
        "from": 1,
        "staged": None,
        "changes": True,
        "failed_on": [],
    }


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("gain:admin/*", 1),
        ("gain:admin/users", 1),
        ("gain:orders/read", 0),
        ("loss:orders/read", 1),
        ("loss:admin/*", 0),
        ("refusal", 0),
        ("gain:", 2),
        ("gain: admin/users", 2),
        ("gains:admin/users", 2),
    ],
)
def test_with_a_condition_only_the_condition_fails(
    claimsmith: Command, policy_file: Path, condition: str, code: int
) -> None:
    done = claimsmith("plan", str(policy_file), "--fail-on", condition, "--json")
    assert done.code == code
    if code < 2:
        assert done.data["failed_on"] == [condition] * code


@pytest.mark.usefixtures("directory")
def test_the_draft_in_force_changes_nothing_and_an_edited_row_does(claimsmith: Command, rows: Table) -> None:
    same = claimsmith("plan")
    assert (same.code, same.out) == (0, "The policy is the one in force: version 1.\nTokens: nothing changes.\n")
    rows.put({"pk": "POLICY", "sk": "ROUTE#orders", "method": "GET", "path": "/orders", "any_scope": ["orders/read"]})
    routed = claimsmith("plan", "--json")
    assert (routed.code, routed.data["effects"], routed.data["read"]["users"]) == (1, [], 0)


@pytest.mark.usefixtures("directory")
def test_a_number_that_becomes_true_is_a_change_of_tokens(claimsmith: Command, policy_file: Path) -> None:
    """In Python, 1 equals True; to an application that reads the token, it does not."""
    assert claimsmith("apply", str(policy_file), "--yes").code == 0
    for value in ("1", "true"):
        policy_file.write_text(CHANGED.replace("tier: gold", f"tier: {value}"))
        plan = claimsmith("plan", str(policy_file), "--json").data
        assert [(effect["kind"], effect["name"]) for effect in plan["effects"]] == [("claim", "tier")]
        assert claimsmith("apply", str(policy_file)).code == 0


def test_a_refused_policy_has_no_plan(claimsmith: Command, policy_file: Path) -> None:
    policy_file.write_text("settings: {}\nroles: {editor: {inherits: [nobody]}}\n")
    assert claimsmith("plan", str(policy_file), "--json").data["error"]["code"] == "CS1005"


@pytest.mark.usefixtures("directory")
def test_a_sample_is_told(claimsmith: Command, policy_file: Path) -> None:
    done = claimsmith("plan", str(policy_file), "--sample", "1")
    assert "those of 1 of 1 user" in done.out
    assert "Sampled: the figures are those of the first 1 user of the table, not of all." in done.out
    assert "Sampled" not in claimsmith("plan", str(policy_file), "--sample", "3").out


@pytest.mark.usefixtures("directory")
def test_an_interrupt_leaves_what_was_found(
    claimsmith: Command, rows: Table, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Everyone.users

    def interrupted(everyone: Everyone) -> object:
        yield next(users(everyone))
        raise KeyboardInterrupt

    monkeypatch.setattr(Everyone, "users", interrupted)
    shown = claimsmith("plan", str(policy_file))
    assert (shown.code, shown.err) == (130, "Interrupted after 1 user; nothing was changed.\n")
    assert "+ scope admin/users" in shown.out
    before = rows.query("POLICY")
    assert claimsmith("apply", str(policy_file), "--yes").code == 130
    assert rows.query("POLICY") == before


def test_before_the_first_version_everything_is_new(claimsmith: Command, rows: Table, policy_file: Path) -> None:
    policy_file.write_text(IN_FORCE)
    rows.put(user_row("u-dave"))
    done = claimsmith("plan", str(policy_file))
    assert done.code == 1
    assert "Nothing is in force yet." in done.out
    assert "- no longer refused: CS2002 (no_bundle) 1 user" in done.out


def test_with_the_pool_those_without_rows_and_their_groups_are_known(
    claimsmith: Command, rows: Table, policy_file: Path, pool: tuple[str, str]
) -> None:
    pool_id, sub = pool
    client = boto3.client("cognito-idp")
    client.create_group(UserPoolId=pool_id, GroupName="Staff")
    client.admin_add_user_to_group(UserPoolId=pool_id, Username="alice", GroupName="Staff")
    policy_file.write_text(IN_FORCE)
    assert claimsmith("apply", str(policy_file)).code == 0
    policy_file.write_text(IN_FORCE + "groups:\n  Staff: {roles: [viewer]}\n")
    rows.put(user_row("u-gone", roles=["viewer"]))
    assert claimsmith("plan", str(policy_file), "--json").data["changed"]["users"] == 0
    data = claimsmith("plan", str(policy_file), "--user-pool-id", pool_id, "--json").data
    assert data["changed"]["users"] == 1
    assert {effect["name"] for effect in data["effects"]} == {"orders/read", "viewer"}
    [example, *_] = data["effects"][0]["examples"]
    assert (example["subject"], example["username"]) == (sub, "alice")
    assert (data["read"]["not_in_pool"], data["read"]["unknown"]) == (1, [])


# Apply


@pytest.mark.usefixtures("directory")
def test_apply_without_a_terminal_refuses_a_privileged_gain_unless_told(
    claimsmith: Command, rows: Table, policy_file: Path
) -> None:
    before = rows.query("POLICY")
    refused = claimsmith("apply", str(policy_file))
    assert refused.code == 1
    assert "Somebody would gain a privileged scope (admin/users). Nothing was written." in refused.err
    assert "CS4014" in refused.err
    assert "+ scope admin/users privileged 2 users, in 1 tenant\n  - scope" in refused.out
    assert rows.query("POLICY") == before
    done = claimsmith("apply", str(policy_file), "--yes", "--json")
    assert (done.code, done.data) == (0, {"result": "published", "policy_version": 2})


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_apply_asks_on_a_terminal(
    claimsmith: Command, policy_file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    terminal = StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert claimsmith("apply", str(policy_file)).code == code
    assert claimsmith("plan", str(policy_file)).code == code


@pytest.mark.usefixtures("directory")
def test_apply_reads_nobody_without_a_plan(claimsmith: Command, policy_file: Path) -> None:
    assert "Tokens:" not in claimsmith("apply", str(policy_file), "--no-plan").out
    assert claimsmith("plan", str(policy_file)).code == 0


@pytest.mark.usefixtures("directory")
def test_a_dry_run_is_the_plan_and_writes_nothing(claimsmith: Command, rows: Table, policy_file: Path) -> None:
    before = rows.query("POLICY")
    done = claimsmith("apply", str(policy_file), "--dry-run")
    assert (done.code, done.out) == (0, TEXT)
    assert rows.query("POLICY") == before
    planned = claimsmith("plan", str(policy_file), "--json").data
    assert claimsmith("apply", str(policy_file), "--dry-run", "--json").data == planned


# Export


@pytest.mark.usefixtures("directory")
def test_an_exported_version_applied_again_is_that_version(
    claimsmith: Command, policy_file: Path, tmp_path: Path
) -> None:
    assert claimsmith("apply", str(policy_file), "--yes").code == 0
    exported = tmp_path / "exported.yaml"
    assert claimsmith("export", "--version", "1", "--output", str(exported)).code == 0
    assert yaml.safe_load(exported.read_text())["roles"]["editor"]["inherits"] == ["viewer"]
    claimsmith("apply", str(exported))
    digests = {each["version"]: each["digest"] for each in claimsmith("versions", "--json").data["versions"]}
    assert digests[3] == digests[1] != digests[2]
    assert claimsmith("export", "--version", "9", "--json").data["error"]["code"] == "CS4004"

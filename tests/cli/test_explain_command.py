from __future__ import annotations

import io
import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.events import MACHINE, event
from tests.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

pytestmark = pytest.mark.usefixtures("applied")


@pytest.fixture
def editor(claimsmith: Command) -> tuple[str, ...]:
    """The options of a sign-in by an editor of acme."""
    claimsmith("members", "grant", "u1", "acme", "--role", "editor")
    return ("--user", "u1", "--client", "web1")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """Write a file, for --with and --event."""

    def write(text: str) -> str:
        file = tmp_path / "given.yaml"
        file.write_text(text)
        return str(file)

    return write


def chains(answer: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """The rows of each chain, by kind and name."""
    return {(item["kind"], item["name"]): [link["row"] for link in item["chain"]] for item in answer["present"]}


def test_everything_in_the_tokens_is_explained_row_by_row(claimsmith: Command, editor: tuple[str, ...]) -> None:
    by_editor = " <- role editor (POLICY ROLE#editor) <- membership of acme (USER#u1 TENANT#acme)"
    assert claimsmith("explain", *editor).out.splitlines() == [
        "Policy version 1.",
        "tenant acme <- the only usable membership (USER#u1 TENANT#acme)",
        "role editor (POLICY ROLE#editor) <- membership of acme (USER#u1 TENANT#acme)",
        f"role viewer (POLICY ROLE#viewer){by_editor}",
        "scope aws.cognito.signin.user.admin <- requested, and the policy does not manage it (request)",
        f"scope orders/read <- role viewer (POLICY ROLE#viewer){by_editor}",
        "access claim client_id <- set by Cognito (Cognito)",
        "access claim policy_version <- the policy in force (BUNDLE CURRENT)",
        "access claim roles <- membership of acme (USER#u1 TENANT#acme)",
        "access claim sub <- set by Cognito (Cognito)",
        "access claim tenant_id <- the only usable membership (USER#u1 TENANT#acme)",
        "access claim tier <- role editor (POLICY ROLE#editor) <- membership of acme (USER#u1 TENANT#acme)",
        "access claim token_use <- set by Cognito (Cognito)",
        "access claim username <- set by Cognito (Cognito)",
        "id claim aud <- set by Cognito (Cognito)",
        "id claim cognito:username <- set by Cognito (Cognito)",
        "id claim roles <- membership of acme (USER#u1 TENANT#acme)",
        "id claim sub <- set by Cognito (Cognito)",
        "id claim tenant_id <- the only usable membership (USER#u1 TENANT#acme)",
        "id claim tenant_name <- tenant acme (TENANT#acme TENANT)",
        "id claim tier <- role editor (POLICY ROLE#editor) <- membership of acme (USER#u1 TENANT#acme)",
        "id claim token_use <- set by Cognito (Cognito)",
    ]


def test_a_client_whose_access_tokens_get_nothing_is_named(claimsmith: Command, written: Callable[[str], str]) -> None:
    policy = "settings: {}\nroles: {viewer: {scopes: [orders/read], claims: {tier: gold}}}\n"
    done = claimsmith("apply", written(f"{policy}clients: {{alb1: {{name: alb, add_to_access_token: false}}}}"))
    assert done.code == 0
    claimsmith("members", "grant", "u1", "acme", "--role", "viewer")
    asked = ("--user", "u1", "--client", "alb1", "--source", "HostedAuth", "--scope", "openid")
    shown = claimsmith("preview", *asked, "--json").data
    assert "tier" not in shown["access"]
    assert shown["id"]["tier"] == "gold"
    (absent,) = claimsmith("explain", *asked[:4], "--scope", "orders/read", "--json").data["absent"]
    assert [(step["row"], step["attribute"]) for step in absent["steps"]] == [
        ("POLICY CLIENT#alb1", "add_to_access_token")
    ]


def test_only_what_is_asked_for_is_explained(claimsmith: Command, editor: tuple[str, ...]) -> None:
    done = claimsmith("explain", *editor, "--scope", "orders/read", "--role", "editor", "--json")
    assert done.code == 0
    assert done.data == {
        "policy_version": 1,
        "refused": None,
        "present": [
            {
                "kind": "scope",
                "name": "orders/read",
                "token": "access",
                "chain": [
                    {"what": "role viewer", "row": "POLICY ROLE#viewer"},
                    {"what": "role editor", "row": "POLICY ROLE#editor"},
                    {"what": "membership of acme", "row": "USER#u1 TENANT#acme"},
                ],
            },
            {
                "kind": "role",
                "name": "editor",
                "token": "",
                "chain": [
                    {"what": "role editor", "row": "POLICY ROLE#editor"},
                    {"what": "membership of acme", "row": "USER#u1 TENANT#acme"},
                ],
            },
        ],
        "absent": [],
        "problems": [],
        "in_shadow": False,
    }


def test_the_first_obstacle_to_a_scope_is_shown_with_its_row(
    claimsmith: Command, editor: tuple[str, ...], rows: Table
) -> None:
    rows.update("TENANT#acme", "TENANT", {"roles_allowed": ["viewer"]})
    done = claimsmith("explain", "--user", "u1", "--client", "other", "--scope", "orders/write")
    assert done.code == 1
    assert done.out.splitlines()[1:] == [
        "scope orders/write is not there. This would have to be different:",
        "  1. role editor grants it; the tenant's roles_allowed leaves editor out.",
        "     TENANT#acme TENANT: add editor to roles_allowed",
    ]
    both = claimsmith("explain", *editor, "--scope", "orders/write", "--json").data["absent"]
    assert [(absence["kind"], absence["name"], len(absence["steps"])) for absence in both] == [
        ("scope", "orders/write", 2)
    ]
    assert both[0]["steps"][1] == {
        "row": "POLICY CLIENT#web1",
        "attribute": "scopes_allowed",
        "action": "add",
        "value": "orders/write",
        "why": "role editor grants it; the client's scopes_allowed leaves it out",
        "member": None,
    }


def test_a_scope_that_nothing_grants_may_be_misspelt(claimsmith: Command, editor: tuple[str, ...]) -> None:
    absent = claimsmith("explain", *editor, "--scope", "orders/reed", "--json").data["absent"][0]
    assert absent["why"].startswith("no role and no rule grants it (did you mean orders/read?)")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("--role", "edtor"), "role edtor is not there: the policy has no role edtor (did you mean editor?)."),
        (("--claim", "colour"), "claim colour is not there: no row of the policy sets it in the access token,"),
        (("--claim", "exp"), "claim exp is not there: Cognito alone sets this claim."),
    ],
)
def test_what_nothing_grants_is_reported_as_granted_by_nothing(
    claimsmith: Command, editor: tuple[str, ...], asked: tuple[str, str], why: str
) -> None:
    done = claimsmith("explain", *editor, *asked)
    assert done.code == 1
    assert done.out.splitlines()[1].startswith(why)


def test_a_refused_sign_in_is_explained_though_nothing_is_asked_for(claimsmith: Command) -> None:
    claimsmith("members", "grant", "u1", "acme")
    claimsmith("tenants", "suspend", "acme")
    done = claimsmith("explain", "--user", "u1", "--tenant", "acme")
    assert done.code == 1
    assert done.out.splitlines() == [
        "Refused with CS2007 (tenant_not_permitted).",
        "Policy version 1.",
        "This sign-in is refused. This would have to be different:",
        "  1. client metadata asks for acme; the tenant acme is not active.",
        "     TENANT#acme TENANT: set status to active",
    ]


def test_a_machine_is_explained_without_a_user(claimsmith: Command) -> None:
    machine = ("explain", "--source", "ClientCredentials", "--client", "web1", "--request-scope", "orders/read")
    done = claimsmith(*machine, "--scope", "orders/read", "--json")
    assert [step["row"] for step in done.data["absent"][0]["steps"]] == ["POLICY CLIENT#web1"]
    assert done.data["absent"][0]["why"] == "role viewer grants it; the client does not have role viewer"


def test_hypothetical_rows_of_the_directory_stand_in_for_those_of_the_table(
    claimsmith: Command, editor: tuple[str, ...], written: Callable[[str], str], rows: Table
) -> None:
    supposed = written("- {pk: TENANT#acme, sk: TENANT, roles_allowed: [viewer]}\n")
    shown = claimsmith("preview", *editor, "--with", supposed, "--json").data
    assert shown["access"]["roles"] == ["viewer"]
    assert "tenant_name" not in shown["id"], "the row is as given, and not merged"
    gone = written("pk: USER#u1\nsk: TENANT#acme\ndelete: true\n")
    assert "tenant_id" not in claimsmith("preview", *editor, "--with", gone, "--json").data["access"]
    row = rows.get("TENANT#acme", "TENANT")
    assert row is not None
    assert row["name"] == "Acme", "nothing is written"


def test_a_hypothetical_row_of_the_policy_makes_the_next_version(
    claimsmith: Command, editor: tuple[str, ...], written: Callable[[str], str]
) -> None:
    supposed = written('{"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#editor"}, "scopes": {"L": [{"S": "orders/read"}]}}')
    done = claimsmith("explain", *editor, "--with", supposed, "--compare", "1", "--json")
    assert done.data["policy_version"] == 2
    assert done.data["compared"]["policy_version"] == 1
    changes = {
        (one["kind"], one["name"]): (one["before"] is not None, one["after"] is not None)
        for one in done.data["compared"]["differences"]
    }
    assert changes == {
        ("role", "viewer"): (True, False),
        ("scope", "orders/read"): (True, True),
        ("claim", "tier"): (True, False),
    }
    refused = claimsmith("preview", *editor, "--with", written("{pk: POLICY, sk: ROLE#x, scopes: [a b]}"))
    assert refused.code == 1
    assert "CS1008" in refused.err
    assert claimsmith("preview", *editor, "--with", supposed, "--version", "1").code == 2


def test_two_versions_are_compared_claim_by_claim(
    claimsmith: Command, editor: tuple[str, ...], policy_file: Path
) -> None:
    policy_file.write_text(policy_file.read_text().replace("tier: gold", "tier: silver"))
    claimsmith("apply", str(policy_file), "--var", "WEB=web1")
    compared = claimsmith("preview", *editor, "--compare", "1", "--json").data["compared"]
    assert compared == {
        "policy_version": 1,
        "refused": None,
        "differences": [
            {"token": "access", "claim": "policy_version", "before": 1, "after": 2},
            {"token": "access", "claim": "tier", "before": "gold", "after": "silver"},
            {"token": "id", "claim": "tier", "before": "gold", "after": "silver"},
        ],
    }
    assert "silver" in claimsmith("preview", *editor, "--compare", "1").out
    assert "Nothing differs from version 1." in claimsmith("explain", *editor, "--compare", "1").out


@pytest.mark.parametrize("wrap", [lambda sent: sent, lambda sent: {"level": "INFO", "event": sent}])
def test_an_event_is_replayed_from_a_file_or_a_log_line(
    claimsmith: Command, written: Callable[[str], str], wrap: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    sent = event(client_id="web1", scopes=["openid", "orders/write"], groups=["Staff"])
    sub = sent["request"]["userAttributes"]["sub"]
    claimsmith("members", "grant", sub, "acme", "--role", "editor")
    shown = claimsmith("preview", "--event", written(json.dumps(wrap(sent))), "--json").data
    assert shown["access"]["scope"] == "openid"
    assert shown["access"]["cognito:groups"] == ["Staff"]


def test_an_event_is_read_from_standard_input(claimsmith: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(event(MACHINE, client_id="web1"))))
    assert claimsmith("preview", "--event", "-", "--json").data["access"]["client_id"] == "web1"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--event", "FILE"), "not JSON"),
        (("--event", "FILE"), "[" * 100_000),
        (("--event", "FILE"), '{"version": "2"}'),
        (("--event", "FILE", "--user", "u1"), "{}"),
        (("--event", "nowhere.json"), ""),
        (("--user", "u1", "--with", "FILE"), "pk: TENANT#acme"),
        (("--user", "u1", "--with", "FILE"), "{pk: BUNDLE, sk: CURRENT}"),
        (("--user", "u1", "--with", "FILE"), "{pk: TENANT#acme, sk: TENANT, until: 2027-01-31}"),
        (("--user", "u1", "--with", "FILE"), "{pk: [}"),
    ],
)
def test_a_file_that_cannot_be_meant_is_a_usage_error(
    claimsmith: Command, written: Callable[[str], str], arguments: tuple[str, ...], text: str
) -> None:
    file = written(text)
    done = claimsmith("explain", *(file if argument == "FILE" else argument for argument in arguments))
    assert done.code == 2
    assert "CS40" in done.err


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/explain.md"])
def test_the_examples_of_the_pages_are_what_the_command_prints(
    claimsmith: Command, written: Callable[[str], str], rows: Table, page: str
) -> None:
    [policy] = (block.text for block in Page("README.md").blocks if block.heading == "A policy")
    claimsmith("apply", written(policy))
    claimsmith("members", "grant", "alice", "acme", "--role", "editor")
    claimsmith("tenants", "add", "globex")
    claimsmith("members", "grant", "bob", "globex", "--role", "editor")
    rows.update("TENANT#globex", "TENANT", {"roles_allowed": ["viewer"]})
    examples = [block.text for block in Page(page).blocks if block.text.startswith("$ claimsmith explain")]
    compared = 0
    for example in "".join(examples).split("$ claimsmith ")[1:]:
        line, _, shown = example.partition("\n")
        if shown.strip():
            printed = claimsmith(*shlex.split(line)).out.replace("USER#alice", "USER#…")
            assert printed.splitlines()[1:] == shown.strip().splitlines()[1:]
            compared += 1
    assert compared == 2

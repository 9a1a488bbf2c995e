"""Policies and directory rows for tests, in the words of the table, through the real compiler and the real readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.event import parse
from claimsmith.engine import Decision, Refusal, decide
from claimsmith.engine.codec import from_document
from claimsmith.engine.facts import MACHINE, Facts, Tenant, read_tenant, read_user
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Bundle

    Entries = Mapping[str, Mapping[str, Any]]

#: Epoch seconds at which tests that care about time take place.
NOW: Final = 1_800_000_000

VERSION: Final = 7


def policy_rows(
    *,
    settings: Mapping[str, Any] | None = None,
    roles: Entries | None = None,
    groups: Entries | None = None,
    identity_providers: Entries | None = None,
    clients: Entries | None = None,
    rules: Entries | None = None,
    routes: Entries | None = None,
) -> list[dict[str, Any]]:
    """The rows of a policy; ``SETTINGS`` is always among them."""
    rows: list[dict[str, Any]] = [{"pk": "POLICY", "sk": "SETTINGS", **(settings or {})}]
    kinds = {"ROLE": roles, "GROUP": groups, "IDENTITY_PROVIDER": identity_providers, "CLIENT": clients, "RULE": rules}
    kinds["ROUTE"] = routes
    for kind, entries in kinds.items():
        rows += [{"pk": "POLICY", "sk": f"{kind}#{name}", **attributes} for name, attributes in (entries or {}).items()]
    return rows


def bundle(**sections: Any) -> Bundle:  # noqa: ANN401 - passed on to policy_rows
    """The compiled policy of these sections.

    Raises:
        PolicyError: the policy is refused.
    """
    return from_document(compile_policy(from_rows(policy_rows(**sections))), VERSION)


def unlinted(*rules: Mapping[str, Any], **sections: Any) -> Bundle:  # noqa: ANN401 - passed on to policy_rows
    """The policy of these sections with rules that no lint has seen, as a document holds them."""
    document = compile_policy(from_rows(policy_rows(**sections)))
    return from_document({**document, "rules": [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)]}, VERSION)


def user_row(sub: str, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute
    """A USER row."""
    return {"pk": f"USER#{sub}", "sk": "USER", **attributes}


def membership_row(sub: str, tenant: str, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute
    """A membership."""
    return {"pk": f"USER#{sub}", "sk": f"TENANT#{tenant}", **attributes}


def tenant_row(tenant: str, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute
    """A TENANT row."""
    return {"pk": f"TENANT#{tenant}", "sk": "TENANT", **attributes}


def facts(*rows: Mapping[str, Any], machine: bool = False) -> Facts:
    """What these directory rows say."""
    users = [row for row in rows if row["pk"].startswith("USER#")]
    tenants: dict[str, Tenant | None] = {}
    problems = []
    for row in rows:
        if row["sk"] != "TENANT":
            continue
        read = read_tenant(row, NOW)
        tenant_id = row["pk"].removeprefix("TENANT#")
        tenants[tenant_id] = read if isinstance(read, Tenant) else None
        if read is not None and not isinstance(read, Tenant):
            problems.append(read)
    return Facts(MACHINE if machine else read_user(users, NOW), tenants, tuple(problems))


def decided(policy: Bundle, known: Facts, event: Mapping[str, Any]) -> Decision:
    """The decision for an event that is not refused."""
    decision = decide(policy, known, parse(event), NOW)
    assert isinstance(decision, Decision), decision
    return decision


def refused(policy: Bundle, known: Facts, event: Mapping[str, Any]) -> Refusal:
    """The refusal of an event."""
    refusal = decide(policy, known, parse(event), NOW)
    assert isinstance(refusal, Refusal), refusal
    return refusal

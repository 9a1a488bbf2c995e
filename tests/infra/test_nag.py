"""cdk-nag (AwsSolutions) over both stacks and both settings: every finding is mended, or acknowledged where it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aws_cdk import Stack, Validations

from tests.infra.template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.template import Synthesised


PREFIX = "AwsSolutions::AwsSolutions-"


class Acknowledged(NamedTuple):
    rule: str
    resource: str
    reason: str


@pytest.fixture(params=["production_app", "development_app"])
def synthesised(request: pytest.FixtureRequest) -> Synthesised:
    found: Synthesised = request.getfixturevalue(request.param)
    return found


def _plugin(synthesised: Synthesised) -> dict[str, Any]:
    assert synthesised.report is not None
    (plugin,) = [entry for entry in synthesised.report["pluginReports"] if entry["pluginName"] == "AwsSolutions"]
    return dict(plugin)


def _acknowledged(synthesised: Synthesised) -> set[Acknowledged]:
    return {
        Acknowledged(entry["acknowledgedId"].removeprefix(PREFIX), construct["constructPath"], entry["reason"])
        for entry in _plugin(synthesised)["suppressedViolations"]
        for construct in entry["violatingConstructs"]
    }


def _declared(synthesised: Synthesised) -> Iterator[tuple[str, object]]:
    """Every acknowledgement in the code, with where it is."""
    for construct in synthesised.app.node.find_all():
        for entry in construct.node.metadata:
            if entry.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY:
                yield construct.node.path, entry.data


def _table(rows: set[Acknowledged]) -> str:
    """As in ``docs/how-to/deploy.md``: one line for a rule and a reason."""
    places: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        places.setdefault((row.rule, row.reason), set()).add(row.resource.removesuffix("/Resource"))
    return "\n".join(
        f"| `{rule}` | {', '.join(f'`{path}`' for path in sorted(paths))} | {reason} |"
        for (rule, reason), paths in sorted(places.items())
    )


def test_no_finding_is_left(synthesised: Synthesised) -> None:
    left = [
        f"{entry['ruleName']} ({entry['severity']}) at {construct['constructPath']}: {entry['description']}"
        for entry in _plugin(synthesised)["violations"]
        for construct in entry["violatingConstructs"]
    ]
    assert left == [], f"acknowledged so far:\n{_table(_acknowledged(synthesised))}"
    assert _plugin(synthesised)["conclusion"] == "success"


def test_every_acknowledgement_is_on_the_resource_that_breaks_the_rule(synthesised: Synthesised) -> None:
    for entry in _plugin(synthesised)["suppressedViolations"]:
        (construct,) = entry["violatingConstructs"]
        assert entry["acknowledgedAt"] == construct["constructPath"], entry["ruleName"]


def test_no_acknowledgement_is_there_for_nothing(synthesised: Synthesised) -> None:
    declared = [(path, str(data)) for path, data in _declared(synthesised)]
    used = {(row.resource, row.rule) for row in _acknowledged(synthesised)}
    unused = [
        (path, data)
        for path, data in declared
        if not any(path == resource and f"{PREFIX}{rule}'" in data for resource, rule in used)
    ]
    assert declared
    assert unused == []


def test_nothing_is_acknowledged_for_a_whole_stack(synthesised: Synthesised) -> None:
    stacks = {construct.node.path for construct in synthesised.app.node.find_all() if isinstance(construct, Stack)}
    assert stacks == {"Claimsmith", "ClaimsmithVerifier"}
    assert not stacks & {path for path, _ in _declared(synthesised)}


def test_the_guide_lists_every_acknowledgement(production_app: Synthesised, development_app: Synthesised) -> None:
    expected = _table(_acknowledged(production_app) | _acknowledged(development_app))
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    section = re.search(
        r"## What cdk-nag reports, and why it is accepted\n.*?\|---\|---\|---\|\n(.*?)\n(?:\n|$)", guide, re.DOTALL
    )
    assert section is not None
    assert section[1] == expected, f"the table should be:\n{expected}"

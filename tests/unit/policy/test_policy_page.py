"""``docs/reference/policy.md`` is true: its examples pass, its mistakes are refused as shown, its tables are code's."""

from __future__ import annotations

import json
import re
from contextlib import chdir
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest
import yaml
from pydantic import BaseModel

from claimsmith.cli.main import main
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.event import parse as parse_event
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.language import ALWAYS_UNMANAGED, MAX_TENANTS_LISTED
from claimsmith.engine.language.conditions import MAX_DEPTH, MAX_NODES, OPERATORS, Operand, compiled
from claimsmith.engine.language.paths import FIXED, MISSING, OPEN, EvaluationContext, is_trusted, kind
from claimsmith.engine.language.values import CONVERSIONS
from claimsmith.errors import Code
from claimsmith.policy import Finding, from_rows, lint
from claimsmith.policy.documents import Expect, Given, Row, Rule, Settings
from claimsmith.policy.finding import WARNINGS
from claimsmith.policy.operands import OPERANDS
from claimsmith.policy.yaml import parse
from tests.events import event
from tests.pages import Block, Page, code, names
from tests.policies import policy_rows

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = Page("docs/reference/policy.md")
README: Final = Page("README.md")

YAML: Final = [block for block in PAGE.blocks if block.language == "yaml"]
MISTAKES: Final = [block for block in YAML if block.text.startswith("# CS")]
EXAMPLES: Final = [block for block in YAML if block not in MISTAKES]
WHOLE: Final = [block for block in EXAMPLES if "settings" in yaml.safe_load(block.text)]
FRAGMENTS: Final = [block for block in EXAMPLES if block not in WHOLE]

#: What every row may have, whatever its kind.
COMMON: Final = set(Row.model_fields)


def named(block: Block) -> str:
    return f"{block.heading}-line-{block.line}".replace(" ", "-").lower()


def warned(block: Block) -> set[str]:
    """The warning that an example announces."""
    announced = set(re.findall(r"\A# warns (CS\d{4})\n", block.text))
    assert announced <= set(WARNINGS), "no error is a mere warning"
    return announced


def merged(block: Block) -> dict[str, Any]:
    """The policy that an example is: itself, or the page's first policy with the example's entries."""
    own: dict[str, Any] = yaml.safe_load(block.text)
    if block in WHOLE:
        return own
    policy: dict[str, Any] = {**yaml.safe_load(WHOLE[0].text), "tests": []}
    for section, entries in own.items():
        before = policy.get(section, type(entries)())
        assert not isinstance(entries, dict) or not before.keys() & entries.keys(), "it defines an entry twice"
        policy[section] = {**before, **entries} if isinstance(entries, dict) else [*before, *entries]
    return policy


def findings(policy: dict[str, Any]) -> list[Finding]:
    return lint(parse(yaml.safe_dump(policy, sort_keys=False), "policy.yaml", {}))


def lint_command(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What the command leaves on the screen for a file of this text."""
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    with chdir(folder), pytest.raises(SystemExit) as ended:
        main(["lint", "policy.yaml"])
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


# Examples.


def test_the_page_has_examples_of_every_kind() -> None:
    assert len(YAML) == PAGE.text.count("```yaml")
    assert (len(WHOLE) >= 8, len(FRAGMENTS) >= 12, len(MISTAKES) >= 5) == (True, True, True)
    assert EXAMPLES[0] == WHOLE[0], "fragments are added to the first example"


@pytest.mark.parametrize("block", EXAMPLES, ids=named)
def test_an_example_is_a_policy_in_which_lint_finds_only_what_it_announces(block: Block) -> None:
    assert merged(block)["tests"], "an example has tests"
    assert {finding.code: str(finding) for finding in findings(merged(block))}.keys() == warned(block)


@pytest.mark.parametrize("block", EXAMPLES, ids=named)
def test_an_examples_tests_are_red_without_the_rest_of_it(block: Block) -> None:
    """So that they show what the example does, and not what is so anyway."""
    rest = {"settings": {}} if block in WHOLE else {**yaml.safe_load(WHOLE[0].text)}
    # A test that gives a role needs it, if only by name.
    roles = {**{name: {} for name in merged(block).get("roles", ())}, **rest.get("roles", {})}
    found = findings({**rest, "roles": roles, "tests": merged(block)["tests"]})
    assert Code.TEST_FAILED in {finding.code for finding in found}


@pytest.mark.parametrize("block", WHOLE, ids=named)
def test_a_whole_policy_passes_the_command_as_it_stands(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output = lint_command(tmp_path, block.text, capsys)
    assert (status, set(re.findall(r"\[(CS\d{4})\]", output))) == (0, warned(block)), output
    assert f"OK: {len(parse(block.text, 'policy.yaml', {}).entries)} rows, " in output


@pytest.mark.parametrize("block", MISTAKES, ids=named)
def test_a_mistake_gives_exactly_its_code_and_what_is_shown_below_it(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output = lint_command(tmp_path, block.text, capsys)
    shown = PAGE.blocks[PAGE.blocks.index(block) + 1]
    assert (shown.language, shown.text) == ("text", output)
    assert (status, re.findall(r"\[(CS\d{4})\]", output)) == (1, [block.text.splitlines()[0].removeprefix("# ")])


def test_the_rows_shown_are_those_of_the_first_policy() -> None:
    [shown] = [block for block in PAGE.blocks if block.language == "json"]
    rows = parse(WHOLE[0].text, "policy.yaml", {}).rows()
    expected = [row for row in rows if not row["sk"].startswith("TEST#")]
    assert sorted(map(json.loads, shown.text.splitlines()), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("block", [block for block in README.blocks if block.language == "yaml"], ids=named)
def test_the_policies_of_the_readme_have_no_findings(block: Block) -> None:
    text = block.text if "settings:" in block.text else f"settings: {{}}\n{block.text}"
    assert [str(finding) for finding in lint(parse(text, "README.md", {"WEB_CLIENT": "1example23456789"}))] == []


# Tables.


def test_the_table_of_paths_is_that_of_the_engine() -> None:
    table = {code(path): (gives, trusted) for path, gives, trusted, _ in PAGE.table("path", "gives")}
    paths = [*FIXED, *(f"{prefix}NAME" for prefix in OPEN)]
    expected = {path: (kind(path), "yes" if is_trusted(path, set()) else "no") for path in paths}
    assert table == expected


def of_missing(op: str, value: object) -> str:
    """What an operator yields for a missing path."""
    request = parse_event(event())
    known = EvaluationContext(request, None, None, None, (), None)
    assert known["tenant.id"] is MISSING
    return "**yes**" if compiled({"field": "tenant.id", "op": op, "value": value})(known) else "no"


def test_the_table_of_operators_is_that_of_the_engine() -> None:
    expected = {}
    for op, operator in OPERATORS.items():
        missing = of_missing(op, OPERANDS[operator.operand].sample)
        if operator.operand == "boolean":
            missing += f"; {of_missing(op, value=False)} for `false`"
        fields = ", ".join(field for field in ("any", "text", "list") if field in operator.fields)
        expected[op] = (OPERANDS[operator.operand].words, fields, missing)
    table = {code(op): (value, fields, missing) for op, value, _, fields, missing in PAGE.table("`op`", "`value` is")}
    assert table == expected


@pytest.mark.parametrize("op", OPERATORS)
def test_explain_and_plan_have_a_field_for_which_an_operator_holds(op: str) -> None:
    operator, value = OPERATORS[op], OPERANDS[OPERATORS[op].operand].sample
    samples = operator.samples(value)
    assert operator.missing(value) or operator.holds(samples[0], value) or operator.holds([samples[0]], value)
    assert set(OPERANDS) == set(get_args(Operand))


def test_every_operator_stands_in_an_example() -> None:
    shown = {op for block in EXAMPLES for op in re.findall(r"op: (\w+)", block.text)}
    assert shown == set(OPERATORS)


def test_the_bounds_of_a_condition_are_those_of_the_engine() -> None:
    assert f"At most {MAX_NODES} of them,\n{MAX_DEPTH} levels deep" in PAGE.section("Conditions")


@pytest.mark.parametrize("row", PAGE.table("`as`", "reads"), ids=" ".join)
def test_a_conversion_gives_what_the_table_shows(row: list[str]) -> None:
    conversion, reads, gives = row
    given = CONVERSIONS[code(conversion)](json.loads(code(reads)))
    assert ("nothing" if given is MISSING else f"`{json.dumps(given)}`") == gives


def test_every_conversion_is_in_the_table() -> None:
    assert list(dict.fromkeys(code(row[0]) for row in PAGE.table("`as`", "reads"))) == list(CONVERSIONS)


#: What an attribute of a rule may hold; all others are lists of names.
ATTRIBUTES: Final[dict[str, Any]] = {
    "when": {"field": "request.source", "op": "exists"},
    "claims": {"x": 1},
    "access_claims": {"x": 1},
    "id_claims": {"x": 1},
    "optional": True,
    "enabled": True,
}


def test_the_table_of_a_rules_attributes_has_each_and_marks_those_that_need_trust() -> None:
    table = {code(attribute): trust for attribute, _, trust in PAGE.table("a rule's attribute")}
    assert set(table) == set(Rule.model_fields) - COMMON - {"order"}
    for attribute, trust in table.items():
        rule = {"order": 10, "when": ATTRIBUTES["when"], attribute: ATTRIBUTES.get(attribute, ["x"])}
        found = {finding.code for finding in lint(from_rows(policy_rows(rules={"r": rule})))}
        assert found == ({Code.UNTRUSTED_INPUT} if trust == "yes" else set()), attribute


def test_the_table_of_settings_has_each_with_its_default_and_its_bounds() -> None:
    table = {code(name): (code(default), meaning) for name, default, meaning in PAGE.table("setting", "default")}
    assert list(table) == [name for name in Settings.model_fields if name not in COMMON]
    properties = Settings.model_json_schema()["properties"]
    for name, (default, meaning) in table.items():
        value = Settings.model_fields[name].get_default(call_default_factory=True)
        assert yaml.safe_load(default) == (
            value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        )
        if "maximum" in properties[name]:
            assert meaning.endswith(f", {properties[name]['minimum']} to {properties[name]['maximum']}"), name
        for choice in properties[name].get("enum", ()):
            assert choice in f"{default} {meaning}", name


def fields_of(model: type[BaseModel], name: str) -> set[str]:
    """The attributes of a part, or nothing where it is no part."""
    annotation = model.model_fields[name].annotation
    parts = (annotation, *getattr(annotation, "__args__", ()))
    return {field for part in parts for field in getattr(part, "model_fields", ())}


def test_the_words_of_a_test_are_those_of_the_documents() -> None:
    table = {code(part): (has, absent) for part, has, absent in PAGE.table("`given`", "has", "if absent")}
    assert list(table) == list(Given.model_fields)
    assert table.pop("now") == ("epoch seconds", str(Given().now))
    for part, (has, _) in table.items():
        assert sorted(names(has)) == sorted(fields_of(Given, part)), part
    assert [code(row[0]) for row in PAGE.table("`expect`", "has")] == list(Expect.model_fields)


def test_the_table_of_built_in_claims_shows_which_token_has_which() -> None:
    expected = {
        name: tuple("yes" if token in claim.tokens else "no" for token in TOKENS)
        for name, claim in BUILT_IN_CLAIMS.items()
    }
    table = {code(name): (access, identity) for name, access, identity, _ in PAGE.table("claim", "access token")}
    assert table == expected
    assert f"up to {MAX_TENANTS_LISTED} tenants" in PAGE.section("Built-in claims")


def test_the_scopes_that_no_policy_manages_are_named() -> None:
    prose = PAGE.section("Scopes").partition("**")[0]
    assert set(names(prose)) == {*ALWAYS_UNMANAGED, "unmanaged_scopes"}

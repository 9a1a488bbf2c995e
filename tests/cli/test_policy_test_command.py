"""``claimsmith test``: the tests of a policy file, without AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from claimsmith.cli.main import main
from claimsmith.policy.junit import Case, xml
from tests.cli.conftest import Ran

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Ran]

POLICY = """\
settings: {}
roles:
  viewer: {scopes: [orders/read]}
  editor: {inherits: [viewer], scopes: [orders/write]}
rules:
  - id: plan
    access_claims: {plan: {from: tenant.plan}}
routes:
  - {id: list, path: /orders, any_scope: [orders/read]}
  - {id: delete, path: "/orders/{id}", any_scope: [orders/delete]}
tests:
  - name: a viewer may read
    given: {tenant: {id: acme}, membership: {roles: [viewer]}}
    expect: {scopes: [orders/read]}
  - name: An Editor may write
    given: {tenant: {id: acme}, membership: {roles: [editor]}}
    expect: {scopes: [orders/read, orders/write], absent: {access: [plan]}}
"""

RED = f"""\
{POLICY}\
  - name: <a viewer> & "nobody"
    given: {{tenant: {{id: acme, plan: pro}}, membership: {{roles: [viewer]}}}}
    expect: {{scopes: [], access: {{plan: free, tier: gold}}}}
  - name: nobody can sign in like this
    given: {{tenant: {{id: acme}}, membership: {{expires_at: 10}}}}
    expect: {{scopes: []}}
"""

RED_OUTPUT = """\
{file} ..FE

=================================== FAILURES ===================================
___________________________ <a viewer> & "nobody" ____________________________
{file}:20: expect.access.plan [CS1026]
  expected  "free"
  got       "pro"
  because   plan set by POLICY RULE#plan
{file}:20: expect.access.tier [CS1026]
  expected  "gold"
  got       no such claim
{file}:20: expect.scopes [CS1026]
  expected  []
  got       ["orders/read"]
  because   orders/read granted by POLICY ROLE#viewer
________________________ nobody can sign in like this ________________________
{file}:22: given [CS1025]
  this row is not valid: expires_at is not a time in epoch seconds

Tests depend on 1 of 1 rules, 2 of 2 roles, 1 of 2 routes.
  no test depends on these routes: delete
====================== 1 failed, 2 passed, 1 error ======================
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "policy.yaml"
    written.write_text(POLICY)
    return written


@pytest.fixture
def test_of(file: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command on the file; there is neither a table nor AWS."""

    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(["test", str(file), *arguments])
        output = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, output.out, output.err)

    return run


def test_green_tests_are_dots_and_a_summary(test_of: Command, file: Path) -> None:
    done = test_of()
    assert (done.code, done.out.splitlines()[0], done.out.splitlines()[-1]) == (
        0,
        f"{file} ..",
        " 2 passed ".center(80, "="),
    )
    assert "Tests depend on 0 of 1 rules, 2 of 2 roles, 1 of 2 routes." in done.out


def test_failures_show_what_was_expected_what_came_and_which_row_it_came_from(test_of: Command, file: Path) -> None:
    file.write_text(RED)
    done = test_of()
    assert done.code == 1
    got, expected = done.out.splitlines(), RED_OUTPUT.format(file=file).splitlines()
    assert [line.strip("_= ") for line in got] == [line.strip("_= ") for line in expected]


def test_verbose_is_a_line_for_each_test(test_of: Command, file: Path) -> None:
    assert test_of("-v").out.splitlines()[:2] == [
        f"{file}::a viewer may read PASSED",
        f"{file}::An Editor may write PASSED",
    ]


def test_a_selection_says_how_much_it_left_out_and_nothing_of_what_it_depends_on(test_of: Command, file: Path) -> None:
    done = test_of("-k", "editor", "-v")
    assert done.out.splitlines() == [
        f"{file}::An Editor may write PASSED",
        " 1 passed, 1 deselected ".center(80, "="),
    ]
    assert test_of("-k", "editor", "--json").data["coverage"] is None


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (POLICY, ["-k", "owner"], "No test's name contains owner, so there is nothing to run. [CS4028]"),
        ("settings: {}\n", [], "The policy has no tests, so there is nothing to run. [CS4028]"),
    ],
)
def test_a_run_without_tests_is_no_success(
    test_of: Command, file: Path, text: str, arguments: list[str], message: str
) -> None:
    file.write_text(text)
    done = test_of(*arguments)
    assert (done.code, done.err.strip()) == (1, message)


def test_a_policy_with_other_errors_is_not_tested(test_of: Command, file: Path, tmp_path: Path) -> None:
    file.write_text(POLICY.replace("inherits: [viewer]", "inherits: [veiwer]"))
    done = test_of("--junit", str(tmp_path / "junit.xml"))
    assert done.code == 1
    assert f"{file}:4: inherits.0: there is no role veiwer; did you mean viewer? [CS1005]" in done.err
    [error] = ET.parse(tmp_path / "junit.xml").iter("error")  # noqa: S314 - written a moment ago
    assert "there is no role veiwer" in (error.text or "")


def test_variables_are_those_of_lint(test_of: Command, file: Path) -> None:
    file.write_text(POLICY.replace("name: a viewer", "name: ${WHO}"))
    assert "CS1014" in test_of().err
    assert test_of("--var", "WHO=somebody", "-v").out.startswith(f"{file}::somebody may read PASSED\n")


def test_json_holds_all_of_it(test_of: Command, file: Path) -> None:
    file.write_text(RED)
    data = test_of("--json").data
    assert data["counts"] == {"passed": 2, "failed": 1, "error": 1, "deselected": 0}
    assert data["error"] == {"code": "CS1026", "message": "1 failed, 2 passed, 1 error."}
    assert data["coverage"] == {
        "rules": {"total": 1, "depended_on": 1, "missing": []},
        "roles": {"total": 2, "depended_on": 2, "missing": []},
        "routes": {"total": 2, "depended_on": 1, "missing": ["delete"]},
    }
    assert data["tests"][0] == {"name": "a viewer may read", "outcome": "passed", "line": 12, "differences": []}
    assert data["tests"][2]["differences"][0] == {
        "attribute": "expect.access.plan",
        "line": 20,
        "expected": '"free"',
        "got": '"pro"',
        "why": ["plan set by POLICY RULE#plan"],
        "code": "CS1026",
    }
    assert [test["outcome"] for test in data["tests"]] == ["passed", "passed", "failed", "error"]


#: Elements and attributes of Jenkins' junit-10.xsd, as far as this needs them: required, optional, and what is inside.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name"}, {"tests", "failures", "errors", "time", "timestamp", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname"}, {"time", "status"}, {"failure", "error", "skipped"}),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
}


def conforms(element: ET.Element) -> bool:
    required, optional, inside = SCHEMA[element.tag]
    return (
        required <= element.attrib.keys() <= required | optional
        and {child.tag for child in element} <= inside
        and all(map(conforms, element))
    )


def test_junit_is_what_pipelines_read(test_of: Command, file: Path, tmp_path: Path) -> None:
    file.write_text(RED)
    assert test_of("--junit", str(tmp_path / "junit.xml")).code == 1
    root = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written a moment ago
    assert conforms(root)
    [suite] = root
    assert suite.attrib == {"name": str(file), "tests": "4", "failures": "1", "errors": "1"}
    assert [(case.get("name"), [child.tag for child in case]) for case in suite] == [
        ("a viewer may read", []),
        ("An Editor may write", []),
        ('<a viewer> & "nobody"', ["failure"]),
        ("nobody can sign in like this", ["error"]),
    ]
    [failure] = root.iter("failure")
    assert failure.attrib == {"type": "CS1026", "message": 'expect.access.plan: expected "free", got "pro"'}
    assert "because   orders/read granted by POLICY ROLE#viewer" in (failure.text or "")


def test_what_xml_cannot_hold_is_written_out() -> None:
    text = xml("a\ud800", [Case("b\x1b\ufffe", "failed", "CS1026", "c\x00", "d\x08\ttab é 𝄞")])
    case = ET.fromstring(text)[0][0]  # noqa: S314 - the text above
    assert case.attrib == {"name": r"b\x1b\ufffe", "classname": r"a\ud800"}
    assert (case[0].get("message"), case[0].text) == (r"c\x00", "d\\x08\ttab é 𝄞")


def test_a_file_that_cannot_be_written_is_reported(test_of: Command, tmp_path: Path) -> None:
    done = test_of("--junit", str(tmp_path / "nowhere" / "junit.xml"))
    assert done.code == 2
    assert "cannot be written" in done.err


def test_ctrl_c_leaves_nothing_behind(test_of: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("claimsmith.policy.test_report.measure", interrupted)
    done = test_of("--junit", str(tmp_path / "junit.xml"))
    assert (done.code, done.out, done.err) == (130, "", "Stopped. Nothing was written.\n")
    assert not (tmp_path / "junit.xml").exists()


def test_an_error_is_json_as_well(test_of: Command) -> None:
    data: dict[str, Any] = json.loads(test_of("-k", "owner", "--json").out)
    assert data["error"]["code"] == "CS4028"

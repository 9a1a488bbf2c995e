"""The SARIF log against the standard's own words, property by property.

Written from the OASIS standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; each table below is
what its section allows and requires of an object that Claimsmith writes. Nothing else may be in the log.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from claimsmith.errors import Code
from claimsmith.policy import Finding, lint, sarif
from claimsmith.policy.finding import cut
from tests.mistakes import example

#: Object -> what it must have and what it may have besides, with the section.
OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    "sarifLog": ({"version", "runs"}, {"$schema"}),  # 3.13
    "run": ({"tool"}, {"results", "columnKind", "properties"}),  # 3.14; 3.8 for the property bag
    "tool": ({"driver"}, set()),  # 3.18
    "toolComponent": ({"name"}, {"rules"}),  # 3.19
    "reportingDescriptor": ({"id"}, {"name", "shortDescription", "help"}),  # 3.49
    "multiformatMessageString": ({"text"}, set()),  # 3.12
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations"}),  # 3.27
    "message": ({"text"}, set()),  # 3.11
    "location": (set(), {"physicalLocation", "logicalLocations"}),  # 3.28
    "physicalLocation": ({"artifactLocation"}, {"region"}),  # 3.29: an artifactLocation or an address
    "artifactLocation": ({"uri"}, set()),  # 3.4: a uri or an index
    "region": ({"startLine"}, set()),  # 3.30: a text region begins at a line
    "logicalLocation": (set(), {"fullyQualifiedName", "kind"}),  # 3.33
}


def checked(kind: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    """An object of this kind, with what it must have and nothing that it may not."""
    needed, allowed = OBJECTS[kind]
    assert isinstance(value, dict), kind
    assert needed <= value.keys() <= needed | allowed, (kind, sorted(value))
    return value


def text_of(kind: str, value: object) -> str:
    text = checked(kind, value)["text"]
    assert isinstance(text, str)
    assert text
    return text


def assert_is_sarif(log: dict[str, Any]) -> None:
    checked("sarifLog", log)
    assert log["version"] == "2.1.0"
    assert urlsplit(log["$schema"]).path.endswith("/sarif-schema-2.1.0.json")
    assert len(log["runs"]) == 1
    run = checked("run", log["runs"][0])
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = checked("toolComponent", checked("tool", run["tool"])["driver"])
    rules = [checked("reportingDescriptor", rule) for rule in driver["rules"]]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert text_of("multiformatMessageString", rule["shortDescription"]).endswith(".")  # 3.49.9
        text_of("multiformatMessageString", rule["help"])
    for result in run["results"]:
        checked("result", result)
        text_of("message", result["message"])
        assert result["level"] in ("none", "note", "warning", "error")  # 3.27.10
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        for location in result["locations"]:
            assert_is_location(location)


def assert_is_location(location: Any) -> None:  # noqa: ANN401 - a JSON value
    checked("location", location)
    if "physicalLocation" in location:
        physical = checked("physicalLocation", location["physicalLocation"])
        uri = checked("artifactLocation", physical["artifactLocation"])["uri"]
        assert uri.isascii()
        assert not set(uri) & set(' "<>\\^`{|}')  # RFC 3986 section 2
        if "region" in physical:
            line = checked("region", physical["region"])["startLine"]
            assert type(line) is int
            assert line >= 1  # 3.30.5
    for logical in location.get("logicalLocations", ()):
        assert isinstance(checked("logicalLocation", logical)["fullyQualifiedName"], str)


@pytest.mark.parametrize(
    "code", [Code.SETTINGS_MISSING, Code.UNKNOWN_ROLE, Code.RULE_NEVER_APPLIES], ids=lambda code: code.name.lower()
)
def test_findings_of_files_are_sarif_with_line_and_level(code: Code) -> None:
    findings = lint(example(code, wrong=True).draft())
    log = sarif.log(findings)
    assert_is_sarif(log)
    [result] = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == (findings[0].code.value, findings[0].severity)
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == findings[0].line


def test_several_findings_share_the_rule_of_their_code() -> None:
    findings = [
        Finding(Code.UNKNOWN_ROLE, "POLICY GROUP#a", "roles.0", "one"),
        Finding(Code.INVALID_NAME, "POLICY ROLE#A", "", "two"),
        Finding(Code.UNKNOWN_ROLE, "POLICY GROUP#b", "roles.0", "three"),
    ]
    log = sarif.log(findings)
    assert_is_sarif(log)
    assert [result["ruleIndex"] for result in log["runs"][0]["results"]] == [0, 1, 0]
    assert log["runs"][0]["results"][0]["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "POLICY GROUP#a roles.0", "kind": "member"}]}
    ]


def test_no_findings_are_a_run_without_results() -> None:
    log = sarif.log([])
    assert_is_sarif(log)
    assert log["runs"][0]["results"] == []


def test_a_log_counts_the_findings_that_were_left_out() -> None:
    found = [Finding(Code.UNKNOWN_ROLE, "POLICY GROUP#a", f"roles.{number}", "no", "p.yaml", 3) for number in range(9)]
    log = sarif.log(cut(found, 4))
    assert_is_sarif(log)
    assert log["runs"][0]["properties"] == {"left_out": 6}
    last = log["runs"][0]["results"][3]
    assert last["message"]["text"].startswith("6 more findings")
    assert last["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "p.yaml"}


@pytest.mark.parametrize("file", ["a b/ü%.yaml", "c:d.yaml", "/tmp/x y.yaml", "../p.yaml"])  # noqa: S108 - only a name
def test_a_file_of_any_name_is_a_uri(file: str) -> None:
    log = sarif.log([Finding(Code.UNREADABLE_FILE, "", "", "no", file, None)])
    assert_is_sarif(log)
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(urlsplit(uri).path) == file
    assert urlsplit(uri).scheme == ("file" if file.startswith("/") else "")

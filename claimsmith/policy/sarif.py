"""Findings as a SARIF 2.1.0 log, for code scanning. Section numbers refer to the OASIS standard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from claimsmith.policy.finding import left_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claimsmith.errors import Code
    from claimsmith.policy.finding import Finding

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_TOOL: Final = "claimsmith"


def log(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a log with one run (sections 3.13 and 3.14); without findings, the run has no results.

    If findings were cut, ``left_out`` in the run's property bag (section 3.8) is how many.
    """
    codes = sorted({finding.code for finding in findings})
    driver = {"name": _TOOL, "rules": [_rule(code) for code in codes]}
    results = [_result(finding, codes.index(finding.code)) for finding in findings]
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    if more := left_out(findings):
        run["properties"] = {"left_out": more}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: Code) -> dict[str, Any]:
    """Return a reportingDescriptor (section 3.49)."""
    return {
        "id": code.value,
        "name": "".join(word.capitalize() for word in code.name.split("_")),
        "shortDescription": {"text": f"{code.name.replace('_', ' ').capitalize()}."},
        "help": {"text": f"See {code.value} in docs/reference/codes.md for its meaning and how to fix it."},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    """Return a result (section 3.27)."""
    return {
        "ruleId": finding.code.value,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": finding.message},
        "locations": [_location(finding)],
    }


def _location(finding: Finding) -> dict[str, Any]:
    """Return a location (section 3.28): the line in the file, and the row and attribute."""
    location: dict[str, Any] = {}
    if finding.file is not None:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}}
        if finding.line is not None:
            physical["region"] = {"startLine": finding.line}
        location["physicalLocation"] = physical
    if finding.row:
        place = " ".join(filter(None, (finding.row, finding.attribute)))
        location["logicalLocations"] = [{"fullyQualifiedName": place, "kind": "member"}]
    return location


def _uri(file: str) -> str:
    """Return the URI of a file, relative if its path is (section 3.4.3)."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())

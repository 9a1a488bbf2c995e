"""Test results as JUnit XML, which pipelines show.

The elements and attributes are those of Jenkins' schema (``junit-10.xsd`` of its xUnit plug-in), which pytest's
``xunit2`` family keeps to as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET  # only writes

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What XML 1.0 cannot hold, not even escaped (section 2.2, Char).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Case(NamedTuple):
    """One test case.

    Attributes:
        outcome: ``passed``, ``failed`` or ``error``.
        code: the type of the failure or error.
        message: in a line.
        details: all of it.
    """

    name: str
    outcome: str = "passed"
    code: str = ""
    message: str = ""
    details: str = ""


def xml(suite: str, cases: Iterable[Case]) -> str:
    """Return the document of one suite.

    Args:
        suite: its name, and the class name of the cases.
        cases: in order.
    """
    listed = list(cases)
    totals = {
        "tests": str(len(listed)),
        "failures": str(sum(case.outcome == "failed" for case in listed)),
        "errors": str(sum(case.outcome == "error" for case in listed)),
    }
    root = ET.Element("testsuites", totals)
    element = ET.SubElement(root, "testsuite", {"name": _clean(suite), **totals})
    for case in listed:
        one = ET.SubElement(element, "testcase", {"name": _clean(case.name), "classname": _clean(suite)})
        if case.outcome != "passed":
            kind = "failure" if case.outcome == "failed" else "error"
            failure = ET.SubElement(one, kind, {"message": _clean(case.message), "type": case.code})
            failure.text = _clean(case.details)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def _clean(text: str) -> str:
    r"""Return the text with ``\x1b`` and the like for what XML cannot hold."""
    return _NO_CHARACTER.sub(lambda found: found[0].encode("unicode_escape").decode(), text)

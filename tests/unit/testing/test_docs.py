"""``docs/how-to/cognitokit.md`` is true: its example runs, and it lists every rule and every way to a token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "cognitokit.md").read_text()


def test_the_example_runs_unchanged() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/how-to/cognitokit.md", "exec"), names)  # noqa: S102 - the page's own example
    tests: list[Callable[[CognitoKit], None]] = [
        test for name, test in names.items() if name.startswith("test_") and callable(test)
    ]
    assert len(tests) == 2
    for test in tests:
        test(CognitoKit())


def test_the_page_lists_every_rule_with_its_text() -> None:
    listed = dict(re.findall(r"^\| `([A-Z_0-9]+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert listed == {rule.name: rule.value for rule in Rule}


def test_the_page_names_every_flow() -> None:
    for way in (*SIGN_INS, *REFRESHES, *MACHINES):
        assert f"`{way}`" in PAGE, way

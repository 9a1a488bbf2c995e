"""For each code of lint a policy that is wrong and one that is right.

They stand in ``docs/reference/codes.md``. What no page can show is a fixture: rows as JSON, where YAML cannot express
them, and policies of great length.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final, NamedTuple

from claimsmith.errors import Code
from claimsmith.policy import Draft, from_rows
from claimsmith.policy.yaml import parse
from tests.pages import Page

FIXTURES: Final = Path(__file__).parent / "fixtures" / "policy"

_PLAIN: Final = "# "


class Example(NamedTuple):
    """A policy.

    Attributes:
        place: what is blamed, of one that is wrong: the row and the attribute, or the line of a file that is no policy.
        text: a file, or the rows as JSON.
    """

    code: Code
    wrong: bool
    place: str
    text: str

    @property
    def is_file(self) -> bool:
        """Whether it is YAML, and not rows."""
        return not self.text.startswith("{")

    def draft(self) -> Draft:
        """The policy.

        Raises:
            PolicyError: the text is no policy.
        """
        return parse(self.text, "policy.yaml", _noise()) if self.is_file else from_rows(json.loads(self.text)["rows"])


def _noise() -> dict[str, str]:
    """Text that does not compress well: what fills a bundle."""
    generator = random.Random(1)  # noqa: S311 - incompressible text, not a secret
    return {f"NOISE_{number}": generator.randbytes(150_000).hex() for number in (1, 2, 3)}


def _on_the_page() -> list[Example]:
    examples = []
    for block in Page("docs/reference/codes.md").blocks:
        kind, _, place = block.text.partition("\n")[0].removeprefix(_PLAIN).partition(": ")
        assert kind in ("wrong", "right"), block
        examples.append(Example(Code(block.heading.partition(":")[0]), kind == "wrong", place, block.text))
    return examples


def _fixture(path: Path) -> Example:
    text = path.read_text(encoding="utf-8")
    first = json.loads(text).get("place", "") if path.suffix == ".json" else text.partition("\n")[0]
    return Example(Code(path.name[:6]), path.stem.endswith("bad"), first.removeprefix(_PLAIN), text)


EXAMPLES: Final = [*_on_the_page(), *map(_fixture, sorted(FIXTURES.iterdir()))]


def example(code: Code, *, wrong: bool) -> Example:
    """The one policy for a code that is wrong, or the one that is right."""
    [found] = [example for example in EXAMPLES if (example.code, example.wrong) == (code, wrong)]
    return found

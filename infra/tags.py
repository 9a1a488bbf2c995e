"""What AWS takes as tags. The CDK writes others into a template, and the deployment fails half way.

A stack's tags are those of its resources, so each has to suit all of them: CloudFormation wants a value
(https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html), IAM takes few characters and no two
names of a role that differ only by case (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html).
"""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_TAGS: Final = 50
MAX_NAME: Final = 128
MAX_VALUE: Final = 256

_PUNCTUATION: Final = "_.:/=+-@"
_RESERVED: Final = "aws:"


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Refuse tags that some resource could not have.

    Args:
        tags: values by name.

    Raises:
        ValueError: too many, or a name or value is not possible; the message has the remedy.
    """
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags are too many; AWS takes {MAX_TAGS}")
    seen: dict[str, str] = {}
    for name, value in tags.items():
        for what, text, longest in (("name", name, MAX_NAME), ("value", value, MAX_VALUE)):
            if problem := _problem(text, longest):
                raise ValueError(f"the {what} of {name!r} {problem}")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} differ only by case, which IAM does not tell apart; keep one")
    return tags


def _problem(text: str, longest: int) -> str | None:
    """What is wrong with a name or a value."""
    if not 1 <= len(text) <= longest:
        return f"has {len(text)} characters; use 1 to {longest}"
    if text.lower().startswith(_RESERVED):
        return f"begins with {_RESERVED}, which is AWS's own; choose another"
    if not all(character in _PUNCTUATION or unicodedata.category(character)[0] in "LNZ" for character in text):
        return f"has characters that AWS does not take; use letters, digits, spaces and {_PUNCTUATION}"
    return None

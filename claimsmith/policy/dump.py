"""A policy as a file: what is written is read back as the same policy, by any YAML reader."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from claimsmith.engine.language.conditions import BRANCHES
from claimsmith.errors import Code, PolicyError
from claimsmith.policy.documents import DOCUMENTS, Given
from claimsmith.policy.draft import (
    LISTED_SECTIONS,
    ORDER,
    ORDERED_SECTION,
    SETTINGS_SECTION,
    SIGNATURES,
    UNKNOWN_SECTION,
)
from claimsmith.policy.finding import found
from claimsmith.policy.literals import plain
from claimsmith.policy.yaml import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.draft import Draft, Entry
    from claimsmith.policy.finding import Finding

#: Text that no version of YAML reads as anything else, wherever it stands.
_SAFE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")

#: Several lines of text that stand as they are.
_PROSE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?(?:\n+[!-~](?:[ -~]*[!-~])?)+\n?")

#: Words that some version of YAML reads as true, false or null.
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})

#: Attributes that people look for first; the others follow as the documents have them.
_EARLY: Final = ("description", "name", "inherits", "scopes", "when", "claims", "access_claims", "id_claims")

#: Parts of conditions, expressions and tests in the order in which people write them; other names by the alphabet.
_FIRST: Final = (
    *("field", "op", "value", *BRANCHES),
    *("from", "default", "as", "template"),
    *Given.model_fields,
)

#: Ceilings are lists; one that is a set is refused, and stays one, so that lint can say so.
_CEILING: Final = "_allowed"


#: Characters that stand in no YAML file as they are, or that an editor would hide.
_HIDDEN: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]|[\u2028\u2029]")

_STEP: Final = "  "
_END: Final = "\n"


def dump(draft: Draft) -> str:
    """The draft as a file, in block style and a fixed order; who wrote a row and when is left out.

    Raises:
        PolicyError: a file cannot say this: a row of no known kind, or a rule without a place in the order.
    """
    findings = [finding for entry in draft.entries for finding in _unwritable(entry)]
    if findings:
        raise PolicyError(findings[0].code, "The draft cannot be written as a file.", findings)
    sections = {name: entries for name in DOCUMENTS if (entries := draft.section(name))}
    # An empty line stands between two sections.
    texts = (_END.join([*_block({name: _section(name, entries)}, ""), ""]) for name, entries in sections.items())
    return _END.join(texts) or "{}\n"


def _unwritable(entry: Entry) -> Iterator[Finding]:
    """What a file cannot say of an entry; lint refuses each of these too."""
    key = LISTED_SECTIONS.get(entry.section)
    if entry.section == UNKNOWN_SECTION:
        yield found(Code.UNKNOWN_ROW, entry, (), "a file cannot hold a row of no known kind")
    if entry.section == ORDERED_SECTION and type(plain(entry.attributes.get(ORDER))) is not int:
        yield found(Code.WRONG_TYPE, entry, (ORDER,), "the order is a whole number")
    if key is not None and key in entry.attributes:
        yield found(Code.UNKNOWN_ATTRIBUTE, entry, (key,), "the sort key says this; no attribute does")
    if key is not None and not entry.name:
        yield found(Code.INVALID_NAME, entry, (), f"an entry of a list needs its {key}")


def _section(section: str, entries: Mapping[str, Entry]) -> Any:  # noqa: ANN401 - a map, or a list of them
    if section == SETTINGS_SECTION:
        return _attributes(section, entries[""])
    if section not in LISTED_SECTIONS:
        return {name: _attributes(section, entries[name]) for name in sorted(entries)}
    key = LISTED_SECTIONS[section]
    names = sorted(entries)
    if section == ORDERED_SECTION:
        names.sort(key=lambda name: plain(entries[name].attributes[ORDER]))
    return [{key: name, **_attributes(section, entries[name])} for name in names]


def _attributes(section: str, entry: Entry) -> dict[str, Any]:
    known = list(dict.fromkeys((*_EARLY, *DOCUMENTS[section].model_fields)))
    left_out = SIGNATURES | ({ORDER} if section == ORDERED_SECTION else frozenset())
    names = sorted(
        entry.attributes.keys() - left_out,
        key=lambda name: (known.index(name) if name in known else len(known), name),
    )
    return {name: _value(name, entry.attributes[name]) for name in names}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if name.endswith(_CEILING) and isinstance(value, set | frozenset):
        return set(value)
    return _sorted(plain(value))


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    names = sorted(value, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    return {name: _sorted(value[name]) for name in names}


def _block(value: Mapping[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """The lines of a map or list that is not empty."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _item(f"{indent}{_text(name)}:", item, indent)
        return
    for item in value:
        if isinstance(item, Mapping | list) and item:
            first, *rest = _block(item, indent + _STEP)
            yield f"{indent}- {first[len(indent + _STEP) :]}"
            yield from rest
        else:
            yield from _item(f"{indent}-", item, indent)


def _item(head: str, value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401 - any value of a row
    """The lines of a value after a name or a dash."""
    if isinstance(value, Mapping | list) and value:
        yield head
        yield from _block(value, indent + _STEP)
    elif isinstance(value, str) and _PROSE.fullmatch(text := escaped(value)):
        yield f"{head} {'|' if text.endswith(_END) else '|-'}"
        yield from (indent + _STEP + line if line else "" for line in text.removesuffix(_END).split(_END))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:  # noqa: ANN401 - any value of a row
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, set):
        return "!!set {" + ", ".join(f"{_scalar(member)}: null" for member in plain(value)) + "}"
    # The rest is rare, and a line of a list in PyYAML's own words.
    return yaml.safe_dump([value], default_flow_style=True, width=10**9)[1:-2]


def _text(text: str) -> str:
    text = escaped(text)
    if _SAFE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\U{ord(found[0]):08X}", quoted)

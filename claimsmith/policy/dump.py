"""Writes a policy as a YAML file that any YAML parser reads back as the same policy, or as JSON in the same shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from claimsmith.engine.language.conditions import BRANCHES
from claimsmith.engine.language.values import FORMS
from claimsmith.errors import Code, PolicyError
from claimsmith.policy.documents import DOCUMENTS, KINDS, SETTINGS_SECTION, Given
from claimsmith.policy.draft import (
    ORDER,
    ORDERED_SECTION,
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

#: Text that needs no quotes in any version of YAML, wherever it appears.
_SAFE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")

#: Text of several lines that can be written as a block.
_PROSE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?(?:\n+[!-~](?:[ -~]*[!-~])?)+\n?")

#: Words that some YAML version reads as true, false or null.
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})

#: Attributes to write first; the others follow in the order of the documents.
_FIRST_ATTRIBUTES: Final = ("description", "name", "inherits", "scopes", "when", "claims", "access_claims", "id_claims")

#: Keys of conditions, expressions and tests in their usual order; others follow alphabetically.
_KEY_ORDER: Final = (
    *("field", "op", "value", *BRANCHES),
    *(key for form in FORMS.values() for key in form.keys),
    *Given.model_fields,
)

#: The suffix of ceilings. A set there is written as a set, so that lint still reports it.
_CEILING: Final = "_allowed"


#: Characters that YAML does not allow unescaped, or that editors hide.
_HIDDEN: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]|[\u2028\u2029]")

#: The last character that one escape of JSON can stand for.
_BASIC: Final = 0xFFFF

_INDENT: Final = "  "
_END: Final = "\n"


def dump(draft: Draft) -> str:
    """Return the draft as YAML, in block style and a fixed order, without who wrote each row and when.

    Raises:
        PolicyError: a file cannot express the draft: it has a row of an unknown kind, or a rule without ``order``.
    """
    # Sections are separated by an empty line.
    texts = (_END.join([*_block({name: section}, ""), ""]) for name, section in _sections(draft).items())
    return _END.join(texts) or "{}\n"


def dump_json(draft: Draft) -> str:
    """Return the draft as JSON that is also YAML of the same meaning: ``load`` reads it back.

    Raises:
        PolicyError: as ``dump``.
    """
    return _json(_sections(draft), "") + _END


def _sections(draft: Draft) -> dict[str, Any]:
    """The draft as plain values, by section.

    Raises:
        PolicyError: as ``dump``.
    """
    findings = [finding for entry in draft.entries for finding in _unwritable(entry)]
    if findings:
        raise PolicyError(findings[0].code, "The draft cannot be written as a file.", findings)
    return {name: _section(name, entries) for name in DOCUMENTS if (entries := draft.section(name))}


def _unwritable(entry: Entry) -> Iterator[Finding]:
    """Yield what a file cannot express in an entry; lint refuses all of it too."""
    key = KINDS[entry.section].key if entry.section in KINDS else ""
    if entry.section == UNKNOWN_SECTION:
        yield found(Code.UNKNOWN_ROW, entry, (), "a file cannot contain a row of an unknown kind; delete the row")
    if entry.section == ORDERED_SECTION and type(plain(entry.attributes.get(ORDER))) is not int:
        yield found(Code.WRONG_TYPE, entry, (ORDER,), "order must be a whole number")
    if key and key in entry.attributes:
        yield found(Code.UNKNOWN_ATTRIBUTE, entry, (key,), "the sort key has the name; delete this attribute")
    if key and not entry.name:
        yield found(Code.INVALID_NAME, entry, (), f"a list entry must have its {key}")


def _section(section: str, entries: Mapping[str, Entry]) -> Any:  # noqa: ANN401 - a map, or a list of them
    if section == SETTINGS_SECTION:
        return _attributes(section, entries[""])
    key, names = KINDS[section].key, sorted(entries)
    if not key:
        return {name: _attributes(section, entries[name]) for name in names}
    if section == ORDERED_SECTION:
        names.sort(key=lambda name: plain(entries[name].attributes[ORDER]))
    return [{key: name, **_attributes(section, entries[name])} for name in names]


def _attributes(section: str, entry: Entry) -> dict[str, Any]:
    known = list(dict.fromkeys((*_FIRST_ATTRIBUTES, *DOCUMENTS[section].model_fields)))
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
    names = sorted(value, key=lambda name: (_KEY_ORDER.index(name) if name in _KEY_ORDER else len(_KEY_ORDER), name))
    return {name: _sorted(value[name]) for name in names}


def _block(value: Mapping[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """Yield the lines of a non-empty map or list."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _item(f"{indent}{_text(name)}:", item, indent)
        return
    for item in value:
        if isinstance(item, Mapping | list) and item:
            first, *rest = _block(item, indent + _INDENT)
            yield f"{indent}- {first[len(indent + _INDENT) :]}"
            yield from rest
        else:
            yield from _item(f"{indent}-", item, indent)


def _item(head: str, value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401 - any value of a row
    """Yield the lines of a value after a name or a dash."""
    if isinstance(value, Mapping | list) and value:
        yield head
        yield from _block(value, indent + _INDENT)
    elif isinstance(value, str) and _PROSE.fullmatch(text := escaped(value)):
        yield f"{head} {'|' if text.endswith(_END) else '|-'}"
        yield from (indent + _INDENT + line if line else "" for line in text.removesuffix(_END).split(_END))
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
    # Other types are rare; PyYAML writes them as an item of a flow list.
    return yaml.safe_dump([value], default_flow_style=True, width=10**9)[1:-2]


def _text(text: str) -> str:
    text = escaped(text)
    if _SAFE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\U{ord(found[0]):08X}", quoted)


def _json(value: Any, indent: str) -> str:  # noqa: ANN401 - any value of a row
    """A value as JSON that YAML 1.1 does not read as something else: no ``1e+30`` and no hidden characters."""
    if isinstance(value, set | frozenset):
        value = plain(value)
    inner = indent + _INDENT
    if isinstance(value, Mapping) and value:
        items = [f"{inner}{_quoted(name)}: {_json(item, inner)}" for name, item in value.items()]
        return f"{{{_END}{f',{_END}'.join(items)}{_END}{indent}}}"
    if isinstance(value, list) and value:
        items = [f"{inner}{_json(item, inner)}" for item in value]
        return f"[{_END}{f',{_END}'.join(items)}{_END}{indent}]"
    if isinstance(value, str):
        return _quoted(value)
    text = json.dumps(value)
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _quoted(text: str) -> str:
    quoted = json.dumps(escaped(text), ensure_ascii=False)
    return _HIDDEN.sub(lambda found: found[0] if ord(found[0]) > _BASIC else f"\\u{ord(found[0]):04x}", quoted)

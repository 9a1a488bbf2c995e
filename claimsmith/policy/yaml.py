"""Reads policy files: YAML with line numbers and ``${NAME}`` variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from claimsmith.errors import Code, PolicyError
from claimsmith.policy.documents import KINDS, SETTINGS_SECTION
from claimsmith.policy.draft import (
    ORDER,
    ORDER_STEP,
    ORDERED_SECTION,
    Draft,
    Entry,
    ordered,
)
from claimsmith.policy.finding import MAX_MESSAGE, Finding, clipped

if TYPE_CHECKING:
    from pathlib import Path

Lines = dict[tuple[str, ...], int]

#: The libyaml parser, if PyYAML has it: ten times as fast as the Python one.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: What PyYAML raises for a tag or an escape that does not fit its content, as in ``!!bool maybe``.
_CONSTRUCTOR_ERRORS: Final = (RecursionError, ValueError, LookupError, AttributeError, OverflowError, TypeError)

_NAME: Final = r"\{[A-Za-z_][A-Za-z0-9_]*\}"

#: ``${NAME}`` is a variable; ``$${NAME}`` is the literal text ``${NAME}``. Matched only at the start of a run of
#: dollars: otherwise the cost would grow with the square of its length.
_VARIABLE: Final = re.compile(rf"(?<!\$)\$(?:(\$+{_NAME})|({_NAME}))")
_ESCAPABLE: Final = re.compile(rf"(?<!\$)\$+{_NAME}")

_MERGE: Final = "tag:yaml.org,2002:merge"
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

#: Octal without an ``o``, and base 60: 010 is 8, 1:30 is 90.
_AMBIGUOUS: Final = re.compile(r"[-+]?0[0-9_]+|[-+]?[0-9_]+(?::[0-9_.]+)+")

#: The longest number, in characters. No row can store one this long, and Python prints at most 4,300 digits.
_MAX_NUMBER: Final = 3_500

#: Levels of a file: 32 in a row, below its section and name.
_MAX_DEPTH: Final = 40


class FileError(PolicyError):
    """A file that cannot be read as a policy.

    Attributes:
        finding: the error as a finding, with its location.
    """

    def __init__(self, code: Code, file: str, line: int | None, message: str) -> None:
        message = clipped(message, MAX_MESSAGE)
        super().__init__(code, f"{file}:{line}: {message}" if line is not None else f"{file} {message}")
        self.finding = Finding(code, "", "", message, file, line)


def escaped(text: str) -> str:
    """Escape text for a file, so that nothing in it is read as a variable."""
    return _ESCAPABLE.sub(lambda found: f"${found[0]}", text)


def load(path: Path, variables: Mapping[str, str] | None = None) -> Draft:
    """Read a policy file.

    Args:
        path: the file.
        variables: values for ``${NAME}``.

    Raises:
        PolicyError: the file cannot be read, is not YAML, or uses a variable without a value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise FileError(Code.UNREADABLE_FILE, str(path), None, f"cannot be read: {why}.") from error
    except UnicodeDecodeError as error:
        raise FileError(
            Code.UNREADABLE_FILE, str(path), None, "cannot be read: it is not UTF-8; save it as UTF-8."
        ) from error
    return parse(text, str(path), variables or {})


def parse(text: str, file: str, variables: Mapping[str, str]) -> Draft:
    """Return the draft in the text of a policy file; ``file`` is only for messages.

    Raises:
        PolicyError: as ``load``.
    """
    document, lines = _read(text, file, variables)
    if document is None:
        raise FileError(Code.UNREADABLE_FILE, file, None, "is empty; add at least settings: {}.")
    return _draft(document, lines, file)


def load_rows(text: str, file: str) -> list[Mapping[str, Any]]:
    """Return the rows in the text of a file that has one row of the table, or a list of rows.

    Args:
        text: YAML or JSON; each row has its ``pk`` and ``sk``.
        file: the file's name, for messages.

    Raises:
        PolicyError: the text is not YAML, or has no rows.
    """
    document, _ = _read(text, file, {})
    rows = document if isinstance(document, list) else [document]
    if not rows or not all(isinstance(row, Mapping) and {"pk", "sk"} <= row.keys() for row in rows):
        raise FileError(Code.UNREADABLE_FILE, file, None, "has no rows; each row is a map with pk and sk.")
    return rows


def _read(text: str, file: str, variables: Mapping[str, str]) -> tuple[Any, Lines]:
    """Return the content of a file with its line numbers; None if there is none."""
    lines: Lines = {}
    try:
        _check_structure(text, file)
        root = yaml.compose(text, Loader=_LOADER)
        if root is None:
            return None, lines
        _resolve(root, (), lines, file, variables)
        return yaml.constructor.SafeConstructor().construct_document(root), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        tab = "\t" in "".join(text.splitlines()[line : line + 1])
        problem = "a tab cannot indent YAML; use spaces" if tab else error.problem
        raise _unreadable(file, line, problem or "not valid YAML") from error
    except (yaml.YAMLError, *_CONSTRUCTOR_ERRORS) as error:
        raise FileError(Code.UNREADABLE_FILE, file, None, "is not valid YAML.") from error


def _check_structure(text: str, file: str) -> None:
    """Refuse aliases, which can expand without bound, and excessive nesting, before composing the document."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise _unreadable(file, line, "aliases are not supported; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _unreadable(file, line, "nested too deeply; flatten it")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _draft(document: object, lines: Lines, file: str) -> Draft:
    if not isinstance(document, Mapping):
        raise _unreadable(file, 0, "a policy file is a map of sections, such as settings and roles")
    below = _by_entry(lines)
    entries: list[Entry] = []
    for section, content in document.items():
        line = lines.get((str(section),), 1)
        if section not in (SETTINGS_SECTION, *KINDS):
            known = ", ".join((SETTINGS_SECTION, *KINDS))
            raise _unreadable(file, line - 1, f"there is no section {clipped(str(section))}; use one of {known}")
        if section == SETTINGS_SECTION:
            settings = {path[1:]: number for path, number in lines.items() if path[:1] == (section,)}
            entries.append(_entry(section, "", content, settings, file))
            continue
        if content is None:  # a section without entries
            continue
        if key := KINDS[section].key:
            entries += _listed(section, key, content, below, file, line)
            continue
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise _unreadable(
                file, line - 1, f"{section} must be a map of names to entries; quote names that look like numbers"
            )
        entries += [
            _entry(section, name, value, below.get((section, name), {}), file) for name, value in content.items()
        ]
    return ordered(entries)


def _by_entry(lines: Lines) -> dict[tuple[str, str], Lines]:
    """Group line numbers by entry, then by path within the entry."""
    below: dict[tuple[str, str], Lines] = {}
    for path, line in lines.items():
        if len(path) > 1:
            below.setdefault((path[0], path[1]), {})[path[2:]] = line
    return below


def _listed(
    section: str, key: str, content: object, below: Mapping[tuple[str, str], Lines], file: str, start: int
) -> list[Entry]:
    """Return the entries of a section that is a list."""
    if not isinstance(content, list):
        raise _unreadable(file, start - 1, f"{section} must be a list of entries, each with its {key}")
    entries: dict[str, Entry] = {}
    for index, item in enumerate(content):
        lines = below.get((section, str(index)), {})
        line = lines.get((), start)
        name = item.get(key) if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not name:
            raise _unreadable(
                file, line - 1, f"an entry of {section} needs its {key} as text; quote words like off or 1"
            )
        if name in entries:
            raise FileError(
                Code.DUPLICATE, file, line, f"{section} has the {key} {clipped(name)} twice; rename or delete one."
            )
        attributes = {attribute: value for attribute, value in item.items() if attribute != key}
        if section == ORDERED_SECTION:
            if ORDER in attributes:
                message = "rules in a file apply in list order; delete order, which is only for rows."
                raise FileError(Code.UNKNOWN_ATTRIBUTE, file, lines.get((ORDER,), line), message)
            attributes[ORDER] = ORDER_STEP * (index + 1)
        entries[name] = _entry(section, name, attributes, lines, file)
    return list(entries.values())


def _entry(section: str, name: str, content: object, lines: Lines, file: str) -> Entry:
    attributes: object = {} if content is None else content
    if not isinstance(attributes, Mapping) or not all(isinstance(key, str) for key in attributes):
        place = f"{section}.{clipped(name)}" if name else section
        raise _unreadable(file, lines.get((), 1) - 1, f"{place} must be a map of attributes")
    return Entry(section, name, attributes, file, lines)


def _resolve(node: yaml.Node, path: tuple[str, ...], lines: Lines, file: str, variables: Mapping[str, str]) -> None:
    """Substitute variables, record line numbers, and refuse what YAML would silently accept."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        if node.tag in _NUMBERS:
            _check_number(node, file)
        node.value = _VARIABLE.sub(lambda found: _value(found, node, file, variables), node.value)
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise _unreadable(
                file, node.start_mark.line, "an escape is half of a surrogate pair; write the character itself"
            )
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _resolve(item, (*path, str(index)), lines, file, variables)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag == _MERGE:
                raise _unreadable(file, key.start_mark.line, "merge keys are not supported; write the values out")
            _resolve(key, path, lines, file, variables)
            name = str(key.value)
            if name in seen:
                raise FileError(
                    Code.DUPLICATE,
                    file,
                    key.start_mark.line + 1,
                    f"{clipped(name)} appears twice; rename or delete one.",
                )
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _resolve(value, (*path, name), lines, file, variables)


def _check_number(node: yaml.ScalarNode, file: str) -> None:
    if len(node.value) > _MAX_NUMBER:
        raise _unreadable(file, node.start_mark.line, "DynamoDB stores at most 38 digits; shorten the number")
    if _AMBIGUOUS.fullmatch(node.value):
        raise _unreadable(file, node.start_mark.line, f"YAML 1.1 reads {node.value} as a different number; quote it")


def _value(found: re.Match[str], node: yaml.Node, file: str, variables: Mapping[str, str]) -> str:
    if found[1] is not None:
        return found[1]
    name = found[2][1:-1]
    if name not in variables:
        message = f"${{{name}}} has no value; set it with --var {name}=VALUE."
        raise FileError(Code.UNDEFINED_VARIABLE, file, node.start_mark.line + 1, message)
    return variables[name]


def _unreadable(file: str, line: int, message: str) -> FileError:
    """Return the error for a line, counted from 0 as in YAML marks."""
    return FileError(Code.UNREADABLE_FILE, file, line + 1, f"{message}.")

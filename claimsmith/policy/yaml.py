"""A policy file: YAML, read with line numbers, ``${NAME}`` filled in from variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import yaml

from claimsmith.errors import Code, PolicyError
from claimsmith.policy.draft import (
    LISTED_SECTIONS,
    ORDER,
    ORDER_STEP,
    ORDERED_SECTION,
    SECTIONS,
    SETTINGS_SECTION,
    Draft,
    Entry,
    ordered,
)
from claimsmith.policy.finding import MAX_MESSAGE, Finding, clipped

if TYPE_CHECKING:
    from pathlib import Path

Lines = dict[tuple[str, ...], int]

#: libyaml's parser, where PyYAML was built with it, is ten times as fast as the same in Python.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: What PyYAML itself raises for a tag or an escape that does not fit its content, as in ``!!bool maybe``.
_FOREIGN: Final = (RecursionError, ValueError, LookupError, AttributeError, OverflowError, TypeError)

_NAME: Final = r"\{[A-Za-z_][A-Za-z0-9_]*\}"

#: ``${NAME}`` is a variable; with one more dollar before it, it is that text itself.
#: Looked for only where a row of dollars begins: else many of them would cost the square of their number.
_VARIABLE: Final = re.compile(rf"(?<!\$)\$(?:(\$+{_NAME})|({_NAME}))")
_ESCAPABLE: Final = re.compile(rf"(?<!\$)\$+{_NAME}")

_MERGE: Final = "tag:yaml.org,2002:merge"
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

#: Octal without an ``o``, and base 60: 010 is 8, 1:30 is 90.
_AMBIGUOUS: Final = re.compile(r"[-+]?0[0-9_]+|[-+]?[0-9_]+(?::[0-9_.]+)+")

#: Characters of a number. No row can hold one that long, and Python does not write out one with more than 4,300 digits.
_MAX_NUMBER: Final = 3_500

#: Levels of a file: a row nests 32, and a section and a name come before it.
_MAX_DEPTH: Final = 40


class FileError(PolicyError):
    """A file that is no policy.

    Attributes:
        finding: the same with its place.
    """

    def __init__(self, code: Code, file: str, line: int | None, message: str) -> None:
        message = clipped(message, MAX_MESSAGE)
        super().__init__(code, f"{file}:{line}: {message}" if line is not None else f"{file} {message}")
        self.finding = Finding(code, "", "", message, file, line)


def escaped(text: str) -> str:
    """Text as a file holds it, so that nothing in it is taken for a variable."""
    return _ESCAPABLE.sub(lambda found: f"${found[0]}", text)


def load(path: Path, variables: Mapping[str, str] | None = None) -> Draft:
    """Read a policy file.

    Args:
        path: the file.
        variables: values for ``${NAME}``.

    Raises:
        PolicyError: the file cannot be read, is not YAML, or uses a variable that has no value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        why = (error.strerror or "the system does not say why").lower()
        raise FileError(Code.UNREADABLE_FILE, str(path), None, f"cannot be read: {why}.") from error
    except UnicodeDecodeError as error:
        raise FileError(Code.UNREADABLE_FILE, str(path), None, "cannot be read: it is not UTF-8.") from error
    return parse(text, str(path), variables or {})


def parse(text: str, file: str, variables: Mapping[str, str]) -> Draft:
    """The draft in a policy file's text; ``file`` is only for messages.

    Raises:
        PolicyError: as ``load``.
    """
    try:
        _survey(text, file)
        root = yaml.compose(text, Loader=_LOADER)
        if root is None:
            raise FileError(Code.UNREADABLE_FILE, file, None, "is empty.")
        lines: Lines = {}
        _prepare(root, (), lines, file, variables)
        document = yaml.constructor.SafeConstructor().construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        tab = "\t" in "".join(text.splitlines()[line : line + 1])
        problem = "YAML is indented by spaces, and here is a tab" if tab else error.problem
        raise _wrong(file, line, problem or "not YAML") from error
    except (yaml.YAMLError, *_FOREIGN) as error:
        raise FileError(Code.UNREADABLE_FILE, file, None, "is not YAML that can be read.") from error
    return _draft(document, lines, file)


def _survey(text: str, file: str) -> None:
    """Refuse what must not be composed: aliases, which may stand for any amount, and what is nested without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise _wrong(file, line, "aliases are not supported; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _wrong(file, line, "nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _draft(document: object, lines: Lines, file: str) -> Draft:
    if not isinstance(document, Mapping):
        raise _wrong(file, 0, "a policy file holds sections, such as settings and roles")
    below = _by_entry(lines)
    entries: list[Entry] = []
    for section, content in document.items():
        line = lines.get((str(section),), 1)
        if section not in (SETTINGS_SECTION, *SECTIONS):
            known = ", ".join((SETTINGS_SECTION, *SECTIONS))
            raise _wrong(file, line - 1, f"{clipped(str(section))} is not a section of a policy; sections are {known}")
        if section == SETTINGS_SECTION:
            settings = {path[1:]: number for path, number in lines.items() if path[:1] == (section,)}
            entries.append(_entry(section, "", content, settings, file))
            continue
        if content is None:  # a heading with nothing below it
            continue
        if section in LISTED_SECTIONS:
            entries += _listed(section, content, below, file, line)
            continue
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise _wrong(file, line - 1, f"{section} holds entries by name; quote a name that looks like a number")
        entries += [
            _entry(section, name, value, below.get((section, name), {}), file) for name, value in content.items()
        ]
    return ordered(entries)


def _by_entry(lines: Lines) -> dict[tuple[str, str], Lines]:
    """The lines below each entry of a section, by the path below it."""
    below: dict[tuple[str, str], Lines] = {}
    for path, line in lines.items():
        if len(path) > 1:
            below.setdefault((path[0], path[1]), {})[path[2:]] = line
    return below


def _listed(
    section: str, content: object, below: Mapping[tuple[str, str], Lines], file: str, start: int
) -> list[Entry]:
    """The entries of a section that is a list."""
    key = LISTED_SECTIONS[section]
    if not isinstance(content, list):
        raise _wrong(file, start - 1, f"{section} is a list of entries, each with its {key}")
    entries: dict[str, Entry] = {}
    for index, item in enumerate(content):
        lines = below.get((section, str(index)), {})
        line = lines.get((), start)
        name = item.get(key) if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not name:
            raise _wrong(
                file, line - 1, f"an entry of {section} needs its {key}, which is text; quote a word like off or 1"
            )
        if name in entries:
            raise FileError(Code.DUPLICATE, file, line, f"{section} has the {key} {clipped(name)} twice.")
        attributes = {attribute: value for attribute, value in item.items() if attribute != key}
        if section == ORDERED_SECTION:
            if ORDER in attributes:
                message = "the order of rules in a file is that of the list; only rows say it by order."
                raise FileError(Code.UNKNOWN_ATTRIBUTE, file, lines.get((ORDER,), line), message)
            attributes[ORDER] = ORDER_STEP * (index + 1)
        entries[name] = _entry(section, name, attributes, lines, file)
    return list(entries.values())


def _entry(section: str, name: str, content: object, lines: Lines, file: str) -> Entry:
    attributes: object = {} if content is None else content
    if not isinstance(attributes, Mapping) or not all(isinstance(key, str) for key in attributes):
        place = f"{section}.{clipped(name)}" if name else section
        raise _wrong(file, lines.get((), 1) - 1, f"{place} holds attributes by name")
    return Entry(section, name, attributes, file, lines)


def _prepare(node: yaml.Node, path: tuple[str, ...], lines: Lines, file: str, variables: Mapping[str, str]) -> None:
    """Fill in variables, note lines, refuse what YAML would silently accept."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        if node.tag in _NUMBERS:
            _check_number(node, file)
        node.value = _VARIABLE.sub(lambda found: _value(found, node, file, variables), node.value)
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise _wrong(file, node.start_mark.line, "half a character, written as an escape, is no text")
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _prepare(item, (*path, str(index)), lines, file, variables)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag == _MERGE:
                raise _wrong(file, key.start_mark.line, "merge keys are not supported; write the values out")
            _prepare(key, path, lines, file, variables)
            name = str(key.value)
            if name in seen:
                raise FileError(Code.DUPLICATE, file, key.start_mark.line + 1, f"{clipped(name)} is here twice.")
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _prepare(value, (*path, name), lines, file, variables)


def _check_number(node: yaml.ScalarNode, file: str) -> None:
    if len(node.value) > _MAX_NUMBER:
        raise _wrong(file, node.start_mark.line, "a number has at most 38 digits")
    if _AMBIGUOUS.fullmatch(node.value):
        raise _wrong(file, node.start_mark.line, f"{node.value} is another number in YAML 1.1 than it seems; quote it")


def _value(found: re.Match[str], node: yaml.Node, file: str, variables: Mapping[str, str]) -> str:
    if found[1] is not None:
        return found[1]
    name = found[2][1:-1]
    if name not in variables:
        message = f"${{{name}}} has no value; give it with --var {name}=VALUE."
        raise FileError(Code.UNDEFINED_VARIABLE, file, node.start_mark.line + 1, message)
    return variables[name]


def _wrong(file: str, line: int, message: str) -> FileError:
    """An unreadable file; ``line`` counts from zero, as YAML's marks do."""
    return FileError(Code.UNREADABLE_FILE, file, line + 1, f"{message}.")

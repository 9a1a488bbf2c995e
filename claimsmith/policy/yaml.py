"""A policy file: YAML, read with line numbers, ``${NAME}`` filled in from variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import yaml

from claimsmith.errors import Code, PolicyError
from claimsmith.policy.draft import LISTED_SECTIONS, SECTIONS, SETTINGS_SECTION, Draft, Entry, ordered

if TYPE_CHECKING:
    from pathlib import Path

Lines = dict[tuple[str, ...], int]

#: What PyYAML itself raises for a tag or an escape that does not fit its content, as in ``!!bool maybe``.
_FOREIGN: Final = (RecursionError, ValueError, LookupError, AttributeError, OverflowError, TypeError)

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(Code.UNREADABLE_FILE, f"{path} cannot be read.") from error
    return parse(text, str(path), variables or {})


def parse(text: str, file: str, variables: Mapping[str, str]) -> Draft:
    """The draft in a policy file's text; ``file`` is only for messages.

    Raises:
        PolicyError: as ``load``.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _wrong(
                    file,
                    event.start_mark.line if event.start_mark else 0,
                    "aliases are not supported; write the value out",
                )
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise PolicyError(Code.UNREADABLE_FILE, f"{file} is empty.")
        lines: Lines = {}
        _prepare(root, (), lines, file, variables)
        document = yaml.constructor.SafeConstructor().construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise _wrong(file, line, error.problem or "not YAML") from error
    except (yaml.YAMLError, *_FOREIGN) as error:
        raise PolicyError(Code.UNREADABLE_FILE, f"{file} is not YAML that can be read.") from error
    return _draft(document, lines, file)


def _draft(document: object, lines: Lines, file: str) -> Draft:
    if not isinstance(document, Mapping):
        raise _wrong(file, 0, "a policy file holds sections, such as settings and roles")
    entries: list[Entry] = []
    for section, content in document.items():
        line = lines.get((str(section),), 1)
        if section not in (SETTINGS_SECTION, *SECTIONS):
            known = ", ".join((SETTINGS_SECTION, *SECTIONS))
            raise _wrong(file, line - 1, f"{section} is not a section of a policy; sections are {known}")
        if section == SETTINGS_SECTION:
            entries.append(_entry(section, "", content, (section,), lines, file))
            continue
        if section in LISTED_SECTIONS:
            entries += _listed(section, content, lines, file)
            continue
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise _wrong(file, line - 1, f"{section} holds entries by name; quote a name that looks like a number")
        entries += [_entry(section, name, value, (section, name), lines, file) for name, value in content.items()]
    return ordered(entries)


def _listed(section: str, content: object, lines: Lines, file: str) -> list[Entry]:
    """The entries of a section that is a list."""
    if not isinstance(content, list):
        raise _wrong(file, lines.get((section,), 1) - 1, f"{section} is a list of entries, each with an id")
    entries: dict[str, Entry] = {}
    for index, item in enumerate(content):
        path = (section, str(index))
        name = item.get("id") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not name:
            raise _wrong(file, lines.get(path, 1) - 1, f"an entry of {section} needs an id, which is text")
        if name in entries:
            raise PolicyError(Code.DUPLICATE, f"{file}:{lines.get(path, 1)}: {section} has the id {name} twice.")
        attributes = {key: value for key, value in item.items() if key != "id"}
        entries[name] = _entry(section, name, attributes, path, lines, file)
    return list(entries.values())


def _entry(section: str, name: str, content: object, path: tuple[str, ...], lines: Lines, file: str) -> Entry:
    attributes: object = {} if content is None else content
    if not isinstance(attributes, Mapping) or not all(isinstance(key, str) for key in attributes):
        raise _wrong(file, lines.get(path, 1) - 1, f"{'.'.join(path)} holds attributes by name")
    below = {key[len(path) :]: line for key, line in lines.items() if key[: len(path)] == path}
    return Entry(section, name, attributes, file, below)


def _prepare(node: yaml.Node, path: tuple[str, ...], lines: Lines, file: str, variables: Mapping[str, str]) -> None:
    """Fill in variables, note lines, refuse what YAML would silently accept."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        node.value = _VARIABLE.sub(lambda found: _value(found, node, file, variables), node.value)
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise _wrong(file, node.start_mark.line, "half a character, written as an escape, is no text")
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _prepare(item, (*path, str(index)), lines, file, variables)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            _prepare(key, path, lines, file, variables)
            name = str(key.value)
            if name in seen:
                raise PolicyError(Code.DUPLICATE, f"{file}:{key.start_mark.line + 1}: {name} is here twice.")
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _prepare(value, (*path, name), lines, file, variables)


def _value(found: re.Match[str], node: yaml.Node, file: str, variables: Mapping[str, str]) -> str:
    if found[1] not in variables:
        place = f"{file}:{node.start_mark.line + 1}"
        message = f"{place}: ${{{found[1]}}} has no value; give it with --var {found[1]}=VALUE."
        raise PolicyError(Code.UNDEFINED_VARIABLE, message)
    return variables[found[1]]


def _wrong(file: str, line: int, message: str) -> PolicyError:
    """An unreadable file; ``line`` counts from zero, as YAML's marks do."""
    return PolicyError(Code.UNREADABLE_FILE, f"{file}:{line + 1}: {message}.")

"""Reference pages that are written from the code before each build: commands, and rows with their attributes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claimsmith.policy import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sphinx.application import Sphinx

FOLDER = Path(__file__).resolve().parent / "_generated"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", lambda _: write())
    return {"parallel_read_safe": True}


def write() -> None:
    """Write the pages that are not as they should be."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in {"cli.md": commands(), "policy-rows.md": rows(schema())}.items():
        page = FOLDER / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def commands() -> str:
    """The page of the command line, from its own help."""
    typer = [sys.executable, "-m", "typer", "claimsmith.cli.main", "utils", "docs", "--name", "claimsmith"]
    page = subprocess.run(  # noqa: S603 - a fixed command
        [*typer, "--title", "Command line"], check=True, capture_output=True, text=True
    ).stdout
    for literal, better in {
        "&#x27;": "'",
        "```console": "```text",
        "docs/reference/codes.md": "[Codes](../reference/codes.md)",
    }.items():
        page = page.replace(literal, better)
    return _whole_sentences(page)


def _whole_sentences(page: str) -> str:
    """Lists of commands with links, and with the sentences that the terminal has no room for."""
    about = dict(re.findall(r"^#+ `(claimsmith [^`]+)`\n\n(.+?\.)(?=\s)", page, re.MULTILINE))
    group, lines = "claimsmith", []
    for line in page.splitlines():
        if heading := re.match(r"#+ `(.+)`", line):
            group = heading[1]
        item = re.match(r"\* `([a-z-]+)`: ", line)
        if item and (command := f"{group} {item[1]}") in about:
            lines.append(f"* [`{item[1]}`](#{command.replace(' ', '-')}): {about[command]}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def rows(policy: Mapping[str, Any]) -> str:
    """The page of policy rows, from the JSON Schema of a policy file."""
    parts = policy["$defs"]
    kinds = [(section, _model(part)) for section, part in policy["properties"].items()]
    lines = [
        "# Policy rows",
        "",
        "Every attribute of every kind of policy row, from the [JSON Schema](../policy.schema.json) of a policy file.",
        "The [policy language by example](../reference/policy.md) shows them at work.",
        "",
    ]
    for section, model in kinds:
        lines += [f"## `{section}`", "", parts[model].get("description", ""), ""]
        lines += ["| attribute | type | default | what it does |", "|---|---|---|---|"]
        lines += _attributes(parts[model])
        lines.append("")
    return "\n".join(lines)


def _model(part: Mapping[str, Any]) -> str:
    """The name of the model that a section's entries have."""
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    for value in part.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and (name := _model(inner)):
                return name
    return ""


def _attributes(model: Mapping[str, Any]) -> Iterator[str]:
    required = model.get("required", ())
    for name, attribute in model["properties"].items():
        default = "required" if name in required else _literal(attribute.get("default"))
        about = attribute.get("description", "").replace("|", "\\|")
        yield f"| `{name}` | {_type(attribute)} | {default} | {about} |"


def _literal(value: object) -> str:
    if value is None or value in ({}, []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(attribute: Mapping[str, Any]) -> str:
    if "enum" in attribute:
        return ", ".join(f"`{value}`" for value in attribute["enum"])
    if "const" in attribute:
        return f"`{attribute['const']}`"
    several = attribute.get("anyOf") or attribute.get("allOf")
    if several:
        return " or ".join(dict.fromkeys(_type(one) for one in several if one.get("type") != "null"))
    if "$ref" in attribute:
        return str(attribute["$ref"]).rpartition("/")[2].lower()
    kind = {"object": "map", "array": "list", "integer": "whole number"}.get(attribute.get("type", ""))
    if kind == "list" and attribute.get("items"):
        return f"list of {_type(attribute['items'])}s"
    return kind or str(attribute.get("type", "any value"))

"""The JSON Schema of a policy file, for editors; generated from the documents and the grammar."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.language.conditions import BRANCHES, OPERATORS
from claimsmith.engine.language.paths import FIXED, OPEN
from claimsmith.engine.language.values import CONVERSIONS, FORMS
from claimsmith.policy.documents import CONDITION, DOCUMENTS, KINDS, SETTINGS_SECTION, VALUE
from claimsmith.policy.draft import ORDER, ORDERED_SECTION
from claimsmith.policy.operands import OPERANDS
from claimsmith.routes import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.language.values import Shape

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "#/$defs/"
_PATH: Final = "Path"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a policy file. It accepts every file without lint errors."""
    _, generated = models_json_schema(
        [(model, "validation") for model in DOCUMENTS.values()], ref_template=_REFERENCE + "{model}"
    )
    parts = {**generated["$defs"], _PATH: _path(), CONDITION: _condition(), VALUE: _value()}
    parts["Settings"]["properties"]["claim_names"]["propertyNames"] = {"enum": list(BUILT_IN_CLAIMS)}
    parts["Route"]["properties"]["method"]["enum"] = list(METHODS)
    sections: dict[str, Any] = {}
    for section, model in DOCUMENTS.items():
        reference = {"$ref": _REFERENCE + model.__name__}
        # In a file, an entry without attributes may be empty.
        optional = {"anyOf": [reference, {"type": "null"}]}
        if section == SETTINGS_SECTION:
            sections[section] = optional
        elif key := KINDS[section].key:
            _listed(section, key, parts[model.__name__])
            sections[section] = {"type": "array", "items": reference}
        else:
            sections[section] = {"type": "object", "additionalProperties": optional}
    return {
        "$schema": _DIALECT,
        "title": "Claimsmith policy",
        "description": "What goes into an Amazon Cognito token: roles, rules, groups, clients, routes and tests.",
        "type": "object",
        "properties": sections,
        "required": [SETTINGS_SECTION],
        "additionalProperties": False,
        "$defs": dict(sorted(parts.items())),
    }


def schema_text() -> str:
    """Return the schema as text, as ``docs/policy.schema.json`` has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _listed(section: str, key: str, part: dict[str, Any]) -> None:
    """Add the name to the entries of a list; drop ``order``, which is the position in the list."""
    part["properties"] = {
        key: {"type": "string", "minLength": 1, "description": "The name of the entry."},
        **part["properties"],
    }
    part["required"] = [key, *(name for name in part.get("required", ()) if name != ORDER)]
    if section == ORDERED_SECTION:
        del part["properties"][ORDER]


def _path() -> dict[str, Any]:
    """Return the schema of paths: the fixed ones, and the prefixes that a name follows."""
    opened = [{"type": "string", "pattern": f"^{re.escape(prefix)}.+"} for prefix in OPEN]
    return {"description": "A path that a condition or a value reads.", "anyOf": [{"enum": list(FIXED)}, *opened]}


def _condition() -> dict[str, Any]:
    inner = {"$ref": _REFERENCE + CONDITION}
    branches = {branch: {"type": "array", "minItems": 1, "items": inner} for branch in BRANCHES} | {"not": inner}
    leaves = [
        _closed(
            {
                "field": {"$ref": _REFERENCE + _PATH},
                "as": {"enum": list(CONVERSIONS)},
                "op": {"const": name},
                "value": dict(OPERANDS[operator.operand].schema),
            },
            ["field", "op"] if operator.default is not None else ["field", "op", "value"],
        )
        for name, operator in OPERATORS.items()
    ]
    return {
        "description": "all, any or not of conditions; or a field, an op and a value.",
        "anyOf": [*(_closed({branch: part}, [branch]) for branch, part in branches.items()), *leaves],
    }


#: The schema of what a key of an expression takes.
_SHAPES: Final[Mapping[Shape, Mapping[str, Any]]] = {
    "path": {"$ref": _REFERENCE + _PATH},
    "template": {"type": "string"},
    "literal": {"not": {"type": "null"}},
    "conversion": {"enum": list(CONVERSIONS)},
}


def _value() -> dict[str, Any]:
    scalar: dict[str, Any] = {"type": ["string", "number", "boolean"]}
    forms = [_closed({name: _SHAPES[shape] for name, shape in form.keys.items()}, [key]) for key, form in FORMS.items()]
    literal_object = {"type": "object", "not": {"anyOf": [{"required": [key]} for key in FORMS]}}
    return {
        "description": "A literal, which may have expressions inside; or "
        + ", ".join(f"{{{key}: …}}" for key in FORMS)
        + ".",
        "anyOf": [
            scalar,
            {"type": "array", "items": {"anyOf": [scalar, *forms]}},
            literal_object,
            *forms,
        ],
    }


def _closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

"""Reads finished templates: their resources, and the resources that a value refers to. Independent of the CDK."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The resource that nests a stack.
NESTING: Final = "AWS::CloudFormation::Stack"

_OUTPUT: Final = "Outputs."
_FUNCTIONS: Final = ("AWS::Lambda::Function", "AWS::Serverless::Function")


@dataclass(frozen=True, eq=False)
class Template:
    """The template of one stack.

    Attributes:
        stack: the stack's path in the construct tree.
        document: the template.
        file: the path of its file.
        parent: the template that nests this one, and the parameters that it passes.
        nested: the templates that this one nests, by the logical id of the nesting resource.
    """

    stack: str
    document: Mapping[str, Any]
    file: str = ""
    parent: tuple[Template, Mapping[str, Any]] | None = None
    nested: dict[str, Template] = field(default_factory=dict)

    def resources(self) -> Iterator[Resource]:
        """Its resources."""
        for logical_id in self.document.get("Resources", {}):
            yield Resource(self, logical_id)


@dataclass(frozen=True)
class Resource:
    """One resource of a template."""

    template: Template
    logical_id: str

    @property
    def type(self) -> str:
        """Such as ``AWS::Lambda::Function``; empty for a loop or a macro."""
        return str(self._definition.get("Type", ""))

    @property
    def properties(self) -> dict[str, Any]:
        """Its properties, with their intrinsic functions."""
        return mapping(self._definition.get("Properties"))

    @property
    def _definition(self) -> dict[str, Any]:
        return mapping(self.template.document["Resources"][self.logical_id])


@dataclass(frozen=True)
class Templates:
    """The templates of an app, for a check of one stack.

    Attributes:
        own: the templates of the checked stack and of the stacks nested in it.
        others: all others.
        names: the names of resources in messages, by stack and logical id.
    """

    own: Sequence[Template]
    others: Sequence[Template] = ()
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def name(self, resource: Resource) -> str:
        """The name of a resource in a message."""
        key = (resource.template.stack, resource.logical_id)
        return self.names.get(key, "/".join(key))

    def targets(self, template: Template, value: object) -> list[Resource]:
        """The resources that a value refers to, through nested stacks and the exports of this app."""
        found: list[Resource] = []
        for name, attribute in _references(value):
            nested = template.nested.get(name)
            if nested is not None and attribute.startswith(_OUTPUT):
                output = mapping(nested.document.get("Outputs", {}).get(attribute.removeprefix(_OUTPUT)))
                found += self.targets(nested, output.get("Value"))
            elif name in template.document.get("Resources", {}):
                found.append(Resource(template, name))
            elif template.parent is not None:
                outer, passed = template.parent
                found += self.targets(outer, passed.get(name))
        for export in _imports(value):
            for exporter, exported in self._exported(export):
                found += self.targets(exporter, exported)
        return found

    def functions(self, template: Template, arn: object) -> list[Resource]:
        """The functions that an ARN refers to, also through an alias."""
        named = self.targets(template, arn)
        for alias in [found for found in named if found.type == "AWS::Lambda::Alias"]:
            named += self.targets(alias.template, alias.properties.get("FunctionName"))
        return [found for found in named if found.type in _FUNCTIONS]

    def _exported(self, name: object) -> Iterator[tuple[Template, object]]:
        for template in (*self.own, *self.others):
            for output in template.document.get("Outputs", {}).values():
                if mapping(output.get("Export")).get("Name") == name:
                    yield template, output.get("Value")


def mapping(value: object) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def possible(value: object) -> Iterator[object]:
    """Every value that a property may have, for any conditions; ``None`` if it would be absent."""
    match value:
        case {"Fn::If": [_, yes, no]}:
            yield from possible(yes)
            yield from possible(no)
        case {"Ref": "AWS::NoValue"}:
            yield None
        case _:
            yield value


def is_intrinsic(value: object) -> bool:
    """Whether a value is an intrinsic function, so that its result is not in the template."""
    return any(key == "Ref" or key.startswith("Fn::") for key in mapping(value))


def members(value: object) -> Iterator[tuple[str, Any]]:
    """Every member of every object in a JSON value, at any depth."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key, part
            yield from members(part)
    elif isinstance(value, list):
        for part in value:
            yield from members(part)


def _references(value: object) -> Iterator[tuple[str, str]]:
    """The names that a value refers to, each with an attribute or an empty string."""
    for key, part in members(value):
        match key, part:
            case "Ref", str(name):
                yield name, ""
            case "Fn::GetAtt", str(text):
                yield text.partition(".")[0], text.partition(".")[2]
            case "Fn::GetAtt", [str(name), str(attribute)]:
                yield name, attribute
            case "Fn::Sub", (str(text) | [str(text), *_]):
                for name in re.findall(r"\$\{([^!}]+)\}", text):
                    yield name.strip().partition(".")[0], name.strip().partition(".")[2]


def _imports(value: object) -> Iterator[object]:
    """The names of the exports that a value imports."""
    return (part for key, part in members(value) if key == "Fn::ImportValue")

"""Checks of finished templates, after every override, generic resource and aspect.

The construct tree does not have the final template: ``add_property_override`` is merged in when it is written. So these
checks are a policy validation plugin of the CDK, which reads the finished files. A finding fails the synth and
cannot be acknowledged.

https://docs.aws.amazon.com/cdk/v2/guide/policy-validation-synthesis.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import (
    CfnElement,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    NestedStack,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stack,
    Stage,
    Validations,
)

from claimsmith_cdk.templates import NESTING, Resource, Template, Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    #: Resources, each with a sentence about what is wrong.
    Findings: TypeAlias = Iterable[tuple[Resource, str]]

#: The name of the plugin in the CDK's report.
PLUGIN: Final = "claimsmith"

#: The CDK's report, in the folder of the templates.
REPORT: Final = "validation-report.json"


def check_templates(stack: Stack, rule: str, check: Callable[[Templates], Findings]) -> None:
    """Fail the synth if a check of the finished templates finds anything.

    Args:
        stack: the stack that is checked.
        rule: the name of the check, in the CDK's report.
        check: returns the findings.
    """
    stage = Stage.of(stack)
    assert stage is not None  # noqa: S101 - a stack without an app creates one
    Validations.of(stage).add_plugins(_Plugin(stack, stage, rule, check))


def sentences(folder: str) -> list[str]:
    """The findings of an app's checks, from the report in its output folder."""
    file = Path(folder, REPORT)
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return [
        violation["description"]
        for plugin in report.get("pluginReports", ())
        if plugin.get("pluginName") == PLUGIN
        for violation in plugin.get("violations", ())
    ]


@jsii.implements(IPolicyValidationPlugin)
class _Plugin:
    """Called by the CDK once the templates are written."""

    def __init__(self, stack: Stack, stage: Stage, rule: str, check: Callable[[Templates], Findings]) -> None:
        self._stack = stack
        self._stage = stage
        self._rule = rule
        self._check = check

    @property
    def name(self) -> str:
        """The name of the plugin."""
        return PLUGIN

    @property
    def version(self) -> None:
        """None: it is part of the app."""

    @property
    def rule_ids(self) -> list[str]:
        """The name of its one check."""
        return [self._rule]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Report the findings."""
        own, others = self._written(context)
        found = list(self._check(Templates(own, others)))
        if found:  # again, with the names of constructs
            found = list(self._check(Templates(own, others, self._names())))
        violations = [
            PolicyViolation(
                rule_name=self._rule,
                description=sentence,
                severity="fatal",  # the only one that cannot be acknowledged
                violating_resources=[
                    PolicyViolatingResource(
                        locations=["Properties"],
                        resource_logical_id=resource.logical_id,
                        template_path=resource.template.file,
                    )
                ],
            )
            for resource, sentence in found
        ]
        return PolicyValidationPluginReport(success=not violations, violations=violations)

    def _written(self, context: IPolicyValidationContext) -> tuple[list[Template], list[Template]]:
        """The stack's templates and those of the others."""
        files = {item.stack_construct_path: item.template_path for item in context.stack_templates}
        found = {path: _read(path, file) for path, file in files.items()}
        if any(resource.type == NESTING for template in found.values() for resource in template.resources()):
            for construct in self._stage.node.find_all():
                if isinstance(construct, NestedStack):
                    _nest(construct, found)
        top = self._stack.node.path
        own = [path for path in found if path == top or path.startswith(f"{top}/")]
        return [found[path] for path in own], [found[path] for path in found if path not in own]

    def _names(self) -> dict[tuple[str, str], str]:
        """The paths of the constructs of resources. Each costs a call to the CDK."""
        return {
            (element.stack.node.path, element.stack.resolve(element.logical_id)): element.node.path
            for element in self._stage.node.find_all()
            if isinstance(element, CfnElement)
        }


def _nest(stack: NestedStack, found: dict[str, Template]) -> None:
    """Read the template of a nested stack, which is next to its parent's, and connect the two."""
    outer, resource = stack.nested_stack_parent, stack.nested_stack_resource
    parent = None if outer is None else found.get(outer.node.path)
    if outer is None or parent is None or resource is None:
        return  # of an app within this one
    logical_id = outer.resolve(resource.logical_id)
    passed = Resource(parent, logical_id).properties.get("Parameters", {})
    file = Path(parent.file).with_name(stack.template_file)
    nested = _read(stack.node.path, str(file), (parent, passed))
    parent.nested[logical_id] = found[nested.stack] = nested


def _read(stack: str, file: str, parent: tuple[Template, Mapping[str, Any]] | None = None) -> Template:
    return Template(stack, json.loads(Path(file).read_text(encoding="utf-8")), file, parent)

"""A synthesised template, and how the tests come by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import App

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]

#: Templates need no assets: this is what ``cdk ls`` says, too.
WITHOUT_ASSETS: Mapping[str, object] = {"aws:cdk:bundling-stacks": []}


@dataclass(frozen=True)
class Template:
    """A synthesised template, asked by resource type."""

    document: dict[str, Any]

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        return {
            name: resource
            for name, resource in self.document["Resources"].items()
            if resource["Type"] == f"AWS::{resource_type}"
        }

    def named(self, resource_type: str, part: str) -> tuple[str, dict[str, Any]]:
        """The one resource of a type with this part in its logical id."""
        (found,) = [item for item in self.of_type(resource_type).items() if part in item[0]]
        return found

    def properties(self, resource_type: str, part: str = "") -> dict[str, Any]:
        properties: dict[str, Any] = self.named(resource_type, part)[1]["Properties"]
        return properties


def cdk_app(context: Mapping[str, object]) -> App:
    """An app with the context of ``cdk.json``, as the CDK command line would start it."""
    shared = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(context={**shared, **WITHOUT_ASSETS, **context}, analytics_reporting=False)

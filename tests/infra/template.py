"""A synthesised template, and how the tests come by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.config import Config
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]

#: What every production stage has to say.
PRODUCTION: Mapping[str, object] = {
    "account": "111122223333",
    "region": "eu-central-1",
    "callback_urls": ["https://app.example.com/callback"],
}

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


@dataclass(frozen=True)
class Synthesised:
    """The app, synthesised.

    Attributes:
        report: what cdk-nag says, where it was asked.
    """

    app: App
    stateful: Template
    verifier: Template
    report: dict[str, Any] | None = None


def cdk_app(context: Mapping[str, object], outdir: Path | None = None) -> App:
    """An app with the context of ``cdk.json``, as the CDK command line would start it."""
    shared = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(
        context={**shared, **WITHOUT_ASSETS, **context},
        analytics_reporting=False,
        outdir=None if outdir is None else str(outdir),
    )


def config(options: Mapping[str, object] | None = None) -> Config:
    """The options of a production stage, or of a development one, and others."""
    chosen = options or {}
    return Config.from_options(chosen if chosen.get("setting") == "development" else {**PRODUCTION, **chosen})


def synthesise(options: Mapping[str, object], checked_in: Path | None = None) -> Synthesised:
    """Both stacks.

    Args:
        options: of the stage.
        checked_in: a folder; given, cdk-nag checks the stacks too.
    """
    app = cdk_app({}, checked_in)
    chosen = config(options)
    stateful = StatefulStack(app, "Claimsmith", config=chosen)
    VerifierStack(app, "ClaimsmithVerifier", stateful=stateful, config=chosen)
    if checked_in is None:
        return Synthesised(app, *_templates(Path(app.synth().directory)))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:  # findings; the report has them, and the test of the report says so
        if "validation-report.json" not in str(error):
            raise
    report: dict[str, Any] = json.loads((checked_in / "validation-report.json").read_text())
    return Synthesised(app, *_templates(checked_in), report=report)


def _templates(assembly: Path) -> tuple[Template, Template]:
    stateful, verifier = (
        Template(json.loads((assembly / f"{stack}.template.json").read_text()))
        for stack in ("Claimsmith", "ClaimsmithVerifier")
    )
    return stateful, verifier

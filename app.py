"""The CDK app. ``cdk synth`` needs no account and, once the packages are installed, no network."""

from __future__ import annotations

import sys

from aws_cdk import App, Environment, Tags

from claimsmith_cdk import trusted_attributes
from claimsmith_cdk.bundling import BundlingError
from claimsmith_cdk.template_check import sentences
from infra import snapshot
from infra.stages import Stage, StageError, read_stage
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack


def main(app: App) -> None:
    """Synthesise the stage, or say in a sentence why not."""
    try:
        stage = read_stage(app.node.get_all_context())
        _stacks(app, stage)
    except (BundlingError, StageError) as error:
        _refuse(*str(error).splitlines())
    try:
        assembly = app.synth()
    except RuntimeError as error:  # the CDK's own class does not reach Python
        found = sentences(app.outdir)
        if found:
            _refuse(*found)
        kind, _, problems = str(error).partition(": ")
        if not kind.startswith("ValidationFailed"):
            raise
        _refuse(problems)
    templates = {stack.id: stack.template for stack in assembly.stacks}
    _refuse(*trusted_attributes.problems(stage.config.trusted_attributes, templates))
    try:
        told = snapshot.check(stage.snapshot, snapshot.take(assembly), write=stage.config.production)
    except snapshot.SnapshotError as error:
        _refuse(*str(error).splitlines())
    else:
        if told:
            print(f"claimsmith: {told}", file=sys.stderr)  # noqa: T201 - for whoever deploys


def _stacks(app: App, stage: Stage) -> None:
    config = stage.config
    env = Environment(account=config.account, region=config.region)
    for name, value in config.tags.items():
        Tags.of(app).add(name, value)
    stateful = StatefulStack(app, "Claimsmith", config=config, env=env, stack_name=f"Claimsmith{stage.stack_suffix}")
    VerifierStack(
        app,
        "ClaimsmithVerifier",
        stateful=stateful,
        config=config,
        env=env,
        stack_name=f"ClaimsmithVerifier{stage.stack_suffix}",
    )


def _refuse(*sentences: str) -> None:
    if sentences:
        sys.exit("\n".join(f"claimsmith: {sentence}" for sentence in sentences))


if __name__ == "__main__":
    main(App())

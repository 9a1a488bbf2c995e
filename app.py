"""The CDK app. ``cdk synth`` needs no account and, once the packages are installed, no network."""

from __future__ import annotations

import sys

from aws_cdk import App

from claimsmith_cdk import trusted_attributes
from claimsmith_cdk.bundling import BundlingError
from claimsmith_cdk.template_check import sentences
from infra.config import Config, ContextError
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack


def main() -> None:
    """Synthesise the app, or say in a sentence why not."""
    app = App()
    try:
        config = Config.from_context(app.node.get_all_context())
        stateful = StatefulStack(app, "Claimsmith", config=config)
        VerifierStack(app, "ClaimsmithVerifier", stateful=stateful, config=config)
    except (BundlingError, ContextError) as error:
        sys.exit(f"claimsmith: {error}")
    try:
        assembly = app.synth()
    except RuntimeError as error:  # the CDK's own class does not reach Python
        found = sentences(app.outdir)
        if found:
            sys.exit("\n".join(f"claimsmith: {sentence}" for sentence in found))
        kind, _, problems = str(error).partition(": ")
        if not kind.startswith("ValidationFailed"):
            raise
        sys.exit(f"claimsmith: {problems}")
    templates = {stack.stack_name: stack.template for stack in assembly.stacks}
    writable = list(trusted_attributes.problems(config.trusted_attributes, templates))
    if writable:
        sys.exit("\n".join(f"claimsmith: {problem}" for problem in writable))


if __name__ == "__main__":
    main()

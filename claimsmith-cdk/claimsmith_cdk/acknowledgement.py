"""Says on a resource why a rule of cdk-nag's AwsSolutions pack does not apply to it.

``docs/how-to/deploy.md`` lists them all; a test compares. None is on a stack: a rule is acknowledged where it is
broken, so that the next resource that breaks it is seen.
"""

from __future__ import annotations

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import Construct  # noqa: TC002 - the type of an argument that is used below


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Acknowledge a rule on the one resource that a construct creates.

    Args:
        construct: a resource, or a construct with a default one.
        rule: such as ``COG2``, or ``IAM5[Resource::*]`` for one finding of several.
        reason: why the rule does not apply.
    """
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    assert isinstance(resource, CfnResource)  # noqa: S101 - a construct of several resources has no default
    Validations.of(resource).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))

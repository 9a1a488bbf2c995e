"""Refuses at synth a user pool whose other settings exclude this trigger, according to its finished template.

CDK does not check this, and CloudFormation only during deployment or, for a replaced trigger, not at all.

https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith_cdk.templates import mapping, possible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith_cdk.templates import Resource, Templates

LITE_REFUSAL: Final = (
    "A pool on the LITE plan cannot customize access tokens: pre token generation events V2_0 and V3_0 need "
    "the ESSENTIALS or PLUS plan."
)


def problems(templates: Templates, pool: Resource, trigger: Resource, version: str) -> Iterator[tuple[Resource, str]]:
    """Findings about a pool.

    Args:
        templates: the templates of the app.
        pool: the user pool.
        trigger: the function that must customize its tokens.
        version: the version of the event that it must get.
    """
    if "LITE" in possible(pool.properties.get("UserPoolTier")):
        yield pool, LITE_REFUSAL
    for settings in possible(pool.properties.get("LambdaConfig")):
        for configured in possible(mapping(settings).get("PreTokenGenerationConfig")):
            wrong = _wrong(mapping(settings), mapping(configured), templates, pool, trigger, version)
            if wrong:
                yield pool, f"{templates.name(pool)} {wrong}"


def _wrong(
    settings: dict[str, Any],
    configured: dict[str, Any],
    templates: Templates,
    pool: Resource,
    trigger: Resource,
    version: str,
) -> str:
    arn = configured.get("LambdaArn")
    if trigger not in templates.functions(pool.template, arn):
        return (
            "does not call this trigger: PreTokenGenerationConfig of its LambdaConfig has another one or is missing. A "
            "pool has one pre token generation trigger; remove what overrides it."
        )
    if configured.get("LambdaVersion") != version:
        return (
            "does not send this trigger the events that it is configured for: LambdaVersion must be "
            f"{version} in PreTokenGenerationConfig of its LambdaConfig."
        )
    if any(older not in (None, arn) for older in possible(settings.get("PreTokenGeneration"))):
        return (
            "has a second pre token generation trigger, of version V1_0: PreTokenGeneration of its LambdaConfig. "
            "Cognito accepts both only as the same function; remove it."
        )
    return ""

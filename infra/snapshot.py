"""What a deployment must not lower or replace: a snapshot of each production stage, committed beside the stage's file.

CloudFormation replaces a resource when a create-only property or its logical id changes; the old one is deleted or, if
it is retained, no longer managed. For a pool that means new subjects for all users. Which properties are create-only is
in CloudFormation's resource schemas (``createOnlyProperties``; a test compares). A pool's sign-in attributes are not in
its schema, but Cognito refuses to change them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.identity_providers import STANDARD_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from aws_cdk.cx_api import CloudAssembly

    #: By stack and logical id, what is kept of each resource.
    Snapshot = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Guard:
    """What is kept of a kind of resource.

    Attributes:
        create_only: properties that cannot change without a replacement.
        additions: of these, by which comparison some may have more than before.
        levels: properties that protect something, each with how much.
        calls: properties that say what it calls.
        removable: whether the resource may leave the template; what it protects is still kept.
    """

    create_only: tuple[str, ...] = ()
    additions: Mapping[str, Callable[[Any, Any], bool]] | None = None
    levels: Mapping[str, Callable[[Any], float]] | None = None
    calls: tuple[str, ...] = ()
    removable: bool = False


def _among(*values: object) -> Callable[[Any], float]:
    """The level of one of several values, from the weakest; what is missing or unknown is the weakest."""
    return lambda value: float(values.index(value)) if value in values else 0.0


def _on(value: object) -> float:
    """The level of a switch."""
    return float(value is True)


def _days(value: object) -> float:
    """The level of a retention in days; without one, logs are kept for ever."""
    return float(value) if isinstance(value, int) else float("inf")


def _nothing_changes(before: object, now: object) -> bool:
    return before == now


def _only_new_attributes(before: Any, now: Any) -> bool:  # noqa: ANN401 - CloudFormation's values
    """Whether a pool's schema has custom attributes that it had not, which Cognito takes, and nothing else changed."""
    before = before or []
    added = [attribute for attribute in now or () if attribute not in before]
    kept = all(attribute in (now or ()) for attribute in before)
    return kept and not any(
        attribute["Name"] in STANDARD_ATTRIBUTES or attribute.get("Required") for attribute in added
    )


#: What the names of snapshots end with.
SUFFIX: Final = ".snapshot.json"

_STACK: Final = ""
_POLICIES: Final = ("DeletionPolicy", "UpdateReplacePolicy")
_RETAINED: Final = frozenset({"Retain", "RetainExceptOnCreate"})

#: What is kept, by the type of the resource.
GUARDS: Final[Mapping[str, _Guard]] = {
    "AWS::Cognito::UserPool": _Guard(
        ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "Schema"),
        {"Schema": _only_new_attributes},
        {
            "DeletionProtection": _among("INACTIVE", "ACTIVE"),
            "UserPoolTier": _among("LITE", "ESSENTIALS", "PLUS"),
            "MfaConfiguration": _among("OFF", "OPTIONAL", "ON"),
        },
        calls=("LambdaConfig.PreTokenGenerationConfig.LambdaArn",),
    ),
    "AWS::Cognito::UserPoolDomain": _Guard(("UserPoolId", "Domain")),
    "AWS::Cognito::UserPoolClient": _Guard(("UserPoolId", "GenerateSecret")),
    "AWS::Cognito::UserPoolResourceServer": _Guard(("UserPoolId", "Identifier")),
    "AWS::Cognito::UserPoolIdentityProvider": _Guard(("UserPoolId", "ProviderName", "ProviderType")),
    "AWS::DynamoDB::Table": _Guard(
        ("TableName", "ImportSourceSpecification", "KeySchema"),
        levels={"DeletionProtectionEnabled": _on, "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": _on},
    ),
    "AWS::IAM::ManagedPolicy": _Guard(("ManagedPolicyName", "Description", "Path")),
    "AWS::SNS::Topic": _Guard(("TopicName", "FifoTopic")),
    "AWS::ApiGatewayV2::Api": _Guard(("ProtocolType",)),
    "AWS::ApiGateway::RestApi": _Guard(),
    "AWS::KMS::Key": _Guard(levels={"EnableKeyRotation": _on}),
    "AWS::S3::Bucket": _Guard(("BucketName", "BucketNamePrefix", "BucketNamespace")),
    "AWS::Lambda::Alias": _Guard(("FunctionName", "Name"), removable=True),
    "AWS::SQS::Queue": _Guard(("QueueName", "FifoQueue"), removable=True),
    "AWS::Logs::LogGroup": _Guard(("LogGroupName",), levels={"RetentionInDays": _days}, removable=True),
}


def take(assembly: CloudAssembly) -> Snapshot:
    """The snapshot of a finished app."""
    return {
        stack.id: {
            _STACK: {
                "Account": stack.environment.account,
                "Region": stack.environment.region,
                "StackName": stack.stack_name,
                "TerminationProtection": bool(stack.termination_protection),
            },
            **guarded(stack.template),
        }
        for stack in assembly.stacks
    }


def guarded(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is kept of the resources of a template, by their logical ids."""
    return {
        logical_id: _kept(resource)
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] in GUARDS
    }


def violations(before: Snapshot, now: Snapshot) -> Iterator[str]:
    """A sentence for whatever a deployment would lower, replace or take away."""
    for stack, resources in before.items():
        for logical_id, kept in resources.items():
            current = now.get(stack, {}).get(logical_id)
            place = f"{stack}.{logical_id}" if logical_id else stack
            if current is None:
                if not (logical_id and GUARDS[kept["Type"]].removable):
                    yield f"{place} ({kept.get('Type', 'the stack')}) would be removed"
            elif logical_id == _STACK:
                yield from (f"{place} {said}" for said in _moves(stack, kept, current))
            else:
                yield from (f"{place} ({kept['Type']}) {said}" for said in _changes(kept, current))
                for alias in _called(current, now[stack]) - resources.keys():
                    yield (
                        f"{place} ({kept['Type']}) would call {alias} before it may: sign-ins would fail "
                        "meanwhile. Deploy once with prepare = true in [releases] first"
                    )


def check(file: Path, now: Snapshot, *, write: bool) -> str | None:
    """Compare with a stage's snapshot, and bring it up to date.

    Args:
        file: of the snapshot; it need not exist.
        now: of the finished templates.
        write: whether the stage has a snapshot from now on.

    Returns:
        What to tell the user; None where the file is as it was.

    Raises:
        SnapshotError: the deployment would lower or replace something.
    """
    before = read(file)
    if not before:
        _refuse_renamed(file, now, production=write)
    try:
        found = [*violations(before, now)]
    except (AttributeError, KeyError, TypeError):  # edited by hand
        found = ["an entry of the snapshot is not as synth wrote it; take the file from version control"]
    if found:
        raise SnapshotError(*found, compared=file)
    if not write or before == now:
        return None
    file.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return f"{file} is new or has changed: commit it. Later deployments are compared with it."


def read(file: Path) -> Snapshot:
    """The snapshot in a file; empty where there is none.

    Raises:
        SnapshotError: the file is damaged.
    """
    try:
        found: Snapshot = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SnapshotError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{file} is not JSON ({error}); take it from version control") from None
    return found


class SnapshotError(ValueError):
    """A deployment that would lower or replace something; the message has a line for each and the way out."""

    def __init__(self, *found: str, compared: Path | None = None) -> None:
        """Say what was found.

        Args:
            found: a sentence for each, without its full stop.
            compared: the snapshot that a template was compared with.
        """
        remedy = "Nothing was deployed."
        if compared is not None:
            remedy += (
                f" The comparison is with {compared}. If a change is intended, or the stage was never deployed, remove "
                "the entries named above from that file (in a commit that is reviewed) and try again."
            )
        super().__init__("\n".join([*(f"{line}." for line in found), remedy]))


def _refuse_renamed(file: Path, now: Snapshot, *, production: bool) -> None:
    """Refuse a stage without a snapshot where there is one whose stage is gone: perhaps its file has another name now.

    It would be compared with nothing, and deployed a second time or, with the old ``stack_suffix``, over the first.
    """
    stacks = {resources[_STACK]["StackName"] for resources in now.values()}
    for other in sorted(file.parent.glob(f"*{SUFFIX}")):
        stage = other.with_name(other.name.removesuffix(SUFFIX) + ".toml")
        if stage.exists():
            continue
        try:
            deployed = {kept[_STACK]["StackName"]: _suffix(stack, kept[_STACK]) for stack, kept in read(other).items()}
        except (AttributeError, KeyError, TypeError):  # edited by hand
            raise SnapshotError(f"{other} is not as synth wrote it; take it from version control") from None
        if stacks & deployed.keys():
            raise SnapshotError(f"{stage.name} has another name now: rename {other} to {file.name}, too")
        if production and deployed:
            first, suffix = next(iter(deployed.items()))
            raise SnapshotError(
                f"{' and '.join(sorted(stacks))} would be deployed beside {first}, whose {stage.name} is gone. If that "
                f"file has another name now, write {suffix} into it and rename {other} to {file.name}, too; if its "
                "stacks were deleted, delete that file"
            )


def _suffix(stack: str, kept: Mapping[str, Any]) -> str:
    """The option by which a stack has its name."""
    return f'stack_suffix = "{kept["StackName"].removeprefix(stack)}"'


def _kept(resource: Mapping[str, Any]) -> dict[str, Any]:
    properties = resource.get("Properties", {})
    guard = GUARDS[resource["Type"]]
    kept = {path: _at(properties, path) for path in (*guard.create_only, *(guard.levels or {}), *guard.calls)}
    policies = {policy: resource.get(policy, "Delete") for policy in _POLICIES}
    return {
        "Type": resource["Type"],
        **policies,
        "Properties": {path: value for path, value in kept.items() if value is not None},
    }


def _changes(kept: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    guard, before, now = GUARDS[kept["Type"]], kept["Properties"], current["Properties"]
    if kept["Type"] != current["Type"]:
        yield f"would be replaced: it becomes {current['Type']}"
        return
    for path in guard.create_only:
        only_adds = (guard.additions or {}).get(path, _nothing_changes)
        if not only_adds(before.get(path), now.get(path)):
            yield f"would be replaced or refused: {path} changes from {_said(before, path)} to {_said(now, path)}"
    for path, level in (guard.levels or {}).items():
        if level(now.get(path)) < level(before.get(path)):
            yield f"would be less protected: {path} changes from {_said(before, path)} to {_said(now, path)}"
    for policy in _POLICIES:
        if kept[policy] in _RETAINED and current[policy] not in _RETAINED:
            yield f"would be deleted with the stack: {policy} changes from {kept[policy]} to {current[policy]}"


def _moves(stack: str, kept: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    if kept["TerminationProtection"] and not current["TerminationProtection"]:
        yield "would lose its termination protection"
    for name in ("Account", "Region"):
        if kept[name] != current[name]:
            yield f"would be a second stack: {name} changes from {kept[name]} to {current[name]}"
    before, now = kept["StackName"], current["StackName"]
    if before != now:
        yield f"would be a second stack: StackName changes from {before} to {now}; {_suffix(stack, kept)} keeps it"


def _called(resource: Mapping[str, Any], resources: Mapping[str, Any]) -> set[str]:
    """The logical ids of the aliases that a resource calls."""
    found = (resource["Properties"].get(path) for path in GUARDS[resource["Type"]].calls)
    names = {called["Ref"] for called in found if isinstance(called, dict) and "Ref" in called}
    return {name for name in names if name in resources}


def _at(properties: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - CloudFormation's values
    value: Any = properties
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _said(properties: Mapping[str, Any], path: str) -> str:
    return json.dumps(properties[path]) if path in properties else "nothing"

"""How the settings of a user pool are sent back with another pre token generation trigger.

UpdateUserPool sets whatever a request leaves out to its default, so a request to change one setting holds them all
(https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html). Settings are a
mapping by the names of DescribeUserPool, with those of GetUserPoolMfaConfig among them; no name means two things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Settings = Mapping[str, Any]

#: What is fixed when a pool is created, counted by Cognito, or set by another operation: UpdateUserPool neither takes
#: nor resets it. (``Name`` it takes as ``PoolName``.)
NOT_SENT: Final = frozenset(
    {
        "AliasAttributes",
        "Arn",
        "CreationDate",
        "CustomDomain",
        "Domain",
        "EmailConfigurationFailure",
        "EmailMfaConfiguration",
        "EstimatedNumberOfUsers",
        "Id",
        "LastModifiedDate",
        "Name",
        "SchemaAttributes",
        "SmsConfigurationFailure",
        "SmsMfaConfiguration",
        "SoftwareTokenMfaConfiguration",
        "Status",
        "UsernameAttributes",
        "UsernameConfiguration",
        "WebAuthnConfiguration",
    }
)

#: What changes though nobody has changed a setting.
_MOVING: Final = frozenset(
    {
        "EmailConfigurationFailure",
        "EstimatedNumberOfUsers",
        "LastModifiedDate",
        "SmsConfigurationFailure",
    }
)

#: The two settings of one trigger: the older one, without a version, and the newer one. AWS refuses a pool in which
#: they name different functions.
_OLDER: Final = "PreTokenGeneration"
_NEWER: Final = "PreTokenGenerationConfig"

#: The older name of ``PasswordPolicy.TemporaryPasswordValidityDays``. The two are one setting, which is returned under
#: both names and refused under both; this one counts only in a pool in which the newer one was never set.
_OLDER_VALIDITY: Final = "UnusedAccountValidityDays"

#: Tags that only AWS sets; it refuses a request that has one, and keeps them.
_AWS_TAGS: Final = "aws:"


class Trigger(NamedTuple):
    """A pre token generation trigger.

    Attributes:
        arn: of the function, with its alias or version if it has one.
        version: of the events: ``V1_0``, ``V2_0`` or ``V3_0``.
    """

    arn: str
    version: str


class Change(NamedTuple):
    """A setting that differs.

    Attributes:
        setting: its name, with dots between the levels.
        before: its value; None if it was not set.
        after: likewise.
    """

    setting: str
    before: object
    after: object


def trigger(settings: Settings) -> Trigger | None:
    """The pool's pre token generation trigger; None if it has none."""
    triggers = settings.get("LambdaConfig") or {}
    newer = triggers.get(_NEWER) or {}
    arn = newer.get("LambdaArn") or triggers.get(_OLDER)
    return Trigger(arn, newer.get("LambdaVersion", "V1_0")) if arn else None


def trigger_settings(settings: Settings) -> dict[str, Any]:
    """The settings of that trigger as the pool has them, to be put back one day."""
    triggers = settings.get("LambdaConfig") or {}
    return {name: triggers[name] for name in (_OLDER, _NEWER) if triggers.get(name)}


def settings_of(wanted: Trigger, settings: Settings) -> dict[str, Any]:
    """The settings that make this the pool's trigger; the older one only where the pool has it already."""
    older = {_OLDER: wanted.arn} if (settings.get("LambdaConfig") or {}).get(_OLDER) else {}
    return {**older, _NEWER: {"LambdaVersion": wanted.version, "LambdaArn": wanted.arn}}


def with_trigger(settings: Settings, of_trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with these of the trigger in place of its present ones; every other trigger stays."""
    others = {
        name: value for name, value in (settings.get("LambdaConfig") or {}).items() if name not in (_OLDER, _NEWER)
    }
    return {**settings, "LambdaConfig": {**others, **of_trigger}}


def unknown_settings(settings: Settings, accepted: Collection[str]) -> list[str]:
    """The settings that would be lost: not accepted by UpdateUserPool, and not known to be none of its business."""
    return sorted(settings.keys() - NOT_SENT - set(accepted))


def update_request(settings: Settings, accepted: Collection[str]) -> dict[str, Any]:
    """The request of UpdateUserPool that leaves a pool with these settings.

    Args:
        settings: all of them.
        accepted: the members of the request, by botocore's model.
    """
    # An empty structure is left out: sending one may turn a feature on (DeviceConfiguration); none is its default.
    request = {name: value for name, value in settings.items() if name in accepted and value not in (None, {})}
    if "PoolName" in accepted and settings.get("Name"):
        request["PoolName"] = settings["Name"]
    if "UserPoolTags" in request:
        request["UserPoolTags"] = {
            name: value for name, value in request["UserPoolTags"].items() if not name.startswith(_AWS_TAGS)
        }
    # Where it does not say whether it is on, Cognito would turn it on.
    if request.get("DcrConfiguration", {}).get("EnableStatus") is None:
        request.pop("DcrConfiguration", None)
    if _has_newer_validity(settings) and "AdminCreateUserConfig" in request:
        kept = {name: value for name, value in request["AdminCreateUserConfig"].items() if name != _OLDER_VALIDITY}
        request["AdminCreateUserConfig"] = kept
    return {"UserPoolId": settings["Id"], **request}


def changes(before: Settings, after: Settings) -> list[Change]:
    """The settings that differ, without what moves by itself; a setting that is absent equals one that is empty."""
    skipped = {f"AdminCreateUserConfig.{_OLDER_VALIDITY}"} if _has_newer_validity(before) else set()
    return sorted(
        Change(setting, one, other)
        for name in (before.keys() | after.keys()) - _MOVING
        for setting, one, other in _differing(name, before.get(name), after.get(name))
        if setting not in skipped
    )


def _has_newer_validity(settings: Settings) -> bool:
    """Whether a pool says by the newer name for how many days a temporary password is valid."""
    password = (settings.get("Policies") or {}).get("PasswordPolicy") or {}
    return bool(password.get("TemporaryPasswordValidityDays"))


def _differing(name: str, before: object, after: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(before or {}, dict) and isinstance(after or {}, dict):
        olds: dict[str, object] = before or {}  # type: ignore[assignment]
        news: dict[str, object] = after or {}  # type: ignore[assignment]
        for part in olds.keys() | news.keys():
            yield from _differing(f"{name}.{part}", olds.get(part), news.get(part))
    elif (before or None) != (after or None):
        yield name, before, after

"""A user pool with every setting that botocore's model has, which behaves as AWS does where ``attach`` could go wrong.

It stands behind a real botocore client, so that requests are validated and responses parsed as with AWS. Like AWS, it
resets what UpdateUserPool leaves out, and refuses settings that contradict each other.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable  # noqa: TC003 - of an annotation that is evaluated
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

import botocore.session
from botocore.awsrequest import AWSResponse

POOL_ID: Final = "eu-central-1_EXAMPLE"
POOL_ARN: Final = f"arn:aws:cognito-idp:eu-central-1:123456789012:userpool/{POOL_ID}"
FUNCTION: Final = "arn:aws:lambda:eu-central-1:123456789012:function:"

MODEL: Final = botocore.session.get_session().get_service_model("cognito-idp")
SETTINGS: Final = MODEL.shape_for("UserPoolType").members
SENT: Final = MODEL.shape_for("UpdateUserPoolRequest").members
FACTORS: Final = MODEL.shape_for("GetUserPoolMfaConfigResponse").members

#: What UpdateUserPool makes of a setting that a request leaves out, unless that is nothing at all.
_DEFAULTS: Final[dict[str, Any]] = {
    "DeletionProtection": "INACTIVE",
    "MfaConfiguration": "OFF",
    "UserPoolTier": "ESSENTIALS",
    "Policies": {"PasswordPolicy": {"MinimumLength": 8, "TemporaryPasswordValidityDays": 7}},
    "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
}


class RefusalError(Exception):
    """What AWS answers instead."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class FakePool:
    """One user pool.

    Attributes:
        settings: as DescribeUserPool returns them.
        factors: as GetUserPoolMfaConfig returns them.
        before_update: called with the request of UpdateUserPool before it is looked at.
        updates: how many UpdateUserPool requests were accepted.
    """

    def __init__(self, settings: dict[str, Any], factors: dict[str, Any] | None = None) -> None:
        fixed = {"Id": POOL_ID, "Arn": POOL_ARN, "LastModifiedDate": 1_700_000_000}
        self.settings = {**deepcopy(_DEFAULTS), **settings, **fixed}
        self._mirror()
        self.factors = {**(factors or {}), "MfaConfiguration": self.settings["MfaConfiguration"]}
        self.before_update: Callable[[dict[str, Any]], None] = lambda _: None
        self.updates = 0

    def everything(self) -> dict[str, Any]:
        """All that can be seen of it, but when it was changed."""
        seen = deepcopy({**self.factors, **self.settings})
        del seen["LastModifiedDate"]
        return seen

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """What an operation returns."""
        if request["UserPoolId"] != POOL_ID:
            raise RefusalError("ResourceNotFoundException", f"User pool {request['UserPoolId']} does not exist.")
        if operation == "DescribeUserPool":
            return {"UserPool": self.settings}
        if operation == "GetUserPoolMfaConfig":
            return self.factors
        assert operation == "UpdateUserPool"
        self.before_update(request)
        self._update({name: value for name, value in request.items() if name != "UserPoolId"})
        return {}

    def touch(self, **settings: object) -> None:
        """Somebody else changes settings."""
        self.settings.update(settings)
        self.settings["LastModifiedDate"] += 1

    def _update(self, request: dict[str, Any]) -> None:
        meant = Meant(request, self.settings, self.factors)
        for applies, message in _REFUSALS:
            if applies(meant):
                raise RefusalError("InvalidParameterException", message)
        request = deepcopy(request)
        self.settings["Name"] = request.pop("PoolName", self.settings["Name"])
        of_aws = {k: v for k, v in self.settings.get("UserPoolTags", {}).items() if k.startswith("aws:")}
        for name in SENT.keys() & SETTINGS.keys():
            if name in request or name in _DEFAULTS:
                self.settings[name] = request.get(name, deepcopy(_DEFAULTS.get(name)))
            else:
                self.settings.pop(name, None)
        if of_aws:
            self.settings["UserPoolTags"] = {**self.settings.get("UserPoolTags", {}), **of_aws}
        if request.get("MfaConfiguration", "OFF") == "OFF":
            self.factors.pop("SoftwareTokenMfaConfiguration", None)
        self.factors["MfaConfiguration"] = self.settings["MfaConfiguration"]
        if "DcrConfiguration" in request:
            request["DcrConfiguration"].setdefault("EnableStatus", "Enabled")
        self._mirror()
        triggers = self.settings.get("LambdaConfig", {})
        if "PreTokenGenerationConfig" in triggers:
            triggers["PreTokenGeneration"] = triggers["PreTokenGenerationConfig"]["LambdaArn"]
        self.settings["LastModifiedDate"] += 1
        self.updates += 1

    def _mirror(self) -> None:
        """One setting is returned under both of its names."""
        days = self.settings["Policies"].get("PasswordPolicy", {}).get("TemporaryPasswordValidityDays")
        if days and "AdminCreateUserConfig" in self.settings:
            self.settings["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days


@dataclass(frozen=True)
class Meant:
    """What a request of UpdateUserPool means, for the rules."""

    request: dict[str, Any]
    present: dict[str, Any]
    factors: dict[str, Any]

    def part(self, *names: str) -> Any:  # noqa: ANN401 - values of the model have many types
        found: Any = self.request
        for name in names:
            found = found.get(name, {})
        return found


def _other_function(meant: Meant) -> bool:
    newer = meant.part("LambdaConfig", "PreTokenGenerationConfig", "LambdaArn")
    return bool(newer) and meant.part("LambdaConfig").get("PreTokenGeneration", newer) != newer


#: When AWS refuses a request. The sentences are AWS's, shortened.
_REFUSALS: Final[tuple[tuple[Callable[[Meant], Any], str], ...]] = (
    (
        lambda meant: (
            meant.part("AdminCreateUserConfig", "UnusedAccountValidityDays")
            and meant.part("Policies", "PasswordPolicy", "TemporaryPasswordValidityDays")
        ),
        "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays",
    ),
    (_other_function, "PreTokenGeneration and PreTokenGenerationConfig must be identical"),
    (
        lambda meant: (
            {"CustomSMSSender", "CustomEmailSender"} & meant.part("LambdaConfig").keys()
            and not meant.part("LambdaConfig", "KMSKeyID")
        ),
        "KMSKeyID is required for custom senders",
    ),
    (lambda meant: any(name.startswith("aws:") for name in meant.part("UserPoolTags")), "aws: tags are not allowed"),
    (
        lambda meant: meant.part("MfaConfiguration") == "ON" and meant.present.get("MfaConfiguration") != "ON",
        "Cannot turn MFA functionality ON, once the user pool has been created.",
    ),
    (
        lambda meant: (
            meant.part("MfaConfiguration") in ("ON", "OPTIONAL")
            and not meant.part("SmsConfiguration")
            and not meant.factors.keys() - {"MfaConfiguration"}
        ),
        "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
    ),
    (
        lambda meant: "phone_number" in meant.part("AutoVerifiedAttributes") and not meant.part("SmsConfiguration"),
        "SMS configuration is required when phone_number is selected for auto verification",
    ),
    (
        lambda meant: {"EumsSms", "SnsCallerArn"} <= meant.part("SmsConfiguration").keys(),
        "Provide either SnsCallerArn or EumsSms",
    ),
    (
        lambda meant: {"EmailMessage", "EmailMessageByLink"} <= meant.part("VerificationMessageTemplate").keys(),
        "Provide either EmailMessage or EmailMessageByLink",
    ),
)


def client(pool: FakePool) -> Any:  # noqa: ANN401 - botocore clients have no type
    """A botocore client of that pool alone; see ``behind`` to use it for another one."""
    made = botocore.session.get_session().create_client("cognito-idp")
    return behind(made, pool)


def behind(made: Any, pool: FakePool) -> Any:  # noqa: ANN401 - botocore clients have no type
    """The client, with this pool to answer it."""

    def answer(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 - botocore's requests have no type
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        try:
            status, body = 200, pool.answer(operation, json.loads(request.body))
        except RefusalError as error:
            status, body = error.status, {"__type": error.code, "message": error.message}
        raw = io.BytesIO(json.dumps(body, default=_epoch).encode())
        raw.stream = lambda **_: iter([raw.getvalue()])  # type: ignore[attr-defined]
        return AWSResponse(request.url, status, {"Content-Type": "application/x-amz-json-1.1"}, raw)

    made.meta.events.unregister("before-send.cognito-idp", unique_id="fake-pool")
    made.meta.events.register("before-send.cognito-idp", answer, unique_id="fake-pool")
    return made


def _epoch(value: object) -> float:
    assert isinstance(value, datetime)
    return value.timestamp()


def made_up(shape: Any, chance: Random, *, every: bool = False) -> Any:  # noqa: ANN401 - botocore's shapes have no type
    """A value of a shape of the model.

    Args:
        shape: the shape.
        chance: chooses.
        every: a structure has all of its members.
    """
    return _OF_KIND[shape.type_name](shape, chance, every)


def _structure(shape: Any, chance: Random, every: bool) -> dict[str, Any]:  # noqa: ANN401, FBT001 - as above
    names = [name for name in shape.members if every or name in shape.required_members or chance.random() < 0.5]
    return {name: made_up(shape.members[name], chance, every=every) for name in names}


def _text(shape: Any, chance: Random, _: bool) -> str:  # noqa: ANN401, FBT001 - as above
    length = shape.metadata.get("min", 1) + chance.randrange(4)
    return str(chance.choice(shape.enum) if shape.enum else "".join(chance.choices("abcdef", k=length)))


_OF_KIND: Final[dict[str, Callable[[Any, Random, bool], Any]]] = {
    "structure": _structure,
    "string": _text,
    "list": lambda shape, chance, every: [
        made_up(shape.member, chance, every=every) for _ in range(chance.randint(1, 2))
    ],
    "map": lambda shape, chance, _: {made_up(shape.key, chance): made_up(shape.value, chance) for _ in range(2)},
    "boolean": lambda _shape, chance, _: chance.random() < 0.5,
    "integer": lambda shape, chance, _: chance.randint(shape.metadata.get("min", 0), shape.metadata.get("max", 90)),
    "timestamp": lambda *_: 1_700_000_000,
}


def some_pool(seed: int, *, every: bool = False) -> FakePool:
    """A pool as there may be one: any settings that do not contradict each other, but not the Lite plan.

    Args:
        seed: decides.
        every: it has every setting that the model has.
    """
    chance = Random(seed)  # noqa: S311 - nothing is secret
    settings = made_up(MODEL.shape_for("UserPoolType"), chance, every=every)
    factors = made_up(MODEL.shape_for("GetUserPoolMfaConfigResponse"), chance, every=every)
    settings = {name: value for name, value in settings.items() if value != {}}
    settings |= {"Name": "people", "UserPoolTier": chance.choice(["ESSENTIALS", "PLUS"])}
    settings["UserPoolTags"] = {**settings.get("UserPoolTags", {}), "aws:cloudformation:stack-name": "people"}
    triggers = settings.setdefault("LambdaConfig", {})
    triggers.pop("PreTokenGeneration", None)
    triggers.pop("PreTokenGenerationConfig", None)
    triggers["KMSKeyID"] = "arn:aws:kms:eu-central-1:123456789012:key/1"
    texts = {**settings.get("SmsConfiguration", {}), "SnsCallerArn": "arn:aws:iam::123456789012:role/sms"}
    settings["SmsConfiguration"] = {name: value for name, value in texts.items() if name != "EumsSms"}
    settings.get("VerificationMessageTemplate", {}).pop("EmailMessageByLink", None)
    settings.get("DcrConfiguration", {}).setdefault("EnableStatus", "Disabled")
    if settings.get("MfaConfiguration", "OFF") == "OFF":
        factors.pop("SoftwareTokenMfaConfiguration", None)
    return FakePool(settings, factors)

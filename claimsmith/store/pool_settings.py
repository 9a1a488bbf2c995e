"""Reads and writes the settings of a user pool, and lets Cognito call a function for it.

Every operation that may be called is in ``ACTIONS``, with the IAM action that allows it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from claimsmith.cognito import user_pool
from claimsmith.errors import Code, OperationError
from claimsmith.store.dynamodb import PATIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: The operations, by service and name in botocore, and the IAM action that each needs.
ACTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("cognito-idp", "describe_user_pool"): "cognito-idp:DescribeUserPool",
    ("cognito-idp", "get_user_pool_mfa_config"): "cognito-idp:GetUserPoolMfaConfig",
    ("cognito-idp", "update_user_pool"): "cognito-idp:UpdateUserPool",
    ("lambda", "add_permission"): "lambda:AddPermission",
    ("lambda", "remove_permission"): "lambda:RemovePermission",
}

_COGNITO: Final = "cognito-idp.amazonaws.com"

#: Cognito updates one pool by one request at a time and refuses others meanwhile.
_BUSY: Final = "ConcurrentModificationException"


class BusyError(OperationError):
    """Cognito is updating the pool for somebody else; nothing was written."""


class RefusedError(OperationError):
    """AWS refuses the request as it is; nothing was written."""


class PoolSettings:
    """User pools of one account and region. Every method raises ``OperationError`` if AWS cannot be asked."""

    def __init__(
        self,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        connect: Callable[[str], Any] | None = None,
    ) -> None:
        """Use the AWS environment variables where nothing is given; ``connect`` makes the client of a service."""

        def create(service: str) -> Any:  # noqa: ANN401 - botocore clients have no type
            session = botocore.session.get_session()
            return session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=PATIENT)

        self._client = cache(connect or create)

    def read(self, pool_id: str) -> dict[str, Any]:
        """All settings of a pool, by the names of DescribeUserPool and GetUserPoolMfaConfig.

        Raises:
            OperationError: there is no such pool; or it has a setting that this version of botocore or of Claimsmith
                does not know, so that it would be lost by an update.
        """
        returned: list[dict[str, Any]] = []

        def keep(response_dict: dict[str, Any], **_: object) -> None:
            returned.append(_json(response_dict.get("body")).get("UserPool", {}))

        events = self._client("cognito-idp").meta.events
        # botocore drops what its model does not have, without a word.
        events.register("before-parse.cognito-idp.DescribeUserPool", keep)
        try:
            described = self._call("cognito-idp", "describe_user_pool", UserPoolId=pool_id)["UserPool"]
        finally:
            events.unregister("before-parse.cognito-idp.DescribeUserPool", keep)
        factors = self._call("cognito-idp", "get_user_pool_mfa_config", UserPoolId=pool_id)
        settings = {**{name: value for name, value in factors.items() if name != "ResponseMetadata"}, **described}
        unknown = user_pool.unknown_settings(settings, self._accepted)
        lost = [*_dropped(returned[-1] if returned else {}, described), *unknown]
        if lost:
            names = ", ".join(lost)
            message = (
                f"This version does not know settings of the pool ({names}), so writing the pool would reset them. "
                "Upgrade Claimsmith and botocore, or set the trigger with what manages the pool."
            )
            raise OperationError(Code.POOL_SETTING_UNKNOWN, message)
        return settings

    def write(self, settings: Mapping[str, Any]) -> None:
        """Give a pool these settings, which are all of its settings.

        Raises:
            BusyError: Cognito is updating it for somebody else.
            RefusedError: Cognito does not accept the settings.
        """
        self._call("cognito-idp", "update_user_pool", **user_pool.update_request(settings, self._accepted))

    def permit(self, function: str, statement_id: str, pool_arn: str) -> None:
        """Let Cognito call a function for one pool; fine if a statement with this id is there already.

        Args:
            function: its ARN, with the alias that Cognito calls if there is one.
            statement_id: of the function's resource policy.
            pool_arn: the ARN of the pool.
        """
        try:
            self._call(
                "lambda",
                "add_permission",
                **_function(function),
                StatementId=statement_id,
                Action="lambda:InvokeFunction",
                Principal=_COGNITO,
                SourceArn=pool_arn,
                SourceAccount=pool_arn.split(":")[4],
            )
        except OperationError as error:
            if error.code != Code.CONFLICT:
                raise

    def forbid(self, function: str, statement_id: str) -> bool:
        """Take that permission away.

        Returns:
            Whether there was one.
        """
        try:
            self._call("lambda", "remove_permission", **_function(function), StatementId=statement_id)
        except OperationError as error:
            if error.code != Code.NOT_FOUND:
                raise
            return False
        return True

    @property
    def _accepted(self) -> frozenset[str]:
        """The members of the request of UpdateUserPool."""
        model = self._client("cognito-idp").meta.service_model.operation_model("UpdateUserPool")
        return frozenset(model.input_shape.members)

    def _call(self, service: str, operation: str, **request: object) -> dict[str, Any]:
        action = ACTIONS[service, operation]
        try:
            call: Callable[..., dict[str, Any]] = getattr(self._client(service), operation)
            return call(**request)
        except ClientError as error:
            raise _error(error, action) from error
        except ParamValidationError as error:
            raise RefusedError(Code.POOL_UPDATE_REFUSED, f"The request of {action} is not valid: {error}") from error
        except BotoCoreError as error:
            message = f"AWS does not respond ({action}: {type(error).__name__}). Check the region and the network."
            raise OperationError(Code.AWS_UNREACHABLE, message) from error


#: What AWS's codes mean here: the class and the code of the error, and the sentence before AWS's own.
_MEANINGS: Final[Mapping[str, tuple[type[OperationError], Code, str]]] = {
    "ResourceNotFoundException": (OperationError, Code.NOT_FOUND, "It does not exist here; check name and region."),
    "ResourceConflictException": (OperationError, Code.CONFLICT, "It is there already, or is being changed."),
    _BUSY: (BusyError, Code.POOL_CHANGED_MEANWHILE, "Cognito is updating the pool for somebody else."),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "NotAuthorizedException"),
        (RefusedError, Code.ACCESS_DENIED, "AWS denies this, or what it includes."),
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
        (RefusedError, Code.ACCESS_DENIED, "AWS does not know these credentials."),
    ),
    **dict.fromkeys(
        ("TooManyRequestsException", "InternalErrorException", "ServiceException"),
        (OperationError, Code.AWS_UNREACHABLE, "AWS cannot do it now; try again later."),
    ),
}
_REFUSED: Final = (RefusedError, Code.POOL_UPDATE_REFUSED, "AWS refuses the request as it is.")


def _error(error: ClientError, action: str) -> OperationError:
    """What a refusal means; AWS's own sentence is part of it, as it names the setting or the missing permission."""
    found = error.response.get("Error", {})
    make, code, meaning = _MEANINGS.get(str(found.get("Code", "")), _REFUSED)
    return make(code, f"{action}: {meaning} {found.get('Message') or found.get('Code', '')}".strip())


def _function(arn: str) -> dict[str, str]:
    """A function in a request: its resource policy is that of the alias or version, if the ARN has one."""
    parts = arn.split(":")
    return {"FunctionName": ":".join(parts[:7]), **({"Qualifier": parts[7]} if len(parts) > 7 else {})}  # noqa: PLR2004 - of an ARN


def _json(body: object) -> dict[str, Any]:
    try:
        found = json.loads(body) if isinstance(body, bytes | str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dropped(returned: object, parsed: object, name: str = "") -> Iterator[str]:
    """What a response has and its parsed form has not, as names with dots between the levels."""
    if isinstance(returned, list) and isinstance(parsed, list):
        for one, other in zip(returned, parsed, strict=False):
            yield from _dropped(one, other, name)
    elif isinstance(returned, dict) and isinstance(parsed, dict):
        for part, value in returned.items():
            path = f"{name}.{part}".lstrip(".")
            if part not in parsed:
                if value not in (None, {}, [], ""):
                    yield path
            else:
                yield from _dropped(value, parsed[part], path)

"""Signs a synthetic user in, and shows the trigger's next version to CodeDeploy."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith.errors import Code, OperationError
from claimsmith.store.dynamodb import PATIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The operations, by service and name in botocore, and the IAM action that each needs.
ACTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("secretsmanager", "get_secret_value"): "secretsmanager:GetSecretValue",
    ("cognito-idp", "admin_initiate_auth"): "cognito-idp:AdminInitiateAuth",
    ("cognito-idp", "admin_get_user"): "cognito-idp:AdminGetUser",
    ("lambda", "invoke"): "lambda:InvokeFunction",
    ("codedeploy", "put_lifecycle_event_hook_execution_status"): "codedeploy:PutLifecycleEventHookExecutionStatus",
}


class SyntheticUser:
    """The user of a secret, in one pool. Every method raises ``OperationError`` if AWS refuses or cannot be asked."""

    def __init__(self, pool_id: str, client_id: str, secret: str) -> None:
        """Name the user.

        Args:
            pool_id: of the pool.
            client_id: the app client, which allows ``ADMIN_USER_PASSWORD_AUTH``.
            secret: the ARN of a secret with ``username`` and ``password``.
        """
        self._pool_id = pool_id
        self._client_id = client_id
        self._secret = secret
        self._client = cache(_client)

    def access_token(self) -> str:
        """The access token of a new sign-in.

        https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminInitiateAuth.html
        """
        known = self._known()
        answer = self._call(
            "cognito-idp",
            "admin_initiate_auth",
            UserPoolId=self._pool_id,
            ClientId=self._client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": known["username"], "PASSWORD": known["password"]},
        )
        result = answer.get("AuthenticationResult")
        if result is None:
            message = (
                f"Cognito asks the synthetic user for {answer.get('ChallengeName')}. Give it a permanent password, and "
                "no second factor."
            )
            raise OperationError(Code.PROBE_REFUSED, message)
        return str(result["AccessToken"])

    def event(self) -> dict[str, Any]:
        """The trigger's event of the same sign-in, without one."""
        username = self._known()["username"]
        found = self._call("cognito-idp", "admin_get_user", UserPoolId=self._pool_id, Username=username)
        attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
        return {
            "version": "2",
            "triggerSource": "TokenGeneration_Authentication",
            "region": self._pool_id.partition("_")[0],
            "userPoolId": self._pool_id,
            "userName": found["Username"],
            "callerContext": {"awsSdkVersion": "claimsmith-probe", "clientId": self._client_id},
            "request": {
                "userAttributes": attributes,
                "groupConfiguration": {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None},
                "scopes": ["aws.cognito.signin.user.admin"],
            },
            "response": {"claimsAndScopeOverrideDetails": None},
        }

    def answer(self, function: str) -> dict[str, Any]:
        """What a function answers to that event.

        Args:
            function: its ARN, with a version.
        """
        answer = self._call("lambda", "invoke", FunctionName=function, Payload=json.dumps(self.event()).encode())
        payload = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            said = payload.get("errorMessage") if isinstance(payload, dict) else None
            raise OperationError(Code.PROBE_REFUSED, f"The trigger refuses the synthetic user: {said}")
        return dict(payload)

    def tell(self, event: Mapping[str, str], *, fine: bool) -> None:
        """Tell CodeDeploy whether a deployment may go on.

        https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html
        """
        self._call(
            "codedeploy",
            "put_lifecycle_event_hook_execution_status",
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Succeeded" if fine else "Failed",
        )

    def _known(self) -> dict[str, str]:
        return dict(json.loads(self._call("secretsmanager", "get_secret_value", SecretId=self._secret)["SecretString"]))

    def _call(self, service: str, operation: str, **request: object) -> dict[str, Any]:
        action = ACTIONS[service, operation]
        try:
            found: dict[str, Any] = getattr(self._client(service), operation)(**request)
        except ClientError as error:
            said = error.response.get("Error", {}).get("Code", "")
            raise OperationError(
                Code.PROBE_REFUSED, f"{action}: {said}. Is the synthetic user set up (docs/how-to/release.md)?"
            ) from error
        except BotoCoreError as error:
            message = f"AWS does not respond ({action}: {type(error).__name__}). Check the network."
            raise OperationError(Code.AWS_UNREACHABLE, message) from error
        return found


def _client(service: str) -> Any:  # noqa: ANN401 - botocore clients have no type
    return botocore.session.get_session().create_client(service, config=PATIENT)

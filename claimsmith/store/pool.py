"""The user pool for the command line: looks up users and what Cognito knows about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith.cognito.identifiers import pool_issuer
from claimsmith.errors import Code, OperationError
from claimsmith.store.dynamodb import PATIENT

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PoolUser:
    """A user of the pool.

    Attributes:
        attributes: as in the trigger's event: all strings, including ``sub`` and ``cognito:user_status``.
        iam_roles: the IAM roles of the groups.
        preferred_role: the role of the group with the lowest precedence value; None if groups with different roles tie.
    """

    sub: str
    username: str
    attributes: Mapping[str, str]
    groups: tuple[str, ...]
    iam_roles: tuple[str, ...] = ()
    preferred_role: str | None = None


class Pool:
    """A user pool. Every method raises ``OperationError`` if Cognito is unavailable or refuses the request."""

    def __init__(self, client: Any, pool_id: str) -> None:  # noqa: ANN401 - botocore clients have no type
        self._client = client
        self.id = pool_id

    @property
    def issuer(self) -> str:
        """The value of ``iss``: the pool's ORIGINAL issuer."""
        return pool_issuer(self.id)

    def user(self, name: str) -> PoolUser:
        """A user by username, alias or subject.

        Raises:
            OperationError: there is no such user.
        """
        found = self._call("admin_get_user", Username=name)
        attributes = {entry["Name"]: entry["Value"] for entry in found["UserAttributes"]}
        attributes["cognito:user_status"] = found["UserStatus"]
        groups: list[dict[str, Any]] = []
        request = {"Username": found["Username"]}
        while True:
            page = self._call("admin_list_groups_for_user", **request)
            groups += page["Groups"]
            if not page.get("NextToken"):
                break
            request["NextToken"] = page["NextToken"]
        return PoolUser(
            sub=attributes["sub"],
            username=found["Username"],
            attributes=attributes,
            groups=tuple(group["GroupName"] for group in groups),
            iam_roles=tuple(group["RoleArn"] for group in groups if group.get("RoleArn")),
            preferred_role=_preferred(groups),
        )

    def readable(self, client_id: str) -> frozenset[str] | None:
        """The attributes that an app client may read; None if it may read all, or if they cannot be found out.

        The API call that returns them also returns the client's secret, so most people may not make it.
        """
        try:
            client = self._call("describe_user_pool_client", ClientId=client_id)["UserPoolClient"]
        except OperationError as error:
            if error.code in (Code.NOT_FOUND, Code.ACCESS_DENIED):
                return None
            raise
        return frozenset(client["ReadAttributes"]) if client.get("ReadAttributes") else None

    def sign_out(self, username: str) -> None:
        """Sign a user out everywhere, which revokes their refresh tokens (AdminUserGlobalSignOut).

        Raises:
            OperationError: there is no such user.
        """
        self._call("admin_user_global_sign_out", Username=username)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore clients have no type
        try:
            response: dict[str, Any] = getattr(self._client, operation)(UserPoolId=self.id, **request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("UserNotFoundException", "ResourceNotFoundException"):
                what = "user in the pool" if code == "UserNotFoundException" else "pool or client here"
                raise OperationError(
                    Code.NOT_FOUND, f"There is no such {what}. Check the name and the region."
                ) from error
            if code in ("AccessDeniedException", "NotAuthorizedException", "UnrecognizedClientException"):
                raise OperationError(
                    Code.ACCESS_DENIED, f"Cognito denies access ({code}). Check the credentials and their permissions."
                ) from error
            raise OperationError(Code.AWS_UNREACHABLE, f"Cognito refuses the request ({code}).") from error
        except BotoCoreError as error:
            message = (
                f"Cognito does not respond ({type(error).__name__}). Check the region, the endpoint and the network."
            )
            raise OperationError(Code.AWS_UNREACHABLE, message) from error
        return response


def _preferred(groups: list[dict[str, Any]]) -> str | None:
    """The role of the first group by precedence; None if the first groups tie and have different roles."""
    ranked = [
        (group["Precedence"], group["RoleArn"]) for group in groups if group.get("RoleArn") and "Precedence" in group
    ]
    first = {role for precedence, role in ranked if precedence == min(ranked)[0]}
    return first.pop() if len(first) == 1 else None


def connect_pool(pool_id: str, *, endpoint_url: str | None = None, region: str | None = None) -> Pool:
    """The pool with this id; endpoint and region default to the AWS environment variables."""
    session = botocore.session.get_session()
    client = session.create_client("cognito-idp", region_name=region, endpoint_url=endpoint_url, config=PATIENT)
    return Pool(client, pool_id)

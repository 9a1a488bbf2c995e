"""The user pool for the command line: looks up users and what Cognito knows about them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith.cognito.identifiers import pool_issuer
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.store.dynamodb import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

#: Users with the same e-mail address that a message names.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class PoolUser:
    """A user of the pool.

    Attributes:
        attributes: as in the trigger's event: all strings, including ``sub`` and ``cognito:user_status``.
        iam_roles: the IAM roles of the groups.
        preferred_role: the role of the group with the lowest precedence value; None if groups with different roles tie.
        enabled: False if Cognito lets this user not sign in.
    """

    sub: str
    username: str
    attributes: Mapping[str, str]
    groups: tuple[str, ...]
    iam_roles: tuple[str, ...] = ()
    preferred_role: str | None = None
    enabled: bool = True


class Memberships(NamedTuple):
    """The groups of a user, and what comes with them; the fields are those of ``PoolUser``."""

    groups: tuple[str, ...] = ()
    iam_roles: tuple[str, ...] = ()
    preferred_role: str | None = None


class ListedUser(NamedTuple):
    """A user as the pool lists it: a ``PoolUser`` without groups."""

    sub: str
    username: str
    attributes: Mapping[str, str]


class ThrottledError(OperationError):
    """Cognito asks for fewer requests, and has been asked again."""


#: Seconds to wait before a list request is sent again, at first and at most; botocore has retried by then.
_FIRST_PAUSE: Final = 1.0
_LAST_PAUSE: Final = 32.0


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
        """A user by username, alias, subject or e-mail address.

        An e-mail address that is no username and no alias must be that of one user, and verified: everybody who may
        write their own address could otherwise pass for its owner.

        Raises:
            OperationError: there is no such user, there are several, or the address is not verified.
        """
        found = self._found(name)
        attributes = _attributes(found["UserAttributes"])
        attributes["cognito:user_status"] = found["UserStatus"]
        pages = self._pages("admin_list_groups_for_user", "Groups", "NextToken", Username=found["Username"])
        groups = _memberships([*pages])
        return PoolUser(attributes["sub"], found["Username"], attributes, *groups, enabled=found.get("Enabled", True))

    def users(self) -> Iterator[ListedUser]:
        """Every user of the pool, without groups; page by page, in no order (ListUsers)."""
        for user in self._pages("list_users", "Users", "PaginationToken"):
            attributes = _attributes(user.get("Attributes", ()))
            attributes["cognito:user_status"] = user["UserStatus"]
            yield ListedUser(attributes["sub"], user["Username"], attributes)

    def memberships(self, names: AbstractSet[str] | None) -> dict[str, Memberships]:
        """The groups of every user who is in one of these, by username (ListGroups, ListUsersInGroup).

        Args:
            names: the groups that matter; None for all. Those that the pool does not have are left out.
        """
        groups = [
            group
            for group in self._pages("list_groups", "Groups", "NextToken")
            if names is None or group["GroupName"] in names
        ]
        of_user: dict[str, list[dict[str, Any]]] = {}
        for group in groups:
            for user in self._pages("list_users_in_group", "Users", "NextToken", GroupName=group["GroupName"]):
                of_user.setdefault(user["Username"], []).append(group)
        # Users in the same groups share one record, so that a large pool takes little memory.
        records = {tuple(map(id, found)): _memberships(found) for found in of_user.values()}
        return {username: records[tuple(map(id, found))] for username, found in of_user.items()}

    def sub(self, name: str) -> str:
        """The subject of a user, found as ``user`` finds one: one request, because groups are not read.

        Raises:
            OperationError: as ``user``.
        """
        return _attributes(self._found(name)["UserAttributes"])["sub"]

    def _found(self, name: str) -> dict[str, Any]:
        """A user, as AdminGetUser returns them."""
        try:
            found = self._call("admin_get_user", Username=name)
        except OperationError as error:
            if error.code != Code.NOT_FOUND or not _is_email(name):
                raise
            return self._call("admin_get_user", Username=self._username_of(name))
        if not _is_email(name):
            return found
        if found["Username"] != name:
            _check_verified(found["Username"], name, found["UserAttributes"])
            return found
        # Anybody may have chosen somebody else's address as their username.
        owners = [user for user in self._with_address(name) if _is_verified(user["Attributes"])]
        if any(owner["Username"] != name for owner in owners):
            raise _ambiguous([found, *owners])
        return found

    def _with_address(self, address: str) -> list[dict[str, Any]]:
        """All users with an e-mail address, verified or not, as ListUsers returns them."""
        return [*self._pages("list_users", "Users", "PaginationToken", Filter=f'email = "{address}"')]

    def _username_of(self, address: str) -> str:
        """The username of the one user with this verified e-mail address."""
        found = self._with_address(address)
        if not found:
            raise OperationError(Code.NOT_FOUND, "There is no such user in the pool. Check the name and the region.")
        if len(found) > 1:
            raise _ambiguous(found)
        [user] = found
        _check_verified(user["Username"], address, user["Attributes"])
        return str(user["Username"])

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

    def _pages(self, operation: str, members: str, token: str, **request: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - botocore clients have no type
        """What a list operation lists. Cognito allows few a second and asks for pauses, which are kept."""
        pause = _FIRST_PAUSE
        while True:
            try:
                page = self._call(operation, **request)
            except ThrottledError:
                if pause > _LAST_PAUSE:
                    raise
                time.sleep(pause)
                pause *= 2
                continue
            pause = _FIRST_PAUSE
            yield from page[members]
            if not page.get(token):
                return
            request[token] = page[token]

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
            if code == "TooManyRequestsException":
                raise ThrottledError(
                    Code.AWS_UNREACHABLE, "Cognito asks for fewer requests. Try again later."
                ) from error
            if code == "AccessDeniedException":
                message = f"AWS denies cognito-idp:{error.operation_name} on user pool {self.id}."
                raise OperationError(Code.ACCESS_DENIED, message) from error
            if code in ("NotAuthorizedException", "UnrecognizedClientException", "ExpiredTokenException"):
                raise OperationError(
                    Code.ACCESS_DENIED, f"Cognito denies access ({code}). Check the credentials."
                ) from error
            raise OperationError(Code.AWS_UNREACHABLE, f"Cognito refuses the request ({code}).") from error
        except BotoCoreError as error:
            message = (
                f"Cognito does not respond ({type(error).__name__}). Check the region, the endpoint and the network."
            )
            raise OperationError(Code.AWS_UNREACHABLE, message) from error
        return response


def _attributes(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["Name"]: entry["Value"] for entry in entries}


def _is_email(name: str) -> bool:
    """Whether to look for a name among the e-mail addresses; quotes and backslashes are syntax of ListUsers."""
    return "@" in name and not {'"', "\\"} & {*name}


def _memberships(groups: list[dict[str, Any]]) -> Memberships:
    return Memberships(
        tuple(group["GroupName"] for group in groups),
        tuple(group["RoleArn"] for group in groups if group.get("RoleArn")),
        _preferred(groups),
    )


def _is_verified(entries: list[dict[str, str]]) -> bool:
    return _attributes(entries).get("email_verified") == "true"


def _check_verified(username: str, address: str, entries: list[dict[str, str]]) -> None:
    """Refuse a user who was found by an e-mail address that they have not verified.

    Raises:
        OperationError: the address is not verified.
    """
    if _attributes(entries).get("email") == address and not _is_verified(entries):
        message = (
            f"The user {username} has not verified this e-mail address, so it may be somebody else's. "
            "If it is theirs, name them by username or sub."
        )
        raise OperationError(Code.EMAIL_NOT_VERIFIED, message)


def _ambiguous(found: list[dict[str, Any]]) -> OperationError:
    usernames = sorted({user["Username"] for user in found})
    shown = ", ".join(usernames[:_SHOWN])
    message = f"This e-mail address means {len(usernames)} users of the pool. Name one by username or sub: {shown}."
    return OperationError(Code.USER_AMBIGUOUS, message)


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

"""The user pool of the local stack: users, sign-in, refresh, keys, and the trigger on and off."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import jwt

from claimsmith.m2m import MachineTokens
from demo import aws, srp
from demo.emulator import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from botocore.exceptions import ClientError

#: Settings of a pool that ``UpdateUserPool`` takes but that exclude one another or are not settings.
_NOT_SENT: Final = frozenset({"UserPoolId", "PoolName"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh gives. Printed, it does not show them."""

    access: str = field(repr=False)
    id: str = field(repr=False)
    refresh: str = field(repr=False)


class UserPool:
    """A user pool of the local stack.

    Attributes:
        id: its id.
        issuer: the value of ``iss`` in its tokens.
    """

    def __init__(self, endpoint: str, pool_id: str) -> None:
        self.id = pool_id
        self.issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool_id}"
        self._endpoint = endpoint
        self._cognito: Any = aws.client("cognito-idp", endpoint)

    def put_user(self, username: str, email: str, password: str) -> str:
        """Make a user, or keep them, and give them this password for good.

        Returns:
            Their subject.
        """
        with contextlib.suppress(self._cognito.exceptions.UsernameExistsException):
            self._cognito.admin_create_user(
                UserPoolId=self.id,
                Username=username,
                UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
                MessageAction="SUPPRESS",
            )
        self._cognito.admin_set_user_password(UserPoolId=self.id, Username=username, Password=password, Permanent=True)
        user = self._cognito.admin_get_user(UserPoolId=self.id, Username=username)
        return next(str(entry["Value"]) for entry in user["UserAttributes"] if entry["Name"] == "sub")

    def add_to_group(self, username: str, group: str) -> None:
        """Make a user a member of a group of the pool, which is made where it is missing."""
        with contextlib.suppress(self._cognito.exceptions.GroupExistsException):
            self._cognito.create_group(UserPoolId=self.id, GroupName=group)
        self._cognito.admin_add_user_to_group(UserPoolId=self.id, Username=username, GroupName=group)

    def sign_in(
        self, client_id: str, username: str, password: str, metadata: Mapping[str, str] | None = None
    ) -> Tokens:
        """Sign in by SRP.

        Raises:
            botocore.exceptions.ClientError: Cognito refuses, or the trigger did.
        """
        result = srp.sign_in(self._cognito, self.id, client_id, username, password, metadata)
        return Tokens(result["AccessToken"], result["IdToken"], result["RefreshToken"])

    def refresh(self, client_id: str, tokens: Tokens) -> Tokens:
        """New tokens for a refresh token (``GetTokensFromRefreshToken``).

        Raises:
            botocore.exceptions.ClientError: Cognito refuses, or the trigger did.
        """
        answer = self._cognito.get_tokens_from_refresh_token(ClientId=client_id, RefreshToken=tokens.refresh)
        result = answer["AuthenticationResult"]
        # With rotation, Cognito gives a new one; the emulator does not model it and the old one stays.
        return Tokens(result["AccessToken"], result["IdToken"], result.get("RefreshToken", tokens.refresh))

    def machine_token(self, client_id: str, scopes: Sequence[str]) -> str:
        """An access token for a machine (RFC 6749, section 4.4)."""
        described = self._cognito.describe_user_pool_client(UserPoolId=self.id, ClientId=client_id)
        secret = described["UserPoolClient"]["ClientSecret"]
        return MachineTokens(f"{self._endpoint}/oauth2/token", client_id, secret, scopes=scopes).token()

    def jwks(self) -> dict[str, Any]:
        """The pool's public keys (RFC 7517)."""
        return self._open(f"/{self.id}/.well-known/jwks.json")

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token, its signature, issuer and times verified.

        Raises:
            jwt.InvalidTokenError: it is not a token of this pool that is valid now.
        """
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(self.jwks()).keys}
        key = keys[jwt.get_unverified_header(token)["kid"]]
        options: Any = {"verify_aud": False, "require": ["exp", "iat", "iss"]}
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], issuer=self.issuer, options=options)
        return claims

    def trigger(self) -> dict[str, str] | None:
        """The pre token generation trigger, as ``PreTokenGenerationConfig`` has it; None where there is none."""
        described = self._cognito.describe_user_pool(UserPoolId=self.id)["UserPool"]
        config: dict[str, str] | None = described.get("LambdaConfig", {}).get("PreTokenGenerationConfig")
        return config or None

    def settings(self) -> dict[str, Any]:
        """Everything that is set at the pool, without when it was last changed."""
        described: dict[str, Any] = self._cognito.describe_user_pool(UserPoolId=self.id)["UserPool"]
        return {name: value for name, value in described.items() if name != "LastModifiedDate"}

    def attach_trigger(self, function_arn: str, version: str) -> None:
        """Make a function the pre token generation trigger.

        Args:
            function_arn: the function.
            version: of the event, such as ``V2_0``.
        """
        self._update({"LambdaArn": function_arn, "LambdaVersion": version})

    def detach_trigger(self) -> None:
        """Take the pre token generation trigger off the pool."""
        self._update(None)

    @contextlib.contextmanager
    def without_trigger(self) -> Iterator[None]:
        """The trigger is off inside, and on again after it, whatever happens."""
        trigger = self.trigger()
        self.detach_trigger()
        try:
            yield
        finally:
            if trigger is not None:
                self.attach_trigger(trigger["LambdaArn"], trigger["LambdaVersion"])

    def _update(self, trigger: Mapping[str, str] | None) -> None:
        """``UpdateUserPool`` sets what it is not given to its default, so it is given all that is there."""
        described = self._cognito.describe_user_pool(UserPoolId=self.id)["UserPool"]
        taken = self._cognito.meta.service_model.operation_model("UpdateUserPool").input_shape.members
        # The emulator describes what is not set as empty, which it may not be sent as.
        settings = {name: described[name] for name in taken if described.get(name) and name not in _NOT_SENT}
        # Superseded by the password policy's TemporaryPasswordValidityDays; both together are refused.
        settings.get("AdminCreateUserConfig", {}).pop("UnusedAccountValidityDays", None)
        # The old form of the same trigger goes with it.
        others = {
            name: value
            for name, value in settings.get("LambdaConfig", {}).items()
            if name not in ("PreTokenGeneration", "PreTokenGenerationConfig")
        }
        settings["LambdaConfig"] = others | ({"PreTokenGenerationConfig": dict(trigger)} if trigger else {})
        self._cognito.update_user_pool(UserPoolId=self.id, **settings)

    def _open(self, path: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self._endpoint + path, timeout=10) as answer:
            parsed: dict[str, Any] = json.load(answer)
        return parsed


def refusal(error: ClientError) -> str:
    """The error that a client receives if the trigger refuses.

    Cognito's is ``UserLambdaValidationException``; the emulator's is a 500 that quotes the function's error.
    """
    return str(error.response["Error"].get("Message", ""))

"""Refreshing, rotating, revoking, signing out, disabling: what ends with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing import (
    CognitoError,
    InvalidParameterException,
    NotAuthorizedException,
    RefreshTokenReuseException,
    ResourceNotFoundException,
    TokenEndpointError,
    UnsupportedOperationException,
    UserNotFoundException,
)
from tests.unit.testing.handlers import ADMIN_SCOPE, MACHINE, NOW, USER, WEB, access, pool, scopes

if TYPE_CHECKING:
    from claimsmith.testing import CognitoKit, Tokens


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def later(clock: Clock, **client: Any) -> tuple[CognitoKit, Tokens]:  # noqa: ANN401 - settings of AppClient
    """A pool and a sign-in a minute ago."""
    kit = pool(clock=clock)
    kit.add_client(WEB, scopes=["openid", "orders/read"], **client)
    tokens = kit.sign_in(USER, WEB)
    clock.now += 60
    return kit, tokens


def refused(kit: CognitoKit, tokens: Tokens, by: str = "GetTokensFromRefreshToken") -> str:
    with pytest.raises(NotAuthorizedException) as caught:
        kit.refresh(str(tokens.refresh_token), WEB, by=by)
    return caught.value.message


def test_a_refresh_keeps_session_and_sign_in_time_and_has_its_own_jti_and_times() -> None:
    kit, begun = later(Clock())
    after = kit.refresh(str(begun.refresh_token), WEB)
    for name in ("origin_jti", "auth_time", "sub", "scope"):
        assert after.access[name] == begun.access[name]
    assert (after.access["iat"], after.access["exp"]) == (NOW + 60, NOW + 3_660)
    assert after.access["jti"] != begun.access["jti"]
    assert after.access["event_id"] != begun.access["event_id"]
    assert after.refresh_token is None


def test_a_refresh_shows_what_has_changed_about_the_user() -> None:
    kit, begun = later(Clock())
    kit.users[USER].groups = ["Guests"]
    kit.users[USER].attributes["email"] = "new@example.com"
    after = kit.refresh(str(begun.refresh_token), WEB)
    assert (after.id["cognito:groups"], after.id["email"]) == (["Guests"], "new@example.com")


def test_a_refresh_keeps_the_scopes_of_a_managed_login_and_its_version() -> None:
    kit = pool()
    begun = kit.sign_in(USER, WEB, by="authorization_code", scopes=["openid", "orders/read"])
    after = kit.refresh(str(begun.refresh_token), WEB, by="refresh_token")
    assert scopes(after) == {"openid", "orders/read"}
    assert after.access["version"] == 2


def test_a_refresh_token_expires() -> None:
    clock = Clock()
    kit, begun = later(clock, refresh_seconds=3_600)
    clock.now = NOW + 3_599
    kit.refresh(str(begun.refresh_token), WEB)
    clock.now = NOW + 3_600
    assert refused(kit, begun) == "Refresh Token has expired"


def test_a_refresh_token_works_only_for_its_app_client() -> None:
    kit, begun = later(Clock())
    kit.add_client("another")
    with pytest.raises(NotAuthorizedException, match="Invalid Refresh Token"):
        kit.refresh(str(begun.refresh_token), "another")
    with pytest.raises(NotAuthorizedException, match="Invalid Refresh Token"):
        kit.refresh("invented", WEB)


def test_rotation_gives_a_new_refresh_token_and_ends_the_old_one_after_its_grace() -> None:
    clock = Clock()
    kit, begun = later(clock, rotation_grace_seconds=30, refresh_seconds=3_600)
    second = kit.refresh(str(begun.refresh_token), WEB)
    assert second.refresh_token not in {None, begun.refresh_token}
    clock.now += 29
    kit.refresh(str(begun.refresh_token), WEB)
    clock.now += 1
    with pytest.raises(RefreshTokenReuseException):
        kit.refresh(str(begun.refresh_token), WEB)
    assert kit.refresh(str(second.refresh_token), WEB).access["origin_jti"] == begun.access["origin_jti"]
    clock.now = NOW + 3_600
    assert refused(kit, second) == "Refresh Token has expired", "a rotated token inherits what is left of its life"


def test_rotation_without_grace_ends_the_old_one_at_once() -> None:
    kit, begun = later(Clock(), rotation_grace_seconds=0)
    kit.refresh(str(begun.refresh_token), WEB)
    with pytest.raises(RefreshTokenReuseException):
        kit.refresh(str(begun.refresh_token), WEB)


def test_with_rotation_refresh_token_auth_does_not_work() -> None:
    kit, begun = later(Clock(), rotation_grace_seconds=0)
    with pytest.raises(InvalidParameterException, match="rotation"):
        kit.refresh(str(begun.refresh_token), WEB, by="REFRESH_TOKEN_AUTH")


def test_revoking_a_refresh_token_ends_its_session_and_no_other() -> None:
    kit, begun = later(Clock())
    other = kit.sign_in(USER, WEB)
    refreshed = kit.refresh(str(begun.refresh_token), WEB)
    kit.revoke_token(str(begun.refresh_token), WEB)
    assert refused(kit, begun) == "Refresh Token has been revoked"
    for tokens in (begun, refreshed):
        with pytest.raises(NotAuthorizedException, match="Access Token has been revoked"):
            kit.get_user(tokens.access_token)
    assert kit.get_user(other.access_token)["email"] == "ada@example.com"
    assert kit.refresh(str(other.refresh_token), WEB).access


def test_revoking_any_refresh_token_of_a_rotated_session_ends_it() -> None:
    kit, begun = later(Clock(), rotation_grace_seconds=60)
    second = kit.refresh(str(begun.refresh_token), WEB)
    kit.revoke_token(str(begun.refresh_token), WEB)
    assert refused(kit, second) == "Refresh Token has been revoked"


def test_at_the_token_endpoint_a_revoked_refresh_token_is_an_invalid_grant() -> None:
    kit, begun = later(Clock())
    kit.revoke_token(str(begun.refresh_token), WEB)
    with pytest.raises(TokenEndpointError) as caught:
        kit.refresh(str(begun.refresh_token), WEB, by="refresh_token")
    assert caught.value.response["Error"] == {"Code": "invalid_grant", "Message": "Refresh Token has been revoked"}


def test_an_app_client_without_revocation_revokes_nothing() -> None:
    kit, begun = later(Clock(), token_revocation=False)
    with pytest.raises(UnsupportedOperationException):
        kit.revoke_token(str(begun.refresh_token), WEB)


def test_a_global_sign_out_ends_all_sessions_of_only_this_user() -> None:
    kit, begun = later(Clock())
    kit.add_user("bob")
    other, bobs = kit.sign_in(USER, WEB), kit.sign_in("bob", WEB)
    kit.global_sign_out(other.access_token)
    for tokens in (begun, other):
        assert refused(kit, tokens) == "Refresh Token has been revoked"
    assert kit.refresh(str(bobs.refresh_token), WEB).access
    assert kit.sign_in(USER, WEB).access, "the user may sign in again"


def test_an_administrator_signs_a_user_out_by_name() -> None:
    kit, begun = later(Clock())
    kit.admin_user_global_sign_out(USER)
    assert refused(kit, begun) == "Refresh Token has been revoked"


def test_a_disabled_user_gets_no_token_and_enabling_does_not_restore_old_ones() -> None:
    kit, begun = later(Clock())
    kit.admin_disable_user(USER)
    with pytest.raises(NotAuthorizedException, match="User is disabled"):
        kit.sign_in(USER, WEB)
    assert refused(kit, begun) == "Refresh Token has been revoked"
    kit.admin_enable_user(USER)
    assert refused(kit, begun) == "Refresh Token has been revoked"
    assert kit.sign_in(USER, WEB).access


def test_get_user_works_until_the_access_token_expires() -> None:
    clock = Clock()
    kit, begun = later(clock)
    assert kit.get_user(begun.access_token)["sub"] == begun.access["sub"]
    clock.now = NOW + 3_600
    with pytest.raises(NotAuthorizedException, match="expired"):
        kit.get_user(begun.access_token)


def test_get_user_needs_the_admin_scope() -> None:
    kit = pool(access(scopesToSuppress=[ADMIN_SCOPE]))
    tokens = kit.sign_in(USER, WEB)
    with pytest.raises(NotAuthorizedException, match="required scopes"):
        kit.get_user(tokens.access_token)
    with pytest.raises(NotAuthorizedException, match="required scopes"):
        kit.global_sign_out(tokens.access_token)


def test_get_user_refuses_id_tokens_and_machines_tokens() -> None:
    kit = pool()
    for token in (kit.sign_in(USER, WEB).id_token, kit.client_credentials(MACHINE).access_token, "invented"):
        with pytest.raises(NotAuthorizedException, match="Invalid Access Token"):
            kit.get_user(str(token))


@pytest.mark.parametrize("method", ["admin_disable_user", "admin_enable_user", "admin_user_global_sign_out"])
def test_operations_on_an_unknown_user_are_refused(method: str) -> None:
    with pytest.raises(UserNotFoundException):
        getattr(pool(), method)("nobody")


def test_unknown_users_clients_and_flows_are_refused() -> None:
    kit = pool()
    with pytest.raises(UserNotFoundException):
        kit.sign_in("nobody", WEB)
    with pytest.raises(ResourceNotFoundException):
        kit.sign_in(USER, "nothing")
    with pytest.raises(InvalidParameterException, match="authorization_code"):
        kit.sign_in(USER, WEB, by="Password")


@pytest.mark.parametrize(
    ("flows", "by", "code"),
    [
        ([], "authorization_code", "unauthorized_client"),
        (["code"], "RespondToAuthChallenge", "InvalidParameterException"),
        (["ALLOW_USER_SRP_AUTH"], "InitiateAuth", "InvalidParameterException"),
        (["ALLOW_USER_PASSWORD_AUTH"], "AdminInitiateAuth", "InvalidParameterException"),
    ],
)
def test_a_flow_that_is_not_enabled_for_an_app_client_is_refused(flows: list[str], by: str, code: str) -> None:
    kit = pool()
    kit.add_client(WEB, flows=flows)
    with pytest.raises(CognitoError) as caught:
        kit.sign_in(USER, WEB, by=by)
    assert caught.value.code == code


def test_a_users_app_client_gets_no_machine_token_and_vice_versa() -> None:
    kit = pool()
    with pytest.raises(TokenEndpointError, match="unauthorized_client"):
        kit.client_credentials(WEB)
    with pytest.raises(InvalidParameterException):
        kit.sign_in(USER, MACHINE)

"""The claims of a verified token: a read-only mapping, with properties for the important ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from claimsmith.verifier.encoding import frozen

#: The claims that a policy may rename (``settings.claim_names``): their default names, by meaning.
CLAIM_NAMES: Final[Mapping[str, str | None]] = MappingProxyType(
    {"tenant_id": "tenant_id", "roles": "roles", "policy_version": "policy_version"}
)

_set: Final = object.__setattr__


class Claims(Mapping[str, Any]):
    """The claims of a verified token of a user pool. Lists are returned as tuples, objects as read-only mappings.

    To read one that is nested more than ``encoding.MAX_LEVELS`` deep is a ``VerificationError``.

    Only ``Verifier`` creates them, after every check, so the types of the properties have been checked. The
    representation shows no values, so that no personal data gets into a log.
    """

    __slots__ = ("_claims", "_names")
    _claims: dict[str, Any]
    _names: Mapping[str, str | None]

    def __init__(self, claims: dict[str, Any], names: Mapping[str, str | None] = CLAIM_NAMES) -> None:
        _set(self, "_claims", claims)
        _set(self, "_names", names)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Claims cannot be changed.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Claims cannot be changed.")

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        return frozen(self._claims[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._claims)}>"

    def _named(self, meaning: str) -> Any:  # noqa: ANN401 - any JSON value
        """The claim with this meaning in the policy, or ``None``."""
        name = self._names.get(meaning)
        return None if name is None else self._claims.get(name)

    def name_of(self, meaning: str) -> str | None:
        """The name of one of ``CLAIM_NAMES`` in this token; ``None`` if the token does not have it."""
        return self._names.get(meaning)

    @property
    def issuer(self) -> str:
        """``iss``: one of the allowed issuers."""
        return cast("str", self._claims["iss"])

    @property
    def sub(self) -> str:
        """The user; in a machine's token, its client id."""
        return cast("str", self._claims["sub"])

    @property
    def token_use(self) -> Literal["access", "id"]:
        """Which of Cognito's two signed tokens this is."""
        return cast("Literal['access', 'id']", self._claims["token_use"])

    @property
    def client_id(self) -> str:
        """The app client: an access token's ``client_id``, an ID token's ``aud``."""
        return cast("str", self._claims["aud" if self._claims["token_use"] == "id" else "client_id"])

    @property
    def username(self) -> str | None:
        """``username``, in an ID token ``cognito:username``; a machine's token has none."""
        return cast("str | None", self._claims.get("username", self._claims.get("cognito:username")))

    @property
    def tenant_id(self) -> str | None:
        """The tenant, under its name in the policy."""
        return cast("str | None", self._named("tenant_id"))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles, under their name in the policy."""
        return tuple(self._named("roles") or ())

    @property
    def policy_version(self) -> int | None:
        """The policy version that issued an access token, under its name in the policy."""
        version = self._named("policy_version")
        return version if type(version) is int else None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The values of ``scope`` (RFC 6749 section 3.3); an ID token has none."""
        return tuple(self._claims.get("scope", "").split())

    @property
    def groups(self) -> tuple[str, ...]:
        """``cognito:groups``."""
        return tuple(self._claims.get("cognito:groups", ()))

    @property
    def exp(self) -> float:
        """Epoch seconds at which the token expires."""
        return cast("float", self._claims["exp"])

    @property
    def iat(self) -> float | None:
        """Epoch seconds at which the token was issued."""
        return cast("float | None", self._claims.get("iat"))

    @property
    def auth_time(self) -> float | None:
        """Epoch seconds at which the user signed in; a refresh does not change it."""
        return cast("float | None", self._claims.get("auth_time"))

    @property
    def jti(self) -> str | None:
        """The id of this token."""
        return cast("str | None", self._claims.get("jti"))

    @property
    def origin_jti(self) -> str | None:
        """The id of the sign-in that this token comes from; a machine's token has none."""
        return cast("str | None", self._claims.get("origin_jti"))


class OidcClaims(Claims):
    """The claims of an access token of an ``OidcIssuer``: its own, under its own names.

    Its properties say what the issuer's rules make of them. ``policy_version`` is ``None``: no policy made this token.
    """

    __slots__ = ("_client_id", "_found")
    _client_id: str
    _found: Mapping[str, Any]

    def __init__(self, claims: dict[str, Any], client_id: str, found: Mapping[str, Any]) -> None:
        super().__init__(claims, {})
        _set(self, "_client_id", client_id)
        _set(self, "_found", found)

    def _named(self, meaning: str) -> Any:  # noqa: ANN401 - any JSON value
        return self._found.get(meaning)

    @property
    def token_use(self) -> Literal["access", "id"]:
        """Always ``access``."""
        return "access"

    @property
    def client_id(self) -> str:
        """The client, from the claim that the issuer's rules name."""
        return self._client_id

    @property
    def username(self) -> str | None:
        """``preferred_username`` (OpenID Connect Core section 5.1): not unique, and users may change it."""
        name = self._claims.get("preferred_username")
        return name if isinstance(name, str) else None

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, from the claim that the issuer's rules name."""
        return tuple(self._named("groups") or ())

    @property
    def origin_jti(self) -> str | None:
        """``sid``, the session that this token comes from, if it has one: what Keycloak ends at a sign-out."""
        sid = self._claims.get("sid")
        return sid if isinstance(sid, str) and sid else None

"""What the claims of a token must be, once its signature is right: their shapes, their times, their use.

Each check is an entry of a table or one comparison; types are never coerced: a number is a JSON number, not a string of
digits and not ``true``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from claimsmith.cognito.identifiers import check_client_id
from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.claims import CLAIM_NAMES

if TYPE_CHECKING:
    from claimsmith.verifier.claims import Claims

_F = TypeVar("_F")


class Unchecked(Enum):
    """The type of ``ANY``, so that a type checker tells a check that is skipped from a value that is missing."""

    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


#: Skips a check, on purpose and readable in the source.
ANY: Final = Unchecked.ANY

#: Several names. A plain string is not among them: it would be a collection of its letters.
Names: TypeAlias = "list[str] | tuple[str, ...] | set[str] | frozenset[str]"

TokenUse: TypeAlias = Literal["access", "id"]

#: Seconds. Clocks that are further apart are broken, and more would as good as turn off ``nbf`` and ``iat``.
MAX_LEEWAY: Final = 300

#: Integers that every JSON reader agrees on (RFC 7493 section 2.2), and far more seconds than any clock has.
_MAX_NUMBER: Final = 1 << 53
_MIN_NUMBER: Final = -_MAX_NUMBER


#: Of the claims that anything here reads: names of somebody or something, which are not empty, and lists of strings.
_NAMES: Final = ("sub", "client_id", "jti", "origin_jti", "username", "cognito:username")
_LISTS: Final = ("cognito:groups",)


def names(value: object, argument: str) -> frozenset[str] | Unchecked:
    """An allow-list as a set, or ``ANY`` as it is.

    Raises:
        ConfigurationError: it is neither, for example a single string.
    """
    if value is ANY:
        return ANY
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"{argument} must be several names, or ANY.")
    return frozenset(value)


def resources(value: object, argument: str) -> frozenset[str] | Unchecked:
    """An allow-list of resources, as an access token's ``aud`` names them, as a set; or ``ANY`` as it is.

    Raises:
        ConfigurationError: it is neither, or has an entry that no ``aud`` can be.
    """
    given = names(value, argument)
    if given is not ANY and not given.isdisjoint(("", "*")):
        raise ConfigurationError(
            f"{argument} must name each resource in full, as aud does; for all of them, write ANY."
        )
    return given


def number(value: float, argument: str, least: float, most: float) -> float:
    """A number as it is: a bound that is none would turn off what it bounds.

    Raises:
        ConfigurationError: it is no number, or not in this range.
    """
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise ConfigurationError(f"{argument} must be a number from {least:,} to {most:,}.")
    return value


def function(value: _F, argument: str) -> _F:
    """A function as it is.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if not callable(value):
        raise ConfigurationError(f"{argument} must be a function.")
    return value


def named(claim_names: Mapping[str, str | None]) -> dict[str, str | None]:
    """The names of all the claims whose names can be chosen, by what they mean.

    Raises:
        ConfigurationError: it has something else, or a name that no claim can have.
    """
    given: object = claim_names
    if (
        not isinstance(given, Mapping)
        or not given.keys() <= CLAIM_NAMES.keys()
        or not all(name is None or (isinstance(name, str) and name) for name in given.values())
    ):
        raise ConfigurationError(
            "claim_names may name tenant_id, roles and policy_version, each by a text, or None where it is absent."
        )
    return {meaning: claim_names.get(meaning, name) for meaning, name in CLAIM_NAMES.items()}


def check_audience(claims: Mapping[str, Any], audience: frozenset[str] | Unchecked) -> None:
    """Refuse an access token that is bound to other resources only (RFC 9068 section 4, RFC 8707 section 2).

    ``aud`` is one string or several (RFC 7519 section 4.1.3); one that is ours is enough. The token's own client is no
    resource: alone, it is what a trigger can set, and binds the token to nothing; beside others, they are what the
    token is bound to. A token without ``aud`` is not bound either. An ID token's ``aud`` is its client, which
    ``ClaimChecks`` looks at.

    Args:
        claims: well-formed ones.
        audience: the resources that tokens may be bound to.

    Raises:
        VerificationError: ``WRONG_AUDIENCE``.
    """
    if audience is ANY or "aud" not in claims or claims["token_use"] == "id":
        return
    bound = _bound_to(claims)
    if set(bound) != {claims["client_id"]} and audience.isdisjoint(bound):
        raise _refused(Code.WRONG_AUDIENCE)


def _bound_to(claims: Mapping[str, Any]) -> tuple[str, ...]:
    audience = claims.get("aud", ())
    return (audience,) if isinstance(audience, str) else tuple(audience)


def _refused(code: Code) -> VerificationError:
    return VerificationError(code, "claims")


def _is_list_of_strings(value: object) -> bool:
    if type(value) is not list:
        return False
    for member in value:  # noqa: SIM110 - a generator would take longer than the list
        if type(member) is not str:
            return False
    return True


class ClaimChecks:
    """The checks that every token goes through."""

    __slots__ = ("_client_ids", "_leeway", "_token_uses")

    def __init__(
        self,
        *,
        client_ids: Names | Unchecked,
        token_use: TokenUse | Unchecked,
        leeway: float,
    ) -> None:
        """Choose the checks.

        Args:
            client_ids: the app clients whose tokens are accepted.
            token_use: which kind of token is.
            leeway: seconds by which the issuer's clock may be ahead of this one's, ``MAX_LEEWAY`` at most.

        Raises:
            ConfigurationError: an argument is not one of these.
        """
        self._client_ids = names(client_ids, "client_ids")
        for client_id in () if self._client_ids is ANY else self._client_ids:
            check_client_id(client_id)
        if token_use not in ("access", "id", ANY):
            raise ConfigurationError("token_use must be 'access', 'id', or ANY.")
        self._token_uses: tuple[object, ...] = ("access", "id") if token_use is ANY else (token_use,)
        self._leeway = number(leeway, "leeway", 0, MAX_LEEWAY)

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Check the claims of a token whose issuer and signature are right.

        Args:
            claims: as JSON reads them.
            now: epoch seconds.

        Raises:
            VerificationError: at stage ``claims``.
        """
        if not self._well_formed(claims):
            raise _refused(Code.CLAIMS_MALFORMED)
        get = claims.get
        latest = now + self._leeway
        # RFC 7519 section 4.1.4: "on or after" exp the token is over. No leeway: nothing makes it live longer.
        if claims["exp"] <= now:
            raise _refused(Code.TOKEN_EXPIRED)
        if get("nbf", now) > latest:
            raise _refused(Code.TOKEN_NOT_YET_VALID)
        if get("iat", now) > latest:
            raise _refused(Code.TOKEN_FROM_FUTURE)
        use = get("token_use")
        if use not in self._token_uses:
            raise _refused(Code.WRONG_TOKEN_USE)
        # An ID token is meant for its client, an access token was given to it; Cognito's aud is a single string.
        client = get("aud" if use == "id" else "client_id")
        if type(client) is not str or (self._client_ids is not ANY and client not in self._client_ids):
            raise _refused(Code.WRONG_CLIENT)

    def _well_formed(self, claims: Mapping[str, Any]) -> bool:  # noqa: C901, PLR0911 - flat: calls are what it costs
        """Whether the claims that are there have their shapes, and the required ones are there."""
        get = claims.get
        for number in (get("exp"), get("iat", 0), get("auth_time", 0), get("nbf", 0)):
            if (type(number) is not int and type(number) is not float) or not _MIN_NUMBER <= number <= _MAX_NUMBER:
                return False
        if "sub" not in claims:
            return False
        for name in _NAMES:
            if name in claims:
                value = claims[name]
                if type(value) is not str or not value:
                    return False
        if type(get("scope", "")) is not str:
            return False
        if "aud" in claims and type(claims["aud"]) is not str and not _is_list_of_strings(claims["aud"]):
            return False  # RFC 7519 section 4.1.3: one, or several
        for name in _LISTS:  # noqa: SIM110 - as above
            if name in claims and not _is_list_of_strings(claims[name]):
                return False
        return True


def check_named(claims: Mapping[str, Any], claim_names: Mapping[str, str | None]) -> None:
    """Check the shapes of the claims whose names a policy may choose.

    Args:
        claims: as JSON reads them.
        claim_names: by which names this token is read; all of ``CLAIM_NAMES``.

    Raises:
        VerificationError: ``CLAIMS_MALFORMED``, at stage ``claims``.
    """
    tenant_id, roles = claim_names["tenant_id"], claim_names["roles"]
    if tenant_id is not None and tenant_id in claims:
        tenant = claims[tenant_id]
        if type(tenant) is not str or not tenant:
            raise _refused(Code.CLAIMS_MALFORMED)
    if roles is not None and roles in claims and not _is_list_of_strings(claims[roles]):
        raise _refused(Code.CLAIMS_MALFORMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a token must grant beyond being valid. ``ANY`` demands nothing; an empty "any of" can never be met.

    Attributes:
        any_scope: at least one of these scopes.
        all_scopes: every one of these scopes.
        any_group: at least one of these Cognito groups.
        any_role: at least one of these roles.
        tenant: exactly this tenant.
        audience: bound to at least one of these resources (``aud``, RFC 8707). A token without ``aud``, or bound to its
            own client only, is bound to none. It counts in place of the ``audience`` of a ``Verifier``.

    Raises:
        ConfigurationError: a single string is given where several names are meant.
    """

    any_scope: Names | Unchecked = ANY
    all_scopes: Names | Unchecked = ANY
    any_group: Names | Unchecked = ANY
    any_role: Names | Unchecked = ANY
    tenant: str | Unchecked = ANY
    audience: Names | Unchecked = ANY

    def __post_init__(self) -> None:
        for argument in ("any_scope", "all_scopes", "any_group", "any_role"):
            names(getattr(self, argument), argument)
        resources(self.audience, "audience")
        tenant: object = self.tenant
        if tenant is not ANY and not (isinstance(tenant, str) and tenant):
            raise ConfigurationError("tenant must be a tenant id, or ANY.")

    def check(self, claims: Claims) -> None:
        """Check it.

        Raises:
            VerificationError: at stage ``claims``: ``WRONG_AUDIENCE``, ``WRONG_TENANT``, ``SCOPE_MISSING``,
                ``GROUP_MISSING``, ``ROLE_MISSING``.
        """
        if self.audience is not ANY and set(self.audience).isdisjoint(_bound_to(claims)):
            raise _refused(Code.WRONG_AUDIENCE)
        if self.tenant is not ANY and claims.tenant_id != self.tenant:
            raise _refused(Code.WRONG_TENANT)
        if self.all_scopes is not ANY and not set(self.all_scopes).issubset(claims.scopes):
            raise _refused(Code.SCOPE_MISSING)
        for wanted, held, code in (
            (self.any_scope, claims.scopes, Code.SCOPE_MISSING),
            (self.any_group, claims.groups, Code.GROUP_MISSING),
            (self.any_role, claims.roles, Code.ROLE_MISSING),
        ):
            if wanted is not ANY and set(wanted).isdisjoint(held):
                raise _refused(code)

"""The checks of a token's claims, after its signature: their shapes, their times, their use.

Each check is an entry of a table or one comparison; types are never coerced: a number is a JSON number, not a string of
digits and not ``true``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from claimsmith.cognito.identifiers import check_client_id
from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.unchecked import ANY, Unchecked
from claimsmith.verifier.claims import CLAIM_NAMES, OidcClaims
from claimsmith.verifier.issuers import equivalents

if TYPE_CHECKING:
    from typing import Self

    from claimsmith.verifier.claims import Claims

_F = TypeVar("_F")


#: Several names. Not a plain string, which would be a collection of its letters.
Names: TypeAlias = "list[str] | tuple[str, ...] | set[str] | frozenset[str]"

#: App clients: the same of every issuer, or those of each issuer, which then stand for no other.
ClientIds: TypeAlias = "Names | Unchecked | Mapping[str, Names | Unchecked]"

TokenUse: TypeAlias = Literal["access", "id"]

#: Seconds. Clocks that are further apart are broken, and more leeway would practically turn off ``nbf`` and ``iat``.
MAX_LEEWAY: Final = 300

#: The range of integers that every JSON parser reads alike (RFC 7493 section 2.2); far more seconds than needed.
_MAX_NUMBER: Final = 1 << 53

#: Claims that are read here: identifiers, which are not empty; and epoch seconds.
_NAMES: Final = ("sub", "client_id", "jti", "origin_jti", "username", "cognito:username")
_TIMES: Final = ("exp", "iat", "auth_time", "nbf")


def names(value: object, argument: str) -> frozenset[str] | Unchecked:
    """An allow-list as a set, or ``ANY`` unchanged.

    Raises:
        ConfigurationError: it is neither, for example a single string.
    """
    if value is ANY:
        return ANY
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"{argument} must be several names, or ANY.")
    return frozenset(value)


def _client_names(value: object) -> frozenset[str] | Unchecked:
    """App clients as a set, or ``ANY`` unchanged.

    Raises:
        ConfigurationError: it is neither, or one can be no app client.
    """
    given = names(value, "client_ids")
    for client_id in () if given is ANY else given:
        check_client_id(client_id)
    return given


def resources(value: object, argument: str) -> frozenset[str] | Unchecked:
    """An allow-list of resources, as an access token's ``aud`` names them, as a set; or ``ANY`` unchanged.

    Raises:
        ConfigurationError: it is neither, or has an entry that can be no ``aud``.
    """
    given = names(value, argument)
    if given is not ANY and not given.isdisjoint(("", "*")):
        raise ConfigurationError(
            f"{argument} must name each resource in full, as aud does; for all of them, write ANY."
        )
    return given


def number(value: float, argument: str, least: float, most: float) -> float:
    """A number, unchanged: an invalid bound would turn off the check.

    Raises:
        ConfigurationError: it is not a number, or outside this range.
    """
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise ConfigurationError(f"{argument} must be a number from {least:,} to {most:,}.")
    return value


def function(value: _F, argument: str) -> _F:
    """A function, unchanged.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if not callable(value):
        raise ConfigurationError(f"{argument} must be a function.")
    return value


def all_claim_names(claim_names: Mapping[str, str | None]) -> dict[str, str | None]:
    """The names of all claims that a policy may rename, by meaning.

    Raises:
        ConfigurationError: it has another key, or a value that is not a claim name.
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


def check_audience(claims: Claims, audience: frozenset[str] | Unchecked) -> None:
    """Refuse an access token that is bound to other resources only (RFC 9068 section 4, RFC 8707 section 2).

    ``aud`` is one string or several (RFC 7519 section 4.1.3); one match is enough. The token's own client is not a
    resource: alone, it is what a trigger can set, and does not bind the token; next to others, only the others count. A
    token without ``aud`` is not bound either. An ID token's ``aud`` is its client, which ``ClaimChecks`` checks. Tokens
    of an ``OidcIssuer`` have passed its own list.

    Args:
        claims: well-formed claims.
        audience: the resources that tokens may be bound to.

    Raises:
        VerificationError: ``WRONG_AUDIENCE``.
    """
    if audience is ANY or "aud" not in claims or claims.token_use == "id" or isinstance(claims, OidcClaims):
        return
    bound = _bound_to(claims)
    if set(bound) != {claims.client_id} and audience.isdisjoint(bound):
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
    """The checks that apply to every token."""

    __slots__ = ("_by_issuer", "_client_ids", "_leeway", "_token_uses")

    def __init__(
        self,
        *,
        client_ids: ClientIds,
        token_use: TokenUse | Unchecked,
        leeway: float,
    ) -> None:
        """Choose the checks.

        Args:
            client_ids: the app clients whose tokens are accepted; by issuer, if an issuer has clients of its own.
            token_use: the kind of token that is accepted.
            leeway: seconds by which the issuer's clock may be ahead of this one's, ``MAX_LEEWAY`` at most.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        self._client_ids: frozenset[str] | Unchecked = frozenset()
        self._by_issuer: dict[str, frozenset[str] | Unchecked] | None = None
        if isinstance(client_ids, Mapping):
            by_issuer = {issuer: _client_names(given) for issuer, given in client_ids.items()}
            self._by_issuer = {name: by_issuer[issuer] for issuer in by_issuer for name in equivalents(issuer)}
        else:
            self._client_ids = _client_names(client_ids)
        if token_use not in ("access", "id", ANY):
            raise ConfigurationError("token_use must be 'access', 'id', or ANY.")
        self._token_uses: tuple[object, ...] = ("access", "id") if token_use is ANY else (token_use,)
        self._leeway = number(leeway, "leeway", 0, MAX_LEEWAY)

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Check the claims of a token whose issuer and signature are valid.

        Args:
            claims: as JSON reads them.
            now: epoch seconds.

        Raises:
            VerificationError: at stage ``claims``.
        """
        if not _well_formed(claims):
            raise _refused(Code.CLAIMS_MALFORMED)
        latest = now + self._leeway
        # RFC 7519 section 4.1.4: "on or after" exp the token is expired. No leeway: a token never lives longer.
        if claims["exp"] <= now:
            raise _refused(Code.TOKEN_EXPIRED)
        if "nbf" in claims and claims["nbf"] > latest:
            raise _refused(Code.TOKEN_NOT_YET_VALID)
        if "iat" in claims and claims["iat"] > latest:
            raise _refused(Code.TOKEN_FROM_FUTURE)
        use = claims.get("token_use")
        if use not in self._token_uses:
            raise _refused(Code.WRONG_TOKEN_USE)
        # An ID token is meant for its client, an access token was given to it; Cognito's aud is a single string.
        client = claims.get("aud" if use == "id" else "client_id")
        accepted = self._client_ids if self._by_issuer is None else self._by_issuer.get(claims["iss"], frozenset())
        if type(client) is not str or (accepted is not ANY and client not in accepted):
            raise _refused(Code.WRONG_CLIENT)


def _well_formed(claims: Mapping[str, Any]) -> bool:
    """Whether all claims have the right shape and the required ones are present."""
    if "exp" not in claims or "sub" not in claims:
        return False
    for name in _TIMES:
        if name in claims:
            value = claims[name]
            kind = type(value)
            # NaN, which JSON does not have, compares false, hence "not <=": it would never expire.
            if (kind is not int and kind is not float) or not abs(value) <= _MAX_NUMBER:
                return False
    for name in _NAMES:
        if name in claims:
            value = claims[name]
            if type(value) is not str or not value:
                return False
    if "scope" in claims and type(claims["scope"]) is not str:
        return False
    # RFC 7519 section 4.1.3: one, or several
    if "aud" in claims and type(claims["aud"]) is not str and not _is_list_of_strings(claims["aud"]):
        return False
    return "cognito:groups" not in claims or _is_list_of_strings(claims["cognito:groups"])


def check_policy_claims(claims: Mapping[str, Any], claim_names: Mapping[str, str | None]) -> None:
    """Check the shapes of the claims that a policy may rename.

    Args:
        claims: as JSON reads them.
        claim_names: the names in this token, for all of ``CLAIM_NAMES``.

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


class _Requirement(NamedTuple):
    any_scope: Names | Unchecked
    all_scopes: Names | Unchecked
    any_group: Names | Unchecked
    any_role: Names | Unchecked
    tenant: str | Unchecked
    audience: Names | Unchecked


class Requirement(_Requirement):
    """What a token must grant beyond being valid. ``ANY`` demands nothing; an empty "any of" can never be met.

    Attributes:
        any_scope: at least one of these scopes.
        all_scopes: every one of these scopes.
        any_group: at least one of these Cognito groups.
        any_role: at least one of these roles.
        tenant: exactly this tenant.
        audience: bound to at least one of these resources (``aud``, RFC 8707). A token without ``aud``, or bound to its
            own client only, is bound to none. It replaces the ``audience`` of a ``Verifier``.

    Raises:
        ConfigurationError: a single string is given instead of several names.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        any_scope: Names | Unchecked = ANY,
        all_scopes: Names | Unchecked = ANY,
        any_group: Names | Unchecked = ANY,
        any_role: Names | Unchecked = ANY,
        tenant: str | Unchecked = ANY,
        audience: Names | Unchecked = ANY,
    ) -> Self:
        """A requirement, of demands by name."""
        names(any_scope, "any_scope")
        names(all_scopes, "all_scopes")
        names(any_group, "any_group")
        names(any_role, "any_role")
        resources(audience, "audience")
        given: object = tenant
        if given is not ANY and not (isinstance(given, str) and given):
            raise ConfigurationError("tenant must be a tenant id, or ANY.")
        return super().__new__(cls, any_scope, all_scopes, any_group, any_role, tenant, audience)

    def check(self, claims: Claims) -> None:
        """Check the claims of a valid token.

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
        for required, granted, code in (
            (self.any_scope, claims.scopes, Code.SCOPE_MISSING),
            (self.any_group, claims.groups, Code.GROUP_MISSING),
            (self.any_role, claims.roles, Code.ROLE_MISSING),
        ):
            if required is not ANY and set(required).isdisjoint(granted):
                raise _refused(code)

"""``OidcIssuer``: an issuer that is no user pool, such as a realm of Keycloak, and the rules for its access tokens.

Its tokens have no ``token_use``, and the client is in ``azp`` (OpenID Connect Core section 2) or ``client_id``
(RFC 9068 section 2.2). All rules for them are here, so that none of a user pool applies to them, nor the other way
round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from claimsmith.addresses import check_address
from claimsmith.cognito.identifiers import check_issuer, pool_issuers
from claimsmith.errors import ConfigurationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.unchecked import ANY

if TYPE_CHECKING:
    from typing import Self

    from claimsmith.unchecked import Unchecked

    Names: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]

    #: The name of a claim; or the names on the way to a member of an object, such as ``("realm_access", "roles")``.
    ClaimPath: TypeAlias = str | list[str] | tuple[str, ...]

Algorithm: TypeAlias = Literal["RS256", "PS256", "ES256"]

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("RS256", "PS256", "ES256")

#: What a claim of such a token may mean here.
MEANINGS: Final = frozenset({"tenant_id", "roles", "groups"})


class _OidcIssuer(NamedTuple):
    issuer: str
    audience: frozenset[str]
    client_ids: frozenset[str] | Unchecked
    jwks_uri: str | None
    algorithm: Algorithm
    client_claim: str
    require_at_jwt: bool
    claim_names: Mapping[str, tuple[str, ...]]


class OidcIssuer(_OidcIssuer):
    """An OpenID provider or OAuth server beside user pools, and which of its access tokens are accepted.

    Attributes:
        issuer: exactly the ``iss`` of its tokens.
        audience: the resources that this API is to it: ``aud`` must have one of them (RFC 9068 section 4).
        client_ids: the clients whose tokens are accepted, or ``ANY``: whoever got a token for this audience.
        jwks_uri: where its keys are, by https. If ``None``, its discovery document says so
            (``/.well-known/openid-configuration`` of OpenID Connect Discovery section 4).
        algorithm: the one with which it signs (RFC 7518 section 3.1).
        client_claim: the claim with the client: ``azp``, or ``client_id`` for tokens of RFC 9068.
        require_at_jwt: whether the header's ``typ`` must be ``at+jwt`` (RFC 9068 section 2.1). Keycloak writes it if
            the client's setting says so.
        claim_names: where its tokens have ``tenant_id``, ``roles`` and ``groups``. What is not named, they do not have.

    Raises:
        ConfigurationError: an attribute has not this form, or the issuer is a user pool's.
    """

    __slots__ = ()

    def __new__(
        cls,
        issuer: str,
        *,
        audience: Names,
        client_ids: Names | Unchecked,
        jwks_uri: str | None = None,
        algorithm: Algorithm = "RS256",
        client_claim: str = "azp",
        require_at_jwt: bool = False,
        claim_names: Mapping[str, ClaimPath] | None = None,
    ) -> Self:
        """An issuer, with its rules by name."""
        _check_issuer(issuer)
        if jwks_uri is not None:
            _check_text(jwks_uri, "jwks_uri")
        resources = _names(audience, "audience")
        if not resources or not resources.isdisjoint(("", "*")):
            raise ConfigurationError("audience must name at least one resource in full, as aud does.")
        clients = client_ids if client_ids is ANY else _names(client_ids, "client_ids, if it is not ANY,")
        if algorithm not in ALGORITHMS:
            raise ConfigurationError(f"algorithm must be one of {', '.join(ALGORITHMS)}.")
        _check_text(client_claim, "client_claim")
        if type(require_at_jwt) is not bool:
            raise ConfigurationError("require_at_jwt must be true or false.")
        return super().__new__(
            cls,
            issuer,
            resources,
            clients,
            jwks_uri,
            algorithm,
            client_claim,
            require_at_jwt,
            _paths({} if claim_names is None else claim_names),
        )

    def check_addresses(self, development_hosts: frozenset[str] = frozenset()) -> None:
        """Refuse addresses that keys must not come from; a verifier does so when it is created.

        Raises:
            ConfigurationError: one is neither https nor on this machine or a development host, or the keys are there,
                but the issuer is not.
        """
        check_address(self.issuer, development_hosts)
        if self.jwks_uri is not None:
            _check_beside(self.issuer, self.jwks_uri, development_hosts)

    def to_json(self) -> dict[str, Any]:
        """The issuer as an object of JSON, for ``CLAIMSMITH_OIDC_ISSUERS``."""
        return {
            **self._asdict(),
            "audience": sorted(self.audience),
            "client_ids": "ANY" if self.client_ids is ANY else sorted(self.client_ids),
            "claim_names": {meaning: list(path) for meaning, path in self.claim_names.items()},
        }

    @classmethod
    def from_json(cls, value: object) -> OidcIssuer:
        """The issuer in an object of JSON, whose members are the attributes; ``ANY`` is ``"ANY"``.

        Raises:
            ConfigurationError: it is none.
        """
        if not isinstance(value, Mapping) or not {"issuer", "audience", "client_ids"} <= value.keys() <= _MEMBERS:
            raise ConfigurationError(
                "An OIDC issuer needs issuer, audience and client_ids, and may have "
                f"{', '.join(sorted(_MEMBERS - {'issuer', 'audience', 'client_ids'}))}."
            )
        members = dict(value)
        if members["client_ids"] == "ANY":
            members["client_ids"] = ANY
        return cls(members.pop("issuer"), **members)


_MEMBERS: Final = frozenset(_OidcIssuer._fields)


def discovery_address(issuer: str) -> str:
    """Where an issuer's metadata is (OpenID Connect Discovery section 4)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def discovered(
    document: Mapping[str, object] | None, issuer: str, development_hosts: frozenset[str] = frozenset()
) -> str:
    """The address of the keys in an issuer's metadata.

    Raises:
        ConfigurationError: it is another issuer's metadata (section 4.3), or has no address that keys may come from.
    """
    if document is None or document.get("issuer") != issuer:
        raise ConfigurationError("The metadata is not that of the issuer.")
    address = document.get("jwks_uri")
    _check_text(address, "jwks_uri")
    _check_beside(issuer, cast("str", address), development_hosts)
    return cast("str", address)


def _check_issuer(issuer: object) -> None:
    _check_text(issuer, "issuer")
    address = cast("str", issuer)
    check_issuer(address)
    if pool_issuers(address) is not None:
        raise ConfigurationError("This is the issuer of a user pool: list it as an address, not as an OIDC issuer.")


def _check_beside(issuer: str, jwks_uri: str, development_hosts: frozenset[str]) -> None:
    """Refuse keys on this machine for an issuer that is not: its metadata could then name any service here."""
    if check_address(jwks_uri, development_hosts)[1] and not check_address(issuer, development_hosts)[1]:
        raise ConfigurationError("The keys of an issuer elsewhere cannot be on this machine.")


def _check_text(value: object, name: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a text.")


def _names(value: object, name: str) -> frozenset[str]:
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{name} must be several names.")
    return frozenset(value)


def _paths(claim_names: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(claim_names, Mapping) or not claim_names.keys() <= MEANINGS:
        raise ConfigurationError("claim_names of an OIDC issuer may name tenant_id, roles and groups.")
    paths = {meaning: (path,) if isinstance(path, str) else path for meaning, path in claim_names.items()}
    for path in paths.values():
        if not isinstance(path, list | tuple) or not path or not all(isinstance(name, str) and name for name in path):
            raise ConfigurationError("A claim's place is its name, or the names on the way to a member of an object.")
    return {meaning: tuple(path) for meaning, path in paths.items()}

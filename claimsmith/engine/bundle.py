"""The compiled policy: immutable, numbered, and the only form in which a policy reaches a token.

A document is canonical JSON (sorted names, no spaces), so equal policies are equal bytes and have equal digests. The
version number is not part of it: it is known only when the document is stored.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.language import NoTenant, ScopeMode

#: The format this code writes. It reads this one and every older one.
FORMAT: Final = 1

#: Bytes of a stored document, compressed; DynamoDB's item limit is 400 kB.
MAX_BYTES: Final = 380_000

#: Bytes of a document once decompressed: what a row of that size can honestly hold, and no more.
_MAX_PLAIN_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """Literal claims of a row, by token, names already merged from ``claims`` and the token's own."""

    access: Mapping[str, Any] = field(default_factory=dict)
    id: Mapping[str, Any] = field(default_factory=dict)


NO_CLAIMS: Final = Claims()


@dataclass(frozen=True, slots=True)
class Role:
    """A role, closed under ``inherits``.

    Attributes:
        scopes: its own scopes, without those it inherits.
        closure: itself and every role it inherits, at any depth; sorted.
    """

    scopes: tuple[str, ...]
    closure: tuple[str, ...]
    claims: Claims = NO_CLAIMS


@dataclass(frozen=True, slots=True)
class Client:
    """What a policy says of an app client.

    Attributes:
        scopes_allowed: the ceiling; None is no limit, empty is nothing.
    """

    name: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes_allowed: frozenset[str] | None = None
    suppress_scopes: frozenset[str] = frozenset()
    scope_mode: ScopeMode | None = None
    audience: bool = False
    claims: Claims = NO_CLAIMS


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of DESIGN section 4 that decide something when a token is made.

    Attributes:
        claim_names: the name of each built-in claim; one that is absent is not emitted.
        cache_seconds: how long a tenant row and the pointer to the bundle may be remembered.
    """

    claim_names: Mapping[str, str]
    scope_mode: ScopeMode
    unmanaged_scopes: frozenset[str]
    no_tenant: NoTenant
    default_roles: tuple[str, ...]
    cache_seconds: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A compiled policy with its version number.

    Attributes:
        routes: what requests to APIs need, as the rows say it; for the authorizer.
    """

    version: int
    settings: Settings
    roles: Mapping[str, Role]
    groups: Mapping[str, tuple[str, ...]]
    clients: Mapping[str, Client]
    routes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class BundleError(ClaimsmithError):
    """No bundle that this code can use: none published, a damaged one, or one of a newer format."""

    def __init__(self, message: str, code: Code = Code.BUNDLE_UNREADABLE) -> None:
        super().__init__(code, message)


def encode(document: Mapping[str, Any]) -> tuple[bytes, str]:
    """A document's stored bytes and its digest (SHA-256, hexadecimal, of the canonical JSON)."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return zlib.compress(canonical, 9), sha256(canonical).hexdigest()


def decode(stored: bytes, digest: str, version: int) -> Bundle:
    """The bundle in a stored document.

    Raises:
        BundleError: the bytes are damaged or not what the digest names, or the format is newer than this code.
    """
    try:
        inflater = zlib.decompressobj()
        canonical = inflater.decompress(stored, _MAX_PLAIN_BYTES)
        intact = inflater.eof and sha256(canonical).hexdigest() == digest
        document = json.loads(canonical) if intact else {}
        written = document["format"]
        bundle = from_document(document, version) if written <= FORMAT else None
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"Bundle version {version} is damaged.") from error
    if bundle is None:
        raise BundleError(f"Bundle version {version} has format {written}; this code reads up to {FORMAT}.")
    return bundle


def from_document(document: Mapping[str, Any], version: int) -> Bundle:
    """The bundle that a compiled document describes."""
    settings = document["settings"]
    return Bundle(
        version=version,
        settings=Settings(
            claim_names=settings["claim_names"],
            scope_mode=settings["scope_mode"],
            unmanaged_scopes=frozenset(settings["unmanaged_scopes"]),
            no_tenant=settings["no_tenant"],
            default_roles=tuple(settings["default_roles"]),
            cache_seconds=settings["cache_seconds"],
        ),
        roles={
            name: Role(tuple(role["scopes"]), tuple(role["closure"]), _claims(role))
            for name, role in document["roles"].items()
        },
        groups={name: tuple(roles) for name, roles in document["groups"].items()},
        clients={name: _client(client) for name, client in document["clients"].items()},
        routes=document["routes"],
    )


def _client(client: Mapping[str, Any]) -> Client:
    allowed = client.get("scopes_allowed")
    return Client(
        name=client.get("name"),
        tenant=client.get("tenant"),
        roles=tuple(client.get("roles", ())),
        scopes_allowed=None if allowed is None else frozenset(allowed),
        suppress_scopes=frozenset(client.get("suppress_scopes", ())),
        scope_mode=client.get("scope_mode"),
        audience=client.get("audience", False),
        claims=_claims(client),
    )


def _claims(row: Mapping[str, Any]) -> Claims:
    access, identity = row.get("access_claims"), row.get("id_claims")
    return Claims(access or {}, identity or {}) if access or identity else NO_CLAIMS

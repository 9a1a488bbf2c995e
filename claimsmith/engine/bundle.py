"""The compiled policy: immutable, numbered, and the only form in which a policy reaches a token.

A document is canonical JSON (sorted names, no spaces), so equal policies are equal bytes and have equal digests. The
version number is not part of it: it is known only when the document is stored.
"""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from claimsmith.cognito.claims import STANDARD, TOKENS
from claimsmith.engine.language import conditions, values
from claimsmith.engine.language.paths import METADATA, is_trusted
from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.language import NoTenant, ScopeMode
    from claimsmith.engine.language.conditions import Test

#: The format this code writes. It reads this one and every older one.
FORMAT: Final = 2

#: Bytes of a stored document, compressed; DynamoDB's item limit is 400 kB.
MAX_BYTES: Final = 380_000

#: Bytes of a document once decompressed: what a row of that size can honestly hold, and no more.
_MAX_PLAIN_BYTES: Final = 32 * 1024 * 1024

#: Bytes of a signed token, where the policy does not say.
TOKEN_BUDGET: Final = 6_144

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_NAMES: Final[frozenset[str]] = frozenset()


class Claims(NamedTuple):
    """Claims of a row, by token, names already merged from ``claims`` and the token's own.

    In rows of the policy a value may be an ``Expression``, or ``Withheld``; in rows of the directory it is a literal.
    """

    access: Mapping[str, Any] = _NOTHING
    id: Mapping[str, Any] = _NOTHING

    def of(self, token: Token) -> Mapping[str, Any]:
        """Those of one token."""
        return self.access if token == TOKENS[0] else self.id


NO_CLAIMS: Final = Claims()


class Withheld(NamedTuple):
    """The value of a claim that lint would have refused, and why."""

    why: str


class Role(NamedTuple):
    """A role, closed under ``inherits``.

    Attributes:
        scopes: its own scopes, without those it inherits.
        closure: itself and every role it inherits, at any depth; sorted.
    """

    scopes: tuple[str, ...]
    closure: tuple[str, ...]
    claims: Claims = NO_CLAIMS


class Client(NamedTuple):
    """What a policy says of an app client.

    Attributes:
        scopes_allowed: the ceiling; None is no limit, empty is nothing.
    """

    name: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes_allowed: frozenset[str] | None = None
    suppress_scopes: frozenset[str] = _NO_NAMES
    scope_mode: ScopeMode | None = None
    audience: bool = False
    claims: Claims = NO_CLAIMS


class Rule(NamedTuple):
    """A rule, in the order of the policy; those that are not enabled are not here.

    Attributes:
        row: its key, as reasons name it.
        when: None for always.
        optional: its claims may be left out where the token would be too long.
        withheld: what it would do besides setting claims, had it not read what cannot be trusted.
        suppress_claims: by token, as ``TOKENS`` orders them.
    """

    row: str
    when: Test | None = None
    optional: bool = False
    claims: Claims = NO_CLAIMS
    add_scopes: tuple[str, ...] = ()
    suppress_scopes: tuple[str, ...] = ()
    suppress_claims: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    add_groups: tuple[str, ...] = ()
    suppress_groups: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


class Settings(NamedTuple):
    """The settings of DESIGN section 4 that decide something when a token is made.

    Attributes:
        claim_names: the name of each built-in claim; one that is absent is not emitted.
        cache_seconds: how long a tenant row and the pointer to the bundle may be remembered.
        token_budget: bytes of a signed token.
    """

    claim_names: Mapping[str, str]
    scope_mode: ScopeMode
    unmanaged_scopes: frozenset[str]
    no_tenant: NoTenant
    default_roles: tuple[str, ...]
    cache_seconds: int
    token_budget: int = TOKEN_BUDGET


class Bundle(NamedTuple):
    """A compiled policy with its version number.

    Attributes:
        rules: in their order.
        routes: what requests to APIs need, as the rows say it; for the authorizer.
    """

    version: int
    settings: Settings
    roles: Mapping[str, Role]
    groups: Mapping[str, tuple[str, ...]]
    clients: Mapping[str, Client]
    rules: tuple[Rule, ...] = ()
    routes: Mapping[str, Mapping[str, Any]] = _NOTHING


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
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"Bundle version {version} is damaged.") from error
    if bundle is None:
        raise BundleError(f"Bundle version {version} has format {written}; this code reads up to {FORMAT}.")
    return bundle


def from_document(document: Mapping[str, Any], version: int) -> Bundle:
    """The bundle that a compiled document describes, of this format or an older one.

    What lint refuses of a rule is withheld here too, so that no other way of writing a document gets round it.

    Raises:
        ValueError: a condition is none; likewise KeyError and TypeError for other parts.
    """
    settings = document["settings"]
    trusted = frozenset(settings.get("trusted_attributes", ()))
    return Bundle(
        version=version,
        settings=Settings(
            claim_names=settings["claim_names"],
            scope_mode=settings["scope_mode"],
            unmanaged_scopes=frozenset(settings["unmanaged_scopes"]),
            no_tenant=settings["no_tenant"],
            default_roles=tuple(settings["default_roles"]),
            cache_seconds=settings["cache_seconds"],
            token_budget=settings.get("token_budget", TOKEN_BUDGET),
        ),
        roles={
            name: Role(tuple(role["scopes"]), tuple(role["closure"]), _claims(role))
            for name, role in document["roles"].items()
        },
        groups={name: tuple(roles) for name, roles in document["groups"].items()},
        clients={name: _client(client) for name, client in document["clients"].items()},
        # Format 1 has no rules.
        rules=tuple(_rule(rule, trusted) for rule in document.get("rules", ())),
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


def _rule(rule: Mapping[str, Any], trusted: AbstractSet[str]) -> Rule:
    condition = rule.get("when")
    read = tuple(conditions.fields(condition))
    claims = _claims(rule, read)
    made = Rule(
        row=f"POLICY RULE#{rule['id']}",
        when=None if condition is None else conditions.compiled(condition),
        optional=rule.get("optional", False),
        claims=claims,
    )
    effects = {name: tuple(rule[name]) for name in _AUTHORITY if rule.get(name)}
    if not effects:
        return made
    if not all(is_trusted(path, trusted) for path in (*read, *_paths_of(claims))):
        return made._replace(withheld=tuple(effects))
    return made._replace(
        add_scopes=effects.get("add_scopes", ()),
        suppress_scopes=effects.get("suppress_scopes", ()),
        suppress_claims=(effects.get("suppress_access_claims", ()), effects.get("suppress_id_claims", ())),
        add_groups=effects.get("add_groups", ()),
        suppress_groups=effects.get("suppress_groups", ()),
    )


#: What a rule may do only if all that it reads can be trusted.
_AUTHORITY: Final = (
    "add_scopes",
    "suppress_scopes",
    "suppress_access_claims",
    "suppress_id_claims",
    "add_groups",
    "suppress_groups",
)


def _paths_of(claims: Claims) -> Iterable[str]:
    for token in TOKENS:
        for value in claims.of(token).values():
            if isinstance(value, values.Expression):
                yield from value.paths


def _claims(row: Mapping[str, Any], read: tuple[str, ...] = ()) -> Claims:
    access, identity = row.get("access_claims"), row.get("id_claims")
    return Claims(_values(access or {}, read), _values(identity or {}, read)) if access or identity else NO_CLAIMS


def _values(claims: Mapping[str, Any], read: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: _value(name, value, read) for name, value in claims.items()}


def _value(name: str, written: Any, read: tuple[str, ...]) -> Any:  # noqa: ANN401 - a literal or an expression
    try:
        value = values.compiled(written)
    except ValueError:
        return Withheld("it is not a value")
    if name in STANDARD:
        read = (*read, *(value.paths if isinstance(value, values.Expression) else ()))
        if any(path.startswith(METADATA) for path in read):
            return Withheld("what the caller says is not what a user is")
    return value

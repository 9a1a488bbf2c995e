"""Reads and writes the stored form of a compiled policy, the only form in which a policy reaches a token.

A document is canonical JSON (sorted names, no spaces), so equal policies are equal bytes and have equal digests. The
version number is not part of it: it is known only when the document is stored.
"""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import STANDARD, TOKENS, UnacceptableError, checked, is_of_aws, refused_name
from claimsmith.cognito.limits import OIDC_SCOPES
from claimsmith.engine import bounds
from claimsmith.engine.built_in import BUILT_IN_CLAIMS, ONLY_CLAIMSMITH, is_taken, own_claims
from claimsmith.engine.bundle import (
    NO_CLAIMS,
    TOKEN_BUDGET,
    Bundle,
    Claims,
    Client,
    IamRoles,
    Part,
    Provider,
    Role,
    Rule,
    Settings,
    Withheld,
    granted_by,
)
from claimsmith.engine.federation import PUBLIC
from claimsmith.engine.language import AUTHORITY, conditions, values
from claimsmith.engine.language.paths import METADATA, is_trusted
from claimsmith.engine.language.values import Expression
from claimsmith.engine.reasons import Reason, new
from claimsmith.engine.role_sets import RoleBook
from claimsmith.engine.rules import Rules
from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.language.conditions import Operator, Test

#: The newest format. This code reads it and every older one.
FORMAT: Final = 4

#: What this code writes where nothing in a policy needs a newer one: functions of the release before read it.
USUAL_FORMAT: Final = 3

#: What format 4 has: sections, settings, and attributes of roles and clients.
_SINCE_4: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"iam_roles", "identity_providers"}),
    "settings": frozenset({"groups_from", "oidc_scopes", "directory_groups"}),
    "roles": frozenset({"add_groups"}),
    "clients": frozenset({"add_to_access_token"}),
}

#: From this format on, ``contains`` asks for a member of a list and for nothing else.
_CONTAINS_IS_MEMBERSHIP: Final = 3

#: From this format on, objects and lists may have expressions inside.
_VALUES_ARE_NESTED: Final = 4

#: What members of a rule are, besides its condition.
_TYPES: Final[Mapping[str, type]] = {
    "id": str,
    "optional": bool,
    "access_claims": dict,
    "id_claims": dict,
    **dict.fromkeys(AUTHORITY, list),
}
_TEXT: Final = frozenset({str})

#: Bytes of a stored document, compressed; DynamoDB's item limit is 400 kB.
MAX_BYTES: Final = 380_000


class BundleError(ClaimsmithError):
    """No bundle that this code can use: none published, a damaged one, or one of a newer format."""

    def __init__(self, message: str, code: Code = Code.BUNDLE_UNREADABLE) -> None:
        super().__init__(code, message)


def format_for(document: Mapping[str, Any]) -> int:
    """The oldest format in which a document, whatever its ``format`` says, means what it is to mean."""
    settings, roles, clients = document["settings"], document["roles"].values(), document["clients"].values()
    if document.keys() & _SINCE_4[""] or settings.keys() & _SINCE_4["settings"]:
        return FORMAT
    if any(role.keys() & _SINCE_4["roles"] for role in roles):
        return FORMAT
    if any(client.keys() & _SINCE_4["clients"] for client in clients):
        return FORMAT
    rows = (*roles, *clients, *document["rules"])
    claims = (row.get(attribute, {}) for row in rows for attribute in ("access_claims", "id_claims"))
    nested = any(_is_nested(value) for part in claims for value in part.values())
    return FORMAT if nested else USUAL_FORMAT


def _is_nested(value: object) -> bool:
    return not values.looks_like_expression(value) and values.holds_expression(value)


def encode(document: Mapping[str, Any]) -> tuple[bytes, str]:
    """A document's stored bytes and its digest (SHA-256, hexadecimal, of the canonical JSON)."""
    written = canonical(document)
    return zlib.compress(written, 9), sha256(written).hexdigest()


def canonical(document: Mapping[str, Any]) -> bytes:
    """A document's JSON: the same bytes for the same policy."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(stored: bytes, digest: str, version: int) -> Bundle:
    """The bundle in a stored document.

    Raises:
        BundleError: the bytes are damaged or not what the digest names, the policy is larger than ``bounds.SERVED``, or
            the format is newer than this code.
    """
    try:
        document = _document(stored, digest, version)
        written = document["format"]
        bundle = from_document(document, version) if written <= FORMAT else None
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"Bundle version {version} is damaged.") from error
    if bundle is None:
        raise BundleError(f"Bundle version {version} has format {written}; this code reads up to {FORMAT}.")
    return bundle


def _document(stored: bytes, digest: str, version: int) -> dict[str, Any]:
    """The document in stored bytes, of which no object is made before its size is known to be within bounds."""
    inflater = zlib.decompressobj()
    plain = inflater.decompress(stored, bounds.SERVED.octets + 1)
    size = bounds.size(plain)
    document: dict[str, Any] = {}
    excess = size.excess(bounds.SERVED)
    if excess is None and inflater.eof and sha256(plain).hexdigest() == digest:
        document = json.loads(plain)
        excess = size._replace(rows=bounds.rows(document)).excess(bounds.SERVED)
    if excess is not None:
        raise BundleError(f"Bundle version {version} is damaged, or too large to be read: it has {excess}.")
    return document


def from_document(document: Mapping[str, Any], version: int) -> Bundle:
    """The bundle that a compiled document describes, of this format or an older one.

    What lint refuses of a rule is withheld here too, so that no other way of writing a document gets around it.

    Raises:
        ValueError: a condition is none; likewise KeyError and TypeError for other parts.
    """
    settings = document["settings"]
    named = claim_names(settings["claim_names"])
    written = document.get("format", FORMAT)
    old = written < _CONTAINS_IS_MEMBERSHIP
    operators = conditions.OPERATORS_BEFORE_3 if old else conditions.OPERATORS
    reader = _Reader(settings, named, operators, nested=written >= _VALUES_ARE_NESTED)
    roles = {name: reader.role(f"POLICY ROLE#{name}", role) for name, role in document["roles"].items()}
    # Format 1 has no rules.
    rows = document.get("rules", ())
    rules = Rules([_shaped(rule) for rule in rows], reader.rule, operators) if rows else ()
    return Bundle(
        version=version,
        settings=Settings(
            claim_names=named,
            own_claims=reader.own,
            scope_mode=settings["scope_mode"],
            unmanaged_scopes=reader.unmanaged,
            no_tenant=settings["no_tenant"],
            default_roles=tuple(settings["default_roles"]),
            cache_seconds=settings["cache_seconds"],
            token_budget=settings.get("token_budget", TOKEN_BUDGET),
            shed_groups=settings.get("shed_groups", False),
            privileged_scopes=frozenset(settings.get("privileged_scopes", ())),
            oidc_scopes=reader.oidc,
            directory_groups=frozenset(settings.get("directory_groups", ())),
            context_claims=frozenset(settings.get("context_claims", ())),
        ),
        roles=RoleBook(roles),
        groups={name: tuple(given) for name, given in document["groups"].items()},
        clients={name: reader.client(f"POLICY CLIENT#{name}", client) for name, client in document["clients"].items()},
        rules=rules,
        routes=document["routes"],
        iam_roles={
            name: IamRoles(f"POLICY GROUP#{name}", tuple(row["iam_roles"]), row.get("preferred_role"))
            for name, row in document.get("iam_roles", {}).items()
        },
        providers={name: reader.provider(name, row) for name, row in document.get("identity_providers", {}).items()},
    )


def claim_names(written: Mapping[str, str]) -> dict[str, str]:
    """The built-in claims under names that a token can have, each once: what a verifier reads there, the engine set."""
    named: dict[str, str] = {}
    for meaning, name in written.items():
        if name in named.values() or meaning not in BUILT_IN_CLAIMS or is_taken(meaning, name):
            continue
        if not any(refused_name(token, name) for token in TOKENS):
            named[meaning] = name
    return named


def _shaped(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rule, unchanged: all but its condition has the types that ``_Reader.rule`` takes.

    Raises:
        ValueError: it has not.
    """
    rule["id"]
    for name, value in rule.items():
        kind = _TYPES.get(name)
        if kind is list:
            right = type(value) is list and _TEXT.issuperset(map(type, value))
        else:
            right = kind is None or type(value) is kind
        if not right:
            raise ValueError("not a rule")
    return rule


class _Reader:
    """Reads the roles, clients, rules and claims of a document, given its settings."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        named: Mapping[str, str],
        operators: Mapping[str, Operator],
        *,
        nested: bool,
    ) -> None:
        self.trusted = frozenset(settings.get("trusted_attributes", ()))
        self.nested = nested
        self.unmanaged = frozenset(settings["unmanaged_scopes"])
        self.oidc = frozenset(settings.get("oidc_scopes", ())) & OIDC_SCOPES
        self.own = own_claims(named)
        self.groups_from: Mapping[str, Any] = settings.get("groups_from", {})
        self.operators = operators

    def role(self, row: str, role: Mapping[str, Any]) -> Role:
        grants = granted_by(row, role["scopes"], self.unmanaged, self.oidc)
        return Role(row, grants, tuple(role["closure"]), self.claims(row, role), tuple(role.get("add_groups", ())))

    def provider(self, name: str, written: Mapping[str, Any]) -> Provider:
        """A provider. An attribute that users could write, given that their tokens let them, names no groups."""
        shared = self.groups_from
        sealed = bool(shared.get("suppress_admin_scope", False))
        named = written.get("attributes")
        attributes = [
            attribute
            for attribute in shared.get("attributes", ())
            if (named is None or attribute in named) and (sealed or attribute in self.trusted)
        ]
        groups = written.get("groups")
        roles = written["roles"] if "roles" in written else shared.get("roles", {})
        return Provider(
            f"POLICY IDENTITY_PROVIDER#{name}",
            frozenset(written["tenants"]),
            tuple(attributes),
            written.get("prefix", shared.get("prefix", "")),
            None if groups is None else frozenset(groups),
            {group: tuple(given) for group, given in roles.items()},
            written.get("just_in_time", False) and name not in PUBLIC,
            sealed and bool(attributes),
        )

    def client(self, row: str, client: Mapping[str, Any]) -> Client:
        allowed = client.get("scopes_allowed")
        return Client(
            name=client.get("name"),
            tenant=client.get("tenant"),
            roles=tuple(client.get("roles", ())),
            scopes_allowed=None if allowed is None else frozenset(allowed),
            suppress_scopes=frozenset(client.get("suppress_scopes", ())),
            scope_mode=client.get("scope_mode"),
            audience=client.get("audience", False),
            claims=self.claims(row, client),
            user_pool=client.get("user_pool"),
            add_to_access_token=client.get("add_to_access_token", True),
        )

    def rule(self, rule: Mapping[str, Any], when: Test | None) -> Rule:
        """A rule of this shape (``_shaped``) and condition."""
        row = f"POLICY RULE#{rule['id']}"
        read = tuple(conditions.fields(rule.get("when")))
        claims = self.claims(row, rule, read)
        result = Rule(row=row, when=when, optional=rule.get("optional", False), claims=claims)
        effects = {name: tuple(rule[name]) for name in AUTHORITY if rule.get(name)}
        if not effects:
            return result
        expressions = (value for part in claims for _, value, _ in part.others if isinstance(value, Expression))
        read += tuple(path for value in expressions for path in value.paths)
        if not all(is_trusted(path, self.trusted) for path in read):
            return result._replace(withheld=tuple(effects))
        return result._replace(
            grants=granted_by(row, effects.get("add_scopes", ()), self.unmanaged, self.oidc),
            suppress_scopes=effects.get("suppress_scopes", ()),
            suppress_claims=(effects.get("suppress_access_claims", ()), effects.get("suppress_id_claims", ())),
            add_groups=effects.get("add_groups", ()),
            suppress_groups=effects.get("suppress_groups", ()),
        )

    def claims(self, row: str, written: Mapping[str, Any], read: tuple[str, ...] = ()) -> Claims:
        """The claims of a row whose condition reads these paths."""
        access, identity = written.get("access_claims"), written.get("id_claims")
        if not access and not identity:
            return NO_CLAIMS
        return Claims(self.part(row, TOKENS[0], access or {}, read), self.part(row, TOKENS[1], identity or {}, read))

    def part(self, row: str, token: Token, written: Mapping[str, Any], read: tuple[str, ...]) -> Part:
        literals: dict[str, Any] = {}
        others: list[tuple[str, Expression | Withheld, Reason]] = []
        reasons = {name: new(Reason, ("claim", name, "set", row, "", token)) for name in written}
        for name, value in written.items():
            validated = self.validated(token, name, value, read)
            if isinstance(validated, Expression | Withheld):
                others.append((name, validated, reasons.pop(name)))
            else:
                literals[name] = validated
        return Part(literals, reasons, tuple(others))

    def validated(self, token: Token, name: str, written: Any, read: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
        if name in self.own:
            return Withheld(ONLY_CLAIMSMITH)
        try:
            value = values.compiled(written, nested=self.nested)
            if isinstance(value, Expression):
                # What it will yield is checked then; that the claim may be set at all is known now.
                checked(token, name, "")
            else:
                value = checked(token, name, value)
        except UnacceptableError as unacceptable:
            return Withheld(str(unacceptable))
        except ValueError:
            return Withheld("it is not a value")
        read += value.paths if isinstance(value, Expression) else ()
        if name in STANDARD and any(path.startswith(METADATA) for path in read):
            return Withheld("what the caller says is not what a user is")
        if is_of_aws(name) and not all(is_trusted(path, self.trusted) for path in read):
            return Withheld("AWS grants by this claim, and it reads what users or callers can write")
        return value

"""The built-in claims: one record each, which the decision, lint, the compiler and the schema read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import TOKENS
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.roles import Roles
    from claimsmith.engine.subject import Subject

    #: A value and the row that it comes from; None where a token has none.
    Found = tuple[Any, str] | None
    Value = Callable[[Bundle, Subject, Roles], Found]

#: Stands for a text that only a sign-in knows.
SOME_TEXT: Final = "x" * 64


class BuiltIn(NamedTuple):
    """A claim that only the engine sets.

    Attributes:
        value: its value in a token.
        largest: the value that lint expects it to have at most, given all roles of the policy. An empty one is not
            counted; a list or an object says that every value is one.
        tokens: those that may have it.
    """

    value: Value
    largest: Callable[[Sequence[str]], object]
    tokens: tuple[Token, ...] = TOKENS

    @property
    def is_complex(self) -> bool:
        """Whether it is a list or an object, which the ID token does not take under every name."""
        return isinstance(self.largest(()), list | dict)


def _tenant_id(_: Bundle, subject: Subject, __: Roles) -> Found:
    return None if subject.tenant is None else (subject.tenant.id, subject.tenant_source)


def _tenant_name(_: Bundle, subject: Subject, __: Roles) -> Found:
    tenant = subject.tenant
    return (tenant.name, subject.tenant_row) if tenant is not None and tenant.name else None


def _roles(_: Bundle, __: Subject, roles: Roles) -> Found:
    return (roles.listed, roles.rows) if roles.listed else None


def _tenants(_: Bundle, subject: Subject, __: Roles) -> Found:
    if subject.tenant is not None or not subject.offered:
        return None
    return {one.id: one.name or one.id for one in subject.offered}, f"USER#{subject.request.sub} TENANT#"


def _policy_version(bundle: Bundle, _: Subject, __: Roles) -> Found:
    return bundle.version, "BUNDLE CURRENT"


#: By meaning, which is the default name; a policy may rename them.
BUILT_IN_CLAIMS: Final[Mapping[str, BuiltIn]] = {
    "tenant_id": BuiltIn(_tenant_id, lambda _: SOME_TEXT),
    "tenant_name": BuiltIn(_tenant_name, lambda _: SOME_TEXT, (TOKENS[1],)),
    "roles": BuiltIn(_roles, list),
    # Where there is a list to choose from, there is no tenant yet, and of a token that is too long it goes first.
    "tenants": BuiltIn(_tenants, lambda _: {}, (TOKENS[1],)),
    "policy_version": BuiltIn(_policy_version, lambda _: 10_000_000, (TOKENS[0],)),
}

#: Names that no row sets, whatever the policy calls the built-in claims: a verifier that knows nothing of the policy
#: reads the default names, and a token outlives the version that made it.
RESERVED_CLAIMS: Final = frozenset({*BUILT_IN_CLAIMS, DEGRADED_CLAIM, SHED_CLAIM, "scope", "scp", "aud"})

#: Why no row sets one of these.
ONLY_CLAIMSMITH: Final = "only Claimsmith sets this claim"


def own_claims(claim_names: Mapping[str, str]) -> frozenset[str]:
    """The names that only the engine sets, given the names of the built-in claims by meaning."""
    return RESERVED_CLAIMS.union(claim_names.values())


def is_taken(meaning: str, name: str) -> bool:
    """Whether a name can never be that of this built-in claim, because it is the default name of another, or a mark."""
    return name in RESERVED_CLAIMS and name != meaning

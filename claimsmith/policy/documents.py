"""What a policy row may hold, kind by kind. Unknown attributes are refused; types are not coerced."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from claimsmith.engine.language import BUILT_IN_CLAIMS, NoTenant, Publish, ScopeMode


def _listed(value: object) -> object:
    """A string set as a sorted list."""
    return sorted(value) if isinstance(value, set | frozenset) else value


#: A list of strings or a string set.
Names = Annotated[list[str], BeforeValidator(_listed)]


def _present(value: object) -> object:
    """A limit that is there; null would silently mean none."""
    if value is None:
        raise ValueError("null sets no limit; leave the attribute out for none")
    return value


#: A list of strings and never a set: taking the last member out of a set deletes it, which would lift the limit.
Ceiling = Annotated[list[str] | None, BeforeValidator(_present)]

#: Epoch seconds, or what fits the attribute without being one: annotations decide nothing.
Time = Annotated[int, Field(ge=0, le=99_999_999_999)]

Literals = dict[str, Any]


class Row(BaseModel):
    """What every row may carry."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: str | None = None
    updated_by: str | None = None
    updated_at: Time | None = None
    ttl: Time | None = None


class ClaimsRow(Row):
    """A row that sets claims: ``claims`` in both tokens, the others in one."""

    claims: Literals = Field(default_factory=dict)
    access_claims: Literals = Field(default_factory=dict)
    id_claims: Literals = Field(default_factory=dict)


class Settings(Row):
    """``POLICY SETTINGS``."""

    claim_names: dict[str, str | None] = Field(default_factory=dict)
    scope_mode: ScopeMode = "intersect"
    unmanaged_scopes: Names = Field(default_factory=list)
    no_tenant: NoTenant = "allow"
    default_roles: Names = Field(default_factory=list)
    cache_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    publish: Publish = "auto"

    def names(self) -> dict[str, str]:
        """The name of each built-in claim that is emitted."""
        named = {meaning: self.claim_names.get(meaning, meaning) for meaning in BUILT_IN_CLAIMS}
        return {meaning: name for meaning, name in named.items() if name is not None}


class Role(ClaimsRow):
    """``POLICY ROLE#<name>``."""

    inherits: Names = Field(default_factory=list)
    scopes: Names = Field(default_factory=list)


class Group(Row):
    """``POLICY GROUP#<group of the user pool>``."""

    roles: Names = Field(default_factory=list)


class Client(ClaimsRow):
    """``POLICY CLIENT#<app client id>``."""

    name: str | None = None
    tenant: Annotated[str | None, BeforeValidator(_present)] = None
    roles: Names = Field(default_factory=list)
    scopes_allowed: Ceiling = None
    suppress_scopes: Names = Field(default_factory=list)
    scope_mode: ScopeMode | None = None
    audience: bool = False


class Route(Row):
    """``POLICY ROUTE#<id>``: what a request to an API needs."""

    api: Annotated[str | None, BeforeValidator(_present)] = None
    method: str = "ANY"
    path: str
    any_scope: Names = Field(default_factory=list)
    all_scopes: Names = Field(default_factory=list)
    any_role: Names = Field(default_factory=list)
    tenant_from: Annotated[str | None, BeforeValidator(_present)] = None


DOCUMENTS: dict[str, type[Row]] = {
    "settings": Settings,
    "roles": Role,
    "groups": Group,
    "clients": Client,
    "routes": Route,
}

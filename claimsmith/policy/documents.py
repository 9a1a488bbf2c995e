"""What a policy row may hold, kind by kind. Unknown attributes are refused; types are not coerced."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from claimsmith.engine.language import BUILT_IN_CLAIMS, NoTenant, Publish, ScopeMode
from claimsmith.policy.literals import plain

#: Names of the parts of a schema that the grammar defines (``schema.py``).
VALUE: Final = "Value"
CONDITION: Final = "Condition"


def _listed(value: object) -> object:
    """A string set as a sorted list."""
    return sorted(value) if isinstance(value, set | frozenset) else value


def _present(value: object) -> object:
    """Something that is there; null would silently mean none."""
    if value is None:
        raise ValueError("null sets nothing; leave the attribute out for none")
    return value


#: A list of strings or a string set.
Names = Annotated[list[str], BeforeValidator(_listed)]


def _resource(value: str) -> str:
    """A resource as ``aud`` names it: in full, never by a pattern."""
    if not value or value == "*":
        raise ValueError("name each resource in full, as aud does; leave the attribute out for the deployment's")
    return value


#: The same, of resources that tokens are bound to (RFC 8707).
Resources = Annotated[
    list[
        Annotated[
            str, AfterValidator(_resource), WithJsonSchema({"type": "string", "minLength": 1, "not": {"const": "*"}})
        ]
    ],
    BeforeValidator(_listed),
]

#: The same, where absent is not the same as empty.
SomeNames = Annotated[
    list[str] | None,
    BeforeValidator(lambda value: _present(_listed(value))),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]

#: A list of strings and never a set: taking the last member out of a set deletes it, which would lift the limit.
Ceiling = Annotated[
    list[str] | None,
    BeforeValidator(_present),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]

#: Text that is there.
Text = Annotated[str | None, BeforeValidator(_present), WithJsonSchema({"type": "string"})]

#: Epoch seconds, or what fits the attribute without being one: annotations decide nothing.
Time = Annotated[int, Field(ge=0, le=99_999_999_999)]

#: Claims by name. Which values they take, the grammar says and lint checks.
Values = Annotated[
    dict[str, Any],
    BeforeValidator(plain),
    WithJsonSchema({"type": "object", "additionalProperties": {"$ref": f"#/$defs/{VALUE}"}}),
]

#: Claims by name, never an expression.
Literals = Annotated[dict[str, Any], BeforeValidator(plain)]

#: A condition; lint checks it against the grammar.
Condition = Annotated[
    dict[str, Any] | None,
    BeforeValidator(lambda value: plain(_present(value))),
    WithJsonSchema({"allOf": [{"$ref": f"#/$defs/{CONDITION}"}]}),
]

_STRICT: Final = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(BaseModel):
    """A part of a row."""

    model_config: ClassVar[ConfigDict] = _STRICT


class Row(BaseModel):
    """What every row may carry."""

    model_config: ClassVar[ConfigDict] = _STRICT

    description: str | None = Field(default=None, description="For people; decides nothing.")
    updated_by: str | None = Field(default=None, description="Who wrote the row last; decides nothing.")
    updated_at: Time | None = Field(default=None, description="When, in epoch seconds; decides nothing.")
    ttl: Time | None = Field(default=None, description="When DynamoDB deletes the row, in epoch seconds.")


class ClaimsRow(Row):
    """A row that sets claims."""

    claims: Values = Field(default_factory=dict, description="Claims of both tokens.")
    access_claims: Values = Field(default_factory=dict, description="Claims of the access token.")
    id_claims: Values = Field(default_factory=dict, description="Claims of the ID token.")


class Settings(Row):
    """What holds for the whole policy."""

    claim_names: dict[str, str | None] = Field(
        default_factory=dict, description="Other names for built-in claims; null: not emitted."
    )
    scope_mode: ScopeMode = Field(
        default="intersect", description="Grant what was granted and asked for, or exactly what was granted."
    )
    unmanaged_scopes: Names = Field(
        default_factory=list, description="Scopes that the policy leaves alone: exact, or a prefix as in legacy/*."
    )
    no_tenant: NoTenant = Field(default="allow", description="What happens where no tenant can be chosen.")
    default_roles: Names = Field(default_factory=list, description="Roles that everybody has.")
    trusted_attributes: Names = Field(
        default_factory=list, description="User attributes that no user can write, by their names in the pool."
    )
    privileged_scopes: Names = Field(
        default_factory=list,
        description="Scopes that no directory row grants by name: exact, or a prefix as in admin/*.",
    )
    # No signed token is shorter than the least, and no verifier here takes one longer than the most.
    token_budget: Annotated[int, Field(ge=512, le=16_384)] = Field(
        default=6144, description="Bytes that a signed token may have."
    )
    shed_groups: bool = Field(default=False, description="Whether a token that is too long may lose cognito:groups.")
    cache_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=30, description="How long a tenant and the policy's version may be remembered."
    )
    publish: Publish = Field(default="auto", description="Whether an edit goes in force by itself.")

    def names(self) -> dict[str, str]:
        """The name of each built-in claim that is emitted."""
        named = {meaning: self.claim_names.get(meaning, meaning) for meaning in BUILT_IN_CLAIMS}
        return {meaning: name for meaning, name in named.items() if name is not None}


class Role(ClaimsRow):
    """A role: scopes and claims for whoever has it."""

    inherits: Names = Field(default_factory=list, description="Roles that come with this one.")
    scopes: Names = Field(default_factory=list, description="Scopes that it grants.")


class Group(Row):
    """A group of the user pool."""

    roles: Names = Field(default_factory=list, description="Roles of its members.")


class Client(ClaimsRow):
    """An app client."""

    name: str | None = Field(default=None, description="What people call it.")
    tenant: Text = Field(default=None, description="The one tenant that its tokens are for.")
    roles: Names = Field(default_factory=list, description="Roles of the client itself, as a machine.")
    scopes_allowed: Ceiling = Field(default=None, description="No other scope; absent: no limit, []: none.")
    suppress_scopes: Names = Field(default_factory=list, description="Scopes that its tokens never have.")
    scope_mode: ScopeMode | None = Field(default=None, description="In place of the settings' one.")
    audience: bool = Field(default=False, description="Whether the access token's aud is the client's id.")


class Rule(ClaimsRow):
    """Claims, scopes and groups where a condition holds."""

    order: Annotated[int, Field(ge=-(10**9), le=10**9)] = Field(
        description="Its place among the rules: what a later rule sets wins."
    )
    when: Condition = Field(default=None, description="Absent: always.")
    optional: bool = Field(default=False, description="Whether its claims may be left out of a token that is too long.")
    add_scopes: Names = Field(default_factory=list, description="Scopes that it grants.")
    suppress_scopes: Names = Field(default_factory=list, description="Scopes that it takes away, whoever grants them.")
    suppress_access_claims: Names = Field(default_factory=list, description="Claims it takes from the access token.")
    suppress_id_claims: Names = Field(default_factory=list, description="Claims it takes from the ID token.")
    add_groups: Names = Field(default_factory=list, description="Groups it adds to cognito:groups.")
    suppress_groups: Names = Field(default_factory=list, description="Groups it takes from cognito:groups.")
    enabled: bool = Field(default=True, description="false: as if it were not there.")


class Route(Row):
    """What a request to an API needs."""

    api: Text = Field(default=None, description="The API's id; absent: any.")
    method: str = Field(default="ANY", description="GET, POST and the like, or ANY.")
    path: str = Field(description="As in /orders/{id}; {rest+} at the end stands for all that follows.")
    any_scope: Names = Field(default_factory=list, description="One of these scopes is needed.")
    all_scopes: Names = Field(default_factory=list, description="All of these scopes are needed.")
    any_role: Names = Field(default_factory=list, description="One of these roles is needed.")
    audience: Resources = Field(
        default_factory=list,
        description="The token must be bound to one of these resources (aud); absent: the verifier's.",
    )
    tenant_from: Text = Field(
        default=None, description="Where the request names the token's tenant: path:NAME, header:NAME or query:NAME."
    )


class GivenClaims(Part):
    """Claims of a directory row."""

    claims: Literals = Field(default_factory=dict, description="Claims of both tokens.")
    access_claims: Literals = Field(default_factory=dict, description="Claims of the access token.")
    id_claims: Literals = Field(default_factory=dict, description="Claims of the ID token.")


class GivenUser(GivenClaims):
    """Who signs in: the row and what the pool says."""

    sub: Text = Field(default=None, description="The subject; invented where absent.")
    username: Text = Field(default=None, description="The name in the pool; the subject where absent.")
    status: Text = Field(default=None, description="Of the row.")
    groups: Names = Field(default_factory=list, description="Groups in the pool.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Attributes in the pool.")
    roles: Names = Field(default_factory=list, description="Roles outside tenants.")


class GivenTenant(GivenClaims):
    """The tenant's row."""

    id: str = Field(description="The tenant's id.")
    name: Text = Field(default=None, description="What people call it.")
    status: Text = Field(default=None, description="Of the row.")
    plan: Text = Field(default=None, description="Its plan.")
    default_roles: Names = Field(default_factory=list, description="Roles of every member.")
    roles_allowed: Ceiling = Field(default=None, description="No other role; absent: no limit, []: none.")
    scopes_allowed: Ceiling = Field(default=None, description="No other scope; absent: no limit, []: none.")


class GivenMembership(GivenClaims):
    """The user's membership of the tenant."""

    status: Text = Field(default=None, description="Of the row.")
    roles: Names = Field(default_factory=list, description="Roles in the tenant.")
    scopes: Names = Field(default_factory=list, description="Scopes in the tenant.")
    expires_at: Time | None = Field(default=None, description="When it ends, in epoch seconds.")


class GivenClient(Part):
    """The app client."""

    id: str = Field(description="Its id; what it may is in its row of the policy.")


class GivenRequest(Part):
    """What is asked."""

    scopes: SomeNames = Field(
        default=None,
        description="Absent: what an API sign-in has; for HostedAuth openid; for ClientCredentials none.",
    )
    source: str = Field(
        default="TokenGeneration_Authentication", description="The trigger source, with or without TokenGeneration_."
    )
    metadata: dict[str, str] = Field(default_factory=dict, description="Client metadata.")


class Given(Part):
    """A sign-in: what there is when it happens."""

    user: GivenUser | None = None
    tenant: GivenTenant | None = None
    membership: GivenMembership | None = None
    client: GivenClient | None = None
    request: GivenRequest = Field(default_factory=GivenRequest)
    now: Annotated[int, Field(ge=1_000_000_000, le=99_999_999_999)] = Field(
        default=1_800_000_000, description="Epoch seconds."
    )


class Absent(Part):
    """Claims that must not be there."""

    access: Names = Field(default_factory=list, description="Names of claims.")
    id: Names = Field(default_factory=list, description="Names of claims.")


class Expect(Part):
    """What the tokens hold."""

    access: Literals = Field(default_factory=dict, description="Claims of the access token, among others.")
    id: Literals = Field(default_factory=dict, description="Claims of the ID token, among others.")
    absent: Absent = Field(default_factory=Absent)
    scopes: SomeNames = Field(default=None, description="The managed scopes of the access token, exactly.")
    groups: SomeNames = Field(default=None, description="cognito:groups of the access token, exactly.")
    refused: Text = Field(default=None, description="The code with which the sign-in is refused.")


class Test(Row):
    """A test of the policy: it keeps a policy that does something else from being published."""

    __test__: ClassVar[bool] = False  # not one of pytest's

    given: Given = Field(default_factory=Given)
    expect: Expect


DOCUMENTS: Final[dict[str, type[Row]]] = {
    "settings": Settings,
    "roles": Role,
    "groups": Group,
    "clients": Client,
    "rules": Rule,
    "routes": Route,
    "tests": Test,
}

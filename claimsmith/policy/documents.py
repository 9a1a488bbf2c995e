"""The attributes of each kind of policy row. Unknown attributes are refused; types are not coerced."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from claimsmith import table
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.language import NoTenant, Publish, ScopeMode  # noqa: TC001 - pydantic reads them
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.literals import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Schema definitions that ``schema.py`` generates from the grammar.
VALUE: Final = "Value"
CONDITION: Final = "Condition"


def _listed(value: object) -> object:
    """Return a string set as a sorted list."""
    return sorted(value) if isinstance(value, set | frozenset) else value


def _not_null(value: object) -> object:
    """Refuse null, which would silently mean none."""
    if value is None:
        raise ValueError("null is not a value; leave the attribute out")
    return value


#: A list of strings or a string set.
Names = Annotated[list[str], BeforeValidator(_listed)]


def _resource(value: str) -> str:
    """Refuse empty names and ``*``: a resource is named in full, as in ``aud``."""
    if not value or value == "*":
        raise ValueError("name each resource in full, as in aud; leave the attribute out to use the deployment's")
    return value


#: Names of resources that tokens are bound to (RFC 8707).
Resources = Annotated[
    list[
        Annotated[
            str, AfterValidator(_resource), WithJsonSchema({"type": "string", "minLength": 1, "not": {"const": "*"}})
        ]
    ],
    BeforeValidator(_listed),
]

#: A list of strings or a string set, where absent differs from empty.
OptionalNames = Annotated[
    list[str] | None,
    BeforeValidator(lambda value: _not_null(_listed(value))),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]

#: A list of strings, never a set: removing the last member of a set deletes it, which would lift the limit.
Ceiling = Annotated[
    list[str] | None,
    BeforeValidator(_not_null),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]

#: Text that cannot be null.
Text = Annotated[str | None, BeforeValidator(_not_null), WithJsonSchema({"type": "string"})]

#: Epoch seconds. The range is generous: these attributes decide nothing.
Time = Annotated[int, Field(ge=0, le=99_999_999_999)]

#: Claim values by name; lint checks them against the grammar.
Values = Annotated[
    dict[str, Any],
    BeforeValidator(plain),
    WithJsonSchema({"type": "object", "additionalProperties": {"$ref": f"#/$defs/{VALUE}"}}),
]

#: Literal claim values by name, never expressions.
Literals = Annotated[dict[str, Any], BeforeValidator(plain)]

#: A condition; lint checks it against the grammar.
Condition = Annotated[
    dict[str, Any] | None,
    BeforeValidator(lambda value: plain(_not_null(value))),
    WithJsonSchema({"allOf": [{"$ref": f"#/$defs/{CONDITION}"}]}),
]

_STRICT: Final = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(BaseModel):
    """A part of a row."""

    model_config: ClassVar[ConfigDict] = _STRICT


class Row(BaseModel):
    """The attributes that every row may have."""

    model_config: ClassVar[ConfigDict] = _STRICT

    description: str | None = Field(default=None, description="For people; has no effect.")
    updated_by: str | None = Field(default=None, description="Who wrote the row last; has no effect.")
    updated_at: Time | None = Field(
        default=None, description="When the row was written last, in epoch seconds; has no effect."
    )
    ttl: Time | None = Field(default=None, description="When DynamoDB deletes the row, in epoch seconds.")


class ClaimsRow(Row):
    """A row that sets claims."""

    claims: Values = Field(default_factory=dict, description="Claims of both tokens.")
    access_claims: Values = Field(default_factory=dict, description="Claims of the access token.")
    id_claims: Values = Field(default_factory=dict, description="Claims of the ID token.")


class GroupsFrom(Part):
    """Where identity providers name the groups of their users, and what these mean."""

    attributes: Names = Field(
        default_factory=list, description="User attributes that identity providers fill with groups."
    )
    prefix: str = Field(
        default="", description="What the names of groups that count begin with; roles has them without."
    )
    roles: dict[str, Names] = Field(
        default_factory=dict, description="Roles by group; a provider's row may have its own."
    )
    suppress_admin_scope: bool = Field(
        default=False,
        description="Whether to remove aws.cognito.signin.user.admin from tokens of the providers' users, "
        "who could otherwise write the attributes.",
    )


class Settings(Row):
    """Settings of the whole policy."""

    claim_names: dict[str, str | None] = Field(
        default_factory=dict, description="Other names for built-in claims; null leaves the claim out."
    )
    scope_mode: ScopeMode = Field(
        default="intersect",
        description="Give a token all granted scopes (exact), or only those requested (intersect).",
    )
    unmanaged_scopes: Names = Field(
        default_factory=list,
        description="Scopes that the policy leaves alone: exact names, or prefixes as in legacy/*.",
    )
    no_tenant: NoTenant = Field(
        default="allow", description="What to do with a sign-in for which no tenant can be chosen."
    )
    default_roles: Names = Field(default_factory=list, description="Roles of every user.")
    trusted_attributes: Names = Field(
        default_factory=list, description="User attributes that no user can write, by their names in the pool."
    )
    privileged_scopes: Names = Field(
        default_factory=list,
        description="Scopes that directory rows cannot grant by name: exact names, or prefixes as in admin/*.",
    )
    groups_from: GroupsFrom = Field(
        default_factory=GroupsFrom,
        description="Where identity providers name groups, and their roles; only providers with a row are heard.",
    )
    oidc_scopes: Names = Field(
        default_factory=list,
        description="OpenID Connect scopes that roles and rules may grant to API sign-ins, which cannot request any.",
    )
    directory_groups: Names = Field(
        default_factory=list,
        description="Groups that directory rows may name: exact names, or prefixes as in plant-*.",
    )
    context_claims: Names = Field(
        default_factory=list,
        description="Further claims of the access token that Lambda authorizers pass on to the service behind.",
    )
    # No signed token is shorter than the minimum; the verifier accepts none longer than the maximum.
    token_budget: Annotated[int, Field(ge=512, le=16_384)] = Field(
        default=6144, description="The maximum size of a signed token, in bytes."
    )
    shed_groups: bool = Field(
        default=False, description="Whether cognito:groups may be dropped from a token that is too long."
    )
    cache_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=30, description="How long tenant rows and the current policy version are cached, in seconds."
    )
    publish: Publish = Field(
        default="auto", description="Whether edits go live automatically (auto) or by claimsmith promote (manual)."
    )

    def names(self) -> dict[str, str]:
        """Return the names of the built-in claims that tokens carry, by meaning."""
        named = {meaning: self.claim_names.get(meaning, meaning) for meaning in BUILT_IN_CLAIMS}
        return {meaning: name for meaning, name in named.items() if name is not None}


class Role(ClaimsRow):
    """A role: scopes and claims for those who have it."""

    inherits: Names = Field(default_factory=list, description="Roles whose scopes and claims this role includes.")
    scopes: Names = Field(default_factory=list, description="Scopes to grant.")
    add_groups: Names = Field(default_factory=list, description="Groups to add to cognito:groups.")


class Group(Row):
    """A group of the user pool."""

    roles: Names = Field(default_factory=list, description="Roles of the group's members.")
    iam_roles: Names = Field(default_factory=list, description="ARNs of IAM roles to add to cognito:roles.")
    preferred_role: Text = Field(default=None, description="One of iam_roles, for cognito:preferred_role.")


class IdentityProvider(Row):
    """An identity provider of the user pool, and for whom it may speak."""

    tenants: Names = Field(
        default_factory=list, description="Tenants for which it may speak; *: every one, and tokens without a tenant."
    )
    attributes: OptionalNames = Field(
        default=None, description="Attributes of groups_from in which it names groups; absent: all."
    )
    prefix: Text = Field(default=None, description="Overrides prefix of groups_from.")
    groups: OptionalNames = Field(
        default=None, description="Groups that it may name: exact names, or prefixes as in app-*; absent: all."
    )
    roles: Annotated[
        dict[str, Names] | None,
        BeforeValidator(_not_null),
        WithJsonSchema({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}),
    ] = Field(default=None, description="Roles by group, instead of those of groups_from.")
    just_in_time: bool = Field(
        default=False, description="Whether its users are members of these tenants without a membership row."
    )


class Client(ClaimsRow):
    """An app client."""

    name: str | None = Field(default=None, description="A display name.")
    tenant: Text = Field(default=None, description="The only tenant that its tokens are for.")
    roles: Names = Field(default_factory=list, description="Roles of the client itself, for machine-to-machine tokens.")
    scopes_allowed: Ceiling = Field(default=None, description="The only scopes allowed; absent: no limit, []: none.")
    suppress_scopes: Names = Field(default_factory=list, description="Scopes to remove from its tokens.")
    scope_mode: ScopeMode | None = Field(default=None, description="Overrides scope_mode of the settings.")
    audience: bool = Field(default=False, description="Whether access tokens get the client id as aud.")
    add_to_access_token: bool = Field(
        default=True,
        description="false: access tokens get no claims, scopes and groups from the policy, which only takes away.",
    )
    user_pool: Text = Field(
        default=None, description="The id of its user pool; verifiers accept its tokens from this pool only."
    )


class Rule(ClaimsRow):
    """Claims, scopes and groups for sign-ins that meet a condition."""

    order: Annotated[int, Field(ge=-(10**9), le=10**9)] = Field(
        description="The position among the rules; later rules win."
    )
    when: Condition = Field(default=None, description="The condition; absent: always.")
    optional: bool = Field(
        default=False, description="Whether its claims may be dropped from a token that is too long."
    )
    add_scopes: Names = Field(default_factory=list, description="Scopes to grant.")
    suppress_scopes: Names = Field(default_factory=list, description="Scopes to remove, whatever grants them.")
    suppress_access_claims: Names = Field(default_factory=list, description="Claims to remove from the access token.")
    suppress_id_claims: Names = Field(default_factory=list, description="Claims to remove from the ID token.")
    add_groups: Names = Field(default_factory=list, description="Groups to add to cognito:groups.")
    suppress_groups: Names = Field(default_factory=list, description="Groups to remove from cognito:groups.")
    enabled: bool = Field(default=True, description="false: the rule is ignored.")


class Route(Row):
    """What a request to an API requires."""

    api: Text = Field(default=None, description="The API id; absent: any API.")
    method: str = Field(default="ANY", description="An HTTP method, or ANY.")
    path: str = Field(description="A path such as /orders/{id}; {rest+} at the end matches the rest of the path.")
    any_scope: Names = Field(default_factory=list, description="At least one of these scopes is required.")
    all_scopes: Names = Field(default_factory=list, description="All of these scopes are required.")
    any_role: Names = Field(default_factory=list, description="At least one of these roles is required.")
    audience: Resources = Field(
        default_factory=list,
        description="The token must be bound to one of these resources (aud); absent: the verifier's.",
    )
    tenant_from: Text = Field(
        default=None,
        description="Where the request names the token's tenant: path:NAME, header:NAME, query:NAME or "
        "host:{tenant}.example.com.",
    )
    access: Literal["public"] | None = Field(
        default=None, description="public: no token is needed; then the route has no further requirements."
    )


class GivenClaims(Part):
    """Claims of a directory row."""

    claims: Literals = Field(default_factory=dict, description="Claims of both tokens.")
    access_claims: Literals = Field(default_factory=dict, description="Claims of the access token.")
    id_claims: Literals = Field(default_factory=dict, description="Claims of the ID token.")


class GivenUser(GivenClaims):
    """The user who signs in: the USER row, and the profile in the pool."""

    sub: Text = Field(default=None, description="The subject; absent: a made-up one.")
    username: Text = Field(default=None, description="The username in the pool; absent: the subject.")
    status: Text = Field(default=None, description="status of the row.")
    groups: Names = Field(default_factory=list, description="Groups in the pool.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Attributes in the pool.")
    roles: Names = Field(default_factory=list, description="Roles outside tenants.")
    directory_groups: Names = Field(default_factory=list, description="groups of the row.")


class GivenTenant(GivenClaims):
    """The TENANT row."""

    id: str = Field(description="The tenant id.")
    name: Text = Field(default=None, description="A display name.")
    status: Text = Field(default=None, description="status of the row.")
    plan: Text = Field(default=None, description="plan of the row.")
    default_roles: Names = Field(default_factory=list, description="Roles of every member.")
    roles_allowed: Ceiling = Field(default=None, description="The only roles allowed; absent: no limit, []: none.")
    scopes_allowed: Ceiling = Field(default=None, description="The only scopes allowed; absent: no limit, []: none.")


class GivenMembership(GivenClaims):
    """The user's membership in the tenant."""

    status: Text = Field(default=None, description="status of the row.")
    roles: Names = Field(default_factory=list, description="Roles in the tenant.")
    scopes: Names = Field(default_factory=list, description="Scopes in the tenant.")
    groups: Names = Field(default_factory=list, description="Groups in the tenant.")
    expires_at: Time | None = Field(default=None, description="When it ends, in epoch seconds.")


class GivenClient(Part):
    """The app client."""

    id: str = Field(description="The client id; its permissions come from its CLIENT row in the policy.")


class GivenRequest(Part):
    """The token request."""

    scopes: OptionalNames = Field(
        default=None,
        description="The requested scopes; absent: as in an API sign-in; HostedAuth: openid; machines: none.",
    )
    source: str = Field(
        default="TokenGeneration_Authentication", description="The trigger source, with or without TokenGeneration_."
    )
    metadata: dict[str, str] = Field(default_factory=dict, description="Client metadata.")


class Given(Part):
    """The sign-in that a test simulates."""

    user: GivenUser | None = None
    tenant: GivenTenant | None = None
    membership: GivenMembership | None = None
    client: GivenClient | None = None
    request: GivenRequest = Field(default_factory=GivenRequest)
    now: Annotated[int, Field(ge=1_000_000_000, le=99_999_999_999)] = Field(
        default=1_800_000_000, description="Epoch seconds."
    )


class Absent(Part):
    """Claims that the tokens must not have."""

    access: Names = Field(default_factory=list, description="Names of claims.")
    id: Names = Field(default_factory=list, description="Names of claims.")


class Expect(Part):
    """The expected tokens, or the expected refusal."""

    access: Literals = Field(
        default_factory=dict, description="Claims that the access token must have; it may have others."
    )
    id: Literals = Field(default_factory=dict, description="Claims that the ID token must have; it may have others.")
    absent: Absent = Field(default_factory=Absent)
    scopes: OptionalNames = Field(default=None, description="Exactly the managed scopes of the access token.")
    groups: OptionalNames = Field(default=None, description="Exactly the cognito:groups of the access token.")
    refused: Text = Field(default=None, description="The code of the expected refusal.")


class Test(Row):
    """A policy test. A policy with a failing test is not published."""

    __test__: ClassVar[bool] = False  # not a pytest class

    given: Given = Field(default_factory=Given)
    expect: Expect


class Kind(NamedTuple):
    """A kind of row of which a policy has any number.

    Attributes:
        model: the attributes of its rows.
        prefix: of their sort keys; a name follows.
        key: what a file calls the name, in a list of entries; empty where a file has a map by name.
    """

    model: type[Row]
    prefix: str
    key: str = ""


def _rows(model: type[Row], prefix: str, key: str = "") -> Any:  # noqa: ANN401 - as dataclasses.field, which this is
    return field(default_factory=dict, metadata={"kind": Kind(model, prefix, key)})


SETTINGS_SECTION: Final = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The rows of a policy by section, as a file calls it. Its fields are the kinds that everything else reads."""

    settings: Settings = field(default_factory=Settings)
    roles: Mapping[str, Role] = _rows(Role, table.ROLE)
    groups: Mapping[str, Group] = _rows(Group, table.GROUP)
    identity_providers: Mapping[str, IdentityProvider] = _rows(IdentityProvider, table.IDENTITY_PROVIDER)
    clients: Mapping[str, Client] = _rows(Client, table.CLIENT)
    rules: Mapping[str, Rule] = _rows(Rule, table.RULE, "id")
    routes: Mapping[str, Route] = _rows(Route, table.ROUTE, "id")
    tests: Mapping[str, Test] = _rows(Test, table.TEST, "name")


#: By section.
KINDS: Final[Mapping[str, Kind]] = {one.name: one.metadata["kind"] for one in fields(Documents) if one.metadata}

#: The attributes of the rows of each section.
DOCUMENTS: Final[Mapping[str, type[Row]]] = {
    SETTINGS_SECTION: Settings,
    **{section: kind.model for section, kind in KINDS.items()},
}

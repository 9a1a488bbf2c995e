"""What the properties are tried on: policies, directories and events, well-formed and hostile.

Names come from small pools, so that rows of one example speak of one another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from claimsmith.engine.codec import from_document
from claimsmith.engine.language.conditions import OPERATORS
from tests import events
from tests.policies import NOW

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ROLES = ["auditor", "editor", "owner", "viewer"]
TENANTS = ["acme", "globex", "initech"]
GROUPS = ["Admins", "Staff"]
CLIENTS = [events.CLIENT, "2example"]
MANAGED = ["billing/read", "orders/read", "orders/write", "reports/read"]
UNMANAGED = ["openid", "email", "legacy/a", "legacy/b"]
SCOPES = [*MANAGED, *UNMANAGED, events.API_SCOPES[0]]
CLAIM_NAMES = ["plan", "email", "custom:x", "https://example.com/claim", "region"]

#: Names that no row may set: Cognito's, the engine's, and what looks like either.
FORBIDDEN_NAMES = [
    "sub", "aud", "iss", "exp", "client_id", "username", "version", "scope", "scp", "identities", "nonce", "at_hash",
    "cognito:groups", "cognito:roles", "dev:x", "aws:x", "", "tenant_id", "roles", "policy_version", "tenants",
    "tenant_name", "claims_degraded", "claims_shed", "address", "updated_at",
]  # fmt: skip


def some(names: list[str], at_most: int = 4) -> SearchStrategy[list[str]]:
    """A few different names of a pool."""
    return st.lists(st.sampled_from(names), unique=True, max_size=at_most)


#: Numbers that mean the same to JSON, YAML and DynamoDB.
integers = st.integers(-(10**18), 10**18)
fractions = st.integers(-(2**40), 2**40).map(lambda number: number / 8)

plain = st.one_of(st.text(max_size=5), integers, st.booleans(), fractions)

#: What Cognito takes as a claim in either token.
good_values = st.one_of(
    plain,
    st.lists(plain, max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=3), st.one_of(plain, st.lists(plain, max_size=2)), max_size=2),
)

#: Numbers as boto3 has them; the store gives others.
decimals = st.one_of(
    st.decimals(),
    st.frozensets(st.sampled_from([Decimal("NaN"), Decimal("Infinity"), Decimal("0.5"), Decimal(1)]), max_size=3),
)

#: Anything that a row read from DynamoDB can hold.
any_value = st.recursive(
    st.one_of(
        plain,
        st.none(),
        st.floats(),
        st.binary(max_size=3),
        st.frozensets(st.text(max_size=3), max_size=2),
        st.frozensets(st.integers(), max_size=2),
        st.frozensets(st.binary(max_size=2), max_size=2),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)

json_values = st.recursive(
    st.one_of(plain, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)

good_claims = st.dictionaries(st.sampled_from(CLAIM_NAMES), good_values, max_size=2)
hostile_claims = st.dictionaries(
    st.one_of(st.sampled_from([*CLAIM_NAMES, *FORBIDDEN_NAMES]), st.text(max_size=4)), any_value, max_size=4
)


def attributes(**optional: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Any of these attributes of a row."""
    return st.fixed_dictionaries({}, optional=optional)


@dataclass(frozen=True)
class Policy:
    """The sections of a policy that lint accepts, as ``tests.policies.bundle`` takes them."""

    settings: dict[str, Any]
    roles: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]]
    clients: dict[str, dict[str, Any]]
    rules: dict[str, dict[str, Any]]
    identity_providers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sections(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "roles": self.roles,
            "groups": self.groups,
            "clients": self.clients,
            "rules": self.rules,
            "identity_providers": self.identity_providers,
        }


# Rules that lint accepts.

TRUSTED_TEXTS = ["tenant.id", "tenant.plan", "client.id", "client.name", "user.status", "user.identity_provider"]
UNTRUSTED_TEXTS = ["user.attributes.org", "user.attributes.email", "request.metadata.other", "request.source"]
LISTS = ["roles", "membership.roles", "user.groups", "user.identity_providers"]
OPEN = ["user.claims.plan", "tenant.claims.plan", "membership.claims.plan"]
TEXTS = [*TENANTS, *CLIENTS, "pro", "web", "active", "Cognito", "a", ""]


def leaf(fields: list[str], ops: list[str], values: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"field": st.sampled_from(fields), "op": st.sampled_from(ops), "value": values},
    )


def whens(texts: list[str], lists: list[str], any_paths: list[str]) -> SearchStrategy[dict[str, Any]]:
    """Conditions over these paths."""
    lists_of_roles = [path for path in lists if path in ("roles", "membership.roles")]
    other_lists = [path for path in lists if path not in lists_of_roles]
    leaves = [
        leaf(texts, ["equals", "not_equals", "starts_with", "ends_with", "contains_text"], st.sampled_from(TEXTS)),
        leaf(texts, ["in"], st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)),
        leaf(texts + lists + any_paths, ["exists"], st.booleans()),
    ]
    for lists_of, members in ((lists_of_roles, ROLES), (other_lists, [*GROUPS, *SCOPES])):
        if lists_of:
            leaves.append(leaf(lists_of, ["contains"], st.sampled_from(members)))
    if any_paths:
        leaves.append(leaf(any_paths, ["equals", "not_equals"], st.one_of(plain, st.sampled_from(TEXTS))))
        leaves.append(leaf(any_paths, ["less_than", "greater_than"], st.integers(-5, 5)))
    return st.recursive(
        st.one_of(leaves),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
        ),
        max_leaves=4,
    )


def values_of(paths: list[str]) -> SearchStrategy[Any]:
    """Values that may be worked out from these paths."""
    return st.one_of(
        plain,
        st.builds(lambda path: {"from": path}, st.sampled_from(paths)),
        st.builds(lambda path, default: {"from": path, "default": default}, st.sampled_from(paths), plain),
        st.builds(lambda path: {"from": path, "as": "list"}, st.sampled_from(paths)),
        st.builds(
            lambda path: {"template": "<{" + path + "}>"},
            st.sampled_from([path for path in paths if path not in LISTS]),
        ),
    )


ORDINARY_NAMES = ["plan", "device", "region", "https://example.com/claim"]


def rule_claims(paths: list[str]) -> dict[str, SearchStrategy[Any]]:
    claims = st.dictionaries(st.sampled_from(ORDINARY_NAMES), values_of(paths), max_size=2)
    return {"claims": claims, "access_claims": claims, "id_claims": claims, "optional": st.booleans()}


def authority(whens_of_rule: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    """Rules that decide more than claims; all they read can be trusted."""
    return attributes(
        when=whens_of_rule,
        **rule_claims([*TRUSTED_TEXTS, *LISTS, *OPEN]),
        add_scopes=some(MANAGED, 2),
        suppress_scopes=some(SCOPES, 1),
        suppress_access_claims=some(ORDINARY_NAMES, 1),
        suppress_id_claims=some([*ORDINARY_NAMES, "email", "dev:x"], 1),
        add_groups=some([*GROUPS, "Ops"], 1),
        suppress_groups=some(GROUPS, 1),
    )


#: Rules that read what users and callers write, and set ordinary claims.
untrusted_rules = attributes(
    when=whens([*TRUSTED_TEXTS, *UNTRUSTED_TEXTS], [*LISTS, "request.scopes"], OPEN),
    **rule_claims([*UNTRUSTED_TEXTS, *TRUSTED_TEXTS]),
)
trusted_rules = authority(whens(TRUSTED_TEXTS, LISTS, OPEN))


@st.composite
def rule_sections(draw: st.DrawFn, rules: SearchStrategy[dict[str, Any]], at_most: int = 4) -> dict[str, Any]:
    """The rules of a policy, by id."""
    drawn = draw(st.lists(rules, max_size=at_most))
    return {f"r{at}": {**rule, "order": 10 + 10 * at} for at, rule in enumerate(drawn)}


any_rules = rule_sections(st.one_of(trusted_rules, untrusted_rules))


@st.composite
def policies(draw: st.DrawFn, rules: SearchStrategy[dict[str, Any]] = any_rules) -> Policy:
    """A policy that lint accepts."""
    names = ROLES  # all of them, since conditions may name any
    settings = draw(
        attributes(
            scope_mode=st.sampled_from(["exact", "intersect"]),
            no_tenant=st.sampled_from(["allow", "allow", "deny"]),
            default_roles=some(names, 2),
            claim_names=attributes(tenant_id=st.sampled_from(["org", None]), roles=st.just("custom:roles")),
        )
    )
    settings["unmanaged_scopes"] = ["legacy/*"]
    roles = {
        # A role inherits only later ones, so that there is no cycle.
        name: draw(
            attributes(
                scopes=some(MANAGED),
                inherits=some(names[index + 1 :]) if names[index + 1 :] else st.just([]),
                claims=good_claims,
                access_claims=good_claims,
                id_claims=good_claims,
            )
        )
        for index, name in enumerate(names)
    }
    of_roles = some(names, 2)
    groups = {name: {"roles": draw(of_roles)} for name in draw(some(GROUPS))}
    clients = {
        name: draw(
            attributes(
                name=st.just("web"),
                tenant=st.sampled_from(TENANTS),
                roles=of_roles,
                scopes_allowed=some(SCOPES, 6),
                suppress_scopes=some(SCOPES, 2),
                scope_mode=st.sampled_from(["exact", "intersect"]),
                audience=st.booleans(),
                claims=good_claims,
            )
        )
        for name in draw(some(CLIENTS))
    }
    return Policy(settings, roles, groups, clients, draw(rules))


PROVIDERS = ["AcmeSAML", "Workforce"]


@st.composite
def federated_policies(draw: st.DrawFn) -> Policy:
    """A policy that lint accepts, with all that came with format 4."""
    policy = draw(policies())
    provider = st.one_of(
        attributes(
            roles=st.dictionaries(st.sampled_from(GROUPS), some(ROLES, 2), max_size=2), groups=st.just(["*"])
        ).map(lambda row: row | {"tenants": ["*"]}),
        st.builds(lambda tenants: {"tenants": tenants, "just_in_time": True}, some(TENANTS)),
    )
    shared = {"attributes": ["custom:groups"], "roles": {"Staff": draw(some(ROLES, 2))}, "suppress_admin_scope": True}
    settings = policy.settings | {
        "groups_from": shared,
        "oidc_scopes": draw(some(["openid", "email"])),
        "directory_groups": draw(some(["Ops*", "Staff"])),
    }
    roles = {name: role | {"add_groups": draw(some(["Ops", "Admins"], 1))} for name, role in policy.roles.items()}
    groups = {
        name: group | {"iam_roles": ["arn:aws:iam::123456789012:role/x"]} for name, group in policy.groups.items()
    }
    providers = {name: draw(provider) for name in draw(some(PROVIDERS))}
    return replace(policy, settings=settings, roles=roles, groups=groups, identity_providers=providers)


#: What the pool says of a user whom a provider may have sent.
federated_profiles = st.fixed_dictionaries(
    {
        "cognito:user_status": st.sampled_from(["EXTERNAL_PROVIDER", "EXTERNAL_PROVIDER", "CONFIRMED"]),
        "custom:groups": some([*GROUPS, "Others"]).map(", ".join),
        "identities": st.lists(st.sampled_from(PROVIDERS), min_size=1, max_size=2).map(
            lambda names: json.dumps([{"providerName": name, "primary": at == 0} for at, name in enumerate(names)])
        ),
    }
)

statuses = st.sampled_from(["active", "active", "active", "suspended"])
times = st.sampled_from([NOW - 1, NOW, NOW + 1])


@st.composite
def directories(draw: st.DrawFn, sub: str = events.SUB) -> list[dict[str, Any]]:
    """Well-formed rows of one user and of the tenants."""
    rows: list[dict[str, Any]] = []
    if draw(st.booleans()):
        user = attributes(
            active_tenant=st.sampled_from(TENANTS),
            active_tenant_by_client=st.dictionaries(st.sampled_from(CLIENTS), st.sampled_from(TENANTS), max_size=2),
            roles=some([*ROLES, "ghost"], 2),
            claims=good_claims,
            groups=some(["Ops-1", "Staff"], 1),
        )
        rows.append({"pk": f"USER#{sub}", "sk": "USER", **draw(user)})
    for tenant in draw(some(TENANTS)):
        member = attributes(
            status=statuses,
            roles=some([*ROLES, "ghost"], 3),
            scopes=some(SCOPES, 3),
            claims=good_claims,
            expires_at=times,
        )
        rows.append({"pk": f"USER#{sub}", "sk": f"TENANT#{tenant}", **draw(member)})
    for tenant in draw(some(TENANTS)):
        row = attributes(
            status=statuses,
            name=st.just(tenant.title()),
            plan=st.sampled_from(["pro", "free"]),
            default_roles=some(ROLES, 2),
            roles_allowed=some(ROLES),
            scopes_allowed=some(SCOPES, 6),
            claims=good_claims,
        )
        rows.append({"pk": f"TENANT#{tenant}", "sk": "TENANT", **draw(row)})
    return rows


ATTRIBUTES = [
    "status", "roles", "scopes", "claims", "access_claims", "id_claims", "expires_at", "ttl", "active_tenant",
    "active_tenant_by_client", "name", "plan", "default_roles", "roles_allowed", "scopes_allowed", "anything",
]  # fmt: skip

hostile_attributes = st.dictionaries(
    st.sampled_from(ATTRIBUTES),
    st.one_of(any_value, hostile_claims, some(ROLES), some(SCOPES), st.dictionaries(st.text(max_size=4), decimals)),
    max_size=5,
)


@st.composite
def hostile_directories(draw: st.DrawFn, sub: str = events.SUB) -> list[dict[str, Any]]:
    """Rows of any shape that DynamoDB can hold, under the keys of one user and of the tenants."""
    keys = [(f"USER#{sub}", "USER")]
    sort_keys = st.one_of(st.sampled_from(TENANTS), st.text(max_size=4))
    keys += [(f"USER#{sub}", f"TENANT#{name}") for name in draw(st.lists(sort_keys, unique=True, max_size=4))]
    keys += [(f"USER#{sub}", sk) for sk in draw(st.lists(st.text(max_size=6), unique=True, max_size=1))]
    keys += [(f"TENANT#{tenant}", "TENANT") for tenant in TENANTS]
    return [{**draw(hostile_attributes), "pk": pk, "sk": sk} for pk, sk in keys if draw(st.booleans())]


@st.composite
def user_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of a user, as Cognito would send it."""
    source = draw(st.sampled_from(events.USER_SOURCES))
    metadata = None
    if source != events.HOSTED and draw(st.booleans()):
        metadata = draw(st.dictionaries(st.sampled_from(["tenant_id", "other"]), st.sampled_from(TENANTS), max_size=2))
    return events.event(
        source,
        client_id=draw(st.sampled_from(CLIENTS)),
        scopes=draw(st.one_of(some(SCOPES, 6), st.just(list(events.API_SCOPES)))),
        groups=draw(some(GROUPS)),
        attributes=draw(st.dictionaries(st.sampled_from(["org", "custom:roles", "address"]), st.text(max_size=3))),
        metadata=metadata,
    )


@st.composite
def machine_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of a machine, as Cognito would send it."""
    return events.event(
        events.MACHINE, client_id=draw(st.sampled_from(CLIENTS)), scopes=draw(some([*MANAGED, "legacy/a"]))
    )


#: Half of the events are of users who may choose, a few of machines.
any_events = st.one_of(user_events(), user_events(), machine_events())

_role_names = st.lists(st.sampled_from([*ROLES, "ghost"]), max_size=3)
_scopes = st.lists(st.one_of(st.sampled_from(SCOPES), st.text(max_size=3)), max_size=3)
_claim_names = st.lists(st.one_of(st.sampled_from([*CLAIM_NAMES, *FORBIDDEN_NAMES]), st.text(max_size=3)), max_size=3)
_groups = st.lists(st.one_of(st.sampled_from(GROUPS), st.text(max_size=3)), max_size=2)

#: Paths that are there, and one that is not.
PATHS = [
    "user.sub", "user.username", "user.status", "user.groups", "user.identity_provider",
    "user.identity_providers", "user.attributes.org",
    "user.claims.plan", "tenant.id", "tenant.name", "tenant.plan", "tenant.status", "tenant.claims.plan",
    "membership.roles", "membership.claims.plan", "roles", "client.id", "client.name", "request.scopes",
    "request.source", "request.metadata.other", "request.metadata.tenant_id", "ghost.path",
]  # fmt: skip

#: Expressions, most of them well-formed; what they read may be of any kind.
expressions = st.one_of(
    st.fixed_dictionaries(
        {"from": st.sampled_from(PATHS)},
        optional={
            "default": json_values,
            "as": st.sampled_from(["string", "number", "boolean", "list", "json", "json", "other"]),
        },
    ),
    st.fixed_dictionaries({"value": json_values}),
    st.fixed_dictionaries(
        {"template": st.one_of(st.text(max_size=4), st.sampled_from(["{tenant.id}-{{{user.sub}}}"]))}
    ),
)

_leaves = st.fixed_dictionaries(
    {
        "field": st.sampled_from(PATHS),
        "op": st.sampled_from(sorted(OPERATORS)),
        "value": st.one_of(
            json_values, st.sampled_from([*TENANTS, *GROUPS, *ROLES]), some([*TENANTS, *GROUPS]), st.booleans()
        ),
    }
)

#: Conditions that hold now and then.
conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)

_written_claims = st.dictionaries(
    st.one_of(st.sampled_from([*CLAIM_NAMES, *FORBIDDEN_NAMES]), st.text(max_size=4)),
    st.one_of(json_values, expressions),
    max_size=4,
)
_by_token = {"access_claims": _written_claims, "id_claims": _written_claims}

_hostile_rules = st.builds(
    lambda rule, index: {**rule, "id": f"r{index}"},
    attributes(
        when=conditions,
        optional=st.booleans(),
        add_scopes=_scopes,
        suppress_scopes=_scopes,
        suppress_access_claims=_claim_names,
        suppress_id_claims=_claim_names,
        add_groups=_groups,
        suppress_groups=_groups,
        **_by_token,
    ),
    st.integers(0, 99),
)

#: Documents of bundles that no lint has seen.
hostile_documents = st.fixed_dictionaries(
    {
        "settings": st.fixed_dictionaries(
            {
                "claim_names": st.dictionaries(
                    st.sampled_from(["tenant_id", "tenant_name", "roles", "tenants", "policy_version"]),
                    st.one_of(st.sampled_from([*CLAIM_NAMES, *FORBIDDEN_NAMES]), st.text(max_size=3)),
                ),
                "scope_mode": st.sampled_from(["exact", "intersect"]),
                "unmanaged_scopes": _scopes,
                "no_tenant": st.sampled_from(["allow", "deny"]),
                "default_roles": _role_names,
                "cache_seconds": st.integers(0, 60),
            },
            optional={"trusted_attributes": some(["org"]), "token_budget": st.sampled_from([0, 900, 1500, 6144])},
        ),
        "roles": st.dictionaries(
            st.sampled_from(ROLES),
            st.fixed_dictionaries({"scopes": _scopes, "closure": _role_names}, optional=_by_token),
            max_size=4,
        ),
        "groups": st.dictionaries(st.sampled_from(GROUPS), _role_names),
        "clients": st.dictionaries(
            st.sampled_from(CLIENTS),
            attributes(
                tenant=st.sampled_from(TENANTS),
                roles=_role_names,
                scopes_allowed=_scopes,
                suppress_scopes=_scopes,
                scope_mode=st.sampled_from(["exact", "intersect"]),
                audience=st.booleans(),
                add_to_access_token=st.booleans(),
                **_by_token,
            ),
        ),
        "rules": st.lists(_hostile_rules, max_size=4),
        "routes": st.just({}),
    }
)

hostile_bundles = st.builds(from_document, hostile_documents, st.integers(1, 10**6))

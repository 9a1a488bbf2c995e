"""``preview`` shows exactly the claims that a sign-in gets: CognitoKit issues with the trigger's logic, and compares.

Policies, directories and requests are generated; the trigger reads them from a table, cold and warm.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.cognito.event import Request
from claimsmith.engine import Refusal
from claimsmith.engine.codec import encode
from claimsmith.errors import Code, SignInRefusedError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.preview import Preview, preview
from claimsmith.store.dynamodb import Table
from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, Tokens, UserLambdaValidationException
from tests.events import API_SCOPES, SUB
from tests.integration.memory_dynamodb import holding
from tests.policies import NOW, VERSION, membership_row, policy_rows, tenant_row, user_row
from tests.property.strategies import (
    CLIENTS,
    GROUPS,
    MANAGED,
    ROLES,
    SCOPES,
    TENANTS,
    Policy,
    directories,
    good_claims,
    policies,
    rule_sections,
    some,
    trusted_rules,
    untrusted_rules,
)
from tests.property.strategies import attributes as row_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

Rows = list[dict[str, Any]]

#: The version that is staged.
STAGED = VERSION + 1

USERNAME = "ada"
IAM_ROLES = ("arn:aws:iam::111122223333:role/one", "arn:aws:iam::111122223333:role/two")
#: What the client may read: not the attribute ``org``.
READABLE = frozenset({"email", "email_verified", "custom:roles", "address", "identities"})
IDENTITIES = '[{"userId": "1", "providerName": "Okta", "primary": "true"}]'
CUSTOM_SCOPES = [scope for scope in SCOPES if "/" in scope]

#: Policies with a directory, and what each of these serves: 10,240 requests in the ci profile.
IN_CI = os.environ.get("CI") == "true"
EXAMPLES, REQUESTS = (320, 32) if IN_CI else (40, 16)

#: Claims that only the moment of issue decides.
UNPREDICTABLE = {"at_hash", "auth_time", "device_key", "event_id", "exp", "iat", "jti", "origin_jti", "version"}


@dataclass(frozen=True)
class Asked:
    """A request for tokens, in the words of the kit."""

    by: str
    client_id: str
    scopes: list[str]
    groups: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] | None = None

    @property
    def machine(self) -> bool:
        return self.by in MACHINES


#: What applications send beside a sign-in: mostly nothing.
METADATA: Sequence[dict[str, str] | None] = [
    *([None] * 12),
    {"other": TENANTS[0]},
    *({"tenant_id": tenant} for tenant in TENANTS),
    {"tenant_id": TENANTS[0], "other": TENANTS[1]},
]


def attributes(chance: Random) -> dict[str, str]:
    """What the pool knows of the user."""
    if chance.random() < 0.5:
        identities = chance.choice([{}, {"identities": IDENTITIES}])
        return {"email": "ada@example.com", "email_verified": chance.choice(["true", "false"]), **identities}
    names = several(["org", "custom:roles", "address"], chance)
    return {name: chance.choice(["", "a", "acme", "\u00e9\U0001f600", '"', "[]"]) for name in names}


def several(names: Sequence[str], chance: Random) -> list[str]:
    """Any number of different ones, in any order."""
    return chance.sample(names, chance.randint(0, len(names)))


def users_request(ways: Sequence[str], chance: Random) -> Asked:
    return Asked(
        by=chance.choice(ways),
        client_id=chance.choice(CLIENTS),
        scopes=several(SCOPES, chance),
        groups=several(GROUPS, chance),
        attributes=attributes(chance),
        metadata=chance.choice(METADATA),
    )


def machines_request(chance: Random) -> Asked:
    return Asked(
        by=chance.choice(list(MACHINES)),
        client_id=chance.choice(CLIENTS),
        scopes=several(CUSTOM_SCOPES, chance),
        metadata=chance.choice(METADATA),
    )


def sequence(chance: Random) -> list[Asked]:
    """One after the other: the first finds the trigger cold, the others warm.

    They are not drawn one by one, since that would take longer than deciding them.
    """
    half, quarter = REQUESTS // 2, REQUESTS // 4
    many = [users_request(list(SIGN_INS), chance) for _ in range(half)]
    many += [users_request(list(REFRESHES), chance) for _ in range(quarter)]
    many += [machines_request(chance) for _ in range(quarter)]
    chance.shuffle(many)
    return many


sequences = st.randoms(use_true_random=True).map(sequence)


# Policies and directories in which much is granted; those of ``strategies`` are often nearly empty.


#: Some tokens have to leave something out.
budgets = st.sampled_from([1_000, 2_048, 4_096, *([6_144] * 5)])
bulk = st.sampled_from(["x", "x" * 1_000, ["y" * 100] * 20, "z" * 3_500])
#: And some are refused: no rule may leave this out, and it is more than the policy's share of the least budget.
NEEDED = {"needed": {"order": 97, "claims": {"needed": "n" * 300}}}


@st.composite
def full_policies(draw: st.DrawFn) -> Policy:
    """A policy with every role, group and app client, each with something in it."""
    scopes = st.lists(st.sampled_from(MANAGED), unique=True, min_size=1, max_size=3)
    roles = {
        name: {"scopes": draw(scopes), "inherits": draw(some(ROLES[index + 1 :], 2)) if ROLES[index + 1 :] else []}
        | draw(row_attributes(claims=good_claims, access_claims=good_claims, id_claims=good_claims))
        for index, name in enumerate(ROLES)
    }
    client = row_attributes(
        scopes_allowed=st.lists(st.sampled_from(MANAGED), unique=True, min_size=1),
        roles=some(ROLES, 2),
        suppress_scopes=some(SCOPES, 2),
        audience=st.booleans(),
        claims=good_claims,
    )
    return Policy(
        settings={
            "scope_mode": draw(st.sampled_from(["exact", "intersect"])),
            "unmanaged_scopes": ["legacy/*"],
            "token_budget": draw(budgets),
        },
        roles=roles,
        groups={name: {"roles": [draw(st.sampled_from(ROLES))]} for name in GROUPS},
        clients={name: draw(client) for name in CLIENTS},
        rules=draw(rule_sections(trusted_rules | untrusted_rules, 2))
        | {"bulk": {"order": 99, "optional": True, "claims": {"bulk": draw(bulk)}}}
        | NEEDED
        | draw(st.sampled_from([{}, {}, {"crew": {"order": 98, "add_groups": GROUPS[:1]}}])),
    )


@st.composite
def full_directories(draw: st.DrawFn) -> Rows:
    """A user who has chosen a tenant, with two memberships and two tenants."""
    member = row_attributes(
        roles=st.lists(st.sampled_from(ROLES), unique=True, min_size=1, max_size=3),
        scopes=some(SCOPES, 3),
        claims=good_claims,
    )
    tenant = row_attributes(
        name=st.just("A tenant"),
        plan=st.just("pro"),
        default_roles=some(ROLES, 2),
        roles_allowed=st.lists(st.sampled_from(ROLES), unique=True, min_size=1),
        scopes_allowed=st.lists(st.sampled_from(MANAGED), unique=True, min_size=1),
        claims=good_claims,
        id_claims=good_claims,
    )
    rows: Rows = [user_row(SUB, active_tenant=TENANTS[0], claims=draw(good_claims))]
    rows += [membership_row(SUB, name, **draw(member)) for name in TENANTS[:2]]
    return rows + [tenant_row(name, **draw(tenant)) for name in TENANTS[:2]]


#: The policy in force, the one that is staged and for whom, the directory, and the user's status.
Situation = tuple[Policy, tuple[Policy, dict[str, Any]] | None, Rows, str | None]

#: Of eight users, one is suspended.
statuses = st.sampled_from([*([None] * 7), "suspended"])

#: Of three policies, one has a newer version staged for some.
stagings = st.one_of(
    st.none(),
    st.none(),
    st.fixed_dictionaries(
        {"percent": st.sampled_from([0, 50, 100]), "subjects": st.sampled_from([[], [SUB], CLIENTS[:1]])}
    ),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A policy, what is staged beside it, and a directory."""
    full = draw(st.sampled_from([True, True, True, False]))
    policy = draw(full_policies() if full else policies())
    directory = draw(full_directories() if full else directories())
    staging = draw(stagings)
    newer = None if staging is None else (draw(policies(st.just({}))), staging)
    return policy, newer, directory, draw(statuses)


def table_of(policy: Policy, newer: tuple[Policy, dict[str, Any]] | None, directory: Rows, status: str | None) -> Table:
    """A table with the policy in force and these rows; a user's status is added to the row there is."""
    document, digest = encode(compile_policy(from_rows(policy_rows(**policy.sections()))))
    pointer = {"version": VERSION, "digest": digest, "revision": 1, "hold": False}
    rows: Rows = [
        {"pk": table.BUNDLE, "sk": table.version_sk(VERSION), "digest": digest, "document": document},
        *directory,
    ]
    if newer is not None:
        staged, staging = newer
        pointer |= {"candidate": STAGED, **staging}
        document, digest = encode(compile_policy(from_rows(policy_rows(**staged.sections()))))
        rows.append({"pk": table.BUNDLE, "sk": table.version_sk(STAGED), "digest": digest, "document": document})
    rows.append({"pk": table.BUNDLE, "sk": table.CURRENT, **pointer})
    if status is not None:
        there = next((row for row in directory if row["sk"] == table.USER), {"pk": f"USER#{SUB}", "sk": table.USER})
        rows = [row for row in rows if row is not there] + [{**there, "status": status}]
    return Table(holding(rows), "claimsmith")


def previewed(rows: Table, asked: Asked, issuer: str) -> Preview:
    """What preview shows, for a request in the words of Claimsmith; written without the event that the kit builds."""
    flow = (SIGN_INS | REFRESHES | MACHINES)[asked.by]
    # A refresh grants what the sign-in granted, which is a managed login here.
    oauth = asked.machine or asked.by in REFRESHES or flow.oauth
    request = Request(
        source=flow.source,
        client_id=asked.client_id,
        sub=None if asked.machine else SUB,
        username="ClientCredentials" if asked.machine else USERNAME,
        attributes={} if asked.machine else {"sub": SUB, **asked.attributes},
        groups=tuple(asked.groups),
        scopes=tuple(asked.scopes) if oauth else API_SCOPES,
        metadata=(asked.metadata or {}) if flow.passes_metadata else {},
        iam_roles=IAM_ROLES if asked.groups else (),
        preferred_role=IAM_ROLES[0] if asked.groups else None,
        pool_id=issuer.rpartition("/")[2],
    )
    return preview(rows, request, issuer=issuer, readable=READABLE, clock=lambda: NOW)


def pool(asked: Asked) -> CognitoKit:
    """A pool in which this can be asked."""
    kit = CognitoKit(lambda_version="V3_0", clock=lambda: NOW)
    roles = IAM_ROLES if asked.groups else ()
    kit.add_user(
        USERNAME,
        sub=SUB,
        attributes=asked.attributes,
        groups=asked.groups,
        iam_roles=roles,
        preferred_role=roles[0] if roles else None,
    )
    flows = ["code", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    user_flows = [*flows, "ALLOW_REFRESH_TOKEN_AUTH"]
    kit.add_client(
        asked.client_id,
        secret="invented",
        scopes=SCOPES,
        flows=["client_credentials"] if asked.machine else user_flows,
        readable_attributes=READABLE,
    )
    return kit


def issued(kit: CognitoKit, trigger: Any, asked: Asked) -> Tokens:  # noqa: ANN401 - a handler
    """The tokens of a sign-in, a refresh or a machine, through the trigger."""
    if asked.by in REFRESHES:
        begun = kit.sign_in(USERNAME, asked.client_id, by="authorization_code", scopes=asked.scopes)
        kit.trigger = trigger
        refresh_token = str(begun.refresh_token)
        return kit.refresh(refresh_token, asked.client_id, by=asked.by, client_metadata=asked.metadata)
    kit.trigger = trigger
    if asked.machine:
        return kit.client_credentials(asked.client_id, by=asked.by, scopes=asked.scopes, client_metadata=asked.metadata)
    scopes = asked.scopes if SIGN_INS[asked.by].oauth else None
    return kit.sign_in(USERNAME, asked.client_id, by=asked.by, scopes=scopes, client_metadata=asked.metadata)


def predictable(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims that preview can know; the scopes as a set, since Cognito promises no order."""
    known: dict[str, Any] = {name: value for name, value in claims.items() if name not in UNPREDICTABLE}
    if "scope" in known:
        known["scope"] = set(known["scope"].split())
    return known


def compare(rows: Table, issuer: Issuer, asked: Asked) -> Preview:
    """Fail where preview and issue differ."""
    kit = pool(asked)
    shown = previewed(rows, asked, kit.issuer)

    def trigger(event: dict[str, Any], _context: object) -> dict[str, Any]:
        return issuer.issue(event).event

    if isinstance(shown.outcome, Refusal):
        with pytest.raises(UserLambdaValidationException) as refused:
            issued(kit, trigger, asked)
        said = SignInRefusedError(shown.outcome.code)
        assert refused.value.message == f"PreTokenGeneration failed with error {said}."
        return shown
    tokens = issued(kit, trigger, asked)
    assert predictable(shown.access) == predictable(tokens.access)
    # The refresh of a managed login that asked for the admin scope alone looks like that of an API sign-in, which does
    # have an ID token; the request does not show which.
    if asked.by not in REFRESHES or set(asked.scopes) != set(API_SCOPES):
        assert predictable(shown.id) == (predictable(tokens.id) if tokens.id_token is not None else {})
    return shown


def kinds(asked: Asked, shown: Preview) -> set[str]:
    """What a case is an example of."""
    found = {"machine"} if asked.machine else {"refresh"} if asked.by in REFRESHES else {"sign-in"}
    if isinstance(shown.outcome, Refusal):
        return found | {"refused", KINDS_OF_REFUSAL[shown.outcome.code]}
    found |= {f"{reason.kind} {reason.outcome}" for reason in shown.outcome.reasons}
    if any(reason.detail.endswith("does not allow it") for reason in shown.outcome.reasons):
        found.add("cut by a ceiling")
    if shown.outcome.tenant_id is not None:
        found.add("in a tenant")
    if shown.version == STAGED:
        found.add("staged")
    return found


#: Of all requests, at least this share is an example of the kind; otherwise the test shows less than it claims.
SHARES = {
    "sign-in": 0.4,
    "refresh": 0.2,
    "machine": 0.2,
    "in a tenant": 0.2,
    "scope granted": 0.15,
    "scope suppressed": 0.1,
    "role granted": 0.15,
    "claim set": 0.4,
    "claim shed": 0.03,
    "group granted": 0.02,
    "staged": 0.05,
    "cut by a ceiling": 0.1,
    "tenant refused": 0.05,
    "suspended": 0.02,
    "too long": 0.005,
}

#: Examples of a kind that its share promises; of fewer, a short run may have none.
COMMON = 40

KINDS_OF_REFUSAL = {
    Code.USER_SUSPENDED: "suspended",
    Code.TENANT_NOT_PERMITTED: "tenant refused",
    Code.TENANT_REQUIRED: "tenant refused",
    Code.TOKEN_OVER_BUDGET: "too long",
}


@pytest.mark.timeout(1800)
def test_preview_equals_what_is_issued() -> None:
    seen: Counter[str] = Counter()

    # The same examples every time, so that whether each kind is among them is not a matter of luck.
    @settings(max_examples=EXAMPLES, derandomize=True)
    @given(situations(), sequences)
    def compare_all(situation: Situation, many: list[Asked]) -> None:
        rows = table_of(*situation)
        issuer = Issuer(rows, "deny", clock=lambda: NOW, monotonic=lambda: 0.0)
        for asked in many:
            shown = compare(rows, issuer, asked)
            seen.update({"request", *kinds(asked, shown)})

    compare_all()

    asked = seen["request"]
    assert asked >= REQUESTS * EXAMPLES
    # A short run is too small a sample for a share, and shows nothing about what is rare.
    least = {kind: share * asked if IN_CI else 1 for kind, share in SHARES.items() if IN_CI or share * asked >= COMMON}
    rare = {kind: seen[kind] for kind, share in least.items() if seen[kind] < share}
    assert not rare, f"too few examples of these kinds: {rare}"

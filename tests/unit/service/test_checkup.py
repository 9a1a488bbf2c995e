"""Every finding of a checkup by example: something that has it, and the same as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from claimsmith.engine.facts import Problem
from claimsmith.engine.rollout import Rollout, read_rollout
from claimsmith.engine.staging import Staging
from claimsmith.errors import Code
from claimsmith.policy import Finding as LintFinding
from claimsmith.service.checkup import alarms, directory, pool, publishing, tables
from claimsmith.service.checkup.finding import WARNINGS, Finding, Shortened
from claimsmith.service.checkup.publishing import Draft
from claimsmith.store.bundles import Pointer
from claimsmith.store.deployment import Alarm, AppClient, Function, StreamReader, TableSettings, UserPool
from claimsmith.store.drafts import Lease
from tests.policies import NOW, bundle, membership_row, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLE: Final = "rows"
ACCOUNT: Final = "111122223333"
ARN: Final = f"arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_EXAMPLE"
ISSUER: Final = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"
UPDATED: Final = "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"

POOL: Final = UserPool("eu-central-1_EXAMPLE", ARN, trigger="arn:trigger", event_version="V2_0")
TRIGGER: Final = Function("trigger", "arn:trigger", {"CLAIMSMITH_TABLE": TABLE})
STRANGER: Final = Function("other", "arn:other", {})
WEB: Final = AppClient("web1", "web", writable=frozenset({"name"}))
MACHINE: Final = AppClient("machine1", machine=True, writable=frozenset({"name"}))
ALB: Final = AppClient("alb1", "alb", callback_urls=("https://app.example.com/oauth2/idpresponse",))
POLICY: Final = bundle(
    settings={"privileged_scopes": ["orders/delete"]},
    roles={"viewer": {"scopes": ["orders/read"], "access_claims": {"level": {"from": "user.claims.level"}}}},
    clients={"web1": {"name": "web"}, "machine1": {"roles": ["viewer"]}},
)

#: As ``POLICY``, with claims of each kind of row; a provider; and a context.
FEDERATED: Final = bundle(
    settings={"groups_from": {"attributes": ["custom:groups"], "suppress_admin_scope": True}},
    identity_providers={"AcmeSAML": {"tenants": ["acme", "globex"], "just_in_time": True}, "Own": {"tenants": ["*"]}},
)
TELLING: Final = bundle(settings={"context_claims": ["unit", "client_id"]})

#: Rows of the directory that set claims.
SETTING_CLAIMS: Final = (
    user_row("alice", claims={"unit": "x"}),
    membership_row("alice", "acme", access_claims={"desk": "y"}),
    {**tenant_row("globex"), "claims": {"region": "eu"}},
)

KEYS: Final = (("pk", "HASH"), ("sk", "RANGE"))
SETTINGS: Final = TableSettings(
    TABLE,
    KEYS,
    {"pk": "S", "sk": "S"},
    (("sk", "HASH"), ("pk", "RANGE")),
    stream_view="NEW_AND_OLD_IMAGES",
    stream="arn:stream",
    protected=True,
)

SHADOW: Final = Rollout(subjects=frozenset({"alice"}), changed_by="cli:bob", changed_at=NOW - 86_400)
POINTER: Final = Pointer(3, "digest", 9, hold=False)
IN_FORCE: Final = Draft("digest")
READER: Final = StreamReader("arn:publisher", "Enabled", "OK", "arn:aws:sqs:eu-central-1:1:queue")
PUBLISHER: Final = Function("publisher", "arn:publisher", {"CLAIMSMITH_TABLE": TABLE})
TOPIC: Final = "arn:aws:sns:eu-central-1:1:alarms"
ALARM: Final = Alarm("TriggerErrors", "OK", frozenset({"AWS/Lambda"}), frozenset({"trigger"}), (TOPIC,))


def permission(**condition: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any condition
    """A resource policy, as AddPermission writes it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cognito-idp.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Condition": condition,
    }
    return [statement]


OURS: Final = permission(ArnLike={"AWS:SourceArn": ARN}, StringEquals={"AWS:SourceAccount": ACCOUNT})


def verifier(issuers: str) -> Function:
    return Function("authorizer", "arn:authorizer", {"CLAIMSMITH_TABLE": TABLE, "CLAIMSMITH_ISSUERS": issuers})


def draft_of(draft: Draft = IN_FORCE, **other: Any) -> Iterable[Finding]:  # noqa: ANN401 - passed on
    given: dict[str, Any] = {"pointer": POINTER, "problems": None, "lease": None, "now": NOW, **other}
    return publishing.draft(draft, **given)


def rows_of(*users: dict[str, Any], tenants: tuple[dict[str, Any], ...] = (tenant_row("acme"),)) -> Iterable[Finding]:
    # Scans return rows in any order: here, memberships before their tenants.
    return directory.rows([*users, *tenants], POLICY, NOW)


def resource_row(*claims: str) -> dict[str, Any]:
    """The row of somebody who may introspect."""
    return {"pk": "PROTECTED_RESOURCE#billing", "sk": "PROTECTED_RESOURCE", "claims": list(claims)}


def trigger_of(on_failure: str) -> Function:
    return replace(TRIGGER, variables={"CLAIMSMITH_ON_FAILURE": on_failure})


REFUSED: Final = LintFinding(Code.UNKNOWN_ROLE, "POLICY ROLE#viewer", "inherits", "there is no role admin")

#: The code, what has it, and what has nothing.
EXAMPLES: Final[list[tuple[Code, Iterable[Finding], Iterable[Finding]]]] = [
    (Code.POOL_PLAN, pool.plan(replace(POOL, tier="LITE")), pool.plan(POOL)),
    (
        Code.TRIGGER_MISSING,
        pool.trigger(replace(POOL, trigger=""), None, TABLE),
        pool.trigger(POOL, TRIGGER, TABLE),
    ),
    (Code.TRIGGER_NOT_OURS, pool.trigger(POOL, None, TABLE), ()),
    (Code.TRIGGER_NOT_OURS, pool.trigger(POOL, STRANGER, TABLE), ()),
    (Code.TRIGGER_NOT_OURS, pool.trigger(POOL, TRIGGER, "another"), ()),
    (
        Code.EVENT_VERSION_TOO_OLD,
        pool.event_version(replace(POOL, event_version="V1_0")),
        pool.event_version(POOL),
    ),
    (
        Code.MACHINES_NOT_CUSTOMIZED,
        pool.machines(POOL, [WEB, MACHINE], POLICY),
        pool.machines(replace(POOL, event_version="V3_0"), [WEB, MACHINE], POLICY),
    ),
    (Code.MACHINES_NOT_CUSTOMIZED, pool.machines(POOL, [MACHINE], POLICY), pool.machines(POOL, [WEB], POLICY)),
    (Code.TRIGGER_NOT_PERMITTED, pool.permission(POOL, TRIGGER, []), pool.permission(POOL, TRIGGER, OURS)),
    (
        Code.TRIGGER_NOT_PERMITTED,
        pool.permission(POOL, TRIGGER, permission(ArnLike={"AWS:SourceArn": f"{ARN}2"})),
        pool.permission(POOL, TRIGGER, permission(ArnLike={"AWS:SourceArn": ARN.replace("EXAMPLE", "*")})),
    ),
    (
        Code.TRIGGER_NOT_PERMITTED,
        pool.permission(POOL, TRIGGER, permission(StringEquals={"aws:SourceAccount": "999999999999"})),
        pool.permission(POOL, TRIGGER, permission(StringEquals={"aws:SourceAccount": ACCOUNT})),
    ),
    (
        Code.TRIGGER_NOT_PERMITTED,
        pool.permission(POOL, TRIGGER, [{**OURS[0], "Principal": {"Service": "apigateway.amazonaws.com"}}]),
        pool.permission(POOL, TRIGGER, [{**OURS[0], "Principal": "cognito-idp.amazonaws.com"}]),
    ),
    (Code.TRIGGER_OPEN, pool.permission(POOL, TRIGGER, permission()), pool.permission(POOL, TRIGGER, OURS)),
    (
        Code.TRUSTED_ATTRIBUTE_WRITABLE,
        pool.trusted_attributes(POOL, [replace(WEB, writable=frozenset({"custom:unit"}))], {"custom:unit"}),
        pool.trusted_attributes(POOL, [WEB], {"custom:unit"}),
    ),
    (
        # A client without a list may write everything.
        Code.TRUSTED_ATTRIBUTE_WRITABLE,
        pool.trusted_attributes(POOL, [replace(WEB, writable=None)], {"custom:unit"}),
        pool.trusted_attributes(POOL, [replace(WEB, writable=None)], {"email_verified", "cognito:user_status"}),
    ),
    (
        Code.TRUSTED_ATTRIBUTE_WRITABLE,
        pool.trusted_attributes(replace(POOL, required=frozenset({"email"})), [WEB], {"email"}),
        pool.trusted_attributes(POOL, [WEB], {"email"}),
    ),
    (
        Code.CLIENT_WITHOUT_ROW,
        pool.clients(POOL.id, [WEB, MACHINE, AppClient("new1")], POLICY),
        pool.clients(POOL.id, [WEB, MACHINE], POLICY),
    ),
    (Code.ROW_WITHOUT_CLIENT, pool.clients(POOL.id, [WEB], POLICY), pool.clients(POOL.id, [WEB, MACHINE], POLICY)),
    (
        Code.CLIENT_OF_ANOTHER_POOL,
        pool.clients(POOL.id, [WEB], bundle(clients={"web1": {"user_pool": "eu-central-1_OTHER"}})),
        pool.clients(
            POOL.id, [WEB], bundle(clients={"web1": {"user_pool": POOL.id}, "x": {"user_pool": "eu-west-1_O"}})
        ),
    ),
    (
        Code.LOAD_BALANCER_CLIENT,
        pool.load_balancers([ALB], POLICY),
        pool.load_balancers([ALB], bundle(clients={"alb1": {"add_to_access_token": False}})),
    ),
    (
        # Without a row it gets what everybody gets.
        Code.LOAD_BALANCER_CLIENT,
        pool.load_balancers([ALB], bundle()),
        pool.load_balancers(
            [WEB, replace(ALB, callback_urls=("https://app.example.com/oauth2/idpresponse/x",))], POLICY
        ),
    ),
    (Code.SCOPE_WITHOUT_RESOURCE_SERVER, pool.scopes(["orders/write"], POLICY), pool.scopes(["orders/read"], POLICY)),
    (
        Code.ISSUER_NOT_ACCEPTED,
        pool.issuers(POOL, [verifier(ISSUER.replace("EXAMPLE", "OTHER"))]),
        # The verifier of another pool that uses the same table.
        pool.issuers(POOL, [verifier(UPDATED), TRIGGER, verifier(ISSUER.replace("EXAMPLE", "OTHER"))]),
    ),
    (
        Code.ISSUER_NOT_ACCEPTED,
        pool.issuers(POOL, [verifier(f"{ISSUER}/")]),
        pool.issuers(POOL, [verifier(f"{ISSUER}=http://127.0.0.1/keys")]),
    ),
    (
        Code.TABLE_KEYS,
        tables.settings(replace(SETTINGS, keys=(("id", "HASH"),))),
        tables.settings(SETTINGS),
    ),
    (Code.TABLE_MISSING, tables.missing(TABLE), ()),
    (Code.TABLE_KEYS, tables.settings(replace(SETTINGS, types={"pk": "S", "sk": "N"})), ()),
    (
        Code.TABLE_KEYS,
        tables.settings(replace(SETTINGS, index=None)),
        tables.settings(replace(SETTINGS, index=None, stream_view=""), audit=True),
    ),
    (Code.TABLE_STREAM, tables.settings(replace(SETTINGS, stream_view="")), ()),
    (Code.TABLE_STREAM, tables.settings(replace(SETTINGS, stream_view="KEYS_ONLY")), ()),
    (Code.TABLE_NOT_PROTECTED, tables.settings(replace(SETTINGS, protected=False)), ()),
    (Code.TABLE_TTL, tables.time_to_live(TABLE, ""), tables.time_to_live(TABLE, "ttl")),
    (Code.TABLE_TTL, tables.time_to_live(TABLE, "expires_at"), ()),
    (Code.TABLE_NOT_BACKED_UP, tables.backups(TABLE, backed_up=False), tables.backups(TABLE, backed_up=True)),
    (Code.NO_BUNDLE, publishing.in_force(None, {}), publishing.in_force(POINTER, {})),
    (
        Code.BUNDLE_UNREADABLE,
        publishing.in_force(POINTER, {3: "It is damaged."}),
        publishing.in_force(POINTER._replace(staging=Staging(4, 10, frozenset())), {}),
    ),
    (
        Code.ROW_UNREADABLE,
        publishing.in_force(POINTER._replace(problem=Problem("BUNDLE CURRENT", "percent", "is not a number")), {}),
        (),
    ),
    (Code.ROLLOUT_UNFINISHED, publishing.rollout(POINTER._replace(rollout=Rollout(10)), NOW), ()),
    (
        Code.ROLLOUT_UNFINISHED,
        publishing.rollout(POINTER._replace(rollout=SHADOW), NOW),
        publishing.rollout(POINTER, NOW),
    ),
    (Code.ROW_UNREADABLE, publishing.rollout(POINTER._replace(rollout=read_rollout({"rollout": "10"})), NOW), ()),
    (
        Code.ROLLOUT_NOT_HELD,
        publishing.on_failure(POINTER._replace(rollout=SHADOW), trigger_of("deny")),
        publishing.on_failure(POINTER._replace(rollout=SHADOW), trigger_of("unchanged")),
    ),
    (
        Code.UNCHANGED_ON_FAILURE,
        publishing.on_failure(POINTER, trigger_of("unchanged")),
        publishing.on_failure(POINTER, trigger_of("unenriched")),
    ),
    (Code.DRAFT_NOT_IN_FORCE, draft_of(Draft("other")), draft_of()),
    (
        # Somebody is about to finish it.
        Code.DRAFT_NOT_IN_FORCE,
        draft_of(Draft("other", manual=True)),
        draft_of(Draft("other"), lease=Lease("other", "alice", NOW - 5)),
    ),
    (Code.DRAFT_REFUSED, draft_of(Draft(findings=(REFUSED, REFUSED))), draft_of()),
    (Code.DRAFT_REFUSED, draft_of(problems={"findings": [{"code": "CS2003", "message": "it is damaged"}]}), ()),
    (Code.DRAFT_REFUSED, draft_of(problems={"findings": "?"}), ()),
    (Code.ON_HOLD, draft_of(pointer=POINTER._replace(hold=True)), draft_of()),
    (
        Code.APPLY_UNFINISHED,
        draft_of(lease=Lease("other", "alice", NOW - 3_600)),
        draft_of(lease=Lease("other", "alice", NOW - 30)),
    ),
    (
        Code.PUBLISHER_MISSING,
        publishing.publisher(TABLE, [(READER, STRANGER)]),
        publishing.publisher(TABLE, [(READER, STRANGER), (READER, PUBLISHER)]),
    ),
    (Code.PUBLISHER_MISSING, publishing.publisher(TABLE, [(replace(READER, state="Disabled"), PUBLISHER)]), ()),
    (
        Code.PUBLISHER_MISSING,
        publishing.publisher(TABLE, [(replace(READER, last_result="PROBLEM: Function call failed"), PUBLISHER)]),
        publishing.publisher(TABLE, [(replace(READER, last_result="No records processed"), PUBLISHER)]),
    ),
    (
        Code.NO_DEAD_LETTER_QUEUE,
        publishing.publisher(TABLE, [(replace(READER, dead_letters=""), PUBLISHER)]),
        publishing.publisher(TABLE, [(READER, PUBLISHER)]),
    ),
    (Code.PUBLISHER_BEHIND, publishing.lag("publisher", 300), publishing.lag("publisher", 299)),
    (Code.DEAD_LETTERS, publishing.dead_letters("queue", 1), publishing.dead_letters("queue", 0)),
    (Code.NO_ALARMS, alarms.present([ALARM], ["trigger", "publisher"]), alarms.present([ALARM], ["trigger"])),
    (Code.ALARM_RAISED, alarms.present([replace(ALARM, state="ALARM")], []), alarms.present([ALARM], [])),
    (
        Code.ALARM_UNHEARD,
        alarms.heard([ALARM, ALARM], {TOPIC: 0}),
        alarms.heard([ALARM, replace(ALARM, actions=("arn:aws:lambda:eu-central-1:1:function:page",))], {TOPIC: 1}),
    ),
    (Code.ALARM_UNHEARD, alarms.heard([replace(ALARM, actions=())], {}), ()),
    (Code.ROW_UNREADABLE, rows_of(user_row("alice", roles="viewer")), rows_of(user_row("alice", roles=["viewer"]))),
    (Code.ROW_UNREADABLE, rows_of(tenants=(tenant_row("acme", ttl="soon"),)), rows_of()),
    (
        # A membership is reported even while it is inactive.
        Code.ROW_UNREADABLE,
        rows_of(membership_row("alice", "acme", status="suspended", expires_at="soon")),
        rows_of(membership_row("alice", "acme", status="suspended", roles=["clerk"])),
    ),
    (Code.UNKNOWN_ROLE_IN_DIRECTORY, rows_of(user_row("alice", roles=["clerk"])), ()),
    (Code.UNKNOWN_ROLE_IN_DIRECTORY, rows_of(tenants=(tenant_row("acme", roles_allowed=["clerk"]),)), ()),
    (
        Code.UNKNOWN_TENANT_IN_DIRECTORY,
        rows_of(membership_row("alice", "gone")),
        rows_of(membership_row("alice", "acme")),
    ),
    (
        Code.UNKNOWN_TENANT_IN_DIRECTORY,
        directory.rows([], bundle(clients={"web1": {"tenant": "gone"}}), NOW),
        directory.rows([tenant_row("gone")], bundle(clients={"web1": {"tenant": "gone"}}), NOW),
    ),
    (
        Code.UNKNOWN_TENANT_IN_DIRECTORY,
        directory.rows([tenant_row("acme")], FEDERATED, NOW),
        directory.rows([tenant_row("acme"), tenant_row("globex")], FEDERATED, NOW),
    ),
    (
        Code.TENANTS_ALIKE,
        rows_of(tenants=(tenant_row("acme"), tenant_row("Acme"))),
        rows_of(tenants=(tenant_row("acme"), tenant_row("acme2"))),
    ),
    (
        Code.CLAIM_NEVER_SET,
        rows_of(resource_row("email", "username", "level")),
        rows_of(resource_row("client_id", "username", "level", "region", "desk", "unit"), *SETTING_CLAIMS),
    ),
    (
        # What the ID token has alone does not count, nor what a row sets that is not read.
        Code.CLAIM_NEVER_SET,
        directory.rows([user_row("alice", id_claims={"unit": 7})], TELLING, NOW),
        directory.rows([user_row("alice", access_claims={"unit": 7})], TELLING, NOW),
    ),
    (
        Code.PRIVILEGED_SCOPE_IN_DIRECTORY,
        rows_of(membership_row("alice", "acme", scopes=["orders/delete"])),
        rows_of(membership_row("alice", "acme", scopes=["orders/export"])),
    ),
]


@pytest.mark.parametrize(("code", "wrong", "right"), EXAMPLES, ids=[example[0].name.lower() for example in EXAMPLES])
def test_what_is_wrong_is_found_and_what_is_right_is_not(
    code: Code, wrong: Iterable[Finding], right: Iterable[Finding]
) -> None:
    found = list(wrong)
    assert {finding.code for finding in found} == {code}
    assert all(
        finding.subject and finding.message.endswith(".") and finding.remedy.endswith((".", "ACCOUNT"))
        for finding in found
    )
    assert list(right) == []


def test_every_finding_has_an_example() -> None:
    assert {code for code, _, _ in EXAMPLES} >= {code for code in Code if "CS4030" <= code.value <= "CS4059"} | WARNINGS


def test_a_tenants_row_that_cannot_be_read_is_not_found_again_with_each_member() -> None:
    found = rows_of(membership_row("alice", "acme"), tenants=(tenant_row("acme", name=1),))
    assert [(finding.code, finding.subject) for finding in found] == [(Code.ROW_UNREADABLE, "TENANT#acme TENANT")]


def test_of_a_long_list_the_first_are_kept_and_the_rest_is_counted() -> None:
    found = Shortened()
    for number in range(1_030):
        found.add(Finding(Code.ROW_UNREADABLE, f"USER#{number} USER", "It cannot be read.", "Correct it."))
    found.add(Finding(Code.DEAD_LETTERS, "queue", "It has messages.", "Purge it."))
    *kept, last, other = found
    assert [finding.subject for finding in kept] == [f"USER#{number} USER" for number in range(20)]
    assert (last.message, last.left_out) == ("1,010 more like these.", 1_010)
    assert other.subject == "queue"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (None, "off"),
        (POINTER, "on"),
        (POINTER._replace(rollout=SHADOW._replace(subjects=frozenset())), "shadow"),
        (POINTER._replace(rollout=SHADOW), "0 % and 1 by name"),
        (POINTER._replace(rollout=SHADOW._replace(percent=25, subjects=frozenset())), "25 %"),
        (
            POINTER._replace(rollout=SHADOW._replace(percent=25, pools=frozenset({"p2", "p1"}))),
            "25 % of p1, p2 and 1 by name",
        ),
        (POINTER._replace(rollout=read_rollout({"rollout": "half"})), "not readable"),
    ],
)
def test_whom_the_policy_reaches_in_a_word(given: Pointer | None, word: str) -> None:
    assert publishing.reach(given) == word


def test_only_alarms_of_this_deployment_count() -> None:
    published = replace(ALARM, namespaces=frozenset({"Claimsmith"}), watches=frozenset({"pre_token"}))
    foreign = replace(ALARM, watches=frozenset({"another-function"}))
    assert alarms.ours([ALARM, published, foreign], ["trigger", TABLE]) == [ALARM, published]

"""Attaching to a pool that exists and detaching from it: nothing else changes, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from claimsmith import environment
from claimsmith.cognito import user_pool
from claimsmith.cognito.user_pool import Trigger
from claimsmith.engine.codec import BundleError
from claimsmith.errors import Code, OperationError
from claimsmith.service.attach import Attacher
from claimsmith.store import attachments
from claimsmith.store.deployment import AbsentError, Function, NotSeenError
from claimsmith.store.dynamodb import Table
from claimsmith.store.pool_settings import ACTIONS, PoolSettings
from claimsmith.table import BUNDLE, CURRENT, PK, SK
from tests.conftest import REGION
from tests.integration.memory_dynamodb import holding
from tests.user_pool import (
    FACTORS,
    FUNCTION,
    POOL_ARN,
    POOL_ID,
    SENT,
    SETTINGS,
    FakePool,
    RefusalError,
    behind,
    client,
    some_pool,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SMS_ROLE: Final = "arn:aws:iam::123456789012:role/sms"
OURS: Final = f"{FUNCTION}claims"
LIVE: Final = f"{OURS}:live"
THEIRS: Final = f"{FUNCTION}theirs"
IN_FORCE: Final = {PK: BUNDLE, SK: CURRENT, "version": 1, "digest": "d", "revision": 1}


@dataclass
class Functions:
    """The functions of an account, for both who look at them and who change their permissions."""

    variables: dict[str, dict[str, str]] = field(
        default_factory=lambda: {OURS: {environment.TABLE: "claims"}, LIVE: {environment.TABLE: "claims"}, THEIRS: {}}
    )
    statements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def function(self, name: str) -> Function:
        arn = name if name.startswith("arn:") else FUNCTION + name
        if arn in self.hidden:
            raise NotSeenError("AWS denies access.", "lambda:GetFunctionConfiguration")
        if arn not in self.variables:
            raise AbsentError("It does not exist.")
        return Function(arn.removeprefix(FUNCTION), arn, self.variables[arn])

    def functions(self) -> tuple[Function, ...]:
        return tuple(self.function(arn) for arn, found in self.variables.items() if found and not arn.endswith(":live"))

    def permissions(self, arn: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.statements.get(arn, ()))

    def add_permission(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's requests have no type
        arn = ":".join(filter(None, (request["FunctionName"], request.get("Qualifier"))))
        if any(each["Sid"] == request["StatementId"] for each in self.statements.get(arn, ())):
            raise ClientError({"Error": {"Code": "ResourceConflictException"}}, "AddPermission")
        condition = {"AWS:SourceArn": request["SourceArn"], "AWS:SourceAccount": request["SourceAccount"]}
        self.statements.setdefault(arn, []).append(
            {
                "Sid": request["StatementId"],
                "Effect": "Allow",
                "Principal": {"Service": request["Principal"]},
                "Action": request["Action"],
                "Condition": {"StringEquals": condition},
            }
        )
        return {}

    def remove_permission(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        arn = ":".join(filter(None, (request["FunctionName"], request.get("Qualifier"))))
        kept = [each for each in self.statements.get(arn, ()) if each["Sid"] != request["StatementId"]]
        if len(kept) == len(self.statements.get(arn, ())):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "RemovePermission")
        self.statements[arn] = kept
        return {}


@dataclass
class World:
    """A pool, the functions beside it, and the table."""

    pool: FakePool
    cognito: Any
    functions: Functions = field(default_factory=Functions)
    rows: Table = field(default_factory=lambda: Table(holding([IN_FORCE]), "claims"))
    paused: list[float] = field(default_factory=list)

    @property
    def attacher(self) -> Attacher:
        clients = {"cognito-idp": behind(self.cognito, self.pool), "lambda": self.functions}
        return Attacher(
            PoolSettings(connect=clients.__getitem__),
            self.functions,  # type: ignore[arg-type]
            lambda name: {"claims": self.rows}[name],
            "test",
            lambda: 1_800_000_000,
            self.paused.append,
        )

    def attach(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as of the attacher
        return self.attacher.carry_out(self.attacher.propose_attaching(POOL_ID, **({"table": "claims"} | options)))

    def detach(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        return self.attacher.carry_out(self.attacher.propose_detaching(POOL_ID, **options))

    @property
    def trigger(self) -> Trigger | None:
        return user_pool.trigger(self.pool.settings)


@pytest.fixture(scope="module")
def cognito(aws_environment: dict[str, str]) -> Any:  # noqa: ANN401 - botocore clients have no type
    assert aws_environment["AWS_REGION"] == REGION
    return client(plain())


def plain(**changed: object) -> FakePool:
    return FakePool({"Name": "people", "UserPoolTier": "ESSENTIALS", **changed})


def calling(arn: str, version: str = "V2_0", **changed: object) -> FakePool:
    triggers = {"PreTokenGenerationConfig": {"LambdaArn": arn, "LambdaVersion": version}, "PreTokenGeneration": arn}
    return plain(LambdaConfig={"PostConfirmation": THEIRS, **triggers}, **changed)


@pytest.fixture
def world(cognito: Any) -> World:  # noqa: ANN401 - botocore clients have no type
    return World(plain(LambdaConfig={"PostConfirmation": THEIRS}), cognito)


def refusal(act: Callable[[], object]) -> OperationError:
    with pytest.raises(OperationError) as caught:
        act()
    return caught.value


@pytest.mark.parametrize("seed", range(25))
def test_attaching_changes_the_trigger_alone_and_detaching_puts_everything_back(cognito: Any, seed: int) -> None:  # noqa: ANN401 - as above
    pool = some_pool(seed)
    world, before = World(pool, cognito), pool.everything()
    world.attach()
    attached = pool.everything()
    assert world.trigger == Trigger(OURS, "V2_0")
    assert {each.setting.split(".")[1] for each in user_pool.changes(before, attached)} == {
        "PreTokenGeneration",
        "PreTokenGenerationConfig",
    }
    world.detach()
    assert pool.everything() == before
    assert world.functions.statements == {OURS: []}
    assert attachments.read(world.rows, POOL_ID) is None


def test_no_setting_of_the_model_is_lost(cognito: Any) -> None:  # noqa: ANN401 - as above
    pool = some_pool(0, every=True)
    before = pool.everything()
    assert before.keys() | {"LastModifiedDate"} == SETTINGS.keys() | FACTORS.keys()
    World(pool, cognito).attach()
    assert {name for name, value in pool.everything().items() if value != before[name]} == {"LambdaConfig"}


def test_what_is_not_sent_is_what_the_model_cannot_send() -> None:
    assert (SETTINGS.keys() | FACTORS.keys()) - SENT.keys() == user_pool.NOT_SENT
    assert SENT.keys() - SETTINGS.keys() == {"PoolName", "UserPoolId"}
    assert [name for name in SENT.keys() & SETTINGS.keys() if SENT[name].name != SETTINGS[name].name] == []


def test_a_second_time_there_is_nothing_to_do(world: World) -> None:
    world.attach()
    again = world.attacher.propose_attaching(POOL_ID, table="claims")
    assert again.empty
    world.attacher.carry_out(again)
    assert world.pool.updates == 1


def test_the_permission_is_for_this_pool_and_the_alias_that_it_calls(world: World) -> None:
    world.attach(function=LIVE, version="V3_0")
    assert world.trigger == Trigger(LIVE, "V3_0")
    [statement] = world.functions.statements[LIVE]
    assert statement["Sid"] == f"claimsmith-{POOL_ID}"
    assert statement["Condition"]["StringEquals"] == {
        "AWS:SourceArn": POOL_ARN,
        "AWS:SourceAccount": "123456789012",
    }
    # Without a name, the alias that the pool calls already is meant.
    assert world.attacher.propose_attaching(POOL_ID).empty


def test_another_alias_of_ours_needs_no_leave_and_keeps_what_was_there_before(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(THEIRS, "V1_0"), cognito)
    before = world.pool.everything()
    world.attach(replace_other=True)
    world.attach(function=LIVE)
    assert world.trigger == Trigger(LIVE, "V2_0")
    world.detach()
    assert world.pool.everything() == before


def test_events_of_version_1_become_newer_ones(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(OURS, "V1_0"), cognito)
    world.attach()
    assert world.trigger == Trigger(OURS, "V2_0")


@pytest.mark.parametrize("version", ["V1_0", "V2_0", "V3_0"])
def test_a_trigger_of_somebody_else_stays_unless_it_may_go(cognito: Any, version: str) -> None:  # noqa: ANN401 - as above
    world = World(calling(THEIRS, version), cognito)
    before = world.pool.everything()
    assert refusal(world.attach).code == Code.TRIGGER_NOT_OURS
    world.attach(replace_other=True)
    assert world.trigger is not None
    assert world.trigger.arn == OURS
    remembered = attachments.read(world.rows, POOL_ID)
    assert remembered is not None
    assert user_pool.trigger({"LambdaConfig": remembered.before}) == Trigger(THEIRS, version)
    world.detach()
    assert world.pool.everything() == before


def test_a_trigger_that_is_known_by_its_older_setting_only_is_put_back_as_it_was(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(plain(LambdaConfig={"PreTokenGeneration": THEIRS}), cognito)
    before = world.pool.everything()
    world.attach(replace_other=True)
    world.detach()
    assert world.pool.everything() == before


def test_an_earlier_trigger_that_is_gone_is_not_put_back(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(THEIRS), cognito)
    world.attach(replace_other=True)
    del world.functions.variables[THEIRS]
    proposal = world.attacher.propose_detaching(POOL_ID)
    assert THEIRS in proposal.note
    world.attacher.carry_out(proposal)
    assert world.trigger is None
    assert world.pool.settings["LambdaConfig"] == {"PostConfirmation": THEIRS}


def test_a_trigger_that_cannot_be_seen_counts_as_somebody_elses(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(THEIRS), cognito)
    world.functions.hidden.add(THEIRS)
    assert refusal(world.attach).code == Code.TRIGGER_NOT_OURS
    assert world.attacher.propose_detaching(POOL_ID, table="claims").empty


def test_an_earlier_trigger_that_cannot_be_seen_is_put_back(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(THEIRS), cognito)
    world.attach(replace_other=True)
    world.functions.hidden.add(THEIRS)
    world.detach()
    assert world.trigger == Trigger(THEIRS, "V2_0")


@pytest.mark.parametrize(
    ("pool", "options", "code"),
    [
        (plain(UserPoolTier="LITE"), {}, Code.POOL_PLAN),
        (plain(), {"function": THEIRS}, Code.NOT_A_TRIGGER),
        (plain(), {"function": "absent"}, Code.NOT_FOUND),
        (plain(), {"table": "other"}, Code.NOT_A_TRIGGER),
        (plain(), {"function": OURS, "table": "other"}, Code.NOT_A_TRIGGER),
        (plain(), {"table": None}, Code.BAD_ARGUMENT),
        (plain(Settlement={"Kind": "new"}), {}, Code.POOL_SETTING_UNKNOWN),
        (plain(Policies={"PasswordPolicy": {"Emoji": True}}), {}, Code.POOL_SETTING_UNKNOWN),
    ],
)
def test_what_will_not_do_is_refused_before_anything_is_written(
    cognito: Any,  # noqa: ANN401 - as above
    pool: FakePool,
    options: dict[str, Any],
    code: Code,
) -> None:
    world = World(pool, cognito)
    assert refusal(lambda: world.attach(**options)).code == code
    assert (pool.updates, world.functions.statements, attachments.read(world.rows, POOL_ID)) == (0, {}, None)


def test_the_only_trigger_of_the_table_is_found_among_its_functions(world: World) -> None:
    world.functions.variables |= {
        f"{FUNCTION}publisher": {environment.TABLE: "claims", environment.AUDIT_TABLE: "audit"},
        f"{FUNCTION}authorizer": {environment.TABLE: "claims", environment.ISSUERS: "i"},
    }
    assert world.attacher.propose_attaching(POOL_ID, table="claims").function == OURS
    world.functions.variables[f"{FUNCTION}second"] = {environment.TABLE: "claims"}
    error = refusal(lambda: world.attacher.propose_attaching(POOL_ID, table="claims"))
    assert error.code == Code.NOT_A_TRIGGER
    assert "claims, second" in error.message


def test_nothing_is_attached_while_no_policy_is_in_force(world: World) -> None:
    world.rows = Table(holding([]), "claims")
    assert refusal(world.attach).code == Code.NO_BUNDLE
    # Without a policy, such a trigger leaves every sign-in as it is.
    world.functions.variables[OURS][environment.ON_FAILURE] = "unchanged"
    world.attach()
    assert world.trigger is not None


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (None, "decides every token"),
        ({"percent": 0, "subjects": ["alice"]}, "reaches 0 % of the pool's users and 1 by name"),
        ({"percent": 0, "pools": ["eu-central-1_Other"]}, "decides every token"),
    ],
)
def test_it_says_whose_tokens_change(world: World, rollout: dict[str, Any] | None, said: str) -> None:
    world.rows = Table(holding([{**IN_FORCE, **({} if rollout is None else {"rollout": rollout})}]), "claims")
    assert said in world.attacher.propose_attaching(POOL_ID, table="claims").note


@pytest.mark.parametrize("rollout", [None, {"percent": 0}, {"percent": 10, "subjects": ["alice"]}])
@pytest.mark.parametrize("on_failure", [None, "deny", "unenriched", "unchanged"])
def test_it_says_that_a_rollout_begins_with_a_trigger_that_leaves_tokens_alone(
    world: World, rollout: dict[str, Any] | None, on_failure: str | None
) -> None:
    """A process that cannot read the table knows nothing of the rollout."""
    world.rows = Table(holding([{**IN_FORCE, **({} if rollout is None else {"rollout": rollout})}]), "claims")
    world.functions.variables[OURS] |= {} if on_failure is None else {environment.ON_FAILURE: on_failure}
    note = world.attacher.propose_attaching(POOL_ID, table="claims").note
    assert ('on_failure = "unchanged"' in note) is (on_failure != "unchanged")


def test_nothing_is_attached_to_a_pointer_that_cannot_be_read(world: World) -> None:
    world.rows = Table(holding([{**IN_FORCE, "version": "?"}]), "claims")
    with pytest.raises(BundleError):
        world.attach()


def test_what_somebody_else_changes_before_the_write_stays(world: World) -> None:
    proposal = world.attacher.propose_attaching(POOL_ID, table="claims")
    world.pool.touch(DeletionProtection="ACTIVE")
    world.attacher.carry_out(proposal)
    assert world.pool.settings["DeletionProtection"] == "ACTIVE"
    assert world.trigger is not None


def test_a_trigger_that_somebody_else_sets_before_the_write_stays(world: World) -> None:
    proposal = world.attacher.propose_attaching(POOL_ID, table="claims")
    world.pool.touch(LambdaConfig=calling(THEIRS).settings["LambdaConfig"])
    error = refusal(lambda: world.attacher.carry_out(proposal))
    assert error.code == Code.POOL_CHANGED_MEANWHILE
    assert world.trigger == Trigger(THEIRS, "V2_0")


def test_a_pool_that_keeps_changing_is_left_alone(world: World) -> None:
    read = world.pool.answer

    def restless(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        world.pool.touch()
        return read(operation, request)

    world.pool.answer = restless  # type: ignore[method-assign]
    assert refusal(world.attach).code == Code.POOL_CHANGED_MEANWHILE
    assert world.pool.updates == 0
    assert world.paused


def busy(times: int) -> Callable[[dict[str, Any]], None]:
    """Cognito updates the pool for somebody else so many times."""
    left = [times]

    def look(_: dict[str, Any]) -> None:
        if left[0]:
            left[0] -= 1
            raise RefusalError("ConcurrentModificationException", "Only one request can be processed at a time")

    return look


def test_a_busy_pool_is_tried_again_and_not_for_ever(world: World) -> None:
    world.pool.before_update = busy(2)
    world.attach()
    assert world.trigger is not None
    assert len(world.paused) == 2
    world.pool.before_update = busy(100)
    assert refusal(world.detach).code == Code.POOL_CHANGED_MEANWHILE


def test_of_two_attaches_at_once_one_is_refused(world: World) -> None:
    one, two = (world.attacher.propose_attaching(POOL_ID, table="claims") for _ in range(2))
    world.attacher.carry_out(one)
    assert refusal(lambda: world.attacher.carry_out(two)).code == Code.CONFLICT
    assert world.pool.updates == 1


@pytest.mark.parametrize(
    ("sms", "missing", "remedied"),
    [
        ({}, "iam:PassRole on resource: sms", False),
        ({"SmsConfiguration": {"SnsCallerArn": SMS_ROLE}}, f"iam:PassRole on resource: {SMS_ROLE}", True),
        ({"SmsConfiguration": {"SnsCallerArn": SMS_ROLE}}, "cognito-idp:UpdateUserPool", False),
    ],
)
def test_a_refusal_leaves_no_trace_and_has_the_words_of_aws(
    world: World, sms: dict[str, Any], missing: str, *, remedied: bool
) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise RefusalError("AccessDeniedException", f"not authorized to perform: {missing}")

    world.pool.settings |= sms
    world.pool.before_update = refuse
    error = refusal(world.attach)
    assert error.code == Code.ACCESS_DENIED
    assert missing in error.message
    assert ("allow yourself iam:PassRole on that role" in error.message) is remedied
    assert world.functions.statements == {OURS: []}
    assert attachments.read(world.rows, POOL_ID) is None


def test_a_write_whose_outcome_is_unknown_keeps_the_permission(world: World) -> None:
    update = world.pool._update  # noqa: SLF001 - applied, and then the answer is lost

    def lose(request: dict[str, Any]) -> None:
        update({name: value for name, value in request.items() if name != "UserPoolId"})
        raise RefusalError("InternalErrorException", "", 400)

    world.pool.before_update = lose
    assert refusal(world.attach).code == Code.AWS_UNREACHABLE
    assert world.trigger is not None
    assert world.functions.statements[OURS]
    world.pool.before_update = lambda _: None
    world.detach()
    assert world.trigger is None


def test_a_setting_that_changes_with_the_write_is_named_with_its_value(world: World) -> None:
    world.pool.settings["DeletionProtection"] = "ACTIVE"
    world.pool.before_update = lambda request: request.pop("DeletionProtection")
    error = refusal(world.attach)
    assert error.code == Code.POOL_SETTINGS_DIFFER
    assert 'DeletionProtection: "ACTIVE" -> "INACTIVE"' in error.message


def test_a_pool_whose_trigger_is_no_longer_ours_is_not_touched(world: World) -> None:
    world.attach()
    world.pool.touch(LambdaConfig={"PreTokenGeneration": THEIRS})
    proposal = world.attacher.propose_detaching(POOL_ID, table="claims")
    assert proposal.changes == []
    assert THEIRS in proposal.note
    world.attacher.carry_out(proposal)
    assert world.pool.updates == 1
    # What attaching has left beside the pool goes.
    assert world.functions.statements == {OURS: []}
    assert attachments.read(world.rows, POOL_ID) is None


def test_a_trigger_that_was_attached_by_other_means_can_be_detached(cognito: Any) -> None:  # noqa: ANN401 - as above
    world = World(calling(OURS), cognito)
    world.detach()
    assert world.trigger is None
    assert world.pool.settings["LambdaConfig"] == {"PostConfirmation": THEIRS}


def test_a_function_that_is_gone_can_be_detached_once_it_is_known_to_be_ours(world: World) -> None:
    world.attach()
    world.functions.variables.clear()
    assert refusal(world.detach).code == Code.TRIGGER_NOT_OURS
    world.detach(table="claims")
    assert world.trigger is None


def test_a_row_that_cannot_be_read_is_no_reason_to_forget(world: World) -> None:
    world.attach()
    world.rows.update("DEPLOYMENT", f"POOL#{POOL_ID}", {"before": "nothing"})
    assert refusal(world.detach).code == Code.ROW_UNREADABLE
    assert world.trigger is not None


PAGE: Final = (Path(__file__).parents[3] / "docs" / "how-to" / "adopt.md").read_text(encoding="utf-8")


def test_the_page_shows_what_becomes_of_each_setting(cognito: Any) -> None:  # noqa: ANN401 - as above
    pool = some_pool(0, every=True)
    before, sent = pool.everything(), dict[str, Any]()
    pool.before_update = sent.update
    World(pool, cognito).attach()
    after = pool.everything()
    rows = [
        f"| `{name}` | {_as_sent(name, before, sent)} | {'the trigger' if after[name] != before[name] else 'nothing'} |"
        for name in sorted(before)
    ]
    assert [line for line in PAGE.splitlines() if line.endswith(("| nothing |", "| the trigger |"))] == rows


def _as_sent(name: str, before: dict[str, Any], sent: dict[str, Any]) -> str:
    if name == "Name":
        return f"as `PoolName`{'' if sent['PoolName'] == before[name] else ', changed'}"
    if name not in sent:
        return "no"
    left_out = sorted(before[name].keys() - sent[name].keys()) if isinstance(before[name], dict) else []
    return f"yes, without {', '.join(f'`{each}`' for each in left_out)}" if left_out else "yes"


def test_the_page_names_every_action_that_is_needed() -> None:
    assert [action for action in ACTIONS.values() if f"`{action}`" not in PAGE] == []

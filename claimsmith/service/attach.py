"""Makes Claimsmith's function the trigger of a pool that exists already, and takes it away again.

Nothing but the pre token generation trigger of the pool changes. What it was before is remembered in the table, and
``detach`` puts it back. Cognito has no conditional write: the pool is read once more right before it is written, and
again afterwards, so only what somebody else writes between those two requests, milliseconds apart, can be lost.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar

from claimsmith import environment
from claimsmith.cognito import user_pool
from claimsmith.cognito.user_pool import Change, Trigger
from claimsmith.errors import Code, OperationError
from claimsmith.service.checkup.functions import is_trigger, table_of
from claimsmith.service.checkup.pool import allows
from claimsmith.store import attachments, bundles
from claimsmith.store.attachments import Attachment
from claimsmith.store.deployment import AbsentError, Function, NotSeenError
from claimsmith.store.failures import ConditionError
from claimsmith.store.pool_settings import BusyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.store.bundles import Pointer
    from claimsmith.store.deployment import Deployment
    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool_settings import PoolSettings

T = TypeVar("T")
EventVersion = Literal["V2_0", "V3_0"]

#: Times that a pool is read or written before it counts as being changed by somebody else all the time, and the first
#: pause between them in seconds, which doubles.
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.5

_UNCHANGED: Final = 'on_failure = "unchanged"'

#: Until the policy reaches everybody, a process that cannot read the table should leave tokens as they are (ADR 33).
_NOT_UNCHANGED: Final = (
    "But while the table cannot be read, a new process of this trigger knows nothing of the rollout, and refuses or "
    f"degrades every sign-in: deploy it with {_UNCHANGED} first."
)

#: Settings that a message names.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Proposal:
    """What attaching or detaching would change.

    Attributes:
        settings: of the pool, as they are.
        of_trigger: the members of ``LambdaConfig`` for the pre token generation trigger, as they would be.
        function: the ARN of Claimsmith's function; empty if none is known.
        permission: whether Cognito's permission to call it would be added or removed.
        remembered: what the table remembers of the pool.
        remember: what it would remember.
        note: a sentence on what is not obvious; empty if everything is.
    """

    settings: Mapping[str, Any]
    of_trigger: Mapping[str, Any]
    function: str = ""
    permission: Literal["add", "remove"] | None = None
    rows: Table | None = None
    remembered: Attachment | None = None
    remember: Attachment | None = None
    note: str = ""

    @property
    def after(self) -> dict[str, Any]:
        """The settings as they would be."""
        return user_pool.with_trigger(self.settings, self.of_trigger)

    @property
    def changes(self) -> list[Change]:
        """The settings of the pool that would change."""
        return user_pool.changes(self.settings, self.after)

    @property
    def statement_id(self) -> str:
        """The id of the permission."""
        return statement_id(self.settings["Id"])

    @property
    def empty(self) -> bool:
        """Whether neither the pool nor the function would change."""
        return not self.changes and self.permission is None


def statement_id(pool_id: str) -> str:
    """The id of the statement that lets Cognito call a function for a pool: always the same, so it is added once."""
    return f"claimsmith-{pool_id}"


@dataclass(frozen=True, slots=True)
class Attacher:
    """Attaches and detaches on somebody's behalf.

    Attributes:
        open_table: the table with a name.
        by: who does.
        clock: epoch seconds.
        pause: waits for so many seconds.
    """

    pools: PoolSettings
    deployment: Deployment
    open_table: Callable[[str], Table]
    by: str
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep

    def propose_attaching(
        self,
        pool_id: str,
        *,
        function: str | None = None,
        table: str | None = None,
        version: EventVersion | None = None,
        replace_other: bool = False,
    ) -> Proposal:
        """What attaching would change; nothing where it is attached already.

        Args:
            pool_id: of the pool.
            function: the trigger by ARN or name, with its alias if one is meant; None: the one that the pool calls
                already, or the only one of the table.
            table: the table that the function must read; None for any.
            version: of the events that Cognito sends; None: the present one, and at least V2_0.
            replace_other: also where the pool has a trigger of somebody else, which is remembered.

        Raises:
            OperationError: the pool or the function will not do, no policy is in force, or AWS cannot be asked.
            BundleError: it cannot be read which policy is in force.
        """
        settings = self.pools.read(pool_id)
        present = user_pool.trigger(settings)
        called = self._existing(present.arn) if present else None
        if called is not None and not is_trigger(called):
            called = None
        if called is not None and function is None and table in (None, table_of(called)):
            chosen = called
        else:
            chosen = self._chosen(function, table)
        _check_pool(settings, chosen)
        rows = self.open_table(table_of(chosen))
        in_force = bundles.pointer(rows)
        if in_force is None and chosen.variables.get(environment.ON_FAILURE) != "unchanged":
            message = f"No policy is in force in {rows.name}, so every sign-in would be refused. Nothing was changed."
            raise OperationError(Code.NO_BUNDLE, message)
        remembered = attachments.read(rows, pool_id)
        ours = called is not None and table_of(called) == rows.name
        if present is not None and not ours and not replace_other:
            raise _of_another(present)
        if ours:
            before: Mapping[str, Any] = remembered.before if remembered else {}
        else:
            before = user_pool.trigger_settings(settings)
        if version is None:
            version = "V3_0" if present is not None and present.version == "V3_0" else "V2_0"
        wanted = Trigger(chosen.arn, version)
        return Proposal(
            settings,
            user_pool.trigger_settings(settings) if present == wanted else user_pool.settings_of(wanted, settings),
            chosen.arn,
            None if self._allowed(chosen.arn, settings["Arn"]) else "add",
            rows,
            remembered,
            Attachment(pool_id, chosen.arn, version, before, self.by, int(self.clock())),
            "" if present == wanted else _reach(in_force, pool_id, chosen.variables.get(environment.ON_FAILURE, "")),
        )

    def propose_detaching(self, pool_id: str, *, function: str | None = None, table: str | None = None) -> Proposal:
        """What detaching would change; nothing where the trigger is not Claimsmith's.

        Args:
            pool_id: of the pool.
            function: the trigger that was attached, by ARN or name; needed only where neither the pool's trigger nor
                the table tells.
            table: the table with what was there before; None: the one that the trigger reads.

        Raises:
            OperationError: it cannot be told whether the trigger is Claimsmith's; or AWS cannot be asked.
        """
        settings = self.pools.read(pool_id)
        present = user_pool.trigger(settings)
        called = self._existing(present.arn) if present else None
        named = self._existing(function) if function else None
        place = table or next((table_of(each) for each in (called, named) if each and is_trigger(each)), "")
        rows = self.open_table(place) if place else None
        remembered = attachments.read(rows, pool_id) if rows else None
        known = {each for each in (remembered and remembered.function, named and named.arn, function) if each}
        if present is None or (called is not None and not is_trigger(called) and present.arn not in known):
            return self._leftovers(settings, rows, remembered, present)
        if called is not None and place and table_of(called) not in ("", place):
            return self._leftovers(settings, rows, remembered, present)
        if called is None and present.arn not in known:
            message = (
                f"The pool calls {present.arn}, which does not exist, and nothing says that it was Claimsmith's. If it "
                "was, name it with --function, or the table with --table."
            )
            raise OperationError(Code.TRIGGER_NOT_OURS, message)
        before, note = self._before(remembered)
        return replace(self._leftovers(settings, rows, remembered, None, present.arn), of_trigger=before, note=note)

    def carry_out(self, proposal: Proposal) -> dict[str, Any]:
        """Do what was proposed, and look whether it is done.

        Returns:
            The settings of the pool afterwards, as they were read.

        Raises:
            OperationError: the pool has changed meanwhile, AWS refuses the request, or the pool is not as it should be
                afterwards; the message says what was done.
        """
        attaching = proposal.remember is not None
        if attaching:
            self._remember(proposal)
        try:
            if proposal.permission == "add":
                self.pools.permit(proposal.function, proposal.statement_id, proposal.settings["Arn"])
            after = self._update(proposal) if proposal.changes else dict(proposal.settings)
        except RefusedError as error:
            # Certainly not written. After any other error it may be, and then the permission is needed.
            if attaching:
                self._undo(proposal)
            raise _with_role(error, proposal.settings) from error
        if proposal.permission == "add" and not self._allowed(proposal.function, proposal.settings["Arn"]):
            message = f"The pool calls {proposal.function}, which does not let Cognito call it. Detach, and look why."
            raise OperationError(Code.TRIGGER_NOT_PERMITTED, message)
        if proposal.permission == "remove":
            self.pools.forbid(proposal.function, proposal.statement_id)
        if not attaching and proposal.rows is not None and proposal.remembered is not None:
            attachments.forget(proposal.rows, proposal.settings["Id"], proposal.remembered)
        return after

    def _update(self, proposal: Proposal) -> dict[str, Any]:
        """Write the pool with the settings that it has right now, and read it again."""
        for attempt in range(_ATTEMPTS):
            now = self._settled(proposal.settings)
            try:
                self.pools.write(user_pool.with_trigger(now, proposal.of_trigger))
                break
            except BusyError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self.pause(_PAUSE * 2**attempt)
        wanted = user_pool.trigger(proposal.after)
        after = self._read_when(lambda settings: user_pool.trigger(settings) == wanted, proposal.settings["Id"])
        others = user_pool.changes(user_pool.with_trigger(now, {}), user_pool.with_trigger(after, {}))
        if others:
            listed = "; ".join(
                f"{each.setting}: {_json(each.before)} -> {_json(each.after)}" for each in others[:_NAMED]
            )
            message = (
                f"The trigger is as proposed, but other settings of the pool have changed at the same time ({listed}). "
                "If nobody else has changed them, set them back."
            )
            raise OperationError(Code.POOL_SETTINGS_DIFFER, message)
        return after

    def _settled(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, once two readings agree.

        Raises:
            OperationError: the trigger is no longer the one that was seen, or the settings keep changing.
        """
        for attempt in range(_ATTEMPTS):
            now = self.pools.read(seen["Id"])
            if user_pool.trigger(now) != user_pool.trigger(seen):
                message = "Somebody else has changed the pool's trigger meanwhile. Nothing was written; look again."
                raise OperationError(Code.POOL_CHANGED_MEANWHILE, message)
            if now.get("LastModifiedDate") == seen.get("LastModifiedDate") and not user_pool.changes(seen, now):
                return now
            seen = now
            self.pause(_PAUSE * 2**attempt)
        message = "Somebody else keeps changing the pool. Nothing was written; try again when they are done."
        raise OperationError(Code.POOL_CHANGED_MEANWHILE, message)

    def _read_when(self, holds: Callable[[Mapping[str, Any]], bool], pool_id: str) -> dict[str, Any]:
        for attempt in range(_ATTEMPTS):
            settings = self.pools.read(pool_id)
            if holds(settings):
                return settings
            self.pause(_PAUSE * 2**attempt)
        message = "The pool was written, but does not have the trigger that was written: somebody else changes it, too."
        raise OperationError(Code.POOL_CHANGED_MEANWHILE, message)

    def _remember(self, proposal: Proposal) -> None:
        """Write down what was there before, first of all: so it is known even if this process ends here."""
        if proposal.rows is None or proposal.remember is None or proposal.empty:
            return
        try:
            attachments.write(proposal.rows, proposal.remember, proposal.remembered)
        except ConditionError as error:
            message = "Somebody else is attaching to this pool or detaching from it. Nothing was changed; look again."
            raise OperationError(Code.CONFLICT, message) from error

    def _undo(self, proposal: Proposal) -> None:
        if proposal.permission == "add":
            self.pools.forbid(proposal.function, proposal.statement_id)
        if proposal.rows is None or proposal.remember is None:
            return
        if proposal.remembered is None:
            attachments.forget(proposal.rows, proposal.settings["Id"], proposal.remember)
        else:
            attachments.write(proposal.rows, proposal.remembered, proposal.remember)

    def _leftovers(
        self,
        settings: Mapping[str, Any],
        rows: Table | None,
        remembered: Attachment | None,
        another: Trigger | None,
        called: str = "",
    ) -> Proposal:
        """Leaves the pool alone, and takes away what attaching has left beside it."""
        function = remembered.function if remembered else called
        note = f"The pool's trigger is {another.arn}, which is not Claimsmith's: it stays." if another else ""
        return Proposal(
            settings,
            user_pool.trigger_settings(settings),
            function,
            "remove" if function and self._permitted(function, statement_id(settings["Id"])) else None,
            rows,
            remembered,
            note=note or "The pool has no pre token generation trigger.",
        )

    def _before(self, remembered: Attachment | None) -> tuple[Mapping[str, Any], str]:
        """What to put back, and what to say about it."""
        if remembered is None:
            return {}, "Nothing is remembered of the time before, so the pool gets no trigger."
        earlier = user_pool.trigger({"LambdaConfig": remembered.before})
        if earlier is None:
            return {}, "Before, the pool had no trigger."
        try:
            self.deployment.function(earlier.arn)
        except AbsentError:
            # To call it would refuse every sign-in.
            return {}, f"The earlier trigger {earlier.arn} does not exist any more, so the pool gets none."
        except NotSeenError:
            pass
        return remembered.before, "The earlier trigger is put back."

    def _chosen(self, function: str | None, table: str | None) -> Function:
        """The trigger that is named, or the only one that reads the table."""
        if function is not None:
            found = _look(lambda: self.deployment.function(function), f"There is no function {function} here.")
            if not is_trigger(found):
                message = f"{function} is no trigger of Claimsmith. Name the stack output TriggerName."
                raise OperationError(Code.NOT_A_TRIGGER, message)
            if table and table_of(found) != table:
                message = f"{function} reads the table {table_of(found)}, not {table}. Check --function and --table."
                raise OperationError(Code.NOT_A_TRIGGER, message)
            return found
        if not table:
            message = "Which function? Add --function NAME (stack output TriggerName), or --table to find it."
            raise OperationError(Code.BAD_ARGUMENT, message)
        listed = _look(self.deployment.functions, "")
        those = [each for each in listed if table_of(each) == table and is_trigger(each)]
        if len(those) != 1:
            names = ", ".join(sorted(each.name for each in those)) or "none"
            message = f"The triggers that read {table} in this region: {names}. Name one with --function."
            raise OperationError(Code.NOT_A_TRIGGER, message)
        return those[0]

    def _existing(self, function: str) -> Function | None:
        """A function; None if it does not exist. One that may not be looked at counts as somebody else's."""
        try:
            return self.deployment.function(function)
        except AbsentError:
            return None
        except NotSeenError as error:
            if error.action:
                return Function(function, function, {})
            _raise(error)

    def _allowed(self, function: str, pool_arn: str) -> bool:
        statements = _look(lambda: self.deployment.permissions(function), "")
        return any(allows(each, pool_arn) for each in statements)

    def _permitted(self, function: str, statement: str) -> bool:
        """Whether the function has a statement of ours; yes where its statements cannot be seen."""
        try:
            return any(each.get("Sid") == statement for each in self.deployment.permissions(function))
        except NotSeenError:
            return True


def _check_pool(settings: Mapping[str, Any], function: Function) -> None:
    """Refuse a pool that cannot call the function with the events that it needs.

    Raises:
        OperationError: it is on the Lite plan, or in another region.
    """
    if settings.get("UserPoolTier") == "LITE":
        message = (
            f"{settings['Id']} is on the Lite plan, which cannot customize access tokens. Change its plan to "
            "Essentials or Plus first; that changes what Cognito charges."
        )
        raise OperationError(Code.POOL_PLAN, message)
    region, home = function.arn.split(":")[3], settings["Id"].partition("_")[0]
    if region != home:
        message = f"The pool is in {home} and the function in {region}. Cognito calls functions of its own region only."
        raise OperationError(Code.NOT_A_TRIGGER, message)


def _with_role(error: RefusedError, settings: Mapping[str, Any]) -> RefusedError:
    """A refusal of an update, with what to do about the pool's role for text messages if that is the reason."""
    role = settings.get("SmsConfiguration", {}).get("SnsCallerArn")
    if not role or "iam:PassRole" not in error.message:
        return error
    remedy = (
        f"Nothing was changed. The pool sends text messages with the role {role}, and every update of a pool names it "
        "again: allow yourself iam:PassRole on that role."
    )
    return RefusedError(error.code, f"{error.message} {remedy}")


def _reach(in_force: Pointer | None, pool_id: str, on_failure: str) -> str:
    """Whose tokens change once a pool is attached, and what is better done first.

    Args:
        in_force: the policy.
        pool_id: of the pool.
        on_failure: what the trigger does while it cannot read the table; empty for the default, ``deny``.
    """
    if in_force is None:
        return "No policy is in force: the trigger leaves all tokens as they are."
    rollout = in_force.rollout
    if rollout is None or (rollout.pools and pool_id not in rollout.pools):
        first = "" if on_failure == "unchanged" else f"deploy the trigger with {_UNCHANGED} and "
        return (
            f"Version {in_force.version} of the policy then decides every token of the pool. To begin with nobody, "
            f"first {first}run claimsmith rollout shadow."
        )
    named = f" and {len(rollout.subjects):,} by name" if rollout.subjects else ""
    return (
        f"Version {in_force.version} of the policy then reaches {rollout.percent} % of the pool's users{named}; the "
        "others keep Cognito's own tokens." + ("" if on_failure == "unchanged" else f" {_NOT_UNCHANGED}")
    )


def _of_another(present: Trigger) -> OperationError:
    message = (
        f"The pool already calls {present.arn} (event version {present.version}), and a pool calls one function only: "
        "its claims would be gone. With --replace it is remembered, and claimsmith detach puts it back."
    )
    return OperationError(Code.TRIGGER_NOT_OURS, message)


def _look(look: Callable[[], T], absent: str) -> T:
    """What there is; a failure as an ``OperationError``."""
    try:
        return look()
    except AbsentError as error:
        raise OperationError(Code.NOT_FOUND, f"{absent} Check the name and the region.".strip()) from error
    except NotSeenError as error:
        _raise(error)


def _raise(error: NotSeenError) -> NoReturn:
    if error.action:
        raise OperationError(Code.ACCESS_DENIED, f"{error.reason} Allow {error.action}.") from error
    raise OperationError(Code.AWS_UNREACHABLE, error.reason) from error


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

"""Explains what the tokens of a request hold, and what would have to be different for something else to be there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.claims import TOKENS
from claimsmith.engine.explanation import (
    Absence,
    Item,
    PolicyVersion,
    Situation,
    Target,
    explain_absence,
    is_there,
    items,
)
from claimsmith.engine.facts import MACHINE, Tenant, read_tenant, read_user
from claimsmith.engine.language import NAME, TENANT_HINT
from claimsmith.engine.tenancy import BATCH
from claimsmith.errors import Code, OperationError
from claimsmith.service.active_bundle import ActiveBundle
from claimsmith.service.deadline import abandoned
from claimsmith.service.users import TENANT_BATCHES, tenants_of
from claimsmith.store import bundles, directory
from claimsmith.store.failures import PartitionTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from claimsmith.cognito.event import Request
    from claimsmith.engine.facts import Problem
    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the tokens of a request are as they are.

    Attributes:
        situation: the request and all rows that have a part in it, with its outcome.
        items: what was asked for and is there, or all that is there, each with its chain.
        absences: what was asked for and is not there; the sign-in itself if it is refused and nothing was asked for.
    """

    situation: Situation
    items: tuple[Item, ...]
    absences: tuple[Absence, ...]


def explain(
    situation: Situation, targets: Sequence[Target] = (), *, done: Callable[[int], None] = lambda _: None
) -> Explanation:
    """Explain a situation.

    Args:
        situation: as ``read_situation`` returns it.
        targets: what to explain; everything if empty. A claim without a token is looked for in both.
        done: called with the number of targets that have been explained since the last call.
    """
    found = items(situation)
    if not targets:
        refused = not is_there(situation, Target("token"))
        return Explanation(situation, found, (explain_absence(situation, Target("token")),) if refused else ())
    present: dict[Item, None] = {}
    absences: list[Absence] = []
    for target in targets:
        there = [item for item in found if _is(item, target)]
        present |= dict.fromkeys(there)
        if not there:
            absences.append(_absence(situation, target))
        done(1)
    return Explanation(situation, tuple(present), tuple(absences))


#: Claims that are made of other things.
_PIECES: Final = {"scope": "scope", "cognito:groups": "group"}


def _is(item: Item, target: Target) -> bool:
    if target.kind == "claim" and target.name in _PIECES:
        return item.kind == _PIECES[target.name]
    return item[:2] == target[:2] and target.token in ("", item.token)


def _absence(situation: Situation, target: Target) -> Absence:
    """The absence from a token; of a claim that may be in either, from the one that takes fewer changes."""
    if target.kind != "claim" or target.token:
        return explain_absence(situation, target)
    tokens = TOKENS[:1] if situation.request.machine else TOKENS
    found = [explain_absence(situation, target._replace(token=token)) for token in tokens]
    return min(found, key=lambda absence: len(absence.steps) or len(found) * 100)


def read_situation(
    rows: Table,
    request: Request,
    *,
    readable: Iterable[str] | None = None,
    version: int | None = None,
    clock: Callable[[], float] = time.time,
) -> Situation:
    """Read all that may have a part in the decision of a request.

    That is more than the trigger reads: the tenants of all memberships, and not only those that decide.

    Args:
        rows: the table.
        request: the token request.
        readable: the attributes that the app client may read; None for all.
        version: decide with this bundle version instead of the one that would serve.
        clock: epoch seconds.

    Raises:
        BundleError: there is no usable bundle.
        OperationError: there is no such version.
        StoreError: DynamoDB is unavailable.
    """
    now = int(clock())
    policy, problems = _policy(rows, request, version)
    user_rows, too_large = _user_rows(rows, request)
    tenants: dict[str, Mapping[str, Any]] = {}

    def read(missing: list[str], known: dict[str, Tenant | None]) -> None:
        """Add these tenants, as rows and as what the rows say."""
        for row in directory.tenant_rows(rows, missing):
            tenants[str(row[table.PK]).removeprefix(table.TENANT_PREFIX)] = row
        for name in missing:
            tenant = read_tenant(tenants[name], now) if name in tenants else None
            known[name] = tenant if isinstance(tenant, Tenant) else None

    own = MACHINE if request.machine else read_user(user_rows.values(), now)
    own, known = tenants_of(policy.bundle, own, request, read)
    if own.too_large:
        too_large = own.problems[0].why
    names = (sk.removeprefix(table.TENANT_PREFIX) for sk in user_rows if sk.startswith(table.TENANT_PREFIX))
    wanted = (*names, *_bound(policy, request))
    further = sorted({name for name in wanted if name not in known})
    read(further[: TENANT_BATCHES * BATCH], dict(known))
    return Situation(
        policy,
        user_rows,
        tenants,
        request,
        now,
        None if readable is None else frozenset(readable),
        problems,
        too_large,
    )


def _policy(rows: Table, request: Request, version: int | None) -> tuple[PolicyVersion, tuple[Problem, ...]]:
    problems: tuple[Problem, ...] = ()
    number = version
    if number is None:
        serving = ActiveBundle(rows).serve(request.client_id if request.sub is None else request.sub)
        number, problems = serving.bundle.version, serving.problems
    document = bundles.document(rows, number)
    if document is None:
        message = f"There is no version {number}. List the versions with claimsmith versions."
        raise OperationError(Code.NOT_FOUND, message)
    return PolicyVersion(document, number), problems


def _user_rows(rows: Table, request: Request) -> tuple[dict[str, Mapping[str, Any]], str | None]:
    """The user's rows by sort key, and why they could not be read, if there are too many."""
    if request.sub is None:
        return {}, None
    try:
        found = directory.user_rows(rows, request.sub, abandoned=abandoned)
    except PartitionTooLargeError:
        return {}, f"has more than {directory.USER_PAGES} MB of rows"
    return {row[table.SK]: row for row in found}, None


def _bound(policy: PolicyVersion, request: Request) -> list[str]:
    """The tenants that the client or the request names; those that no row can have are left out."""
    client = policy.bundle.clients.get(request.client_id)
    named = (client.tenant if client else None, request.metadata.get(TENANT_HINT))
    return [name for name in named if name is not None and NAME.fullmatch(name)]

"""The request that ``preview`` and ``explain`` answer: its options, and where the rows of its decision come from.

Where these come from is settled here alone: ``Asked.rows`` is the table, or the table as it would be with other rows,
and ``Asked.clock`` the time for which everything is read.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claimsmith.cli import completion
from claimsmith.cli.files import text_of
from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, SOURCES, Request, parse
from claimsmith.cognito.limits import ADMIN_SCOPE, SUB
from claimsmith.engine.codec import BundleError
from claimsmith.engine.language import TENANT_HINT
from claimsmith.errors import Code, EventError, OperationError
from claimsmith.policy.yaml import FileError, load_rows
from claimsmith.service.hypothetical import is_policy, suppose
from claimsmith.service.past import as_of
from claimsmith.service.times import iso, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.cli.session import Session
    from claimsmith.service.past import AsOf
    from claimsmith.store.dynamodb import Table

_PREFIX: Final = "TokenGeneration_"

Repeated = list[str] | None

User = Annotated[
    str | None, typer.Option(help="Use this user: the sub; with --user-pool-id also the username or e-mail address.")
]
Client = Annotated[str | None, typer.Option(help="Sign in with this app client.", autocompletion=completion.clients)]
Source = Annotated[
    str | None, typer.Option(help="Use this trigger source, with or without TokenGeneration_; default: Authentication.")
]
Tenant = Annotated[
    str | None, typer.Option(help="Request this tenant by client metadata.", autocompletion=completion.tenants)
]
Attribute = Annotated[
    Repeated, typer.Option(metavar="NAME=VALUE", help="Override a user attribute of the pool. Repeatable.")
]
Event = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Use the request of this event, as Cognito sends it to the trigger; - for stdin."
    ),
]
With = Annotated[
    list[Path] | None,
    typer.Option(
        "--with",
        metavar="FILE",
        help="Suppose these rows: YAML or JSON with pk and sk; delete: true for a row that is gone. Repeatable.",
    ),
]
Version = Annotated[
    int | None,
    typer.Option(help="Use this version of the policy; default: the one in force.", autocompletion=completion.versions),
]
Compare = Annotated[
    int | None,
    typer.Option(
        metavar="VERSION",
        help="Show what differs from this version of the policy.",
        autocompletion=completion.versions,
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        metavar="T",
        help="Answer as of this time: 2027-01-31T18:00Z, a day, epoch seconds, or 2h, 7d (ago). Needs --audit-table to "
        "know what rows were then.",
    ),
]

REQUESTED: Final = "Request this scope; default: as in an API sign-in, or openid. Repeatable."
IN_GROUP: Final = "Use this group instead of the user's groups in the pool. Repeatable."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a request, as given."""

    user: str | None
    client: str | None
    source: str | None
    tenant: str | None
    scopes: Repeated
    groups: Repeated
    attributes: Repeated
    event: Path | None
    rows: list[Path] | None
    version: int | None
    at: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and where the rows of its decision come from.

    Attributes:
        rows: the table, or what is supposed of it.
        version: decide with this version of the policy instead of the one that would serve.
        clock: epoch seconds.
        past: what is known about the time that was asked for; None if it is now.
        issuer: the value of ``iss``; empty if unknown.
        readable: the attributes that the app client may read; None for all.
    """

    request: Request
    rows: Table
    version: int | None
    clock: Callable[[], float]
    past: AsOf | None
    issuer: str
    readable: AbstractSet[str] | None


def asked(session: Session, options: Options) -> Asked:
    """What the options ask.

    Raises:
        OperationError: they contradict each other, or a file cannot be read.
        PolicyError: the policy with the supposed rows is refused.
        StoreError: DynamoDB is unavailable.
    """
    request = _replayed(options) if options.event is not None else _made_up(session, options)
    given = [row for file in options.rows or () for row in _rows(file)]
    if options.version is not None and any(map(is_policy, given)):
        message = "--with has rows of the policy, which make a version of their own. Leave out --version."
        raise OperationError(Code.BAD_ARGUMENT, message)
    now = session.now()
    at = None if options.at is None else moment(options.at, now)
    past = None if at is None else as_of(session.rows, session.past_audit, at, now)
    rows = session.rows if past is None else past.rows
    return Asked(
        request,
        suppose(rows, given) if given else rows,
        options.version,
        time.time if at is None else lambda: float(at),
        past,
        session.pool.issuer if session.pool else "",
        session.pool.readable(request.client_id) if session.pool else None,
    )


@contextmanager
def of_its_time(request: Asked) -> Iterator[None]:
    """Decide a request; if no version was in force at its time, say so.

    Raises:
        OperationError: no version was in force then.
    """
    try:
        yield
    except BundleError as error:
        if error.code is not Code.NO_BUNDLE or request.past is None:
            raise
        message = f"No version of the policy was in force at {iso(request.past.at)}. claimsmith versions lists them."
        raise OperationError(Code.NOT_FOUND, message) from error


def _made_up(session: Session, options: Options) -> Request:
    """The request of a sign-in that did not happen."""
    source = _PREFIX + (options.source or "Authentication").removeprefix(_PREFIX)
    if source not in SOURCES:
        known = ", ".join(sorted(name.removeprefix(_PREFIX) for name in SOURCES))
        raise OperationError(Code.BAD_ARGUMENT, f"There is no such source. Use one of {known}.")
    client, groups, scopes = options.client or "preview", options.groups, options.scopes
    metadata = {} if options.tenant is None else {TENANT_HINT: options.tenant}
    pool_id = session.pool.id if session.pool else ""
    if source == MACHINE_SOURCE:
        return Request(
            source, client, None, "ClientCredentials", {}, (), tuple(scopes or ()), metadata, pool_id=pool_id
        )
    if options.user is None:
        raise OperationError(Code.BAD_ARGUMENT, "No user given. Use --user, or --source ClientCredentials.")
    found = session.user(options.user)
    if not SUB.fullmatch(found.sub):
        raise OperationError(Code.BAD_ARGUMENT, "This is not a sub. To use a username, add --user-pool-id.")
    given = dict(item.partition("=")[::2] for item in options.attributes or ())
    return Request(
        source=source,
        client_id=client,
        sub=found.sub,
        username=found.username,
        attributes={**found.attributes, **given, "sub": found.sub},
        groups=found.groups if groups is None else tuple(groups),
        scopes=(("openid",) if source == MANAGED_LOGIN else (ADMIN_SCOPE,)) if scopes is None else tuple(scopes),
        metadata=metadata,
        iam_roles=found.iam_roles if groups is None else (),
        preferred_role=found.preferred_role if groups is None else None,
        pool_id=pool_id,
    )


def _replayed(options: Options) -> Request:
    """The request of an event that Cognito sent."""
    others = (options.user, options.client, options.source, options.tenant)
    if any(other is not None for other in others) or options.scopes or options.groups or options.attributes:
        message = "--event has the whole request. Leave out --user, --client and the other options of a request."
        raise OperationError(Code.BAD_ARGUMENT, message)
    assert options.event is not None  # noqa: S101 - for the type checker
    try:
        return parse(_event(json.loads(text_of(options.event))))
    except (ValueError, RecursionError) as error:
        raise OperationError(Code.INPUT_UNREADABLE, f"{options.event} is not JSON.") from error
    except EventError as error:
        message = f"{options.event} is not an event of the trigger: {error.detail} is wrong or missing."
        raise OperationError(Code.INPUT_UNREADABLE, message) from error


def _event(read: object) -> object:
    """An event, or the one in a line of a log."""
    if isinstance(read, dict) and "triggerSource" not in read:
        return next((part for name in ("event", "message") if isinstance(part := read.get(name), dict)), read)
    return read


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        return load_rows(text_of(file), str(file))
    except FileError as error:
        raise OperationError(Code.INPUT_UNREADABLE, error.message) from error

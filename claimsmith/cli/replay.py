"""The ``replay`` command."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claimsmith.cli import panels
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.progress import progress
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import one_line, say
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service import replay as service
from claimsmith.service.publish import publish
from claimsmith.service.times import iso
from claimsmith.store.deployment import Deployment, NotSeenError
from claimsmith.store.kept_batches import KeptBatches, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.service.publish import Outcome
    from claimsmith.service.replay import Batch, Replayed

_S3: Final = "s3://"

#: Of an event source mapping's destination: the ARN of a bucket has neither region nor account.
_BUCKET: Final = ":s3:::"


class _Source(NamedTuple):
    """Where a batch is.

    Attributes:
        bucket: None for a file.
        key: in the bucket, or the file's path.
    """

    bucket: KeptBatches | None
    key: str

    def __str__(self) -> str:
        return self.key if self.bucket is None else f"{_S3}{self.bucket.bucket}/{self.key}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay", rich_help_panel=panels.OPERATIONS)(replay)


def replay(
    context: typer.Context,
    batches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[s3://BUCKET/KEY | s3://BUCKET | FILE]...",
            help="Batches that were kept: one of a bucket, all of a bucket that wait, or a file.",
            show_default=False,
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All that wait in the bucket of the functions that read the table's stream.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
) -> None:
    """Replay changes that the functions gave up on: audit those that are not audited, and publish the policy.

    Nothing is done twice, so a replay that was interrupted is finished by running it again. What has been replayed goes
    from aws/lambda/ to replayed/ in its bucket. Exits with 1 if a batch cannot be read; the others are replayed.

    Example: claimsmith replay --all --dry-run
    """
    session: Session = context.obj
    if bool(batches) == everything:
        raise OperationError(Code.BAD_ARGUMENT, "Give batches to replay, or --all.")
    run = _Run(session, dry_run=dry_run)
    try:
        for source in _sources(session, batches or []):
            run.replay(source)
    except KeyboardInterrupt:
        say(f"Stopped after {_counted(run.batches, 'batch', 'batches')}. Run the command again to finish.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    run.finish()
    if run.unreadable:
        raise typer.Exit(1)


class _Run:
    """A run of the command over any number of batches."""

    def __init__(self, session: Session, *, dry_run: bool) -> None:
        self._session = session
        self._dry_run = dry_run
        self._published: Outcome | None = None
        self._publishes = False
        self.batches = 0
        self.unreadable = 0

    def replay(self, source: _Source) -> None:
        """Replay a batch, and say what became of it."""
        session = self._session
        content = Path(source.key).read_bytes() if source.bucket is None else source.bucket.read(source.key)
        try:
            batch = service.read(content, session.rows.name)
        except OperationError as error:
            self.unreadable += 1
            self._refused(source, error)
            return
        self._publishes = self._publishes or batch.changes_policy
        if self._dry_run:
            result = service.preview(session.audit, batch)
        else:
            with progress("Auditing", len(batch.records)) as done:
                result = service.replay(session.audit, batch, done)
            if batch.changes_policy and self._published is None:
                # The draft as it is now: all the batches of this run came before it.
                self._published = publish(session.rows, by=session.by)
            if source.bucket is not None:
                source.bucket.put_away(source.key)
        self.batches += 1
        self._told(source, batch, result)

    def finish(self) -> None:
        """Say what became of the policy."""
        outcome = self._published
        if self._session.as_json:
            published = None if outcome is None else {"result": outcome.result, "version": outcome.version}
            totals = {"dry_run": self._dry_run, "batches": self.batches, "unreadable": self.unreadable}
            say(json.dumps({**totals, "changes_policy": self._publishes, "published": published}))
            return
        if not self.batches and not self.unreadable:
            say("Nothing waits to be replayed.")
        elif outcome is not None:
            version = "no version is in force" if outcome.version is None else f"version {outcome.version} is in force"
            say(f"Policy: {outcome.result}, {version}.")
        elif self._publishes:
            say("The policy would be published if it differs from the version in force.")
        if self._dry_run and self.batches:
            say("Dry run. Nothing is written.")

    def _told(self, source: _Source, batch: Batch, result: Replayed) -> None:
        times = {"first": iso(batch.first), "last": iso(batch.last)} if batch.last else {"first": None, "last": None}
        if self._session.as_json:
            say(json.dumps({"batch": str(source), "changes": len(batch.records), **times, **asdict(result)}))
            return
        when = f" of {times['first']} to {times['last']}" if batch.last else ""
        verb = "to audit" if self._dry_run else "audited"
        parts = [f"{result.audited:,} {verb}", f"{result.already:,} audited before"]
        parts += [f"{result.abridged:,} of them abridged"] if result.abridged else []
        parts += [f"{result.ignored:,} of rows that are not audited"] if result.ignored else []
        changes = _counted(len(batch.records), "change", "changes")
        say(f"{one_line(str(source))}: {changes}{when}: {', '.join(parts)}.")

    def _refused(self, source: _Source, error: OperationError) -> None:
        if self._session.as_json:
            refusal: dict[str, Any] = {"code": error.code, "message": error.message}
            say(json.dumps({"batch": str(source), "error": refusal}))
        else:
            say(f"{one_line(str(source))}: {error.message} [{error.code}]", err=True)


def _sources(session: Session, batches: Sequence[str]) -> Iterator[_Source]:
    for text in batches or [f"{_S3}{bucket}" for bucket in _buckets(session)]:
        if not text.startswith(_S3):
            if not Path(text).is_file():
                raise OperationError(Code.BAD_ARGUMENT, f"There is no file {text}.")
            yield _Source(None, text)
            continue
        name, _, key = text.removeprefix(_S3).partition("/")
        place = session.connection
        bucket = KeptBatches(connect(endpoint_url=place.endpoint_url, region=place.region), name)
        for each in [key] if key else bucket.waiting():
            yield _Source(bucket, each)


def _buckets(session: Session) -> list[str]:
    """The buckets of the functions that read the table's stream.

    Raises:
        OperationError: there is none, or nobody may look.
    """
    place = session.connection
    deployment = Deployment(endpoint_url=place.endpoint_url, region=place.region)
    try:
        stream = deployment.table(session.rows.name).stream
        readers = deployment.stream_readers(stream) if stream else ()
    except NotSeenError as error:
        allow = f" Allow {error.action}, or name the bucket: s3://BUCKET." if error.action else ""
        raise OperationError(Code.ACCESS_DENIED if error.action else Code.AWS_UNREACHABLE, f"{error}{allow}") from error
    found = {reader.dead_letters.rpartition(_BUCKET)[2] for reader in readers if _BUCKET in reader.dead_letters}
    if not found:
        message = (
            "No function that reads the table's stream keeps what it gives up on in a bucket. Name it: s3://BUCKET."
        )
        raise OperationError(Code.NOT_FOUND, message)
    return sorted(found)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"

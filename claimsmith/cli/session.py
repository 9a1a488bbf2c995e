"""What all commands share: the table, the user pool, the operator, and the output."""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.table import Table as Grid

from claimsmith import table
from claimsmith.cli.terminal import one_line, say
from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.service.directory import Editor
from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.store.pool import Pool, PoolUser, connect_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from claimsmith.cli.options import Connection
    from claimsmith.cli.terminal import Terminal


@dataclass
class Session:
    """One run of the command."""

    connection: Connection
    as_json: bool
    out: Terminal

    @cached_property
    def rows(self) -> Table:
        """The table."""
        if not self.connection.table:
            raise ConfigurationError("No table given. Use --table NAME, or set CLAIMSMITH_TABLE.")
        client = connect(PATIENT, endpoint_url=self.connection.endpoint_url, region=self.connection.region)
        return Table(client, self.connection.table)

    @cached_property
    def audit(self) -> Table:
        """The audit table."""
        if not self.connection.audit_table:
            raise ConfigurationError("No audit table given. Use --audit-table NAME, or set CLAIMSMITH_AUDIT_TABLE.")
        client = connect(PATIENT, endpoint_url=self.connection.endpoint_url, region=self.connection.region)
        return Table(client, self.connection.audit_table)

    @property
    def past_audit(self) -> Table | None:
        """The audit table; None if none is given."""
        return self.audit if self.connection.audit_table else None

    @cached_property
    def pool(self) -> Pool | None:
        """The user pool; None without ``--user-pool-id``."""
        if not self.connection.user_pool_id:
            return None
        return connect_pool(
            self.connection.user_pool_id, endpoint_url=self.connection.endpoint_url, region=self.connection.region
        )

    @cached_property
    def by(self) -> str:
        """The operator, as rows and the audit record it."""
        try:
            return f"cli:{getpass.getuser()}"
        except (KeyError, OSError):
            return "cli"

    @property
    def editor(self) -> Editor:
        """An editor of the directory on behalf of the operator."""
        return Editor(self.rows, self.by)

    def user(self, name: str) -> PoolUser:
        """Return a user by sub or username; without a pool, the name is taken as the sub."""
        if self.pool is None:
            return PoolUser(name, name, {"sub": name}, ())
        return self.pool.user(name)

    def known_user(self, name: str) -> tuple[str, PoolUser | None]:
        """The subject of a user, and what the pool knows; None without a pool, or for one who has only rows left.

        Raises:
            OperationError: there is no such user, neither in the pool nor in the directory.
        """
        if self.pool is None:
            return name, None
        try:
            known = self.pool.user(name)
        except OperationError as error:
            if error.code != Code.NOT_FOUND or not self.rows.query(table.USER_PREFIX + name, limit=1):
                raise
            return name, None
        return known.sub, known

    def now(self) -> int:
        """Epoch seconds."""
        return int(time.time())

    def lines(
        self,
        found: Iterable[dict[str, Any]],
        header: Mapping[str, int],
        cells: Callable[[dict[str, Any]], Sequence[str | None]],
        none: str,
    ) -> None:
        """Print one thing a line as it is found: as JSON with ``--json``, otherwise in columns.

        Args:
            found: what there is.
            header: the names of the columns, and how wide each is.
            cells: makes the cells of a line.
            none: what to say where nothing is found.
        """
        empty = True
        for one in found:
            if self.as_json:
                say(json.dumps(one, ensure_ascii=False))
            else:
                for line in [[*header], cells(one)] if empty else [cells(one)]:
                    columns = zip(line, header.values(), strict=True)
                    say("  ".join(f"{one_line(str(cell or '')):<{width}}" for cell, width in columns).rstrip())
            empty = False
        if empty and not self.as_json:
            say(none)

    def answer(self, data: dict[str, Any], text: str | Grid) -> None:
        """Print ``data`` with ``--json``, otherwise ``text`` (rich markup or a table)."""
        if self.as_json:
            self.out.print_json(json.dumps(data, default=dict))
        else:
            self.out.print(text, highlight=False)

"""What every command shares: where the table and the pool are, who is asking, and how to answer."""

from __future__ import annotations

import getpass
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as Grid

from claimsmith.errors import ConfigurationError
from claimsmith.service.directory import Editor
from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.store.pool import Pool, PoolUser, connect_pool

if TYPE_CHECKING:
    from claimsmith.cli.options import Connection


@dataclass
class Session:
    """One run of the command."""

    places: Connection
    as_json: bool
    out: Console

    @cached_property
    def rows(self) -> Table:
        """The table."""
        if not self.places.table:
            raise ConfigurationError("Which table? Give --table NAME, or set CLAIMSMITH_TABLE.")
        client = connect(PATIENT, endpoint_url=self.places.endpoint_url, region=self.places.region)
        return Table(client, self.places.table)

    @cached_property
    def pool(self) -> Pool | None:
        """The user pool, where it is known."""
        if not self.places.user_pool_id:
            return None
        return connect_pool(self.places.user_pool_id, endpoint_url=self.places.endpoint_url, region=self.places.region)

    @cached_property
    def by(self) -> str:
        """Who is asking, as rows and audit remember it."""
        try:
            return f"cli:{getpass.getuser()}"
        except (KeyError, OSError):
            return "cli"

    @property
    def editor(self) -> Editor:
        """Edits the directory in this person's name."""
        return Editor(self.rows, self.by)

    def user(self, name: str) -> PoolUser:
        """The user of this name; without a pool the name is taken for the subject."""
        if self.pool is None:
            return PoolUser(name, name, {"sub": name}, ())
        return self.pool.user(name)

    def answer(self, data: dict[str, Any], text: str | Grid) -> None:
        """Answer: ``data`` with --json, else ``text`` (rich markup, or a table)."""
        if self.as_json:
            self.out.print_json(json.dumps(data, default=dict))
        else:
            self.out.print(text, highlight=False)

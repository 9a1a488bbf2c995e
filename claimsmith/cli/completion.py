"""Shell completion with live values: tenants, roles, scopes and versions of the table.

The table comes from options that stand before the command, or from the environment. Whatever goes wrong, there is
simply nothing to suggest: an error would end up in the line that somebody is typing.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import typer

from claimsmith import table
from claimsmith.errors import ClaimsmithError
from claimsmith.store import bundles
from claimsmith.store.dynamodb import TOKEN_PATH, Table, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from claimsmith.engine.bundle import Bundle

#: More suggestions help nobody.
_MOST: Final = 200

_VERSIONS: Final = 20

#: What a shell takes for a word, and the command for an argument. Whoever may write a row may name it ``$(…)``.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=,%-]*")


def tenants(context: typer.Context, incomplete: str) -> list[str]:
    """Tenant ids."""
    prefix = table.TENANT_PREFIX
    return _suggest(
        context,
        lambda rows: (
            pk.removeprefix(prefix) for pk, _ in rows.keys_by_sk(table.TENANT, pk_prefix=prefix + incomplete)
        ),
        incomplete,
    )


def roles(context: typer.Context, incomplete: str) -> list[str]:
    """Roles of the policy in force."""
    return _suggest(context, lambda rows: sorted(_in_force(rows).roles), incomplete)


def scopes(context: typer.Context, incomplete: str) -> list[str]:
    """Scopes that the policy in force grants to somebody."""
    return _suggest(context, lambda rows: sorted(_in_force(rows).scopes), incomplete)


def clients(context: typer.Context, incomplete: str) -> list[str]:
    """App clients of the policy in force."""
    return _suggest(context, lambda rows: sorted(_in_force(rows).clients), incomplete)


def versions(context: typer.Context, incomplete: str) -> list[str]:
    """The newest versions of the policy."""
    return _suggest(
        context,
        lambda rows: (str(version.number) for version in bundles.versions(rows, limit=_VERSIONS)),
        incomplete,
    )


def _in_force(rows: Table) -> Bundle:
    pointer = bundles.pointer(rows)
    if pointer is None:
        raise LookupError
    return bundles.load(rows, pointer.version)


def _suggest(context: typer.Context, values: Callable[[Table], Iterable[str]], incomplete: str) -> list[str]:
    given = context.find_root().params
    found: list[str] = []
    if given.get("table"):
        with suppress(ClaimsmithError, LookupError):
            client = connect(TOKEN_PATH, endpoint_url=given.get("endpoint_url"), region=given.get("region"))
            known = values(Table(client, given["table"]))
            fit = (value for value in known if value.startswith(incomplete) and _PLAIN.fullmatch(value))
            found += islice(fit, _MOST)
    return found

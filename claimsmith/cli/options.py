"""The options every command takes, before or after its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Options that take a value, and the flag; both may stand anywhere on the command line.
VALUED: Final = ("--table", "--audit-table", "--user-pool-id", "--region", "--endpoint-url")
FLAGS: Final = ("--json",)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where things are."""

    table: str | None
    audit_table: str | None
    user_pool_id: str | None
    region: str | None
    endpoint_url: str | None


def shared_options_first(arguments: list[str]) -> list[str]:
    """The arguments with the shared options first, where the parser expects them."""
    shared: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            rest += [argument, *waiting]
            break
        if argument in FLAGS or argument.startswith(tuple(f"{option}=" for option in VALUED)):
            shared.append(argument)
        elif argument in VALUED and waiting:
            shared += [argument, waiting.pop(0)]
        else:
            rest.append(argument)
    return shared + rest

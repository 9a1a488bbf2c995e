"""The options that all commands share, before or after the command name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Shared options with a value, and shared flags.
VALUED: Final = ("--table", "--audit-table", "--user-pool-id", "--region", "--endpoint-url")
FLAGS: Final = ("--json",)


@dataclass(frozen=True, slots=True)
class Connection:
    """The AWS resources to use."""

    table: str | None
    audit_table: str | None
    user_pool_id: str | None
    region: str | None
    endpoint_url: str | None


def shared_options_first(arguments: list[str]) -> list[str]:
    """Return the arguments with the shared options first, where the parser expects them."""
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

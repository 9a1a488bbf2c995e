"""How the parts of a deployment are hosted: what the functions run on, and whether data outlives the stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Arch = Literal["arm64", "x86_64"]
PythonVersion = Literal["3.11", "3.12", "3.13", "3.14"]


class PropsError(ValueError):
    """A property of a construct that is not possible; the message says what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """How the parts of a deployment are hosted.

    Attributes:
        arch: the processor of the functions, with AWS's name.
        python: the functions' runtime.
        retain: whether tables and logs outlive the stack; tables are then backed up and protected from deletion too.

    Raises:
        PropsError: a value is not possible.
    """

    arch: Arch = "arm64"
    python: PythonVersion = "3.13"
    retain: bool = True

    def __post_init__(self) -> None:
        check_choice("arch", self.arch, get_args(Arch))
        check_choice("python", self.python, get_args(PythonVersion))


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is none of several.

    Raises:
        PropsError: it is none of them.
    """
    if value not in allowed:
        raise PropsError(f"{name}={value!r} is not possible; use {' or '.join(map(repr, allowed))}.")

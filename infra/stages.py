"""The stages of a deployment: a file for each, with every option. The command line names the stage and nothing else.

An option on the command line would be forgotten by the next deployment, which would then take it back.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.config import Config, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The folder of the stages' files.
FOLDER: Final = Path(__file__).resolve().parents[1] / "stages"

#: The key of the CDK's context that names the stage.
STAGE: Final = "stage"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_SUFFIX: Final = ".toml"

#: Options of 0.1.0's command line that have another form now, which no similarity of names would find.
_FORMER: Final = {"domain_prefix": 'domain = {prefix = "…"}'}


class StageError(ValueError):
    """A stage that cannot be deployed; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage.

    Attributes:
        name: of the stage.
        file: its file.
        config: the options in it.
    """

    name: str
    file: Path
    config: Config

    @property
    def stack_suffix(self) -> str:
        """What the names of the stage's stacks end with, so that two stages never share a stack."""
        return f"-{self.name}" if self.config.stack_suffix is None else self.config.stack_suffix

    @property
    def snapshot(self) -> Path:
        """The file that keeps what must not be lowered or replaced."""
        return self.file.with_suffix(".snapshot.json")


def read_stage(context: Mapping[str, object], folder: Path = FOLDER) -> Stage:
    """The stage that the CDK's context names: the name of a file in the folder, or the path of another file.

    Raises:
        StageError: there is no such stage, its file is not readable or has options that are not possible, or the
            context has options.
    """
    file = _file(context, folder)
    try:
        options = _read(file)
    except OSError as error:
        known = ", ".join(sorted(path.stem for path in folder.glob(f"*{_SUFFIX}"))) or "none yet"
        raise StageError(f"{file} cannot be read ({error.strerror}); stages here: {known}.") from None
    except (ValueError, RecursionError) as error:  # of tomllib, and of numbers and arrays that Python does not take
        raise StageError(f"{file} is not TOML: {error}.") from None
    _refuse_options(context, file)
    try:
        stage = Stage(name=file.stem, file=file, config=Config.from_options(options))
    except OptionError as error:
        said = (line if line.endswith("?") else f"{line}." for line in str(error).splitlines())
        raise StageError("\n".join(f"{file}: {line}" for line in said)) from None
    _refuse_stacks_of_others(stage)
    return stage


def _file(context: Mapping[str, object], folder: Path) -> Path:
    named = context.get(STAGE)
    if isinstance(named, str) and named.endswith(_SUFFIX) and _NAME.fullmatch(Path(named).stem):
        return Path(named)
    if not isinstance(named, str) or not _NAME.fullmatch(named):
        raise StageError(
            f"-c {STAGE}=NAME must name a stage, the name of a file in {folder.name}/ (lower-case letters, digits and "
            f"hyphens), as in -c {STAGE}=production."
        )
    return folder / f"{named}{_SUFFIX}"


def _read(file: Path) -> dict[str, Any]:
    """The options in a file. Editors on Windows begin it with a byte order mark, which TOML does not mention."""
    return tomllib.loads(file.read_text(encoding="utf-8-sig"))


def _refuse_stacks_of_others(stage: Stage) -> None:
    """Refuse a suffix that another stage of the folder has, which would be deployed over."""
    for other in sorted(stage.file.parent.glob(f"*{_SUFFIX}")):
        if other.name == stage.file.name:
            continue
        try:
            options = _read(other)
        except (OSError, ValueError, RecursionError):
            continue  # it is refused when it is deployed itself
        places = [(stage.config.account, options.get("account")), (stage.config.region, options.get("region"))]
        elsewhere = any(own and theirs and own != theirs for own, theirs in places)
        if not elsewhere and options.get("stack_suffix", f"-{other.stem}") == stage.stack_suffix:
            raise StageError(
                f"{stage.file}: the stacks would be those of {other.name}, for both names end with "
                f"{stage.stack_suffix!r}. Choose another stack_suffix, or leave it out."
            )


def _refuse_options(context: Mapping[str, object], file: Path) -> None:
    """Refuse options in the context, misspelt ones too; ignore keys of other tools."""
    for key in context:
        if key in _FORMER:
            form = _FORMER[key]
        else:
            close = get_close_matches(key, Config.model_fields, 1, 0.8)
            option = key if key in Config.model_fields else next(iter(close), None)
            form = f"{option} = …" if option else ""
        if form:
            raise StageError(
                f"-c {key}=… is not possible: an option on the command line is lost by the next deployment. Write "
                f"{form} into {file}."
            )

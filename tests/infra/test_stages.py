from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.stages import FOLDER, Stage, StageError, read_stage

if TYPE_CHECKING:
    from pathlib import Path

DEVELOPMENT = 'setting = "development"\n'


def _file(folder: Path, name: str, text: str = DEVELOPMENT) -> Path:
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_stage_is_a_file_of_the_folder_or_another(tmp_path: Path) -> None:
    file = _file(tmp_path, "eu-test")
    by_name = read_stage({"stage": "eu-test"}, tmp_path)
    assert by_name == read_stage({"stage": str(file)})
    assert (by_name.name, by_name.stack_suffix, by_name.snapshot.name) == (
        "eu-test",
        "-eu-test",
        "eu-test.snapshot.json",
    )


def test_stacks_from_before_there_were_stages_keep_their_names(tmp_path: Path) -> None:
    _file(tmp_path, "production", f'{DEVELOPMENT}stack_suffix = ""\n')
    assert read_stage({"stage": "production"}, tmp_path).stack_suffix == ""


@pytest.mark.parametrize("named", [None, "", "../production", "Production", "x/../y.TOML", 7, "..toml"])
def test_without_a_stage_nothing_is_deployed(named: object) -> None:
    with pytest.raises(StageError, match="-c stage=production"):
        read_stage({"stage": named})


def test_an_unknown_stage_is_refused_with_those_there_are(tmp_path: Path) -> None:
    _file(tmp_path, "blue")
    _file(tmp_path, "green")
    with pytest.raises(StageError, match="stages here: blue, green"):
        read_stage({"stage": "red"}, tmp_path)


def test_every_problem_of_a_file_is_said_with_its_name(tmp_path: Path) -> None:
    file = _file(tmp_path, "test", f'{DEVELOPMENT}arch = "mips"\nalarm_email = "x"\n')
    with pytest.raises(StageError) as raised:
        read_stage({"stage": "test"}, tmp_path)
    said = sorted(str(raised.value).splitlines())
    assert [line.startswith(f"{file}: ") for line in said] == [True, True]
    assert [line[-2:] for line in said] == ["s?", "'."], "a question keeps its mark, anything else gets a full stop"
    file.write_text("setting =", encoding="utf-8")
    with pytest.raises(StageError, match="is not TOML"):
        read_stage({"stage": "test"}, tmp_path)


@pytest.mark.parametrize(
    ("key", "option"), [("setting", "setting"), ("alarm_email", "alarm_emails"), ("callback_url", "callback_urls")]
)
def test_an_option_on_the_command_line_is_refused_because_the_next_deployment_would_lose_it(
    tmp_path: Path, key: str, option: str
) -> None:
    file = _file(tmp_path, "test")
    with pytest.raises(StageError) as raised:
        read_stage({"stage": "test", key: "x"}, tmp_path)
    assert f"Write {option} = " in str(raised.value)
    assert f" into {file}." in str(raised.value)


def test_no_stage_is_deployed_over_another(tmp_path: Path) -> None:
    _file(tmp_path, "production", 'account = "111122223333"')
    over = f'{DEVELOPMENT}stack_suffix = "-production"\n'
    _file(tmp_path, "test", over)
    with pytest.raises(StageError, match=r"those of production\.toml"):
        read_stage({"stage": "test"}, tmp_path)
    _file(tmp_path, "test", f'{over}account = "444455556666"\n')
    assert read_stage({"stage": "test"}, tmp_path).stack_suffix == "-production"


def test_a_byte_order_mark_of_an_editor_is_no_part_of_the_file(tmp_path: Path) -> None:
    marked = f'\ufeff{DEVELOPMENT}stack_suffix = "-same"\n'
    _file(tmp_path, "test", marked)
    assert not read_stage({"stage": "test"}, tmp_path).config.production
    _file(tmp_path, "other", marked)
    with pytest.raises(StageError, match=r"those of other\.toml"):
        read_stage({"stage": "test"}, tmp_path)


@pytest.mark.parametrize("text", [f"x = {'[' * 9999}", f"authorizer_cache_seconds = {'9' * 5000}"])
def test_what_python_does_not_read_is_said_too(tmp_path: Path, text: str) -> None:
    _file(tmp_path, "test", text)
    with pytest.raises(StageError, match="is not TOML"):
        read_stage({"stage": "test"}, tmp_path)


def test_keys_of_other_tools_are_ignored(tmp_path: Path) -> None:
    _file(tmp_path, "test")
    assert isinstance(read_stage({"stage": "test", "aws:cdk:bundling-stacks": ["*"], "@x/y:z": True}, tmp_path), Stage)


def test_the_stages_of_this_project_are_a_development_one_and_a_production_one_to_fill_in() -> None:
    assert not read_stage({"stage": "development"}).config.production
    with pytest.raises(StageError, match="account and region and callback_urls must be set"):
        read_stage({"stage": "production"})
    commented = [line.removeprefix("# ") for line in (FOLDER / "production.toml").read_text().splitlines()[4:]]
    filled = "\n".join(line for line in commented if line)
    assert filled.startswith("account")

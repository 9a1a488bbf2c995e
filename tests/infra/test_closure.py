from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith_cdk.closure import first_party_files

if TYPE_CHECKING:
    from pathlib import Path


def _write(root: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


def _closure(root: Path, files: dict[str, str]) -> list[str]:
    _write(root, files)
    return [file.relative_to(root).as_posix() for file in first_party_files(root, "app.main", ("app", "own"))]


def test_every_form_of_import_is_followed(tmp_path: Path) -> None:
    files = {
        "app/main.py": "import own.a\nfrom own import b\nfrom own.c import name\nimport own.d as d, json\n",
        "own/a.py": "",
        "own/b.py": "from own.deep.e import value",
        "own/c.py": "name = 1",
        "own/d.py": "",
        "own/deep/e.py": "value = 1",
        "own/unused.py": "",
        "app/other.py": "",
    }
    assert _closure(tmp_path, files) == [
        "app/main.py",
        "own/a.py",
        "own/b.py",
        "own/c.py",
        "own/d.py",
        "own/deep/e.py",
    ]


def test_a_package_comes_with_its_init_and_what_that_imports(tmp_path: Path) -> None:
    files = {
        "app/main.py": "from own.deep import e",
        "own/__init__.py": "import own.base",
        "own/base.py": "",
        "own/deep/__init__.py": "from own.deep.f import x",
        "own/deep/e.py": "",
        "own/deep/f.py": "x = 1",
    }
    assert _closure(tmp_path, files) == ["app/main.py", *sorted(files)[1:]]


def test_imports_for_the_type_checker_are_left_out_and_their_alternative_is_not(tmp_path: Path) -> None:
    files = {
        "app/main.py": (
            "import typing\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import own.types\nelse:\n    import own.real\n"
            "if typing.TYPE_CHECKING:\n    from own import types\n"
        ),
        "own/types.py": "",
        "own/real.py": "",
    }
    assert _closure(tmp_path, files) == ["app/main.py", "own/real.py"]


def test_an_import_inside_a_function_happens_at_run_time_too(tmp_path: Path) -> None:
    files = {
        "app/main.py": "def handler():\n    try:\n        import own.late\n    finally:\n        pass\n",
        "own/late.py": "",
    }
    assert _closure(tmp_path, files) == ["app/main.py", "own/late.py"]


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    files = {"app/main.py": "import own.a", "own/a.py": "import own.b", "own/b.py": "import own.a"}
    assert _closure(tmp_path, files) == ["app/main.py", "own/a.py", "own/b.py"]


def test_packages_of_others_are_not_followed(tmp_path: Path) -> None:
    files = {"app/main.py": "import others.x", "others/x.py": ""}
    assert _closure(tmp_path, files) == ["app/main.py"]


def test_a_missing_module_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no module app\.main below"):
        first_party_files(tmp_path, "app.main", ("app",))

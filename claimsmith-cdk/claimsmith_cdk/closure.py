"""Which first-party files a handler imports: read from the source, without running it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def first_party_files(root: Path, module: str, packages: tuple[str, ...]) -> tuple[Path, ...]:
    """The files a module needs at run time, itself included, sorted.

    An import inside a function counts; one below ``if TYPE_CHECKING:`` does not. A package counts with its
    ``__init__.py``, because Python runs that first.

    Args:
        root: the folder of the first-party packages.
        module: the module to start from, with dots.
        packages: the first-party packages; nothing else is followed.

    Raises:
        FileNotFoundError: ``module`` does not exist.
    """
    if _file_of(root, module) is None:
        raise FileNotFoundError(f"There is no module {module} below {root}.")
    found: set[Path] = set()
    pending = [module]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen or name.partition(".")[0] not in packages:
            continue
        seen.add(name)
        pending.append(name.rpartition(".")[0])
        file = _file_of(root, name)
        if file is None:  # a namespace package, or a name imported from a module
            continue
        found.add(file)
        pending.extend(_imports(ast.parse(file.read_bytes(), filename=str(file))))
    return tuple(sorted(found))


def _file_of(root: Path, module: str) -> Path | None:
    path = root.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if module and candidate.is_file():
            return candidate
    return None


def _imports(node: ast.AST) -> Iterator[str]:
    """Every name that could be a module. Relative imports are banned in this project, so they are not looked for."""
    match node:
        case ast.If() if _is_type_checking(node.test):
            children: list[ast.AST] = list(node.orelse)
        case ast.Import():
            yield from (alias.name for alias in node.names)
            return
        case ast.ImportFrom(module=str(module)):
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
            return
        case _:
            children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _imports(child)


def _is_type_checking(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False

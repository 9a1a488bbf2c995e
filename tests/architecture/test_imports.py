"""Imports point one way, packages keep to their third-party libraries, and what runs at sign-in stays light."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Package -> the packages of ours that it may import, beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "claimsmith.errors": set(),
    "claimsmith.named_tuple": set(),
    "claimsmith.table": set(),
    "claimsmith.routes": set(),
    "claimsmith.places": {"claimsmith.errors"},
    "claimsmith.authorizer_context": set(),
    "claimsmith.http": set(),
    "claimsmith.m2m": {"claimsmith.errors"},
    "claimsmith.unchecked": set(),
    "claimsmith.addresses": {"claimsmith.errors"},
    "claimsmith.oidc": {"claimsmith.addresses", "claimsmith.cognito", "claimsmith.errors", "claimsmith.unchecked"},
    "claimsmith.environment": {"claimsmith.cognito", "claimsmith.errors", "claimsmith.oidc"},
    "claimsmith.cognito": {"claimsmith.errors"},
    "claimsmith.engine": {"claimsmith.cognito", "claimsmith.errors", "claimsmith.table"},
    "claimsmith.testing": {"claimsmith.errors"},
    "claimsmith_cdk": {
        "claimsmith.addresses",
        "claimsmith.errors",
        "claimsmith.table",
        "claimsmith.environment",
        "claimsmith.oidc",
        "claimsmith.places",
    },
    "infra": {
        "claimsmith.addresses",
        "claimsmith.environment",
        "claimsmith_cdk",
        "claimsmith.errors",
        "claimsmith.oidc",
        "claimsmith.places",
    },
}
_LOWER = MAY_IMPORT["claimsmith.engine"] | {
    "claimsmith.engine",
    "claimsmith.routes",
    "claimsmith.places",
    "claimsmith.authorizer_context",
    "claimsmith.http",
    "claimsmith.addresses",
    "claimsmith.oidc",
    "claimsmith.unchecked",
}
MAY_IMPORT |= {f"claimsmith.{peer}": _LOWER for peer in ("policy", "store", "verifier")}
_PEERS = _LOWER | {"claimsmith.policy", "claimsmith.store", "claimsmith.verifier", "claimsmith.environment"}
MAY_IMPORT["claimsmith.service"] = _PEERS
MAY_IMPORT["claimsmith.simulator"] = _PEERS | {"claimsmith.service", "claimsmith.testing"}
MAY_IMPORT["claimsmith.cli"] = MAY_IMPORT["lambdas"] = _PEERS | {"claimsmith.service"}
for _package in MAY_IMPORT.keys() - {"claimsmith.named_tuple"}:
    MAY_IMPORT[_package].add("claimsmith.named_tuple")  # a way to write a class, and no part of the product

#: Package -> the libraries that it may import beside the standard library.
LIBRARIES: dict[str, set[str]] = {
    "claimsmith.errors": set(),
    "claimsmith.named_tuple": set(),
    "claimsmith.table": set(),
    "claimsmith.routes": set(),
    "claimsmith.places": set(),
    "claimsmith.authorizer_context": set(),
    "claimsmith.http": set(),
    "claimsmith.unchecked": set(),
    "claimsmith.addresses": set(),
    "claimsmith.oidc": set(),
    "claimsmith.m2m": set(),
    "claimsmith.environment": set(),
    "claimsmith.cognito": set(),
    "claimsmith.engine": set(),
    "claimsmith.verifier": {"cryptography"},
    "claimsmith.verifier.fastapi": {"fastapi"},
    "claimsmith.verifier.powertools": {"aws_lambda_powertools"},
    "claimsmith.store": {"botocore"},
    "claimsmith.policy": {"pydantic", "yaml"},
    "claimsmith.service": set(),
    "claimsmith.cli": {"typer", "rich"},
    "claimsmith.testing": {"cryptography", "pytest"},
    "claimsmith.simulator": {"pytest"},
    "lambdas": {"aws_lambda_powertools"},
    "lambdas.snapshots": {"snapshot_restore_py"},
    "claimsmith_cdk": {"aws_cdk", "constructs", "jsii"},
    "claimsmith_cdk.empty_bucket": {"boto3"},
}

HANDLERS = (
    "lambdas.attach",
    "lambdas.pre_token",
    "lambdas.probe",
    "lambdas.publisher",
    "lambdas.revocations",
    "lambdas.sample",
    "lambdas.verifier",
)


def name_of(path: Path) -> str:
    """The module in a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "claimsmith-cdk").removesuffix(".__init__")


def sources() -> dict[str, ast.Module]:
    """Every first-party module that is shipped or deployed, by name."""
    folders = [
        ROOT / name for name in ("claimsmith", "claimsmith-cdk/claimsmith_cdk", "lambdas", "infra", "demo", "smoke")
    ]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in [*files, ROOT / "app.py"]}


SOURCES = sources()


def imported(tree: ast.Module) -> set[str]:
    """Everything a module imports, wherever in the module, also for types only."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def package_of(name: str) -> str | None:
    """The package of ours that a module or an imported name belongs to."""
    return next((package for package in MAY_IMPORT if within(name, package)), None)


def test_every_module_has_a_place_in_the_layers() -> None:
    outside = {"claimsmith", "app"}
    assert [
        name
        for name in SOURCES
        if name not in outside and not name.startswith(("demo", "smoke")) and not package_of(name)
    ] == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in SOURCES.items()
        if within(module, package)
        for name in sorted(imported(tree))
        if (target := package_of(name)) is not None and target != package and target not in MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_layers_have_no_cycle(package: str) -> None:
    reached, waiting = set[str](), [package]
    while waiting:
        lower = MAY_IMPORT[waiting.pop()] - reached
        reached |= lower
        waiting += lower
    assert package not in reached


def circle(sources: dict[str, ast.Module]) -> list[str]:
    """Modules that import one another in a circle, the first also last; none where there is no circle."""
    graph = {
        module: {name if name in sources else name.rpartition(".")[0] for name in imported(tree)} & sources.keys()
        for module, tree in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_one_another_in_a_circle_not_even_for_types() -> None:
    assert circle(SOURCES) == []


def test_a_circle_is_found_wherever_the_import_stands() -> None:
    sources = {
        "a": "import b",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from c.d import Name",
        "c.d": "def late():\n    from a import name",
        "c": "import a",
    }
    assert set(circle({name: ast.parse(text) for name, text in sources.items()})) == {"a", "b", "c.d"}
    assert circle({name: ast.parse(text) for name, text in sources.items() if name != "a"}) == []


def libraries_of(module: str) -> str | None:
    """The entry of ``LIBRARIES`` for a module: the innermost one, so that an adapter does not widen its package."""
    return max((package for package in LIBRARIES if within(module, package)), key=len, default=None)


@pytest.mark.parametrize("package", LIBRARIES)
def test_a_package_uses_only_its_own_libraries(package: str) -> None:
    ours = {"claimsmith", "claimsmith_cdk", "lambdas", "infra", "demo", "smoke", "_typeshed"}
    wrong = [
        f"{module} imports {name}"
        for module, tree in SOURCES.items()
        if libraries_of(module) == package
        for name in sorted(imported(tree))
        if (_root := name.partition(".")[0]) not in sys.stdlib_module_names | ours | LIBRARIES[package]
    ]
    assert wrong == []


def test_nothing_imports_an_adapter_to_a_framework() -> None:
    """An application that uses one imports it; the verifier, the functions and the command line do not."""
    adapters = ("claimsmith.verifier.fastapi", "claimsmith.verifier.powertools")
    assert set(adapters) <= SOURCES.keys()
    wrong = [
        f"{module} imports {name}"
        for module, tree in SOURCES.items()
        for name in sorted(imported(tree))
        if any(within(name, adapter) for adapter in adapters)
    ]
    assert wrong == []


def test_nothing_imports_a_handler() -> None:
    handlers = [module for module in SOURCES if within(module, "lambdas") and module.rpartition(".")[0] in HANDLERS]
    wrong = [
        f"{module} imports {name}"
        for module, tree in SOURCES.items()
        for name in sorted(imported(tree))
        if any(within(name, handler) for handler in handlers)
    ]
    assert handlers
    assert wrong == []


def test_only_one_module_touches_the_environment() -> None:
    touching = [
        module
        for module, tree in SOURCES.items()
        if within(module, "claimsmith") or within(module, "lambdas")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"})
        or (isinstance(node, ast.alias) and node.name in {"environ", "environb", "getenv", "putenv"})
    ]
    assert set(touching) == {"claimsmith.environment"}


def test_no_module_is_named_after_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert [module for module in SOURCES if module.rpartition(".")[2] in empty] == []

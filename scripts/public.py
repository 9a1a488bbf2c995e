"""Lists the public names of library and constructs: ``python scripts/public.py > docs/reference/public.txt``."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import MISSING
from enum import Enum
from importlib import import_module
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The modules whose ``__all__`` is public.
MODULES: Final = (
    "claimsmith.engine",
    "claimsmith.policy",
    "claimsmith.simulator.pool",
    "claimsmith.testing",
    "claimsmith.verifier",
    "claimsmith.verifier.bearer",
    "claimsmith.verifier.fastapi",
    "claimsmith.verifier.metadata",
    "claimsmith.verifier.powertools",
    "claimsmith_cdk",
)

#: Public names of modules that are otherwise private.
OTHERS: Final = {
    "claimsmith.m2m": ("MachineTokenError", "MachineTokens"),
    "claimsmith.table": ("create_table",),
    "claimsmith.verifier.context": ("CallerContext", "caller_of"),
    "claimsmith.testing.api_gateway": ("GatewayRefusal", "cognito_authorizer", "jwt_authorizer"),
}

HEAD: Final = """\
# The public names of the library and of the constructs, with their signatures. A test compares this file with the code.
# When it changes, note the change in CHANGELOG.md; docs/reference/support.md has the promise it belongs to.
# To update it: python scripts/public.py > docs/reference/public.txt
"""

#: Where classes of this project are. The constructs have their parts as attributes, which no annotation lists.
_CONSTRUCTS: Final = "claimsmith_cdk."
_OURS: Final = ("claimsmith.", _CONSTRUCTS)

#: Types whose values are shown as defaults.
_SHOWN: Final = (str, int, float, bool, tuple, type(None))


def surface() -> str:
    """Return the text of ``docs/reference/public.txt``."""
    lines = [HEAD]
    for module in (*MODULES, *OTHERS):
        loaded = import_module(module)
        lines.append(f"{module}\n")
        for name in sorted(OTHERS.get(module) or loaded.__all__):
            lines += [f"    {line}\n" for line in _described(name, getattr(loaded, name))]
        lines.append("\n")
    return "".join(lines).rstrip("\n") + "\n"


def _described(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a module exports
    if inspect.isclass(value):
        named_tuple = value.__base__ is not None and value.__base__.__module__ == NamedTuple.__module__
        bases = (
            "NamedTuple" if named_tuple else ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        )
        yield f"class {name}" + (f"({bases})" if bases else "")
        yield from (f"    {line}" for line in _members(value))
    elif inspect.isfunction(value):
        yield f"def {name}{_signature(value)}"
    elif isinstance(value, Enum):
        yield f"{name}: {type(value).__name__}"
    elif type(value).__module__ == "typing":
        yield f"{name} = {value!r}".replace("typing.", "")
    else:
        yield f"{name}: {type(value).__name__}"


def _members(cls: type) -> Iterator[str]:
    """The constructor, the fields and the methods of a class, with those it inherits from classes of this library."""
    found: dict[str, str] = {}
    for owner in reversed([owner for owner in cls.__mro__ if owner.__module__.startswith(_OURS)]):
        for name, annotation in inspect.get_annotations(owner).items():
            if name[0] != "_":
                found[name] = f"{name}{_annotation(': ', annotation)}{_field_default(owner, name)}"
        if owner.__module__.startswith(_CONSTRUCTS):
            found |= dict(_assigned(owner))
        for name, value in vars(owner).items():
            # A data class and a protocol have no constructor of their own.
            if name[0] == "_" and (
                name != "__init__" or "__match_args__" in vars(owner) or "_is_protocol" in vars(owner)
            ):
                continue
            function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if isinstance(value, property):
                found[name] = f"{name}{_returned(value.fget)}"
            elif inspect.isfunction(function):
                found[name] = f"def {name}{_signature(function)}"
            elif type(value).__name__ == "cached_property":
                found[name] = f"{name}{_returned(value.func)}"
    yield from (found[name] for name in sorted(found))


def _assigned(owner: type) -> Iterator[tuple[str, str]]:
    """The public attributes that a constructor sets, with the type where it says one."""
    if "__init__" not in vars(owner) or "__match_args__" in vars(owner):
        return
    for node in ast.walk(ast.parse(dedent(inspect.getsource(vars(owner)["__init__"])))):
        annotation = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
        targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in (each for one in targets for each in (one.elts if isinstance(one, ast.Tuple) else [one])):
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self" and target.attr[0] != "_":
                yield target.attr, target.attr + annotation


def _field_default(owner: type, name: str) -> str:
    """The default of a field of a data class or a named tuple."""
    field = getattr(owner, "__dataclass_fields__", {}).get(name)
    if field is not None and field.default_factory is not MISSING:
        return " = ..."
    default = MISSING if field is None else field.default
    default = getattr(owner, "_field_defaults", {}).get(name, default)
    return "" if default is MISSING else f" = {_shown(default)}"


def _shown(default: object) -> str:
    """The text of a default; that of others than plain values may differ from one run to the next."""
    return repr(default) if type(default) in _SHOWN else "..."


def _returned(function: Any) -> str:  # noqa: ANN401 - the getter of a property
    return _signature(function).partition(" -> ")[2].join((": ", ""))


def _signature(function: Any) -> str:  # noqa: ANN401 - any function
    signature = inspect.signature(function)
    parameters: list[str] = []
    keyword_only = False
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parameters.append("*")
        star = stars.get(parameter.kind, "")
        keyword_only = keyword_only or star == "*"
        text = f"{star}{parameter.name}{_annotation(': ', parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_shown(parameter.default)}"
        parameters.append(text)
    return f"({', '.join(parameters)}){_annotation(' -> ', signature.return_annotation)}"


def _annotation(lead: str, annotation: Any) -> str:  # noqa: ANN401 - text, or a type
    if annotation is inspect.Signature.empty:
        return ""
    # A named tuple wraps its annotations.
    text = getattr(annotation, "__forward_arg__", annotation)
    return lead + (text if isinstance(text, str) else inspect.formatannotation(text))


if __name__ == "__main__":
    sys.stdout.write(surface())

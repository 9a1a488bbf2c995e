"""Turns a bundle document back into a policy that compiles to it; the inverse of ``compile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.inheritance import parents
from claimsmith.policy.documents import KINDS, SETTINGS_SECTION
from claimsmith.policy.draft import ORDER, ORDER_STEP, Draft, Entry, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Sections whose entries are the attributes of their rows already.
_AS_WRITTEN: Final = ("identity_providers", "clients", "routes")


def decompile(document: Mapping[str, Any]) -> Draft:
    """A policy that compiles to this document, if the document has the present format.

    What a document does not have is not in it: tests, descriptions, disabled rules, ``publish``.
    """
    return ordered(_entries(document))


def _entries(document: Mapping[str, Any]) -> Iterator[Entry]:
    yield Entry(SETTINGS_SECTION, "", _settings(document["settings"]))
    for name, role in roles_as_written(document["roles"]).items():
        yield Entry("roles", name, role)
    for name, roles in document["groups"].items():
        yield Entry("groups", name, {"roles": roles, **document.get("iam_roles", {}).get(name, {})})
    for section in _AS_WRITTEN:
        for name, attributes in document.get(section, {}).items():
            yield Entry(section, name, attributes)
    for at, rule in enumerate(document.get("rules", ())):
        attributes = {key: value for key, value in rule.items() if key != "id"}
        yield Entry("rules", rule["id"], {**attributes, ORDER: (at + 1) * ORDER_STEP})


def roles_as_written(roles: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Compiled roles with ``inherits`` instead of all that they inherit."""
    closures = {name: role["closure"] for name, role in roles.items()}
    found = {}
    for name, role in roles.items():
        inherits = parents(closures, name)
        own = {key: value for key, value in role.items() if key != "closure"}
        found[name] = {"inherits": inherits, **own} if inherits else own
    return found


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    named = settings["claim_names"]
    names = {meaning: named.get(meaning) for meaning in BUILT_IN_CLAIMS if named.get(meaning) != meaning}
    return {**{key: value for key, value in settings.items() if value != []}, "claim_names": names}


assert {"roles", "groups", "rules", *_AS_WRITTEN, "tests"} == set(KINDS)  # noqa: S101 - a new section is a new entry

"""Turns a bundle document back into a policy that compiles to it; the inverse of ``compile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.policy.documents import KINDS, SETTINGS_SECTION
from claimsmith.policy.draft import ORDER, ORDER_STEP, Draft, Entry, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Sections whose entries are the attributes of their rows already.
_AS_WRITTEN: Final = ("clients", "routes")


def decompile(document: Mapping[str, Any]) -> Draft:
    """A policy that compiles to this document, if the document has the present format.

    What a document does not have is not in it: tests, descriptions, disabled rules, ``publish``.
    """
    return ordered(_entries(document))


def _entries(document: Mapping[str, Any]) -> Iterator[Entry]:
    yield Entry(SETTINGS_SECTION, "", _settings(document["settings"]))
    for name, role in document["roles"].items():
        inherits = [inherited for inherited in role["closure"] if inherited != name]
        attributes = {key: value for key, value in role.items() if key != "closure"}
        yield Entry("roles", name, {**attributes, **({"inherits": inherits} if inherits else {})})
    for name, roles in document["groups"].items():
        yield Entry("groups", name, {"roles": roles})
    for section in _AS_WRITTEN:
        for name, attributes in document[section].items():
            yield Entry(section, name, attributes)
    for at, rule in enumerate(document.get("rules", ())):
        attributes = {key: value for key, value in rule.items() if key != "id"}
        yield Entry("rules", rule["id"], {**attributes, ORDER: (at + 1) * ORDER_STEP})


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    named = settings["claim_names"]
    names = {meaning: named.get(meaning) for meaning in BUILT_IN_CLAIMS if named.get(meaning) != meaning}
    return {**{key: value for key, value in settings.items() if value != []}, "claim_names": names}


assert {"roles", "groups", "rules", *_AS_WRITTEN, "tests"} == set(KINDS)  # noqa: S101 - a new section is a new entry

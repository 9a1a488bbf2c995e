"""Parses the entries of a draft into documents: the first step of lint, and the input of the compiler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from claimsmith.errors import Code
from claimsmith.policy.documents import DOCUMENTS, KINDS, SETTINGS_SECTION, ClaimsRow, Documents, Row, Settings
from claimsmith.policy.draft import UNKNOWN_SECTION, Draft, Entry
from claimsmith.policy.finding import Suggestion, found, quoting_hint
from claimsmith.policy.literals import unstorable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.policy.finding import Finding

#: What pydantic prepends to the message of a validator.
_VALIDATOR_PREFIX: Final = "Value error, "

#: Messages for pydantic's type errors, without Python's type names.
_TYPE_MESSAGES: Final[Mapping[str, str]] = {
    "list_type": "must be a list, even if it has one member: [...]",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "dict_type": "must be a map of names to values",
    "model_type": "must be a map of attributes",
}

NO_SETTINGS: Final = Entry(SETTINGS_SECTION, "", {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Documents):
    """The documents of a draft; complete only if there are no findings.

    Attributes:
        entries: by section and name, including those that are not valid documents.
    """

    entries: Mapping[str, Mapping[str, Entry]]

    @property
    def settings_entry(self) -> Entry:
        """The SETTINGS entry; an empty one if it is missing."""
        return self.entries[SETTINGS_SECTION].get("", NO_SETTINGS)

    def claims_rows(self) -> Iterator[tuple[Entry, ClaimsRow]]:
        """Yield the documents that can set claims, with their entries."""
        for section, kind in KINDS.items():
            if issubclass(kind.model, ClaimsRow):
                for name, document in getattr(self, section).items():
                    yield self.entries[section][name], document


def read(draft: Draft) -> tuple[Policy, list[Finding]]:
    """Return the documents of a draft, and findings for entries that are not valid."""
    entries: dict[str, dict[str, Entry]] = {section: {} for section in (*DOCUMENTS, UNKNOWN_SECTION)}
    findings: list[Finding] = []
    for entry in draft.entries:
        entries[entry.section][entry.name] = entry
    if not entries[SETTINGS_SECTION]:
        file = next((entry.file for entry in draft.entries), None)
        nowhere = Entry(SETTINGS_SECTION, "", {}, file, {(): 1} if file else {})
        message = "the policy has no settings; add " + ("settings: {}" if file else "a row with sk = SETTINGS")
        findings.append(found(Code.SETTINGS_MISSING, nowhere, (), message))
    for entry in entries[UNKNOWN_SECTION].values():
        known = ", ".join(f"{kind.prefix}…" for kind in KINDS.values())
        findings.append(
            found(Code.UNKNOWN_ROW, entry, (), f"no kind of row has this sort key; use SETTINGS or {known}")
        )
    documents: dict[str, Any] = {}
    for section, model in DOCUMENTS.items():
        documents[section] = {}
        for name, entry in entries[section].items():
            wrong = unstorable(entry.attributes)
            if wrong is not None:
                findings.append(found(Code.UNSUPPORTED_VALUE, entry, *wrong))
                continue
            try:
                documents[section][name] = model.model_validate(dict(entry.attributes))
            except ValidationError as error:
                findings += _problems(entry, model, error)
    settings = documents.pop(SETTINGS_SECTION)
    return Policy(entries=entries, settings=settings.get("", Settings()), **documents), findings


def _problems(entry: Entry, model: type[Row], error: ValidationError) -> Iterator[Finding]:
    """Yield a finding for each problem of an entry; the value itself is never shown, at most its type."""
    for problem in error.errors(include_url=False, include_context=False):
        path = tuple(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            suggestion = Suggestion((path[-1],), _attributes(model, path[:-1]))
            yield found(Code.UNKNOWN_ATTRIBUTE, entry, path, "unknown attribute", suggestion)
        elif problem["type"] == "missing":
            yield found(Code.WRONG_TYPE, entry, path, "this attribute is required; add it")
        else:
            message = _TYPE_MESSAGES.get(problem["type"]) or problem["msg"].removeprefix(_VALIDATOR_PREFIX).lower()
            yield found(
                Code.WRONG_TYPE,
                entry,
                path,
                message + (quoting_hint(problem["input"]) if problem["type"] == "string_type" else ""),
            )


def _attributes(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """Return the attributes that a part of a row may have."""
    for name in path:
        annotation = model.model_fields[name].annotation
        parts = [annotation, *getattr(annotation, "__args__", ())]
        model = next(part for part in parts if isinstance(part, type) and issubclass(part, BaseModel))
    return list(model.model_fields)

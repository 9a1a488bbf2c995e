"""Checks a draft before it can reach a token: every finding names a code, a row and an attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from claimsmith.cognito.claims import TOKENS, Token, UnacceptableError, checked, refused_name
from claimsmith.cognito.limits import CLIENT_ID, SCOPE
from claimsmith.engine.language import (
    BUILT_IN_CLAIMS,
    DEGRADED_CLAIM,
    METHODS,
    NAME,
    ROUTE_PATH,
    SHED_CLAIM,
    TENANT_FROM,
    is_unmanaged,
)
from claimsmith.engine.language.values import looks_like_expression
from claimsmith.errors import Code
from claimsmith.policy.documents import DOCUMENTS, ClaimsRow, Client, Group, Role, Route, Row, Settings
from claimsmith.policy.draft import SETTINGS_SECTION, UNKNOWN_SECTION, Draft, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]

#: The longest group name of a user pool (CreateGroup).
_GROUP_LENGTH: Final = 128

_FIRST, _SECOND = TOKENS

#: Built-in claims of the ID token that are lists or objects.
_COMPLEX: Final = ("roles", "tenants")

#: DynamoDB's numbers (data types, "Number").
_MAX_INTEGER: Final = 10**38
_MIN_FLOAT: Final = 1e-130
_MAX_FLOAT: Final = 1e126


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a draft.

    Attributes:
        code: stable, an entry of ``docs/codes.md``.
        row: the row's key.
        attribute: the path of the attribute in the row; empty where the row itself is wrong.
        message: what is wrong and what would be right.
        file: and ``line``: where it was read, if from a file.
    """

    code: Code
    row: str
    attribute: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else " ".join(filter(None, (self.row, self.attribute)))
        subject = f" {self.attribute}:" if self.file and self.attribute else ""
        return f"{place}:{subject} {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft's documents, as far as they could be read; complete only where there is no finding."""

    settings: Settings
    roles: Mapping[str, Role]
    groups: Mapping[str, Group]
    clients: Mapping[str, Client]
    routes: Mapping[str, Route]


def lint(draft: Draft) -> list[Finding]:
    """Everything that is wrong with a draft; an empty list where it may be published."""
    return check(draft)[1]


def check(draft: Draft) -> tuple[Checked, list[Finding]]:
    """The documents of a draft, and everything that is wrong with it."""
    return _Lint(draft).run()


class _Lint:
    def __init__(self, draft: Draft) -> None:
        self.sections = {name: draft.section(name) for name in (*DOCUMENTS, UNKNOWN_SECTION)}
        self.findings: list[Finding] = []

    def run(self) -> tuple[Checked, list[Finding]]:
        documents = {section: self.documents(section) for section in DOCUMENTS}
        settings = next(iter(documents[SETTINGS_SECTION].values()), None)
        if not self.sections[SETTINGS_SECTION]:
            nowhere = Entry(SETTINGS_SECTION, "", {})
            self.say(Code.SETTINGS_MISSING, nowhere, (), "every policy has this row, even an empty one")
        for entry in self.sections[UNKNOWN_SECTION].values():
            self.say(Code.UNKNOWN_ROW, entry, (), "this version knows SETTINGS, ROLE#…, GROUP#…, CLIENT#… and ROUTE#…")
        checked_policy = Checked(
            settings if isinstance(settings, Settings) else Settings(),
            {name: role for name, role in documents["roles"].items() if isinstance(role, Role)},
            {name: group for name, group in documents["groups"].items() if isinstance(group, Group)},
            {name: client for name, client in documents["clients"].items() if isinstance(client, Client)},
            {name: route for name, route in documents["routes"].items() if isinstance(route, Route)},
        )
        self.names(checked_policy)
        self.routes(checked_policy.routes)
        self.role_references(checked_policy)
        self.cycles(checked_policy.roles)
        self.scopes(checked_policy)
        self.claims(checked_policy)
        self.findings.sort(key=lambda found: (found.file or "", found.line or 0, found.row, found.attribute))
        return checked_policy, self.findings

    def say(self, code: Code, entry: Entry, path: Path, message: str) -> None:
        self.findings.append(Finding(code, entry.row, ".".join(path), message, entry.file, entry.line(path)))

    def documents(self, section: str) -> dict[str, Row]:
        """The documents of a section that can be read."""
        model, found = DOCUMENTS[section], {}
        for name, entry in self.sections[section].items():
            try:
                found[name] = model.model_validate(dict(entry.attributes))
            except ValidationError as error:
                for problem in error.errors(include_url=False, include_input=False, include_context=False):
                    path = tuple(str(part) for part in problem["loc"])
                    if problem["type"] == "extra_forbidden":
                        hint = _did_you_mean(path[-1], model.model_fields)
                        self.say(Code.UNKNOWN_ATTRIBUTE, entry, path, f"no such attribute{hint}")
                    else:
                        self.say(Code.WRONG_TYPE, entry, path, problem["msg"].lower())
        return found

    def names(self, policy: Checked) -> None:
        for name in policy.roles:
            if not NAME.fullmatch(name):
                entry = self.sections["roles"][name]
                self.say(Code.INVALID_NAME, entry, (), f"a role's name matches {NAME.pattern}")
        for name in policy.groups:
            if not 0 < len(name) <= _GROUP_LENGTH:
                entry = self.sections["groups"][name]
                self.say(Code.INVALID_NAME, entry, (), f"a group's name has 1 to {_GROUP_LENGTH} characters")
        for name, client in policy.clients.items():
            entry = self.sections["clients"][name]
            if not CLIENT_ID.fullmatch(name):
                self.say(Code.INVALID_NAME, entry, (), "this is not an app client id")
            if client.tenant is not None and not NAME.fullmatch(client.tenant):
                self.say(Code.INVALID_NAME, entry, ("tenant",), f"a tenant id matches {NAME.pattern}")

    def routes(self, routes: Mapping[str, Route]) -> None:
        for name, route in routes.items():
            entry = self.sections["routes"][name]
            if not NAME.fullmatch(name):
                self.say(Code.INVALID_NAME, entry, (), f"a route's id matches {NAME.pattern}")
            if route.method not in METHODS:
                self.say(Code.INVALID_ROUTE, entry, ("method",), f"a method is one of {', '.join(METHODS)}")
            variables = re.findall(r"\{([A-Za-z0-9_-]+)\+?\}", route.path)
            if not route.path or not ROUTE_PATH.fullmatch(route.path):
                self.say(Code.INVALID_ROUTE, entry, ("path",), "a path is like /orders, /orders/{id} or /files/{path+}")
            elif len(set(variables)) < len(variables):
                self.say(Code.INVALID_ROUTE, entry, ("path",), "a path names each part once")
            if route.tenant_from is not None:
                source = TENANT_FROM.fullmatch(route.tenant_from)
                if source is None:
                    message = "tenant_from is path:NAME, header:NAME or query:NAME"
                    self.say(Code.INVALID_ROUTE, entry, ("tenant_from",), message)
                elif source[1] == "path" and source[2] not in variables:
                    message = f"the path has no {{{source[2]}}}"
                    self.say(Code.INVALID_ROUTE, entry, ("tenant_from",), message)

    def role_references(self, policy: Checked) -> None:
        # A role whose row is wrong exists all the same; one finding for it is enough.
        known = self.sections["roles"]
        for entry, path, names in self.role_lists(policy):
            for index, name in enumerate(names):
                if name not in known:
                    hint = _did_you_mean(name, known)
                    self.say(Code.UNKNOWN_ROLE, entry, (*path, str(index)), f"there is no role {name}{hint}")

    def role_lists(self, policy: Checked) -> Iterator[tuple[Entry, Path, Sequence[str]]]:
        for entry in self.sections[SETTINGS_SECTION].values():
            yield entry, ("default_roles",), policy.settings.default_roles
        for name, role in policy.roles.items():
            yield self.sections["roles"][name], ("inherits",), role.inherits
        for name, group in policy.groups.items():
            yield self.sections["groups"][name], ("roles",), group.roles
        for name, client in policy.clients.items():
            yield self.sections["clients"][name], ("roles",), client.roles
        for name, route in policy.routes.items():
            yield self.sections["routes"][name], ("any_role",), route.any_role

    def cycles(self, roles: Mapping[str, Role]) -> None:
        for name in roles:
            if name in ancestors(name, roles):
                entry = self.sections["roles"][name]
                self.say(Code.INHERITANCE_CYCLE, entry, ("inherits",), "this role inherits itself, at some depth")

    def scopes(self, policy: Checked) -> None:
        unmanaged = frozenset(policy.settings.unmanaged_scopes)
        for entry in self.sections[SETTINGS_SECTION].values():
            self.scope_syntax(entry, ("unmanaged_scopes",), policy.settings.unmanaged_scopes)
            for index, pattern in enumerate(policy.settings.unmanaged_scopes):
                if "*" in pattern.removesuffix("/*"):
                    message = "a star stands only at the end, after a slash, as in legacy/*"
                    self.say(Code.INVALID_SCOPE, entry, ("unmanaged_scopes", str(index)), message)
        for name, role in policy.roles.items():
            entry = self.sections["roles"][name]
            self.scope_syntax(entry, ("scopes",), role.scopes)
            for index, scope in enumerate(role.scopes):
                if is_unmanaged(scope, unmanaged):
                    message = f"the policy does not manage {scope}, so no role can grant it"
                    self.say(Code.UNMANAGED_SCOPE, entry, ("scopes", str(index)), message)
        for name, client in policy.clients.items():
            entry = self.sections["clients"][name]
            self.scope_syntax(entry, ("scopes_allowed",), client.scopes_allowed or ())
            self.scope_syntax(entry, ("suppress_scopes",), client.suppress_scopes)

        for name, route in policy.routes.items():
            entry = self.sections["routes"][name]
            self.scope_syntax(entry, ("any_scope",), route.any_scope)
            self.scope_syntax(entry, ("all_scopes",), route.all_scopes)

    def scope_syntax(self, entry: Entry, path: Path, scopes: Sequence[str]) -> None:
        for index, scope in enumerate(scopes):
            if not SCOPE.fullmatch(scope):
                self.say(
                    Code.INVALID_SCOPE,
                    entry,
                    (*path, str(index)),
                    "a scope has 1 to 256 printable ASCII characters and no space, quote or backslash",
                )

    def claims(self, policy: Checked) -> None:
        own = {DEGRADED_CLAIM, SHED_CLAIM, *policy.settings.names().values()}
        for entry in self.sections[SETTINGS_SECTION].values():
            self.claim_names(entry, policy.settings)
        rows: list[tuple[Entry, ClaimsRow]] = []
        rows += [(self.sections["roles"][name], role) for name, role in policy.roles.items()]
        rows += [(self.sections["clients"][name], client) for name, client in policy.clients.items()]
        for entry, row in rows:
            for attribute, claims, tokens in (
                ("claims", row.claims, TOKENS),
                ("access_claims", row.access_claims, (_FIRST,)),
                ("id_claims", row.id_claims, (_SECOND,)),
            ):
                for name, value in claims.items():
                    self.claim(entry, (attribute, name), value, tokens, own)

    def claim(self, entry: Entry, path: Path, value: Any, tokens: Sequence[Token], own: set[str]) -> None:  # noqa: ANN401 - a JSON value and its place
        name = path[-1]
        refused = "only Claimsmith sets this claim" if name in own else _refused_name(name, tokens)
        if refused is not None:
            self.say(Code.RESERVED_CLAIM, entry, path, refused)
            return
        if looks_like_expression(value):
            self.say(Code.UNSUPPORTED_VALUE, entry, path, "this version takes literal values only")
            return
        if why := _unstorable(value):
            self.say(Code.UNSUPPORTED_VALUE, entry, path, why)
            return
        for token in tokens:
            try:
                checked(token, name, value)
            except UnacceptableError as unacceptable:
                self.say(Code.UNSUPPORTED_VALUE, entry, path, str(unacceptable))
                return

    def claim_names(self, entry: Entry, settings: Settings) -> None:
        seen: dict[str, str] = {}
        for meaning in settings.claim_names:
            if meaning not in BUILT_IN_CLAIMS:
                hint = _did_you_mean(meaning, BUILT_IN_CLAIMS)
                self.say(Code.UNKNOWN_ATTRIBUTE, entry, ("claim_names", meaning), f"no such built-in claim{hint}")
        for meaning, name in settings.names().items():
            path = ("claim_names", meaning)
            if refused := _refused_name(name, TOKENS):
                self.say(Code.RESERVED_CLAIM, entry, path, refused)
            elif name in (DEGRADED_CLAIM, SHED_CLAIM) or name in seen:
                self.say(Code.DUPLICATE, entry, path, f"{name} is the name of another claim already")
            elif meaning in _COMPLEX and (why := _refused_complex(name)):
                self.say(Code.RESERVED_CLAIM, entry, path, why)
            seen[name] = meaning


def ancestors(name: str, roles: Mapping[str, Role]) -> set[str]:
    """Every role that a role inherits, at any depth; itself only where it is part of a cycle."""
    found: set[str] = set()
    waiting = list(roles[name].inherits)
    while waiting:
        parent = waiting.pop()
        if parent in roles and parent not in found:
            found.add(parent)
            waiting += roles[parent].inherits
    return found


def _refused_name(name: str, tokens: Sequence[Token]) -> str | None:
    return next(filter(None, (refused_name(token, name) for token in tokens)), None)


def _refused_complex(name: str) -> str | None:
    """Why the ID token takes no list or object under this name."""
    try:
        checked(_SECOND, name, [])
    except UnacceptableError as unacceptable:
        return str(unacceptable)
    return None


def _unstorable(value: object) -> str | None:
    """Why no DynamoDB row can hold this part of a value: its numbers have 38 digits and a range, its sets members."""
    if isinstance(value, dict):
        return next(filter(None, map(_unstorable, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_unstorable, value)), None)
    if isinstance(value, set | frozenset) and not value:
        return "an empty set cannot be stored; write a list"
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        return "a number has at most 38 digits"
    if isinstance(value, float) and value and not _MIN_FLOAT <= abs(value) < _MAX_FLOAT:
        return "the number is too large or too small to be stored"
    return None


def _did_you_mean(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

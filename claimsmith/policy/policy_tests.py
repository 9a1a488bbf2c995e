"""Runs the tests of a policy: the compiled bundle, the row readers and ``decide``, on the rows that a test gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, parse
from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.cognito.tokens import issued
from claimsmith.engine import decide
from claimsmith.engine.codec import from_document
from claimsmith.engine.decide import Refusal
from claimsmith.engine.facts import MACHINE, Facts, Problem, read_tenant, read_user
from claimsmith.engine.language import is_unmanaged
from claimsmith.engine.language.conditions import same
from claimsmith.errors import Code, EventError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.checks.tests import source
from claimsmith.policy.documents import GivenMembership, GivenTenant, GivenUser
from claimsmith.policy.finding import found
from claimsmith.policy.literals import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.reasons import Reason
    from claimsmith.policy.documents import Expect, Given, Test
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

    #: The last reason of each name, by kind and token.
    Reasons = Mapping[tuple[str, str], Mapping[str, Reason]]

#: The sign-in that a test does not describe otherwise.
_SUB: Final = "00000000-0000-4000-8000-000000000000"
_CLIENT: Final = "invented"
_POOL: Final = "eu-central-1_Invented0"

#: The version of the bundle under test, and so ``policy_version`` in its tokens.
_VERSION: Final = 0


#: Attributes of a test that are not attributes of a row.
_NOT_ROW_ATTRIBUTES: Final[Mapping[type[BaseModel], set[str]]] = {
    GivenUser: {"sub", "username", "groups", "attributes"},
    GivenMembership: set(),
    GivenTenant: {"id"},
}

_ABSENT: Final = object()


class Difference(NamedTuple):
    """An expectation that is not met.

    Attributes:
        path: which, within the test: ``("expect", "scopes")``.
        expected: as text: JSON, or words.
        got: likewise.
        why: the last reason of the decision for each name that differs, with the row that it came from.
        code: ``TEST_FAILED``; ``INVALID_TEST`` if nobody can sign in as the test says, which ``got`` explains.
    """

    path: Path
    expected: str
    got: str
    why: tuple[str, ...] = ()
    code: Code = Code.TEST_FAILED

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}" if self.code == Code.TEST_FAILED else self.got


def check(policy: Policy, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the expectations that a compiled policy does not meet.

    Args:
        policy: a policy without errors.
        document: its bundle document.
    """
    if not policy.tests:
        return
    bundle = bundle_of(document)
    for name, test in policy.tests.items():
        entry = policy.entries["tests"][name]
        for difference in run(test, bundle):
            subject = f"{name}: " if difference.code == Code.TEST_FAILED else ""
            message = "; ".join((subject + str(difference), *difference.why))
            yield found(difference.code, entry, difference.path, message)


def bundle_of(document: Mapping[str, Any]) -> Bundle:
    """Return the bundle that tests run with."""
    return from_document(document, _VERSION)


def run(test: Test, bundle: Bundle, observe: Callable[[Iterable[Reason]], None] | None = None) -> Iterator[Difference]:
    """Yield the expectations of one test that a bundle does not meet.

    Args:
        test: the test.
        bundle: the policy.
        observe: called with the reasons of the decision.
    """
    given, expect = test.given, test.expect
    try:
        request = parse(_event(given))
    except EventError as error:
        yield _invalid(("given",), f"Cognito sends no such event: {error.detail}")
        return
    facts = _facts(given, machine=request.machine)
    outcome = decide(bundle, facts, request, given.now)
    if observe is not None:
        observe(outcome.reasons)
    problems = (*facts.user.problems, *facts.problems)
    if problems:
        part = "given.user" if problems[0].row.endswith(f" {table.USER}") else "given"
        why = f"{problems[0].attribute} {problems[0].why}"
        yield _invalid(tuple(part.split(".")), f"this row is not valid: {why}")
    elif isinstance(outcome, Refusal):
        if outcome.code != expect.refused:
            at = ("expect",) if expect.refused is None else ("expect", "refused")
            expected = "tokens" if expect.refused is None else f"a refusal with {expect.refused}"
            yield Difference(at, expected, f"a refusal with {outcome.code}")
    elif expect.refused is not None:
        yield Difference(("expect", "refused"), f"a refusal with {expect.refused}", "tokens")
    else:
        access, identity = issued(request, outcome.changes)
        reasons = _last_reasons(outcome.reasons)
        yield from _claims(expect, access, identity, reasons)
        yield from _scopes(expect, access, bundle, reasons)
        if expect.groups is not None:
            yield from _names("group", expect.groups, access.get(GROUPS_CLAIM, ()), reasons)


def _event(given: Given) -> dict[str, Any]:
    """Return the event that Cognito would send for the sign-in."""
    user, machine = given.user, source(given) == MACHINE_SOURCE
    sub = user.sub if user and user.sub is not None else _SUB
    scopes = given.request.scopes
    if scopes is None:
        scopes = [] if machine else ["openid"] if source(given) == MANAGED_LOGIN else [ADMIN_SCOPE]
    username = user.username if user and user.username is not None else sub
    return {
        "version": "3" if machine else "2",
        "triggerSource": source(given),
        "userPoolId": _POOL,
        "userName": "ClientCredentials" if machine else username,
        "callerContext": {"clientId": given.client.id if given.client else _CLIENT},
        "request": {
            "userAttributes": {} if machine else {**(user.attributes if user else {}), "sub": sub},
            "groupConfiguration": None if machine else {"groupsToOverride": user.groups if user else []},
            "scopes": scopes,
            "clientMetadata": given.request.metadata,
        },
    }


def _facts(given: Given, *, machine: bool) -> Facts:
    """Return the facts in the rows that a test describes."""
    sub = given.user.sub if given.user and given.user.sub is not None else _SUB
    pk = table.USER_PREFIX + sub
    rows = []
    if given.user is not None:
        rows.append({table.PK: pk, table.SK: table.USER, **_attributes(given.user)})
    if given.membership is not None and given.tenant is not None:
        sk = table.TENANT_PREFIX + given.tenant.id
        rows.append({table.PK: pk, table.SK: sk, **_attributes(given.membership)})
    user = MACHINE if machine else read_user(rows, given.now)
    if given.tenant is None:
        return Facts(user)
    row = {table.PK: table.TENANT_PREFIX + given.tenant.id, table.SK: table.TENANT, **_attributes(given.tenant)}
    tenant = read_tenant(row, given.now)
    if isinstance(tenant, Problem):
        return Facts(user, {given.tenant.id: None}, (tenant,))
    return Facts(user, {given.tenant.id: tenant})


def _attributes(part: BaseModel) -> dict[str, Any]:
    row = part.model_dump(exclude_unset=True, exclude=_NOT_ROW_ATTRIBUTES[type(part)])
    if "directory_groups" in row:  # groups of a user are those in the pool
        row["groups"] = row.pop("directory_groups")
    return row


def _claims(
    expect: Expect, access: Mapping[str, Any], identity: Mapping[str, Any], reasons: Reasons
) -> Iterator[Difference]:
    for token, claims, expected, absent in (
        (TOKENS[0], access, expect.access, expect.absent.access),
        (TOKENS[1], identity, expect.id, expect.absent.id),
    ):
        for name, value in expected.items():
            got = claims.get(name, _ABSENT)
            if not claims:
                yield Difference(("expect", token, name), _shown(value), "no ID token")
            elif got is _ABSENT or not same(plain(got), value):
                why = _why(reasons, "claim", [name], token)
                yield Difference(("expect", token, name), _shown(value), _shown(got), why)
        for index, name in enumerate(absent):
            if name in claims:
                at = ("expect", "absent", token, str(index))
                why = _why(reasons, "claim", [name], token)
                yield Difference(at, f"no claim {name}", _shown(claims[name]), why)


def _scopes(expect: Expect, access: Mapping[str, Any], bundle: Bundle, reasons: Reasons) -> Iterator[Difference]:
    if expect.scopes is None:
        return
    unmanaged = bundle.settings.unmanaged_scopes
    managed = [scope for scope in access.get("scope", "").split() if not is_unmanaged(scope, unmanaged)]
    yield from _names("scope", expect.scopes, managed, reasons)


def _names(kind: str, expected: list[str], got: list[str] | tuple[str, ...], reasons: Reasons) -> Iterator[Difference]:
    differing = sorted(set(expected) ^ set(got))
    if differing:
        why = _why(reasons, kind, differing)
        yield Difference(("expect", f"{kind}s"), _shown(sorted(set(expected))), _shown(sorted(set(got))), why)


def _last_reasons(reasons: Iterable[Reason]) -> Reasons:
    """Return the last reason for each claim, scope and group."""
    last: dict[tuple[str, str], dict[str, Reason]] = {}
    for reason in reasons:
        for token in (reason.token,) if reason.token else TOKENS:
            last.setdefault((reason.kind, token), {})[reason.name] = reason
    return last


def _why(reasons: Reasons, kind: str, names: Iterable[str], token: str = TOKENS[0]) -> tuple[str, ...]:
    """Return the last reason for each of these names that has one."""
    last = reasons.get((kind, token), {})
    latest = (last[name] for name in names if name in last)
    return tuple(
        f"{reason.name} {reason.outcome} by {reason.source}" + (f": {reason.detail}" if reason.detail else "")
        for reason in latest
    )


def _shown(value: object) -> str:
    return "no such claim" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


def _invalid(path: Path, why: str) -> Difference:
    return Difference(path, "a sign-in", why, code=Code.INVALID_TEST)

"""Runs a policy's own tests: the compiled bundle, the real readers and the real decision, on rows that are given."""

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
from claimsmith.policy.checks.tests import source
from claimsmith.policy.finding import found
from claimsmith.policy.literals import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.reasons import Reason
    from claimsmith.policy.documents import Expect, Given, Test
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

    #: The last reason by kind and token, then by name.
    Reasons = Mapping[tuple[str, str], Mapping[str, Reason]]

#: Who signs in where a test does not say.
_SUB: Final = "00000000-0000-4000-8000-000000000000"
_CLIENT: Final = "invented"
_POOL: Final = "eu-central-1_Invented0"

#: The version of a bundle that has none yet; what ``policy_version`` says in a test.
_VERSION: Final = 0


#: Of a test's own words, those that are no attributes of a row.
_NOT_OF_THE_ROW: Final = {"id", "sub", "username", "groups", "attributes"}

_ABSENT: Final = object()


def check(policy: Policy, document: Mapping[str, Any]) -> Iterator[Finding]:
    """The expectations that a compiled policy does not meet.

    Args:
        policy: without an error.
        document: what it compiles to.
    """
    if not policy.tests:
        return
    bundle = from_document(document, _VERSION)
    for name, test in policy.tests.items():
        yield from _rehearsed(policy.entries["tests"][name], test, bundle)


def _rehearsed(entry: Entry, test: Test, bundle: Bundle) -> Iterator[Finding]:
    given, expect = test.given, test.expect
    try:
        request = parse(_event(given))
    except EventError as error:
        yield found(Code.INVALID_TEST, entry, ("given",), f"no event of Cognito's is like this: {error.detail}")
        return
    known = _facts(given, machine=request.machine)
    outcome = decide(bundle, known, request, given.now)
    problems = (*known.user.problems, *known.problems)
    if problems:
        part = "given.user" if problems[0].row.endswith(f" {table.USER}") else "given"
        why = f"{problems[0].attribute} {problems[0].why}"
        yield found(Code.INVALID_TEST, entry, tuple(part.split(".")), f"no row could say this: {why}")
    elif isinstance(outcome, Refusal):
        if outcome.code != expect.refused:
            at = ("expect",) if expect.refused is None else ("expect", "refused")
            wanted = "tokens" if expect.refused is None else f"a refusal with {expect.refused}"
            yield _red(entry, at, wanted, f"a refusal with {outcome.code}")
    elif expect.refused is not None:
        yield _red(entry, ("expect", "refused"), f"a refusal with {expect.refused}", "tokens")
    else:
        access, identity = issued(request, outcome.changes)
        reasons = _last(outcome.reasons)
        yield from _claims(entry, expect, access, identity, reasons)
        yield from _scopes(entry, expect, access, bundle, reasons)
        if expect.groups is not None:
            yield from _names(entry, "group", expect.groups, access.get(GROUPS_CLAIM, ()), reasons)


def _event(given: Given) -> dict[str, Any]:
    """The event of the sign-in, as Cognito sends it."""
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
    """What the rows say that a test describes."""
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
    return part.model_dump(exclude_unset=True, exclude=_NOT_OF_THE_ROW)


def _claims(
    entry: Entry, expect: Expect, access: Mapping[str, Any], identity: Mapping[str, Any], reasons: Reasons
) -> Iterator[Finding]:
    for token, claims, wanted, absent in (
        (TOKENS[0], access, expect.access, expect.absent.access),
        (TOKENS[1], identity, expect.id, expect.absent.id),
    ):
        for name, value in wanted.items():
            got = claims.get(name, _ABSENT)
            if not claims:
                yield _red(entry, ("expect", token, name), _told(value), "no ID token at all")
            elif got is _ABSENT or not same(plain(got), value):
                yield _red(
                    entry, ("expect", token, name), _told(value), _told(got) + _why(reasons, "claim", [name], token)
                )
        for index, name in enumerate(absent):
            if name in claims:
                at = ("expect", "absent", token, str(index))
                yield _red(entry, at, f"no claim {name}", _told(claims[name]) + _why(reasons, "claim", [name], token))


def _scopes(
    entry: Entry, expect: Expect, access: Mapping[str, Any], bundle: Bundle, reasons: Reasons
) -> Iterator[Finding]:
    if expect.scopes is None:
        return
    unmanaged = bundle.settings.unmanaged_scopes
    managed = [scope for scope in access.get("scope", "").split() if not is_unmanaged(scope, unmanaged)]
    yield from _names(entry, "scope", expect.scopes, managed, reasons)


def _names(
    entry: Entry, kind: str, wanted: list[str], got: list[str] | tuple[str, ...], reasons: Reasons
) -> Iterator[Finding]:
    differing = sorted(set(wanted) ^ set(got))
    if differing:
        told = _told(sorted(set(got))) + _why(reasons, kind, differing)
        yield _red(entry, ("expect", f"{kind}s"), _told(sorted(set(wanted))), told)


def _last(reasons: Iterable[Reason]) -> Reasons:
    """What a decision says last of each claim, scope and group."""
    last: dict[tuple[str, str], dict[str, Reason]] = {}
    for reason in reasons:
        for token in (reason.token,) if reason.token else TOKENS:
            last.setdefault((reason.kind, token), {})[reason.name] = reason
    return last


def _why(reasons: Reasons, kind: str, names: Iterable[str], token: str = TOKENS[0]) -> str:
    """What the decision says last of claims, scopes or groups; nothing of one that no row speaks of."""
    last = reasons.get((kind, token), {})
    told = (last[name] for name in names if name in last)
    return "".join(
        f"; {reason.name} {reason.outcome} by {reason.source}" + (f": {reason.detail}" if reason.detail else "")
        for reason in told
    )


def _told(value: object) -> str:
    return "no such claim" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


def _red(entry: Entry, at: Path, wanted: str, got: str) -> Finding:
    return found(Code.TEST_FAILED, entry, at, f"{entry.name}: expected {wanted}, got {got}")

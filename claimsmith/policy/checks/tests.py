"""Policy tests: the sign-in must be possible, and the expectations must not contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.event import MACHINE_SOURCE, SOURCES
from claimsmith.cognito.limits import CLIENT_ID, SUB
from claimsmith.engine.language import NAME
from claimsmith.errors import Code
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.documents import Expect, Given
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

_PREFIX: Final = "TokenGeneration_"

_SOURCES: Final = sorted(name.removeprefix(_PREFIX) for name in SOURCES)

#: The codes of refused sign-ins.
_REFUSALS: Final = [code.value for code in Code if code.value.startswith("CS2")]


def source(given: Given) -> str:
    """Return the full name of the trigger source."""
    return _PREFIX + given.request.source.removeprefix(_PREFIX)


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for tests of impossible sign-ins."""
    for name, test in policy.tests.items():
        entry = policy.entries["tests"][name]
        yield from _given(entry, test.given)
        yield from _expect(entry, test.expect)


def _given(entry: Entry, given: Given) -> Iterator[Finding]:
    if source(given) not in SOURCES:
        suggestion = Suggestion((given.request.source.removeprefix(_PREFIX),), _SOURCES)
        yield found(Code.INVALID_TEST, entry, ("given", "request", "source"), "there is no such source", suggestion)
    for path, message in (*_names(given), *_parts(given)):
        yield found(Code.INVALID_TEST, entry, ("given", *path), message)


def _names(given: Given) -> Iterator[tuple[Path, str]]:
    """Yield ids that do not have the required form, with their paths."""
    if given.user is not None and given.user.sub is not None and not SUB.fullmatch(given.user.sub):
        yield ("user", "sub"), "this is not a sub of Cognito"
    if given.user is not None and given.user.username == "":
        yield ("user", "username"), "a username cannot be empty; leave it out"
    if given.tenant is not None and not NAME.fullmatch(given.tenant.id):
        yield ("tenant", "id"), f"a tenant id must match {NAME.pattern}"
    if given.client is not None and not CLIENT_ID.fullmatch(given.client.id):
        yield ("client", "id"), "this is not an app client id; copy the id from the user pool"


def _parts(given: Given) -> Iterator[tuple[Path, str]]:
    """Yield parts that exclude each other, with their paths."""
    if given.membership is not None and given.tenant is None:
        yield ("membership",), "a membership needs a tenant; add tenant"
    if source(given) == MACHINE_SOURCE:
        for part in ("user", "membership"):
            if getattr(given, part) is not None:
                yield (part,), f"a machine has no {part}; remove it, and use the client's row"


def _expect(entry: Entry, expect: Expect) -> Iterator[Finding]:
    if expect.refused is not None:
        if expect.refused not in _REFUSALS:
            suggestion = Suggestion((expect.refused,), _REFUSALS)
            yield found(
                Code.INVALID_TEST, entry, ("expect", "refused"), "no sign-in is refused with this code", suggestion
            )
        elif expect.model_fields_set != {"refused"}:
            yield found(
                Code.INVALID_TEST, entry, ("expect",), "a refused sign-in has no tokens; remove the other expectations"
            )
    for token, claims, absent in (
        ("access", expect.access, expect.absent.access),
        ("id", expect.id, expect.absent.id),
    ):
        for index, name in enumerate(absent):
            if name in claims:
                path = ("expect", "absent", token, str(index))
                yield found(
                    Code.INVALID_TEST, entry, path, f"{clipped(name)} is expected both present and absent; remove one"
                )


ERRORS: Final = (check,)

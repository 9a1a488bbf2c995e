"""Bounds on the whole policy: what is larger than these is not looked at any further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from claimsmith.engine import bounds
from claimsmith.engine.bounds import PUBLISHED
from claimsmith.engine.codec import MAX_BYTES, canonical, encode
from claimsmith.errors import Code
from claimsmith.policy.checks.roles import closures
from claimsmith.policy.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from claimsmith.policy.draft import Draft, Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_REMEDY: Final = "take out what is not used, and keep facts about users and tenants in the directory"


def draft(entries: Draft, settings: Entry) -> Iterator[Finding]:
    """Whether a draft as it is written, with its tests and descriptions, is larger than a policy may be."""
    rows = len(entries.entries)
    octets, values = _weight(entry.attributes for entry in entries.entries) if rows <= PUBLISHED.rows else (0, 0)
    excess = bounds.Size(octets, values, 0, rows).excess(PUBLISHED)
    if excess is not None:
        yield _found(settings, "the draft has " + excess)


def inheritance(policy: Policy) -> Iterator[Finding]:
    """Whether the closures of the roles, written out, are larger than a policy may be."""
    if sum(closure.bit_count() for closure in closures(policy.roles).values()) > PUBLISHED.values:
        message = f"with all that roles inherit, the policy has more than {PUBLISHED.values:,} values"
        yield _found(policy.settings_entry, message)


def document(policy: Policy, compiled: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether a document is larger than one that is read at every sign-in may be."""
    stored, _ = encode(compiled)
    if len(stored) > MAX_BYTES:
        message = f"the compiled policy has {len(stored):,} bytes; {MAX_BYTES:,} are allowed"
        yield found(Code.BUNDLE_TOO_LARGE, policy.settings_entry, (), message)
        return
    size = bounds.size(canonical(compiled))._replace(rows=bounds.rows(compiled))
    excess = size.excess(PUBLISHED)
    if excess is not None:
        yield _found(policy.settings_entry, "the compiled policy has " + excess)
        return
    # All of them together cost no more than TESTS of the largest policy.
    tests = min(bounds.TESTS * most // have for have, most in zip(size[:2], PUBLISHED[:2], strict=True))
    if len(policy.tests) > tests:
        message = f"a policy of this size may have {tests:,} tests, and this one has {len(policy.tests):,}"
        yield found(
            Code.POLICY_TOO_LARGE, policy.settings_entry, (), f"{message}; keep those that differ in what they show"
        )


def _found(settings: Entry, message: str) -> Finding:
    return found(Code.POLICY_TOO_LARGE, settings, (), f"{message}; {_REMEDY}")


def _weight(attributes: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Bytes of text and the number of values; of what is beyond the bounds, only that it is."""
    octets = values = 0
    waiting: list[object] = list(attributes)
    while waiting and octets <= PUBLISHED.octets and values <= PUBLISHED.values:
        value = waiting.pop()
        values += 1
        if isinstance(value, Mapping):
            octets += sum(len(str(name).encode(errors="surrogatepass")) for name in value)
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif isinstance(value, str):
            octets += len(value.encode(errors="surrogatepass"))
        elif isinstance(value, bytes):
            octets += len(value)
    return octets, values

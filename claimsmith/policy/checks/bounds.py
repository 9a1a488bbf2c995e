"""Size limits of the whole policy. Lint checks nothing else in a policy that exceeds them."""

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

_REMEDY: Final = "remove what is unused, and keep facts about users and tenants in the directory"


def draft(entries: Draft, settings: Entry) -> Iterator[Finding]:
    """Yield a finding if the draft as written, with its tests and descriptions, is too large."""
    rows = len(entries.entries)
    octets, values = _weight(entry.attributes for entry in entries.entries) if rows <= PUBLISHED.rows else (0, 0)
    excess = bounds.Size(octets, values, 0, rows).excess(PUBLISHED)
    if excess is not None:
        yield _found(settings, "the draft has " + excess)


def inheritance(policy: Policy) -> Iterator[Finding]:
    """Yield a finding if the roles, with all that they inherit, are too large."""
    if sum(closure.bit_count() for closure in closures(policy.roles).values()) > PUBLISHED.values:
        message = f"with inherited roles, the policy has more than {PUBLISHED.values:,} values"
        yield _found(policy.settings_entry, message)


def document(policy: Policy, compiled: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding if the bundle document is too large to be read at every sign-in."""
    stored, _ = encode(compiled)
    if len(stored) > MAX_BYTES:
        message = f"the compiled policy has {len(stored):,} bytes; {MAX_BYTES:,} are allowed; {_REMEDY}"
        yield found(Code.BUNDLE_TOO_LARGE, policy.settings_entry, (), message)
        return
    size = bounds.size(canonical(compiled))._replace(rows=bounds.rows(compiled))
    excess = size.excess(PUBLISHED)
    if excess is not None:
        yield _found(policy.settings_entry, "the compiled policy has " + excess)
        return
    # Together, all tests cost no more than TESTS tests of the largest policy.
    tests = min(bounds.TESTS * most // have for have, most in zip(size[:2], PUBLISHED[:2], strict=True))
    if len(policy.tests) > tests:
        message = f"a policy of this size may have {tests:,} tests, and this one has {len(policy.tests):,}"
        yield found(Code.POLICY_TOO_LARGE, policy.settings_entry, (), f"{message}; remove tests that overlap")


def _found(settings: Entry, message: str) -> Finding:
    return found(Code.POLICY_TOO_LARGE, settings, (), f"{message}; {_REMEDY}")


def _weight(attributes: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the bytes of text and the number of values; counting stops beyond the limits."""
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

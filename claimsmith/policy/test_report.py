"""Runs the tests of a policy one by one, and says how each came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.coverage import Share, measure
from claimsmith.policy.lint import without_tests
from claimsmith.policy.policy_tests import Difference, bundle_of, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from claimsmith.policy.documents import Test
    from claimsmith.policy.draft import Draft, Entry
    from claimsmith.policy.finding import Path

__all__ = ["Difference", "Report", "Result", "Share", "run_tests"]


class Result(NamedTuple):
    """How one test came out.

    Attributes:
        entry: the test's row, with its name and its place in the file.
        differences: the expectations that are not met; none if the test passed.
    """

    entry: Entry
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """The test's name."""
        return self.entry.name

    @property
    def outcome(self) -> str:
        """``passed``, ``failed``, or ``error`` if nobody can sign in as the test says."""
        if not self.differences:
            return "passed"
        return "error" if self.differences[0].code == Code.INVALID_TEST else "failed"

    def place(self, path: Path = ()) -> str:
        """Where the test, or a part of it, stands: ``policy.yaml:12``."""
        line = self.entry.line(path)
        return f"{self.entry.file}:{line}" if self.entry.file and line else self.entry.row


class Report(NamedTuple):
    """How the tests of a policy came out.

    Attributes:
        results: in the order of the file.
        deselected: how many tests were not run.
        coverage: the share of ``rules``, ``roles`` and ``routes`` that some test depends on; None unless all tests ran.
    """

    results: tuple[Result, ...]
    deselected: int = 0
    coverage: Mapping[str, Share] | None = None

    def count(self, outcome: str) -> int:
        """How many tests had this outcome."""
        return sum(result.outcome == outcome for result in self.results)

    @property
    def green(self) -> bool:
        """Whether all of them passed."""
        return self.count("passed") == len(self.results)


def run_tests(draft: Draft, matching: str | None = None, done: Callable[[int], None] = lambda _: None) -> Report:
    """Run the tests of a policy.

    Args:
        draft: the policy.
        matching: run only tests whose name contains this text, in upper or lower case; None runs all.
        done: called with the number of tests that are done since the last call.

    Raises:
        OperationError: there is no test to run.
        PolicyError: the policy has other errors than its tests.
    """
    policy, document = without_tests(draft)
    entries = sorted(policy.entries["tests"].values(), key=lambda entry: entry.line(()) or 0)
    selected = [entry for entry in entries if matching is None or matching.lower() in entry.name.lower()]
    if not selected:
        what = "The policy has no tests" if not entries else f"No test's name contains {matching}"
        raise OperationError(Code.NO_TESTS, f"{what}, so there is nothing to run.")
    bundle = bundle_of(document)
    results = tuple(Result(entry, tuple(run(policy.tests[entry.name], bundle))) for entry in selected)
    whole = len(selected) == len(entries)
    coverage = measure(bundle, _counted(policy.tests.values(), done)) if whole else None
    return Report(results, len(entries) - len(selected), coverage)


def _counted(tests: Iterable[Test], done: Callable[[int], None]) -> Iterator[Test]:
    for test in tests:
        yield test
        done(1)

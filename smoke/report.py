"""The report: the same findings for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smoke.deployment import Check
    from smoke.tries import Finding

#: Of the JSON.
FORMAT: Final = 1


@dataclass(slots=True)
class Report:
    """What is known after a run.

    Attributes:
        account: of AWS.
        region: of AWS.
        began: when, as UTC in ISO 8601.
        checks: of the app.
        findings: on the questions.
        failure: why the run ended early; empty if it did not.
        left: stacks that could not be deleted.
    """

    account: str
    region: str
    began: str
    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failure: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def as_assumed(self) -> bool:
        """Whether all that was looked at is as assumed, and nothing is left."""
        fine = all(check.holds for check in self.checks)
        return fine and all(each.outcome != "differs" for each in self.findings) and not (self.failure or self.left)

    def data(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "format": FORMAT,
            "account": self.account,
            "region": self.region,
            "began": self.began,
            "as_assumed": self.as_assumed,
            "failure": self.failure or None,
            "left": self.left,
            "checks": [asdict(check) for check in self.checks],
            "questions": [
                {**asdict(each.question), "outcome": each.outcome, "seen": each.seen} for each in self.findings
            ],
        }

    def markdown(self) -> str:
        """The report for people."""
        lines = [f"# Smoke test of {self.account} in {self.region}", "", f"Began at {self.began}."]
        if self.failure:
            lines += ["", f"**It ended early:** {self.failure}"]
        if self.left:
            lines += ["", f"**Still there:** {', '.join(self.left)}"]
        if self.checks:
            kept = [("yes" if check.holds else "**no**", check.promise, check.seen) for check in self.checks]
            lines += ["", "## The app", "", *_table(("holds", "promise", "seen"), kept)]
        for title, outcome in (("Differs", "differs"), ("As assumed", "as assumed"), ("Not tried", "not tried")):
            found = [each for each in self.findings if each.outcome == outcome]
            rows = [(str(each.question.number), each.question.asks, each.question.assumed, each.seen) for each in found]
            if rows:
                lines += ["", f"## {title}", "", *_table(("", "question", "assumed", "seen"), rows)]
        return "\n".join([*lines, ""])


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, tuple("-" for _ in heads), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"

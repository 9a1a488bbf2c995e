"""Mutated tokens: Claimsmith's verdict against PyJWT's, joserfc's and aws-jwt-verify's.

20,000 with ``CI=true``, 1,500 otherwise; ``DIFFERENTIAL_SEED`` and ``DIFFERENTIAL_TOKENS`` choose others.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.differential.differences import ALLOWED, AWS, JOSERFC, PYJWT, Difference, Reading, table
from tests.differential.mutants import Mutant, key_set, mutants
from tests.differential.verdicts import (
    ACCEPTED,
    node,
    with_aws_jwt_verify,
    with_claimsmith,
    with_joserfc,
    with_pyjwt,
)

THOROUGH = os.environ.get("CI") == "true"
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "7515"))
TOKENS = int(os.environ.get("DIFFERENTIAL_TOKENS", "20000" if THOROUGH else "1500"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "verifier.md"

#: Verdicts that come after the signature was found right.
BEHIND_THE_SIGNATURE = {
    ACCEPTED, "CLAIMS_MALFORMED", "TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID", "TOKEN_FROM_FUTURE", "WRONG_TOKEN_USE",
    "WRONG_CLIENT", "WRONG_AUDIENCE",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """All tokens, all verdicts."""

    mutants: list[Mutant]
    ours: list[str]
    theirs: dict[str, list[str]]
    now: int

    def differing(self, library: str) -> list[tuple[Mutant, str, str]]:
        """The tokens that one side accepts and the other does not, with both verdicts."""
        return [
            (mutant, ours, theirs)
            for mutant, ours, theirs in zip(self.mutants, self.ours, self.theirs[library], strict=True)
            if (ours == ACCEPTED) != (theirs == ACCEPTED)
        ]


@pytest.fixture(scope="module")
def judged() -> Judged:
    if node() is None:
        missing = "aws-jwt-verify or Node is not here: run make install"
        pytest.fail(missing) if THOROUGH else pytest.skip(missing)
    now = int(time.time())
    made = list(mutants(SEED, TOKENS, now))
    tokens = [mutant.token for mutant in made]
    jwks = key_set()
    with ThreadPoolExecutor(1) as beside:
        with_node = beside.submit(with_aws_jwt_verify, jwks, tokens)
        ours = with_claimsmith(jwks, now, tokens)
        theirs = {PYJWT: with_pyjwt(jwks, tokens), JOSERFC: with_joserfc(jwks, now, tokens), AWS: with_node.result()}
    return Judged(made, ours, theirs, now)


@pytest.mark.parametrize("library", [PYJWT, JOSERFC, AWS])
def test_every_difference_is_one_that_is_meant(judged: Judged, library: str) -> None:
    unexplained = [
        (ours, theirs, mutant.done, mutant.token)
        for mutant, ours, theirs in judged.differing(library)
        if not any(row.explains(library, ours, Reading(mutant.token, judged.now)) for row in ALLOWED)
    ]
    assert not unexplained, (len(unexplained), unexplained[:5])


def test_nothing_that_is_accepted_is_refused_by_aws_jwt_verify_and_pyjwt(judged: Judged) -> None:
    """Stricter, and nowhere laxer: what joserfc alone refuses is in the table."""
    for library in (AWS, PYJWT):
        assert [mutant for mutant, ours, _ in judged.differing(library) if ours == ACCEPTED] == []


def test_the_tokens_reach_what_they_are_meant_to_reach(judged: Judged) -> None:
    count = len(judged.mutants)
    assert sum(mutant.signed_again for mutant in judged.mutants) * 3 >= count, "signed again"
    assert sum(verdict in BEHIND_THE_SIGNATURE for verdict in judged.ours) * 4 >= count, "past the signature"
    verdicts = Counter(judged.ours)
    assert verdicts[ACCEPTED] * 20 >= count, "a mutation need not be a fault"
    assert len(verdicts) >= 15, verdicts
    for library, theirs in judged.theirs.items():
        agreed = sum(a == b == ACCEPTED for a, b in zip(judged.ours, theirs, strict=True))
        assert agreed * 20 >= count, f"{library} was asked the same question"


@pytest.mark.skipif(TOKENS < 20_000, reason="fewer tokens do not show every difference: CI=true")
@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.what)
def test_every_row_of_the_table_is_seen(judged: Judged, row: Difference) -> None:
    unseen = [
        library
        for library in sorted(row.libraries)
        if not any(
            row.explains(library, ours, Reading(mutant.token, judged.now))
            for mutant, ours, _ in judged.differing(library)
        )
    ]
    assert not unseen


def test_the_page_has_this_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")

"""The draft as publishing reads it: within bounds.

Anyone who may write policy rows can write any number of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith import table
from claimsmith.engine.bounds import DRAFT_PAGES
from claimsmith.errors import Code
from claimsmith.policy import Finding, from_rows
from claimsmith.policy.checks import bounds
from claimsmith.policy.documents import SETTINGS_SECTION
from claimsmith.policy.reading import NO_SETTINGS
from claimsmith.store import drafts
from claimsmith.store.failures import PartitionTooLargeError

if TYPE_CHECKING:
    from claimsmith.policy.draft import Draft
    from claimsmith.store.dynamodb import Table


class TooLargeError(Exception):
    """The draft is larger than a policy may be.

    Attributes:
        finding: the same for people.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


def read_draft(rows: Table) -> Draft:
    """The draft in the table. One that is too large is not even compared with another: that would take too long.

    Raises:
        TooLargeError: it is.
        StoreError: DynamoDB does not answer.
    """
    try:
        draft = from_rows(drafts.policy_rows(rows, pages=DRAFT_PAGES))
    except PartitionTooLargeError:
        row = f"{table.POLICY} {table.SETTINGS}"
        message = f"the draft has more than {DRAFT_PAGES} MB of rows; delete those that are not used, or apply a policy"
        raise TooLargeError(Finding(Code.POLICY_TOO_LARGE, row, "", message)) from None
    for finding in bounds.draft(draft, draft.section(SETTINGS_SECTION).get("", NO_SETTINGS)):
        raise TooLargeError(finding)
    return draft

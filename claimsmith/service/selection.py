"""Parts of the table that are copied on their own: the policy, a tenant, a user."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.store import drafts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.store.exact import ExactTable, Item

#: What is made anew wherever it is needed, and would be wrong elsewhere.
NEVER: Final = (table.LEASE, table.PROBLEMS)

#: How often the draft is read while it changes, and members that are read at once.
_ATTEMPTS: Final = 5
_READ: Final = 100


class Selection(NamedTuple):
    """A part of the table.

    Attributes:
        id: of the tenant or the user.
    """

    part: Literal["table", "policy", "tenant", "user"] = "table"
    id: str = ""

    def __str__(self) -> str:
        return f"{self.part} {self.id}".rstrip()

    def includes(self, pk: str, sk: str) -> bool:
        """Whether a row belongs to it.

        The policy is the draft with all its versions; a tenant has its members, and a tenant or user its revocation.
        """
        match self.part:
            case "table":
                return pk not in NEVER
            case "policy":
                return pk in (table.POLICY, table.BUNDLE)
            case "tenant":
                tenant = table.TENANT_PREFIX + self.id
                return pk in (tenant, f"{table.REVOKED_PREFIX}tenant#{self.id}") or sk == tenant
            case "user":
                return pk in (table.USER_PREFIX + self.id, f"{table.REVOKED_PREFIX}user#{self.id}")

    def pages(self, rows: ExactTable) -> Iterator[list[Item]]:
        """Its rows, page by page.

        The policy comes first and whole: a version is stored before the pointer names it, so the pointer is read first.

        Raises:
            OperationError: somebody is applying a policy.
            StoreError: DynamoDB is unavailable.
        """
        if self.part in ("table", "policy"):
            yield _draft(rows)
            yield from rows.pages(table.BUNDLE)
        match self.part:
            case "table":
                for page in rows.pages():
                    yield [item for item in page if item["pk"]["S"] not in (*NEVER, table.POLICY, table.BUNDLE)]
            case "tenant":
                tenant = table.TENANT_PREFIX + self.id
                yield from rows.pages(tenant)
                yield from rows.pages(f"{table.REVOKED_PREFIX}tenant#{self.id}")
                members = rows.keys_by_sk(tenant)
                while keys := list(islice(members, _READ)):
                    yield list(rows.rows_of(keys).values())
            case "user":
                yield from rows.pages(table.USER_PREFIX + self.id)
                yield from rows.pages(f"{table.REVOKED_PREFIX}user#{self.id}")


def _draft(rows: ExactTable) -> list[Item]:
    """The draft, as somebody left it: not in the middle of an apply.

    Who wrote a part of it acquired the lease before, and holds it still or has written the rest since.
    """
    before: list[Item] | None = None
    for _ in range(_ATTEMPTS):
        draft = [item for page in rows.pages(table.POLICY) for item in page]
        lease = drafts.lease(rows)
        if lease is not None:
            message = f"{lease.by} is applying a policy. Wait until it is done, or cancel it by claimsmith release."
            raise OperationError(Code.LEASE_HELD, message)
        if draft == before:
            return draft
        before = draft
    raise OperationError(Code.CONFLICT, "The policy kept changing while it was read. Try again.")

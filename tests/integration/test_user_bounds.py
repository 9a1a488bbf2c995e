"""One user's rows: however many there are, one sign-in reads so much of them and no more, and others go on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine.decide import Refusal
from claimsmith.errors import Code, OperationError, SignInRefusedError
from claimsmith.policy import from_rows
from claimsmith.service.active_bundle import ActiveBundle
from claimsmith.service.deadline import DeadlineError, DeadlineExecutor
from claimsmith.service.directory import Editor
from claimsmith.service.grants import StoredGrants
from claimsmith.service.issue import Issuer, RefusedError
from claimsmith.service.preview import preview
from claimsmith.service.publish import apply
from claimsmith.service.users import TENANT_BATCHES
from claimsmith.store.attributes import encode_row
from claimsmith.store.directory import USER_PAGES
from claimsmith.store.dynamodb import Table
from claimsmith.verifier.claims import Claims
from claimsmith.verifier.freshness import freshness
from tests.conftest import TABLE
from tests.events import CLIENT, SIGN_IN, SUB, event
from tests.integration.clients import Watched
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Client

#: A policy of which a user who is let in gets a token without a tenant.
POLICY = policy_rows(settings={"cache_seconds": 3600}, clients={CLIENT: {}})

REQUEST = parse(event(SIGN_IN))

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi"


class Endless:
    """A DynamoDB in which one user's partition never ends; everything else is as it is.

    Attributes:
        queries: requests for that partition.
    """

    def __init__(self, client: Client, before: Callable[[int], None] = lambda _: None) -> None:
        self._client = client
        self._before = before
        self.queries = 0

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's methods have no type
        return getattr(self._client, operation)

    def query(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
        if request["ExpressionAttributeValues"][":pk"]["S"] != f"USER#{SUB}":
            return self._client.query(**request)
        self.queries += 1
        self._before(self.queries)
        row = encode_row(membership_row(SUB, f"t{self.queries:05d}", roles=["viewer"]))
        return {"Items": [row], "LastEvaluatedKey": {name: row[name] for name in ("pk", "sk")}}


@pytest.fixture
def seeded(dynamodb: Client, rows: Table) -> Client:
    apply(rows, from_rows(POLICY), by="test")
    return dynamodb


def large(*directory: dict[str, Any]) -> MemoryDynamoDB:
    """A table with the policy in force and many rows of the directory."""
    client = holding(directory)
    apply(Table(client, TABLE), from_rows(POLICY), by="test")
    return client


def issuer(client: Any, **more: Any) -> Issuer:  # noqa: ANN401 - a client, and arguments of Issuer
    new = Issuer(Table(client, TABLE), more.pop("on_failure", "deny"), clock=lambda: NOW, **more)
    new.warm(20)
    return new


@pytest.mark.parametrize("on_failure", ["deny", "unenriched"])
def test_a_user_without_end_is_refused_after_so_many_pages_and_the_row_is_named(
    seeded: Client, on_failure: str
) -> None:
    endless = Endless(seeded)
    with pytest.raises(RefusedError) as refused:
        issuer(endless, on_failure=on_failure).issue(event(SIGN_IN))
    assert str(refused.value) == "Sign-in is not possible right now. [CS2014]"
    assert endless.queries == USER_PAGES
    [problem] = refused.value.refusal.problems
    assert (problem.row, problem.why) == (f"USER#{SUB}", f"has more than {USER_PAGES} MB of rows")


def test_one_user_without_end_keeps_nobody_else_from_signing_in(seeded: Client) -> None:
    serving = issuer(Endless(seeded))
    for _ in range(40):
        with pytest.raises(RefusedError):
            serving.issue(event(SIGN_IN))
    assert serving.issue(event(SIGN_IN, sub="another")).degraded is None


def test_as_many_pages_as_are_read_may_all_be_full(seeded: Client, rows: Table) -> None:
    # A page ends before 1 MB is exceeded.
    for number in range(2 * USER_PAGES - 1):
        rows.put(membership_row(SUB, f"t{number:02d}", note="x" * 350_000))
    watched = Watched(seeded)
    issued = issuer(watched).issue(event(SIGN_IN))
    assert issued.decision.roles == ()
    assert watched.operations.count("query") == USER_PAGES


def test_a_member_of_a_thousand_tenants_signs_in() -> None:
    members = [membership_row(SUB, f"t{number:04d}", roles=["viewer"], note="x" * 500) for number in range(1000)]
    issued = issuer(large(*members, tenant_row("t0999"))).issue(event(SIGN_IN))
    assert issued.decision.tenant_id == "t0999"


class AbandonedSignIn:
    """A sign-in whose caller stops waiting while it is held at one request; then it continues."""

    def __init__(self) -> None:
        self._reading, self._go_on, self._done = threading.Event(), threading.Event(), threading.Event()

    def hold(self) -> None:
        """Called by the client."""
        self._reading.set()
        assert self._go_on.wait(20)

    def read(self, serving: Issuer) -> None:
        """Returns once there is nothing left to do."""
        call = DeadlineExecutor().submit(lambda: self._read(serving))
        assert self._reading.wait(20)
        with pytest.raises(DeadlineError):
            call.result(0)
        self._go_on.set()
        assert self._done.wait(20)

    def _read(self, serving: Issuer) -> None:
        try:
            serving.read(REQUEST)
        finally:
            self._done.set()


def test_an_abandoned_sign_in_reads_no_further_page(seeded: Client) -> None:
    sign_in = AbandonedSignIn()
    endless = Endless(seeded, lambda _: sign_in.hold())
    sign_in.read(issuer(endless))
    assert endless.queries == 1


def test_an_abandoned_sign_in_reads_no_further_tenant(seeded: Client, rows: Table) -> None:
    for number in range(250):
        rows.put(membership_row(SUB, f"t{number:04d}"))
    sign_in = AbandonedSignIn()
    watched = Watched(seeded, lambda operation, _: sign_in.hold() if operation == "batch_get_item" else None)
    sign_in.read(issuer(watched))
    assert watched.operations.count("batch_get_item") == 1


def test_memberships_of_tenants_that_are_not_there_end_in_a_refusal_and_not_in_endless_reading() -> None:
    members = [membership_row(SUB, f"t{number:05d}") for number in range(TENANT_BATCHES * 100 + 1)]
    watched = Watched(large(*members, tenant_row("t00007")))
    with pytest.raises(SignInRefusedError) as refused:
        issuer(watched).issue(event(SIGN_IN))
    assert refused.value.code is Code.USER_TOO_LARGE
    assert watched.operations.count("batch_get_item") == TENANT_BATCHES


def test_who_has_chosen_among_them_signs_in() -> None:
    members = [membership_row(SUB, f"t{number:05d}") for number in range(TENANT_BATCHES * 100 + 1)]
    client = large(*members, user_row(SUB, active_tenant="t00007"), tenant_row("t00007"))
    assert issuer(client).issue(event(SIGN_IN)).decision.tenant_id == "t00007"


def test_preview_shows_the_same(seeded: Client) -> None:
    endless = Endless(seeded)
    shown = preview(Table(endless, TABLE), REQUEST, clock=lambda: NOW)
    assert isinstance(shown.outcome, Refusal)
    assert (shown.outcome.code, endless.queries) == (Code.USER_TOO_LARGE, USER_PAGES)


def test_a_token_of_such_a_user_is_stale_for_no_new_one_would_be_given(seeded: Client) -> None:
    endless = Endless(seeded)
    table = Table(endless, TABLE)
    claims = Claims({"iss": ISSUER, "sub": SUB, "username": SUB, "client_id": CLIENT, "token_use": "access"})
    granted = StoredGrants(table, ActiveBundle(table), clock=lambda: NOW).of(claims)
    assert granted is not None
    assert freshness(*granted, claims).stale
    assert endless.queries == USER_PAGES


def test_nor_can_such_a_user_be_switched(seeded: Client, rows: Table) -> None:
    rows.put(tenant_row("acme"))
    with pytest.raises(OperationError) as refused:
        Editor(Table(Endless(seeded), TABLE), "test").switch(SUB, "acme")
    assert refused.value.code is Code.USER_TOO_LARGE

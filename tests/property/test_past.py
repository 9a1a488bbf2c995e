"""Asked back about any moment, ``preview`` tells what was issued then: whatever changed since, and however often.

Rows and versions change in sequences that are made up. After each change a user signs in through CognitoKit and the
trigger's logic, and at the end ``preview`` is asked about each of these moments. The table feeds the audit as its
stream feeds the publisher. One record of the audit may be lost: then an answer may be wrong, but never without a word.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.cognito.event import parse
from claimsmith.engine import Refusal
from claimsmith.errors import OperationError, SignInRefusedError
from claimsmith.service.audit import Change, record
from claimsmith.service.issue import Issuer
from claimsmith.service.past import as_of
from claimsmith.service.preview import preview
from claimsmith.service.publish import publish
from claimsmith.service.versions import promote, resume, rollback, stage
from claimsmith.store.dynamodb import Table
from claimsmith.testing import CognitoKit, UserLambdaValidationException
from tests.events import SUB
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row
from tests.property.strategies import some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cognito.event import Request

    Item = dict[str, Any]

TENANTS, ROLES, SCOPES = ["acme", "globex"], ["viewer", "editor"], ["orders/read", "orders/write"]

#: Claims that only the moment of issue decides.
UNPREDICTABLE = {"at_hash", "auth_time", "event_id", "exp", "iat", "jti", "origin_jti", "version"}


@dataclass(frozen=True)
class SignIn:
    """A sign-in, and the claims that came of it; the code of its refusal in their place."""

    at: int
    request: Request
    claims: Mapping[str, Any] | str


class World:
    """A deployment and a pool, with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW
        self.audited = MemoryDynamoDB()
        self.audit = Table(self.audited, "audit")
        self.rows = Table(MemoryDynamoDB(self._changed), "claimsmith")
        self._records = 0
        self._request: Request | None = None
        self.kit = CognitoKit(self._trigger, lambda_version="V3_0", clock=lambda: self.now)
        self.kit.add_user("ada", sub=SUB)
        self.kit.add_client("web", scopes=["openid", *SCOPES], flows=["code"])
        for row in policy_rows(roles={name: {"scopes": [SCOPES[0]]} for name in ROLES}, settings={"claim_names": {}}):
            self.rows.put(row)
        self.publish()

    def publish(self) -> None:
        publish(self.rows, by="publisher", clock=self.clock)

    def clock(self) -> float:
        return float(self.now)

    def _changed(self, key: tuple[str, str], before: Item | None, after: Item | None) -> None:
        if table.is_streamed(key[0]) and before != after:
            self._records += 1
            record(self.audit, Change(str(self._records), *key, self.now, before, after, by_ttl=False))

    def _trigger(self, event: Item, _context: object) -> Item:
        self._request = parse(event)
        return Issuer(self.rows, "deny", clock=self.clock).issue(event).event

    def sign_in(self) -> SignIn:
        try:
            tokens = self.kit.sign_in("ada", "web", by="authorization_code", scopes=["openid", *SCOPES])
        except UserLambdaValidationException as refused:
            claims: Mapping[str, Any] | str = refused.message
        else:
            claims = predictable(tokens.access, tokens.id)
        assert self._request is not None
        return SignIn(self.now, self._request, claims)

    def asked_back(self, then: SignIn) -> tuple[Mapping[str, Any] | str, bool]:
        """What preview says of a sign-in, and whether it says that this is certain."""
        past = as_of(self.rows, self.audit, then.at, self.now)
        shown = preview(past.rows, then.request, issuer=self.kit.issuer, clock=lambda: float(then.at))
        if isinstance(shown.outcome, Refusal):
            return f"PreTokenGeneration failed with error {SignInRefusedError(shown.outcome.code)}.", not past.gaps
        return predictable(shown.access, shown.id), not past.gaps


def predictable(access: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of both tokens that preview can know."""
    claims = {
        (token, name): value for token, of in (("access", access), ("id", identity)) for name, value in of.items()
    }
    return {
        f"{token} {name}": sorted(value.split()) if name == "scope" else value
        for (token, name), value in claims.items()
        if name not in UNPREDICTABLE
    }


attributes = st.fixed_dictionaries(
    {}, optional={"roles": some(ROLES), "status": st.sampled_from(["active", "suspended"]), "claims": st.just({"a": 1})}
)
expiring = attributes | st.fixed_dictionaries({"expires_at": st.integers(NOW, NOW + 60), "roles": some(ROLES)})
limits = st.fixed_dictionaries({}, optional={"roles_allowed": some(ROLES), "name": st.sampled_from(["A", "B"])})
directory_rows = st.one_of(
    st.builds(lambda tenant, given: membership_row(SUB, tenant, **given), st.sampled_from(TENANTS), expiring),
    st.builds(lambda given: user_row(SUB, **given), attributes),
    st.builds(lambda tenant, given: tenant_row(tenant, **given), st.sampled_from(TENANTS), limits),
)


@st.composite
def directory_changes(draw: st.DrawFn) -> Any:  # noqa: ANN401 - a function of the world
    """A row that is written or deleted."""
    row, deleted = draw(directory_rows), draw(st.sampled_from([False, False, True]))
    return lambda world: world.rows.delete(row["pk"], row["sk"]) if deleted else world.rows.put(row)


@st.composite
def policy_changes(draw: st.DrawFn) -> Any:  # noqa: ANN401 - the same
    """A role that is edited, and published by the stream."""
    row = {"pk": "POLICY", "sk": f"ROLE#{draw(st.sampled_from(ROLES))}", "scopes": draw(some(SCOPES))}

    def change(world: World) -> None:
        world.rows.put(row)
        world.publish()

    return change


@st.composite
def moves(draw: st.DrawFn) -> Any:  # noqa: ANN401 - the same
    """A version that is staged, promoted or rolled back to, or a hold that ends."""
    number = draw(st.integers(1, 4))
    staged = {"percent": draw(st.sampled_from([0, 50, 100])), "subjects": draw(some([SUB]))}
    move: Any = draw(st.sampled_from([rollback, promote, stage, stage, resume]))
    of = {stage: staged, resume: {}}.get(move, {})
    named = () if move is resume else (number,)

    def change(world: World) -> None:
        with suppress(OperationError):  # there is no such version, or it is the wrong way
            move(world.rows, *named, by="admin", clock=world.clock, **of)

    return change


steps = st.lists(
    st.tuples(st.integers(1, 40), directory_changes() | directory_changes() | policy_changes() | moves()),
    min_size=1,
    max_size=12,
)


def lived(changes: list[Any]) -> tuple[World, list[SignIn]]:
    """A world after these changes, and a sign-in after each."""
    world = World()
    world.now += 1
    world.rows.put(tenant_row(TENANTS[0]))
    world.rows.put(membership_row(SUB, TENANTS[0], roles=ROLES))
    signed_in = [world.sign_in()]
    for seconds, change in changes:
        world.now += seconds
        change(world)
        signed_in.append(world.sign_in())
    return world, signed_in


@given(steps)
def test_asked_back_it_is_what_was_issued_then(changes: list[Any]) -> None:
    world, signed_in = lived(changes)
    for then in signed_in:
        assert world.asked_back(then) == (then.claims, True)


@given(steps, st.integers(0, 30))
def test_what_is_said_to_be_certain_is_true_although_a_record_of_the_audit_is_lost(
    changes: list[Any], lost: int
) -> None:
    world, signed_in = lived(changes)
    directory = sorted(key for key in world.audited.items if key[0] != table.POLICY)
    del world.audited.items[directory[lost % len(directory)]]
    for then in signed_in:
        claims, certain = world.asked_back(then)
        assert claims == then.claims or not certain

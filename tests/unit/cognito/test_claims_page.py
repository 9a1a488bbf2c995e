"""``docs/reference/claims.md`` is true: each cell agrees with contract, CognitoKit, lint and real tokens.

The tokens are those that CognitoKit makes of the trigger's answer, from tokens in which every claim that Cognito puts
there says ``cognito``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from claimsmith.cognito.claims import PLAIN_IN_ID, PREFIXES, STANDARD, TABLE, TOKENS, refused_name, refused_suppression
from claimsmith.cognito.event import parse
from claimsmith.cognito.response import build
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.codec import from_document
from claimsmith.engine.decide import degraded
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from claimsmith.testing import contract
from claimsmith.testing.contract import Change, Rule
from claimsmith.testing.response import Applied, Draft, Groups, apply
from tests.events import CLIENT, HOSTED, SIGN_IN, SUB, event
from tests.pages import Page, names
from tests.policies import VERSION, decided, facts, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from claimsmith.cognito.claims import Token
    from claimsmith.engine import Decision
    from claimsmith.engine.bundle import Bundle

PAGE: Final = Page("docs/reference/claims.md")

NOT: Final = "no"
ANY_OTHER: Final = "any other name"

#: A cell of built-in claims, which policy.md lists with their tokens.
LISTED: Final = "as listed"

#: What stands for a row whose claims have no name of their own.
EXAMPLES: Final = {
    ANY_OTHER: "plan",
    "custom:*": "custom:plan",
    "dev:*": "dev:note",
    "cognito:*": "cognito:anything",
    "aws:*": "aws:anything",
}

#: The names that only the engine sets.
OWN: Final = {*BUILT_IN_CLAIMS, DEGRADED_CLAIM, SHED_CLAIM}


class Row(NamedTuple):
    """A claim of the page, and its cells."""

    listed: str
    name: str
    default: str
    set_access: str
    suppress_access: str
    set_id: str
    suppress_id: str

    def cell(self, token: Token, change: Change) -> str:
        """What the page says of a change."""
        return str(getattr(self, f"{change}_{token}"))


LINES: Final = PAGE.table("claim", "Cognito puts it into")

#: The claims that have lines of their own.
NAMED: Final = {name for claims, *_ in LINES for name in names(claims)}


def _rows(claims: str, cells: list[str]) -> Iterator[Row]:
    """The claims of one line of the page."""
    if LISTED not in cells:
        yield from (Row(listed, EXAMPLES.get(listed, listed), *cells) for listed in names(claims) or [claims])
        return
    for name, claim in BUILT_IN_CLAIMS.items():
        of_token = {token: "engine" if token in claim.tokens else "never" for token in TOKENS}
        if name not in NAMED:
            yield Row(name, name, cells[0], of_token["access"], cells[2], of_token["id"], cells[4])


ROWS: Final = [row for claims, *cells in LINES for row in _rows(claims, cells)]

Cell = tuple[Row, "Token", "Change"]

CHANGES: Final[tuple[Change, Change]] = ("set", "suppress")

CELLS: Final[list[Cell]] = [(row, token, change) for row in ROWS for token in TOKENS for change in CHANGES]


def cells(*said: str, change: str = "") -> pytest.MarkDecorator:
    """A test of each cell that says one of these words, or any; of one change, or both."""
    chosen = [
        pytest.param(row, token, done, id=f"{row.listed}-{token}-{done}".replace(" ", "-"))
        for row, token, done in CELLS
        if (not said or row.cell(token, done) in said) and change in ("", done)
    ]
    return pytest.mark.parametrize(("row", "token", "change"), chosen)


# The page and the two tables.


def test_the_page_has_a_row_for_every_claim_that_the_tables_know_and_for_no_other() -> None:
    prefixes = {f"{prefix}*" for prefix in (*PREFIXES, *contract.PREFIXES)}
    known = {*TABLE, *contract.CLAIMS, *prefixes, *OWN, *STANDARD, "custom:*", ANY_OTHER}
    assert sorted(row.listed for row in ROWS) == sorted(known)


def test_every_cell_has_one_of_the_words_that_the_page_explains() -> None:
    explained = {word for word, _ in PAGE.table("a cell", "means")}
    assert {cell for row in ROWS for cell in row[3:]} | {LISTED} == explained


def test_the_page_names_its_source() -> None:
    assert "user-pool-lambda-pre-token-generation" in PAGE.text
    assert "Claims and scopes reference" in PAGE.text


@cells()
def test_the_contract_allows_what_a_row_or_the_engine_may_do(row: Row, token: Token, change: Change) -> None:
    refused = {"set": refused_name, "suppress": refused_suppression}[change](token, row.name)
    allowed = row.cell(token, change) in ("rows", "rows, plain", "rule", "engine") or row.name in OWN
    assert (refused is None) is allowed


#: The rules of CognitoKit that a cell may stand for; None: AWS allows it.
KIT: Final[Mapping[str, set[Rule | None]]] = {
    **{said: {None} for said in ("rows", "rows, plain", "rule", "engine", "audience")},
    "never": {None, Rule.GROUP_CLAIM},
    "groups": {Rule.GROUP_CLAIM},
    "scopes": {Rule.SCOPE_CLAIM},
    NOT: {Rule.RESERVED_CLAIM, Rule.OTHER_TOKENS_CLAIM, Rule.DEVELOPER_ATTRIBUTE, Rule.GROUP_CLAIM},
}


@cells()
def test_cognitokit_reads_the_table_of_aws_alike(row: Row, token: Token, change: Change) -> None:
    rule = contract.claim_rule(token, change, row.name)
    assert rule in KIT[row.cell(token, change)]
    others = row.default == {"access": "ID", "id": "access"}[token]
    # AWS's page has rows for these two in both tokens.
    if rule in {Rule.OTHER_TOKENS_CLAIM, Rule.RESERVED_CLAIM} and row.name not in {"aud", "cognito:username"}:
        assert (rule is Rule.OTHER_TOKENS_CLAIM) is others


def test_the_plain_claims_are_those_of_both_tables() -> None:
    plain = {row.name for row in ROWS if "rows, plain" in row}
    assert plain == PLAIN_IN_ID == contract.PLAIN_IN_ID


# Tokens.

GROUPS: Final = Groups(("Staff", "Testers"), ("arn:aws:iam::111122223333:role/a",), "arn:aws:iam::111122223333:role/a")

EVENT: Final = event(
    HOSTED,
    groups=GROUPS.groups,
    attributes={row.name: "cognito" for row in ROWS if row.default == "ID" and not row.name.startswith("cognito:")},
)

#: What Cognito makes of ``groups`` and ``scopes`` rather than of claims.
_APART: Final = {"scope", "cognito:groups", "cognito:roles", "cognito:preferred_role"}


def issued(decision: Decision) -> Applied:
    """The tokens that Cognito makes of a decision; no rule of the contract is broken."""
    draft = Draft(
        access={row.name: "cognito" for row in ROWS if row.default in ("access", "both") and row.name not in _APART},
        id={row.name: "cognito" for row in ROWS if row.default in ("ID", "both") and row.name not in _APART},
        scopes=tuple(EVENT["request"]["scopes"]),
        groups=GROUPS,
        client_id=CLIENT,
    )
    response = build(decision.changes, parse(EVENT))
    applied = apply({**EVENT, "response": response}, draft)
    assert applied.violations == ()
    return applied


def claims_of(decision: Decision, token: Token) -> dict[str, Any]:
    """The claims of one token."""
    claims = getattr(issued(decision), token)
    assert claims is not None
    return dict(claims)


class Rows(NamedTuple):
    """The rows that a sign-in is decided by, each with the attributes that a test gives it.

    Attributes:
        undecided: the user is a member of two tenants and has chosen none.
    """

    settings: Mapping[str, Any] = {}
    tenant: Mapping[str, Any] = {}
    role: Mapping[str, Any] = {}
    user: Mapping[str, Any] = {}
    membership: Mapping[str, Any] = {}
    client: Mapping[str, Any] = {}
    rule: Mapping[str, Any] = {}
    undecided: bool = False

    def policy(self) -> list[dict[str, Any]]:
        """The policy's own, as an admin writes them."""
        rule = {"r": {"order": 10, **self.rule}} if self.rule else None
        return policy_rows(
            settings=self.settings, roles={"member": self.role}, clients={CLIENT: self.client}, rules=rule
        )

    def codes(self) -> set[Code]:
        """What lint says of the policy."""
        return {finding.code for finding in lint(from_rows(self.policy()))}

    def bundle(self) -> Bundle:
        """The policy, compiled without asking lint about roles, clients and rules."""
        document = compile_policy(from_rows(policy_rows(settings=self.settings)))
        document["roles"] = {"member": {"scopes": [], "closure": ["member"], **self.role}}
        document["clients"] = {CLIENT: dict(self.client)}
        document["rules"] = [{"id": "r", **self.rule}] if self.rule else []
        return from_document(document, VERSION)

    def decided(self, source: str = HOSTED) -> Decision:
        """What the real decision makes of them."""
        directory = facts(
            tenant_row("acme", name="Acme Ltd", **self.tenant),
            user_row(SUB, **self.user),
            membership_row(SUB, "acme", roles=["member"], **self.membership),
            *([tenant_row("globex"), membership_row(SUB, "globex")] if self.undecided else []),
        )
        asked = EVENT if source == HOSTED else event(source, groups=GROUPS.groups)
        return decided(self.bundle(), directory, asked)


#: For each built-in claim, rows by which a token has it, and its value.
BUILT_IN: Final[Mapping[str, tuple[Rows, object]]] = {
    "tenant_id": (Rows(), "acme"),
    "tenant_name": (Rows(), "Acme Ltd"),
    "roles": (Rows(), ["member"]),
    "tenants": (Rows(undecided=True), {"acme": "Acme Ltd", "globex": "globex"}),
    "policy_version": (Rows(), VERSION),
}

#: Rows that may hold claims, in the order in which the page says that they win.
HOLDERS: Final = ("tenant", "role", "user", "membership", "client", "rule")
OF_THE_POLICY: Final = {"role", "client", "rule"}


def setting(holder: str, token: Token, name: str, value: object) -> Rows:
    held: dict[str, Any] = {holder: {f"{token}_claims": {name: value}}}
    return Rows(**held)


def dropped(decision: Decision, token: Token, name: str) -> bool:
    """Whether the decision says that a row wanted this claim otherwise."""
    return any((why.name, why.token, why.outcome) == (name, token, "dropped") for why in decision.reasons)


@cells(change="set")
def test_a_row_sets_the_claim_exactly_where_the_page_says_rows(row: Row, token: Token, change: Change) -> None:
    before = claims_of(Rows().decided(), token).get(row.name)
    assert before != "row"
    for holder in HOLDERS:
        rows = setting(holder, token, row.name, "row")
        found = claims_of(rows.decided(), token).get(row.name)
        if row.cell(token, change).startswith("rows"):
            assert (found, rows.codes()) == ("row", set()), holder
        else:
            assert found == before, holder
            assert dropped(rows.decided(), token, row.name), holder
            assert rows.codes() == ({Code.RESERVED_CLAIM} if holder in OF_THE_POLICY else set()), holder


@cells("rows", "rows, plain")
def test_an_array_and_an_object_are_taken_except_where_the_page_says_plain(
    row: Row, token: Token, change: Change
) -> None:
    plain = row.cell(token, change) == "rows, plain"
    for value in (["a"], {"a": 1}):
        for holder in HOLDERS:
            rows = setting(holder, token, row.name, value)
            assert (claims_of(rows.decided(), token).get(row.name) == value) is not plain, holder
            assert dropped(rows.decided(), token, row.name) is plain, holder
            assert rows.codes() == ({Code.UNSUPPORTED_VALUE} if plain and holder in OF_THE_POLICY else set()), holder


@cells(change="suppress")
def test_a_rule_suppresses_the_claim_exactly_where_the_page_says_rule(row: Row, token: Token, change: Change) -> None:
    there = {f"{token}_claims": {row.name: "row"}} if row.cell(token, "set").startswith("rows") else {}
    settled = BUILT_IN.get(row.name, (Rows(), None))[0]._replace(membership=there)
    rows = settled._replace(rule={f"suppress_{token}_claims": [row.name]})
    before, after = claims_of(settled.decided(), token), claims_of(rows.decided(), token)
    if row.cell(token, change) == "rule":
        assert (row.name in before) is (row.cell(token, "set") not in ("never", NOT) or row.default == token.upper())
        assert row.name not in after
        assert rows.codes() == set()
    else:
        assert after.get(row.name) == before.get(row.name)
        assert dropped(rows.decided(), token, row.name)
        assert rows.codes() == {Code.NOT_SUPPRESSIBLE}


def test_of_several_rows_the_last_in_the_order_of_the_page_wins() -> None:
    for winner, loser in zip(HOLDERS[1:], HOLDERS, strict=False):
        held: dict[str, Any] = {holder: {"access_claims": {"plan": holder}} for holder in (winner, loser)}
        assert claims_of(Rows(**held).decided(), "access")["plan"] == winner


def shed() -> Decision:
    """Both tokens too long by what an optional rule sets."""
    return Rows(rule={"optional": True, "access_claims": {"x": "x" * 9000}, "id_claims": {"x": "x" * 9000}}).decided()


#: How the engine comes to set a claim.
ENGINE: Final[Mapping[str, Callable[[], Decision]]] = {
    **{name: rows.decided for name, (rows, _) in BUILT_IN.items()},
    SHED_CLAIM: shed,
    DEGRADED_CLAIM: lambda: degraded(Rows().bundle(), parse(EVENT), Code.STORE_UNAVAILABLE),
}


@cells("engine")
def test_the_engine_sets_its_claims(row: Row, token: Token, change: Change) -> None:
    assert change == "set"
    found = claims_of(ENGINE[row.name](), token)
    assert row.name in found
    if row.name in BUILT_IN:
        assert found[row.name] == BUILT_IN[row.name][1]


@cells("never")
def test_what_is_never_done_is_not_done_by_the_engine_either(row: Row, token: Token, change: Change) -> None:
    had = row.name in claims_of(ENGINE.get(row.name, Rows().decided)(), token)
    kept = row.cell(token, "set") == "engine" or row.default in (token.upper(), "both")
    assert had is kept, f"{row.name} is never {change} here"


@cells("groups")
def test_rules_change_groups_and_what_comes_with_them(row: Row, token: Token, change: Change) -> None:
    before = claims_of(Rows().decided(), token)
    rows = Rows(rule={"add_groups": ["Pro"]} if change == "set" else {"suppress_groups": ["Testers"]})
    after = claims_of(rows.decided(), token)
    assert rows.codes() == set()
    if change == "set":
        assert after[row.name] == [*before[row.name], "Pro"]
    else:
        assert row.name in before
        assert row.name not in after


@cells("scopes")
def test_rules_change_scopes(row: Row, token: Token, change: Change) -> None:
    assert (row.name, token) == ("scope", "access")
    effect = {"add_scopes": ["orders/read"]} if change == "set" else {"suppress_scopes": ["openid"]}
    before, after = Rows().decided(), Rows(rule=effect).decided()
    assert claims_of(before, token)["scope"] == "openid", "the scope that was asked for and not granted is gone"
    assert set(claims_of(after, token).get("scope", "").split()) == (
        {"openid", "orders/read"} if change == "set" else set()
    )


@cells("audience")
def test_a_clients_row_sets_the_audience(row: Row, token: Token, change: Change) -> None:
    assert (row.name, token, change) == ("aud", "access", "set")
    rows = Rows(client={"audience": True})
    assert (rows.decided(SIGN_IN).changes.access.claims["aud"], rows.codes()) == (CLIENT, set())
    for unset in (Rows().decided(SIGN_IN), rows.decided(HOSTED)):
        assert "aud" not in claims_of(unset, token)

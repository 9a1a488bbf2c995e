"""What tests depend on is found without trying what plays no part in their decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.policy.coverage import measure
from claimsmith.policy.documents import Test
from claimsmith.policy.policy_tests import run
from tests.policies import bundle
from tests.property.strategies import CLIENTS, GROUPS, ROLES, Policy, attributes, policies, some

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

tests = st.builds(
    lambda roles, allowed, groups, client, expect: Test.model_validate(
        {
            "given": {
                "user": {"groups": groups, "attributes": {"email": "ana@example.com"}},
                "tenant": {"id": "acme", "plan": "pro", **allowed},
                "membership": {"roles": roles},
                "client": {"id": client},
            },
            "expect": expect,
        }
    ),
    some(ROLES),
    attributes(roles_allowed=some(ROLES), default_roles=some(ROLES, 1)),
    some(GROUPS),
    st.sampled_from(CLIENTS),
    st.fixed_dictionaries(
        {},
        optional={
            "scopes": st.just(["orders/read"]),
            "groups": st.just([]),
            "access": st.dictionaries(st.sampled_from(["plan", "roles", "region"]), st.just("pro")),
            "refused": st.just("CS2009"),
        },
    ).filter(lambda expect: len(expect) < 2 or "refused" not in expect),
)


def by_hand(whole: Bundle, listed: list[Test]) -> dict[str, tuple[str, ...]]:
    """The same without looking at what applies: everything is left out in turn, and every test run."""

    def results(bundle: Bundle) -> list[list[tuple[object, ...]]]:
        return [[(one.path, one.expected, one.got) for one in run(test, bundle)] for test in listed]

    base = results(whole)
    rules = [
        rule.row.removeprefix("POLICY RULE#")
        for rule in whole.rules
        if results(whole._replace(rules=tuple(other for other in whole.rules if other is not rule))) == base
    ]
    roles = [
        role
        for role in whole.roles
        if results(whole._replace(roles={name: kept for name, kept in whole.roles.items() if name != role})) == base
    ]
    return {"rules": tuple(sorted(rules)), "roles": tuple(sorted(roles))}


@given(policies(), st.lists(tests, max_size=3))
def test_measuring_only_what_plays_a_part_is_measuring_everything(policy: Policy, listed: list[Test]) -> None:
    measured = bundle(**policy.sections())
    shares = {section: share.missing for section, share in measure(measured, listed).items()}
    assert {name: shares[name] for name in ("rules", "roles")} == by_hand(measured, listed)

"""A compiled policy turned back into rows compiles to the same document."""

from __future__ import annotations

from hypothesis import given

from claimsmith.policy import compile as compile_policy
from claimsmith.policy import dump, from_rows
from claimsmith.policy.decompile import decompile
from claimsmith.policy.yaml import parse
from tests.policies import policy_rows
from tests.property.strategies import Policy, policies


@given(policies())
def test_a_version_as_a_file_is_the_same_version(policy: Policy) -> None:
    document = compile_policy(from_rows(policy_rows(**policy.sections())))
    assert compile_policy(parse(dump(decompile(document)), "policy.yaml", {})) == document

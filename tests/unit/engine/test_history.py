"""A name means one thing for ever: what a version may call its claims, given every version before it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.history import MAX_OCTETS, History
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.policies import policy_rows

DEFAULTS = ("tenant_id", "tenant_name", "roles", "tenants", "policy_version")


def version(names: dict[str, str | None] | None = None, *claims: str, **sections: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
    """A compiled policy with these names of built-in claims, and a rule that sets these claims."""
    rules = {"r": {"order": 1, "access_claims": {name: {"from": "request.metadata.x"} for name in claims}}}
    sections = {"settings": {"claim_names": names or {}}, "rules": rules, **sections}
    return compile_policy(from_rows(policy_rows(**sections)))


def after(*versions: dict[str, Any]) -> History:
    known = History()
    for document in versions:
        assert list(known.conflicts(document)) == []
        known = known.joined(document)
    return known


def in_the_way(known: History, document: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(conflict.row, conflict.name, conflict.meaning) for conflict in known.conflicts(document)]


@pytest.mark.parametrize(
    "earlier",
    [
        version(None, "org"),
        version(roles={"a": {"id_claims": {"org": 1}}}),
        version(clients={"1a": {"claims": {"org": "literal"}}}),
        version({"roles": "org"}),
        version({"tenant_name": "org"}),
    ],
)
def test_a_built_in_claim_gets_no_name_under_which_an_earlier_version_could_set_something_else(
    earlier: dict[str, Any],
) -> None:
    known = after(earlier, version())
    assert in_the_way(known, version({"tenant_id": "org"})) == [("SETTINGS", "org", "tenant_id")]
    assert in_the_way(known, version({"tenant_id": "organisation"})) == []


def test_a_name_that_a_built_in_claim_once_had_is_nobody_elses() -> None:
    known = after(version({"tenant_id": "org"}), version())
    assert in_the_way(known, version(None, "org", "plan")) == [("RULE#r", "org", None)]
    assert in_the_way(known, version({"tenant_id": "org"})) == []
    assert in_the_way(known, version({"roles": "org"})) == [("SETTINGS", "org", "roles")]


@pytest.mark.parametrize("name", ["custom:tenant", "email", "name"])
def test_a_claim_is_not_renamed_to_what_shows_a_users_attribute(name: str) -> None:
    """An ID token from before has the attribute there, and users may write it."""
    assert in_the_way(after(version()), version({"tenant_id": name})) == [("SETTINGS", name, "tenant_id")]
    assert in_the_way(History(), version({"tenant_id": name})) == [], "there is no token yet that could be misread"
    assert in_the_way(after(version({"tenant_id": name}), version()), version({"tenant_id": name})) == []


@pytest.mark.parametrize(
    ("versions", "renamed"),
    [
        ([version()], False),
        ([version({"tenant_id": "org"})], False),
        ([version(), version(None, "plan"), version({"tenants": "choices", "policy_version": "pv"})], False),
        ([version(), version({"tenant_id": "org"})], True),
        ([version(), version({"roles": None})], True),
        ([version({"roles": None}), version()], True),
        ([version(), version({"tenant_id": "org"}), version()], True),
    ],
)
def test_names_count_as_changed_where_a_verifier_reads_them(versions: list[dict[str, Any]], renamed: bool) -> None:  # noqa: FBT001 - the expectation
    known = after(*versions)
    assert known.renamed is renamed
    assert bool(known.version_claims) is renamed


def test_tokens_tell_their_version_under_every_name_it_had() -> None:
    known = after(version({"policy_version": "pv"}), version({"tenant_id": "org", "policy_version": "version_of"}))
    assert known.version_claims == ("policy_version", "pv", "version_of")


def test_where_names_change_tokens_tell_their_version() -> None:
    silent: dict[str, str | None] = {"policy_version": None}
    assert not after(version(silent)).hides_version(version(silent, "plan"))
    assert after(version()).hides_version(version({"tenant_id": "org", **silent}))
    assert after(version(), version({"tenant_id": "org"})).hides_version(version(silent)), (
        "also back to the first names"
    )
    assert not after(version()).hides_version(version(silent)), "no name of a tenant or of roles has changed"


def test_past_the_bound_versions_go_on_and_names_do_not_change() -> None:
    long = [f"{letter}{'x' * (MAX_OCTETS // 4)}" for letter in "abcd"]
    known = after(version(None, *long))
    assert known.full
    assert sum(map(len, known.ordinary)) <= MAX_OCTETS
    assert in_the_way(known, version(None, "plan")) == []
    assert in_the_way(known, version({"tenant_id": "org"})) == [("SETTINGS", "org", "tenant_id")]
    assert in_the_way(known, version({"tenant_id": None})) == []
    assert known.is_of(version(None, "more"))


_names = st.sampled_from(["org", "pv", "x", "custom:t"])
_versions = st.builds(
    version,
    st.dictionaries(st.sampled_from(DEFAULTS), st.one_of(_names, st.none()), max_size=3).filter(
        lambda names: len({name for name in names.values() if name}) == len([name for name in names.values() if name])
    ),
    st.just("y"),
)


@given(st.lists(st.tuples(_versions, st.lists(_names, max_size=2)), max_size=6))
def test_no_name_is_ever_two_things(made: list[tuple[dict[str, Any], list[str]]]) -> None:
    """Whatever is published in whatever order, as long as nothing is put in force that is in conflict."""
    known = History()
    meant: dict[str, set[str]] = {}
    for document, claims in made:
        names = document["settings"]["claim_names"]
        rule = {"id": "s", "access_claims": dict.fromkeys(set(claims) - set(names.values()), 1)}
        whole = {**document, "rules": [*document["rules"], rule]}
        if list(known.conflicts(whole)):
            continue
        known = known.joined(whole)
        assert known.is_of(whole)
        for meaning, name in names.items():
            meant.setdefault(name, set()).add(meaning)
        for name in rule["access_claims"]:
            meant.setdefault(name, set()).add("another claim")
    assert {name: meanings for name, meanings in meant.items() if len(meanings) > 1} == {}

"""Real events are read, whatever Cognito adds to them; hostile ones are refused with a code and a place."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.cognito.event import SOURCES, parse
from claimsmith.cognito.limits import MAX_METADATA
from claimsmith.errors import Code, EventError
from tests import events
from tests.events import CLIENT, SUB, event


def test_the_factory_knows_every_source_the_parser_knows() -> None:
    assert set(events.SOURCES) == SOURCES


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("source", events.USER_SOURCES)
def test_every_user_source_is_read_in_both_versions(source: str, version: str) -> None:
    request = parse(event(source, version=version, groups=["Staff"]))
    assert (request.source, request.sub, request.client_id) == (source, SUB, CLIENT)
    assert request.groups == ("Staff",)
    assert request.metadata == {}
    assert not request.machine


def test_a_machine_has_no_sub_no_attributes_and_no_groups() -> None:
    request = parse(event(events.MACHINE))
    assert request.machine
    assert (request.sub, request.attributes, request.groups) == (None, {}, ())
    assert request.username == "ClientCredentials"
    assert request.scopes == ("orders/read",)


def test_a_machine_is_not_a_user_even_if_its_event_names_one() -> None:
    hostile = event(events.MACHINE)
    hostile["request"]["userAttributes"] = {"sub": SUB}
    assert parse(hostile).sub is None


@pytest.mark.parametrize("scopes", ["openid", ["openid", 7], {"openid": 1}])
def test_scopes_that_are_no_list_of_texts_are_a_malformed_event(scopes: object) -> None:
    odd = event(events.SIGN_IN)
    odd["request"]["scopes"] = scopes
    with pytest.raises(EventError) as refused:
        parse(odd)
    assert (refused.value.code, refused.value.detail) == (Code.MALFORMED_EVENT, "request.scopes")


def test_client_metadata_is_read_where_a_source_passes_it() -> None:
    assert parse(event(events.SIGN_IN, metadata={"tenant_id": "acme"})).metadata == {"tenant_id": "acme"}


@pytest.mark.parametrize(
    "preferred_role",
    [None, "arn:aws:iam::111122223333:role/x", ["arn:aws:iam::1:role/x"]],
    ids=["none", "text", "list"],
)
@pytest.mark.parametrize("response", [None, [], {}, {"claimsAndScopeOverrideDetails": []}, "text", 7])
def test_what_decides_nothing_may_have_any_shape(preferred_role: object, response: object) -> None:
    given = event()
    given["request"]["groupConfiguration"]["preferredRole"] = preferred_role
    given["response"] = response
    given["request"]["somethingNew"] = {"deep": [1, None]}
    given["somethingNewer"] = 1
    assert parse(given).sub == SUB


@pytest.mark.parametrize("groups", [None, {}, {"groupsToOverride": None}, {"groupsToOverride": []}])
def test_no_groups_may_be_expressed_in_any_way(groups: object) -> None:
    given = event()
    given["request"]["groupConfiguration"] = groups
    assert parse(given).groups == ()


@pytest.mark.parametrize("source", ["TokenGeneration_Future", "PreSignUp_SignUp", "tokengeneration_hostedauth"])
def test_an_unknown_source_is_refused_because_nobody_knows_what_it_means(source: str) -> None:
    with pytest.raises(EventError) as refused:
        parse(event() | {"triggerSource": source})
    assert refused.value.code is Code.UNKNOWN_TRIGGER_SOURCE


@pytest.mark.parametrize("version", ["1", "4", "", "V2_0", 2, None, True])
def test_only_versions_two_and_three_can_change_an_access_token(version: object) -> None:
    with pytest.raises(EventError) as refused:
        parse(event() | {"version": version})
    assert refused.value.code is Code.EVENT_VERSION


@pytest.mark.parametrize("version", [[], {}, ["2"]])
def test_a_version_that_is_no_string_at_all_is_refused_too(version: object) -> None:
    with pytest.raises(EventError) as refused:
        parse(event() | {"version": version})
    assert refused.value.code is Code.EVENT_VERSION


@pytest.mark.parametrize(
    "sub",
    ["", " ", "a b", "USER#x", "x#TENANT#acme", "x\n", "x" * 129, "ünïcode", "a/b", "*", "\x00"],
    ids=repr,
)
def test_a_sub_that_could_be_key_syntax_is_refused_and_not_repeated(sub: str) -> None:
    with pytest.raises(EventError) as refused:
        parse(event(sub=sub) | {"userName": "someone"})
    assert (refused.value.code, refused.value.detail) == (Code.MALFORMED_EVENT, "request.userAttributes.sub")
    assert len(sub) < 2 or sub not in str(refused.value)


@pytest.mark.parametrize("client_id", ["", "CLIENT#x", "a b", "x" * 129, None, 7, ["x"]], ids=repr)
def test_a_client_id_that_is_none_is_refused(client_id: Any) -> None:  # noqa: ANN401 - any JSON value
    with pytest.raises(EventError) as refused:
        parse(event() | {"callerContext": {"clientId": client_id}})
    assert refused.value.detail == "callerContext.clientId"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("request",), None, "request"),
        (("request",), [], "request"),
        (("callerContext",), None, "callerContext"),
        (("userName",), None, "userName"),
        (("userName",), "", "userName"),
        (("triggerSource",), None, "triggerSource"),
        (("request", "userAttributes"), None, "request.userAttributes.sub"),
        (("request", "userAttributes"), [["sub", SUB]], "request.userAttributes"),
        (("request", "userAttributes"), {"sub": 7}, "request.userAttributes"),
        (("request", "scopes"), "openid", "request.scopes"),
        (("request", "scopes"), [None], "request.scopes"),
        (("request", "groupConfiguration"), ["Staff"], "request.groupConfiguration"),
        (
            ("request", "groupConfiguration"),
            {"groupsToOverride": "Staff"},
            "request.groupConfiguration.groupsToOverride",
        ),
        (("request", "clientMetadata"), ["tenant_id"], "request.clientMetadata"),
        (("request", "clientMetadata"), {"tenant_id": None}, "request.clientMetadata"),
    ],
)
def test_a_part_of_the_wrong_shape_is_refused_by_its_place(path: tuple[str, ...], value: object, where: str) -> None:
    given = event()
    parent = given
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    with pytest.raises(EventError) as refused:
        parse(given)
    assert refused.value.detail == where


@pytest.mark.parametrize("name", ["version", "triggerSource", "userName", "callerContext", "request"])
def test_an_event_without_a_part_that_is_needed_is_refused(name: str) -> None:
    given = event()
    del given[name]
    with pytest.raises(EventError):
        parse(given)


def test_huge_metadata_is_refused_at_its_limit_and_not_before() -> None:
    fits = {"k": "v" * (MAX_METADATA - 1)}
    assert parse(event(events.SIGN_IN, metadata=fits)).metadata == fits
    with pytest.raises(EventError) as refused:
        parse(event(events.SIGN_IN, metadata={"k": "v" * MAX_METADATA}))
    assert refused.value.detail == "request.clientMetadata"


@pytest.mark.parametrize("given", [None, [], "event", 7, True])
def test_what_is_no_event_is_refused(given: object) -> None:
    with pytest.raises(EventError) as refused:
        parse(given)
    assert refused.value.detail == "event"

"""Introspection: RFC 7662 clause by clause; ``docs/reference/introspection.md`` lists the clauses with these tests."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest

from claimsmith.errors import Code
from claimsmith.table import revocation_key
from claimsmith.verifier import KeySource
from claimsmith.verifier.callers import SCOPE
from claimsmith.verifier.introspection import MAX_BODY
from tests.unit.verifier.introspecting import (
    DOWN,
    FORM,
    INACTIVE,
    MACHINE,
    POOL,
    SECRET,
    NoRows,
    Revoked,
    Rows,
    answered,
    assert_never_cached_json,
    basic,
    event,
    introspection,
    machine_token,
    refused,
    row,
)
from tests.unit.verifier.minting import (
    CLIENT,
    ISSUER,
    NOW,
    UPDATED_ISSUER,
    Pool,
    access_claims,
    id_claims,
    private_key,
)

CHALLENGES = 'Basic realm="claimsmith", charset="UTF-8", Bearer realm="claimsmith"'

# --- Section 2.1: the request -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [FORM, FORM + "; charset=UTF-8", FORM.upper(), FORM + " ;x=y"])
@pytest.mark.parametrize("encode", [True, False])
def test_section_2_1_the_request_is_a_form(media_type: str, *, encode: bool) -> None:
    """API Gateway base64-encodes forms; RFC 9110 section 8.3.1: media types are case-insensitive."""
    assert answered(event(media_type=media_type, encode=encode))[1]["active"] is True


@pytest.mark.parametrize(
    "media_type", [None, "", "application/json", "text/plain", "multipart/form-data", FORM + "x", f"{FORM},{FORM}"]
)
def test_section_2_1_any_other_media_type_is_415(media_type: str | None) -> None:
    assert answered(event(media_type=media_type)) == (415, {"error": "invalid_request"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", ""])
def test_section_2_1_the_request_is_a_post(method: str) -> None:
    """Section 4 lets GET be refused, because tokens in addresses would end up in logs."""
    request = event(method=method) | {"rawQueryString": urlencode({"token": POOL.sign()})}
    answer = introspection().answer(request)
    assert answer.response["statusCode"] == 405
    assert answer.response["headers"]["Allow"] == "POST", "RFC 9110 section 15.5.6"
    assert_never_cached_json(answer)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "token",
        "token=",
        "tok=x",
        "token=a&token=b",
        "token=a&token=a",
        "token=a&token=",
        "token=a&x=1&x=2",
        "Token=a",
        "token=%ff",
        "token=a&x=%c3",
        "a=1&" * 20 + "token=a",
    ],
)
def test_section_2_1_a_form_without_exactly_one_token_is_a_bad_request(body: str) -> None:
    """RFC 6749 section 3.2: no parameter more than once, and one without a value counts as left out."""
    assert answered(event(body=body)) == (400, {"error": "invalid_request"})


def test_section_2_1_a_token_in_the_query_is_not_read() -> None:
    request = event(body="") | {"rawQueryString": "token=x", "queryStringParameters": {"token": POOL.sign()}}
    assert answered(request) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", "", "\u00e9"])
def test_section_2_1_a_wrong_hint_changes_nothing(hint: str) -> None:
    """The search must be extended where the hint does not help; hints may be ignored."""
    for token, active in ((POOL.sign(), True), (REFRESH_TOKEN, False)):
        body = urlencode({"token": token, "token_type_hint": hint})
        assert answered(event(body=body))[1]["active"] is active


def test_section_2_1_other_parameters_are_ignored() -> None:
    """RFC 6749 section 3.2 as well."""
    body = urlencode({"client_id": "x", "resource": "https://api.example.com", "token": POOL.sign(), "n": ""})
    assert answered(event(body=body))[1]["active"] is True


def test_section_2_1_an_unauthenticated_caller_is_refused_before_any_lookup() -> None:
    """The endpoint must require authorization, against scanning for tokens; section 4 repeats it."""
    revoked = Revoked({})
    assert refused(None, introspection(revoked=revoked)) == CHALLENGES
    assert revoked.asked == 0
    for request in (event(authorization="Basic x", body="nonsense"), event(authorization="Basic x", media_type="a/b")):
        assert answered(request)[0] == 401, "not a word about the rest of the request"


# --- Section 2.2: the response ----------------------------------------------------------------------------------------


def test_section_2_2_an_active_token_is_described() -> None:
    claims = access_claims(aud="https://api.example.com", nbf=NOW - 60)
    assert answered(event(POOL.sign(claims)), introspection(audience=["https://api.example.com"])) == (
        200,
        {
            "active": True,
            "token_type": "Bearer",
            "client_id": CLIENT,
            "username": "ada",
            "tenant_id": "acme",
            "roles": ["editor", "viewer"],
            **{name: claims[name] for name in ("scope", "exp", "iat", "nbf", "sub", "aud", "iss", "jti")},
        },
    )


def test_section_2_2_members_that_the_token_does_not_have_are_left_out() -> None:
    machine = access_claims(sub=CLIENT, username=None, tenant_id=None, roles=None, scope=None, jti=None, iat=None)
    status, members = answered(event(POOL.sign(machine)))
    assert (status, members) == (
        200,
        {
            "active": True,
            "client_id": CLIENT,
            "token_type": "Bearer",
            "exp": NOW + 3540,
            "sub": CLIENT,
            "iss": ISSUER,
            "roles": [],
        },
    )


def test_section_2_2_times_are_integers_and_never_extend_the_token() -> None:
    claims = access_claims(exp=NOW + 10.75, iat=NOW - 9.25, nbf=NOW - 8.75)
    members = answered(event(POOL.sign(claims)))[1]
    times = {name: members[name] for name in ("exp", "iat", "nbf")}
    assert times == {"exp": NOW + 10, "iat": NOW - 10, "nbf": NOW - 8}
    assert {type(value) for value in times.values()} == {int}


@pytest.mark.parametrize("aud", [7, {"a": 1}, [1], [["a"]], None])
def test_section_2_2_aud_is_a_string_or_a_list_of_strings_or_absent(aud: object) -> None:
    status, members = answered(event(POOL.sign({**access_claims(), "aud": aud})))
    assert (status, "aud" in members) == (200, False)
    several = event(POOL.sign(access_claims(aud=[CLIENT])))
    assert answered(several)[1]["aud"] == [CLIENT]


REFRESH_TOKEN = ".".join(["eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ", *["AAAA"] * 4])

INACTIVE_TOKENS = {
    "expired": POOL.sign(access_claims(exp=NOW)),
    "not yet valid": POOL.sign(access_claims(nbf=NOW + 60)),
    "of a foreign key": Pool(private_key("foreign")).sign(),
    "of a foreign issuer": POOL.sign(access_claims(iss="https://login.example.com")),
    "of a client that is not served": POOL.sign(access_claims(client_id="other")),
    "an ID token": POOL.sign(id_claims()),
    "a refresh token: opaque, five parts": REFRESH_TOKEN,
    "changed": POOL.sign()[:-9] + "AAAAAAAAA",
    "unsigned": "eyJhbGciOiJub25lIn0.e30.",
    "too large": "x" * 20_000,
    "garbage": "not a token \u00e9 \x00",
}


@pytest.mark.parametrize("what", INACTIVE_TOKENS)
def test_section_2_2_every_token_that_is_not_active_gets_the_same_answer(what: str) -> None:
    """``active`` is false and nothing else is returned, not even why; section 2.3: it is not an error."""
    assert answered(event(INACTIVE_TOKENS[what])) == INACTIVE


def test_section_2_2_a_token_that_the_caller_may_not_see_gets_the_answer_of_a_nonexistent_one() -> None:
    service = introspection(Rows({"orders-api": row(tenants=["globex"])}))
    good, none = service.answer(event()), service.answer(event(INACTIVE_TOKENS["garbage"]))
    assert good.response == none.response
    assert json.loads(good.response["body"]) == {"active": False}


@pytest.mark.parametrize(
    ("clients", "tenants", "active"),
    [
        (["*"], ["*"], True),
        ([CLIENT], ["acme"], True),
        ({CLIENT, "x"}, {"acme", "y"}, True),
        ([CLIENT], ["globex"], False),
        (["other"], ["acme"], False),
        (["*"], [], False),
        ([], ["*"], False),
        (None, ["*"], False),
        (["*"], None, False),
        ("*", "*", False),
        ([CLIENT + "*"], ["*"], False),
        ([[CLIENT]], ["*"], False),
    ],
)
def test_section_2_2_a_caller_sees_only_tokens_of_its_clients_and_tenants(
    clients: object, tenants: object, *, active: bool
) -> None:
    """The server may answer different protected resources differently."""
    callers = row(clients=clients, tenants=tenants)
    service = introspection(Rows({"orders-api": callers, MACHINE: callers}))
    for authorization in (basic(), f"Bearer {machine_token()}"):
        status, members = answered(event(authorization=authorization), service)
        assert (status, members["active"]) == (200, active)
        assert active or (status, members) == INACTIVE, "the same as for a token that does not exist"


def test_section_2_2_a_token_without_a_tenant_is_visible_to_callers_of_all_tenants() -> None:
    token = POOL.sign(access_claims(tenant_id=None))
    assert answered(event(token))[1]["active"] is True
    assert answered(event(token), introspection(Rows({"orders-api": row(tenants=["acme"])}))) == INACTIVE


MINE, OTHER = "https://mine.example.com/mcp", "https://other.example.com/mcp"


@pytest.mark.parametrize(
    ("changes", "audience", "seen"),
    [
        # Without an audience of the row, the deployment's counts, and tokens that are bound to nothing.
        ({}, [], {None, CLIENT}),
        ({}, [MINE], {None, CLIENT, MINE}),
        # Where it does, a token must be bound to what it names; * is for everything.
        ({"audience": [MINE]}, [], {MINE}),
        ({"audience": {MINE}}, [OTHER], {MINE}),
        ({"audience": ["*"]}, [], {None, CLIENT, MINE, OTHER}),
        ({"audience": []}, [MINE], set()),
        ({"audience": MINE}, [MINE], set()),
        ({"audience": None}, [MINE], set()),
        ({"audience": [""]}, [MINE], set()),
        ({"audience": [1]}, [MINE], set()),
    ],
)
def test_section_2_2_a_caller_sees_only_tokens_of_its_audience(
    changes: dict[str, object], audience: list[str], seen: set[str | None]
) -> None:
    """Section 4: a token is active only for a resource that it can be used at (RFC 9068 section 4)."""
    callers = row(**changes)
    service = introspection(Rows({"orders-api": callers, MACHINE: callers}), audience=audience)
    for aud in (None, CLIENT, MINE, OTHER):
        for authorization in (basic(), f"Bearer {machine_token()}"):
            answer = service.answer(event(POOL.sign(access_claims(aud=aud)), authorization))
            if aud in seen:
                members = json.loads(answer.response["body"])
                assert (members["active"], members.get("aud")) == (True, aud)
            else:
                assert (answer.response["body"], answer.code) == ('{"active":false}', Code.WRONG_AUDIENCE)


def test_section_2_2_a_caller_learns_nothing_about_others_tokens_from_lookups_or_outages() -> None:
    """Revocation is looked up for good tokens only; a caller who may not know of them must not see that happen."""
    for revoked in (Revoked({}), Revoked({}, DOWN)):
        service = introspection(Rows({"orders-api": row(clients=["other"])}), revoked)
        assert answered(event(), service) == INACTIVE
        assert revoked.asked == 0


# --- Section 2.3: errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [basic(password="wrong"), basic(user="unknown"), basic(password="")])
def test_section_2_3_wrong_client_credentials_are_401(authorization: str) -> None:
    """As RFC 6749 section 5.2 says: ``invalid_client``, and a challenge of the scheme that was used."""
    assert refused(authorization) == CHALLENGES
    assert answered(event(authorization=authorization)) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "other/x"},
        {"scope": None},
        {"scope": SCOPE + "x"},
        {"scope": SCOPE.upper()},
        {"exp": NOW},
        {"token_use": "id", "aud": MACHINE},
        {"sub": "a user"},
        {"username": "ada"},
        {"client_id": "9other", "sub": "9other"},
        {"iss": "https://login.example.com"},
        {"aud": "https://api.example.com"},
    ],
)
def test_section_2_3_an_insufficient_bearer_token_is_401(changes: dict[str, object]) -> None:
    """Also one that only lacks the scope, which RFC 6750 section 3.1 would answer with 403."""
    authorization = f"Bearer {machine_token(**changes)}"
    assert refused(authorization) == 'Bearer realm="claimsmith", error="invalid_token"'
    assert answered(event(authorization=authorization)) == (401, {"error": "invalid_token"})


# --- Section 4: security ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "active"),
    [({"exp": NOW + 1}, True), ({"exp": NOW}, False), ({"nbf": NOW}, True), ({"nbf": NOW + 60}, False)],
)
def test_section_4_a_token_is_active_within_its_time_only(changes: dict[str, object], *, active: bool) -> None:
    assert answered(event(POOL.sign(access_claims(**changes))))[1]["active"] is active


@pytest.mark.parametrize(
    "key",
    [
        revocation_key("session", access_claims()["origin_jti"]),
        revocation_key("token", access_claims()["jti"]),
        revocation_key("user", access_claims()["sub"]),
        revocation_key("client", CLIENT),
        revocation_key("tenant", "acme"),
    ],
)
def test_section_4_a_revoked_token_is_not_active(key: str) -> None:
    assert answered(event(), introspection(revoked=Revoked({key: NOW}))) == INACTIVE


def test_section_4_the_signature_is_checked() -> None:
    header, payload, signature = POOL.sign().split(".")
    foreign = Pool(private_key("foreign")).sign().split(".")[2]
    assert answered(event(f"{header}.{payload}.{signature}"))[1]["active"] is True
    assert answered(event(f"{header}.{payload}.{foreign}")) == INACTIVE


def test_section_4_a_token_is_active_only_for_its_resources() -> None:
    """The caller's row defines which those are: ``clients`` and ``tenants``."""
    service = introspection(Rows({"orders-api": row(clients=[CLIENT]), MACHINE: row(clients=["other"])}))
    assert answered(event(), service)[1]["active"] is True
    assert answered(event(authorization=f"Bearer {machine_token()}"), service) == INACTIVE


@pytest.mark.parametrize("issuer", [ISSUER, UPDATED_ISSUER])
def test_section_4_tokens_of_both_forms_of_the_issuer_are_accepted(issuer: str) -> None:
    source = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks, UPDATED_ISSUER: POOL.jwks}, clock=lambda: NOW)
    status, members = answered(event(POOL.sign(access_claims(iss=issuer))), introspection(source=source))
    assert (status, members["active"], members["iss"]) == (200, True, issuer)


def test_section_4_callers_are_authorized_one_by_one() -> None:
    """A scope alone does not let a machine ask; its client needs a row, which limits whose tokens."""
    assert answered(event(authorization=f"Bearer {machine_token()}"))[1]["active"] is True
    refused(f"Bearer {machine_token()}", introspection(Rows({"orders-api": row()})))


def test_section_4_every_active_answer_has_exp() -> None:
    """A response must not be cached beyond ``exp``, so there is always one; HTTP caches may not keep it at all."""
    assert answered(event())[1]["exp"] == access_claims()["exp"]
    assert answered(event(POOL.sign({**access_claims(), "exp": None}))) == INACTIVE


def test_section_5_the_answer_has_only_the_documented_members() -> None:
    claims = access_claims(email="ada@example.com", phone_number="+4912345678", address="x", **{"custom:note": "y"})
    members = answered(event(POOL.sign(claims)))[1]
    assert members.keys() == {
        *("active", "token_type", "client_id", "username", "scope", "exp", "iat", "sub", "iss", "jti"),
        *("tenant_id", "roles"),
    }


def test_a_caller_is_told_the_further_claims_of_its_row_and_no_others() -> None:
    """Workato, for example, finds its API client by a claim (docs.workato.com/api-mgmt/jwt-workato-claim)."""
    key = {"https://www.workato.com/sub": "k"}
    claims = access_claims(email="ada@example.com", address={"city": ["Ulm"]}, active=False, note="y", **key)
    names = ["email", "address", "absent", "active", "username", 1, *key]
    for kind in (list, set):
        service = introspection(Rows({"orders-api": row(claims=kind(names))}))
        status, members = answered(event(POOL.sign(claims)), service)
        plain = answered(event(POOL.sign(claims)))[1]
        assert (status, members) == (200, plain | key | {"email": "ada@example.com", "address": {"city": ["Ulm"]}})
    assert answered(event(POOL.sign(claims)), introspection(Rows({"orders-api": row(claims="email")})))[1] == plain


def test_a_token_with_a_further_claim_that_is_nested_too_deeply_is_inactive() -> None:
    token = POOL.sign(access_claims(note=json.loads("[" * 450 + "]" * 450)))
    assert answered(event(token), introspection(Rows({"orders-api": row(claims=["note"])}))) == INACTIVE
    assert answered(event(token))[1]["active"]


def test_a_caller_of_hydra_is_told_in_ext_what_its_row_names() -> None:
    """``ext`` as in Hydra's ``IntrospectedOAuth2Token``; Oathkeeper reads a tenant and roles nowhere else."""
    claims = access_claims(email="ada@example.com", ext="a claim", address={"city": ["Ulm"]})
    plain = answered(event(POOL.sign(claims)))[1]
    names = ["email", "tenant_id", "roles", "address", "absent", "active", 1]
    service = introspection(Rows({"orders-api": row(ext=names)}))
    members = answered(event(POOL.sign(claims)), service)[1]
    told = {"email": "ada@example.com", "address": {"city": ["Ulm"]}, "tenant_id": "acme", "active": True}
    assert members == plain | {"ext": told | {"roles": ["editor", "viewer"]}}
    assert answered(event("nonsense"), service) == INACTIVE
    nothing = answered(event(POOL.sign(claims)), introspection(Rows({"orders-api": row(ext=["absent"])})))[1]
    assert nothing == plain | {"ext": {}}
    none: tuple[object, ...] = ([], "email")
    for ext in none:
        assert answered(event(POOL.sign(claims)), introspection(Rows({"orders-api": row(ext=ext)})))[1] == plain


def test_a_claim_in_ext_never_passes_for_a_member_that_the_answer_lacks() -> None:
    claims = access_claims(tenant_id=None, username=None, stale="no", incomplete=["roles"])
    names = ["tenant_id", "username", "stale", "incomplete", "exp"]
    members = answered(event(POOL.sign(claims)), introspection(Rows({"orders-api": row(ext=names)})))[1]
    assert members["ext"] == {"exp": members["exp"]}


@pytest.mark.parametrize(
    ("scope", "active"),
    [("", True), ("orders/read", True), ("orders/write  orders/read", True), ("orders/read orders/delete", False)],
)
def test_a_token_without_the_scopes_of_the_request_is_not_active(scope: str, *, active: bool) -> None:
    """``scope`` as Ory Hydra's API describes it.

    The description is in ``sdk/go/hydra/swagger/swagger_o_auth_introspection_request.go`` of its 1.0.0-beta.2.
    """
    revoked = Revoked({})
    body = urlencode({"token": POOL.sign(access_claims(scope="orders/read orders/write")), "scope": scope})
    answer = introspection(revoked=revoked).answer(event(body=body))
    assert json.loads(answer.response["body"])["active"] is active
    assert (answer.code, revoked.asked) == ((None, 1) if active else (Code.SCOPE_MISSING, 0))


# --- Bodies that are not what they say --------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["***", "AAA", "AA=A", "AAAA=", "AB==", "\u00e9", "\ud800", 7, ["x"], {"token": "x"}])
def test_a_body_in_the_wrong_encoding_is_a_bad_request(body: object) -> None:
    assert answered(event() | {"body": body}) == (400, {"error": "invalid_request"})
    assert answered(event() | {"body": None}) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("encode", [True, False])
def test_an_oversized_body_is_413_before_anything_else_is_done(*, encode: bool) -> None:
    rows = Rows({})
    request = event(body="token=" + "x" * MAX_BODY, encode=encode, authorization="Basic nonsense")
    assert answered(request, introspection(rows)) == (413, {"error": "invalid_request"})
    assert rows.asked == []


@pytest.mark.parametrize("encode", [True, False])
def test_a_body_of_the_maximum_size_is_read(*, encode: bool) -> None:
    token = f"token={POOL.sign()}&padding="
    largest = event(body=token + "x" * (MAX_BODY - len(token)), encode=encode)
    assert answered(largest)[1]["active"] is True
    assert answered(event(body=token + "x" * (MAX_BODY - len(token) + 1), encode=encode))[0] == 413


# --- What cannot be known ---------------------------------------------------------------------------------------------


def unreachable(_uri: str, _timeout: float) -> bytes:
    raise ConnectionRefusedError


@pytest.mark.parametrize("authorization", [basic(), f"Bearer {machine_token()}"])
@pytest.mark.parametrize(
    "parts",
    [{"rows": NoRows()}, {"revoked": Revoked({}, DOWN)}, {"source": KeySource([ISSUER], fetch=unreachable)}],
    ids=["no table", "no revocations", "no keys"],
)
def test_a_failed_lookup_is_503_and_neither_active_nor_inactive(parts: dict[str, Any], authorization: str) -> None:
    answer = introspection(**parts).answer(event(authorization=authorization))
    assert answer.response["statusCode"] == 503
    assert json.loads(answer.response["body"]) == {"error": "temporarily_unavailable"}
    assert answer.response["headers"]["Retry-After"]
    assert_never_cached_json(answer)


def test_an_answer_has_only_caller_and_code_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = introspection().answer(event(INACTIVE_TOKENS["expired"]))
        assert (answer.code, answer.resource_id) == (Code.TOKEN_EXPIRED, "orders-api")
        assert introspection().answer(event()).code is None
    assert not caplog.records


def test_a_caller_is_named_in_the_log_only_once_it_has_authenticated() -> None:
    for authorization in (basic(password="wrong"), basic(user=SECRET), f"Bearer {POOL.sign()}"):
        assert introspection().answer(event(authorization=authorization)).resource_id is None

"""Introspection, clause by clause of RFC 7662 where one applies."""

from __future__ import annotations

import base64
import json
import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, StoreError
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.introspection import MAX_BODY, SCOPE, Answer, Introspection
from claimsmith.verifier.revocation import revocation_key
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool, access_claims, id_claims, private_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POOL = Pool()
MACHINE = "7machine12345"
SECRET, SECOND = "s3cret-of-256-random-bits", "the-next-one"
FORM = "application/x-www-form-urlencoded"


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def row(**changes: object) -> dict[str, object]:
    return {"secrets": [digest(SECRET)], "clients": ["*"], "tenants": ["*"], **changes}


class Rows:
    """Protected resources in memory; counts look-ups."""

    def __init__(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def row(self, resource_id: str, /) -> Mapping[str, object] | None:
        self.asked.append(resource_id)
        return self.rows.get(resource_id)


class Revoked:
    def __init__(self, rows: Mapping[str, float | None], error: StoreError | None = None) -> None:
        self.rows = rows
        self.error = error

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        if self.error is not None:
            raise self.error
        return {key: self.rows[key] for key in keys if key in self.rows}


DOWN = StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")
SOURCE = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks}, clock=lambda: NOW)


def introspection(rows: Any = None, revoked: Any = None, source: KeySource = SOURCE) -> Introspection:  # noqa: ANN401 - stand-ins
    def verifier(client_ids: Any) -> Verifier:  # noqa: ANN401 - names or ANY
        return Verifier(
            issuers=source,
            client_ids=client_ids,
            token_use="access",
            revocations=Revoked({}) if revoked is None else revoked,
            clock=lambda: NOW,
        )

    held = Rows({"orders-api": row(), MACHINE: row()}) if rows is None else rows
    return Introspection(verifier([CLIENT]), verifier(ANY), held)


def basic(user: str = "orders-api", password: str = SECRET) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def event(
    token: str | None = None,
    authorization: str | None = None,
    *,
    body: str | None = None,
    method: str = "POST",
    media_type: str | None = FORM,
    encoded: bool = True,
) -> dict[str, Any]:
    """An event as an HTTP API sends it: header names in lower case, forms base64-encoded."""
    form = urlencode({"token": POOL.sign() if token is None else token}) if body is None else body
    headers = {"authorization": basic() if authorization is None else authorization, "content-type": media_type}
    return {
        "version": "2.0",
        "rawPath": "/introspect",
        "rawQueryString": "",
        "headers": {name: value for name, value in headers.items() if value},
        "requestContext": {"http": {"method": method, "path": "/introspect"}, "stage": "$default"},
        "body": base64.b64encode(form.encode()).decode() if encoded else form,
        "isBase64Encoded": encoded,
    }


def answered(made: Mapping[str, Any], service: Introspection | None = None) -> tuple[int, Any]:
    answer = (introspection() if service is None else service).answer(made)
    assert_never_cached_json(answer)
    return answer.response["statusCode"], json.loads(answer.response["body"])


def assert_never_cached_json(answer: Answer) -> None:
    headers = answer.response["headers"]
    assert headers["Content-Type"] == "application/json", "section 2.2"
    assert headers["Cache-Control"] == "no-store", "section 4"
    assert headers["Pragma"] == "no-cache"


INACTIVE = (200, {"active": False})


def test_section_2_2_an_active_token_is_described() -> None:
    claims = access_claims(aud="https://api.example.com", nbf=NOW - 60)
    assert answered(event(POOL.sign(claims))) == (
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


@pytest.mark.parametrize("aud", [7, {"a": 1}, [1], [["a"]], None])
def test_an_aud_of_the_wrong_type_is_not_passed_on(aud: object) -> None:
    status, members = answered(event(POOL.sign({**access_claims(), "aud": aud})))
    assert (status, members["active"], "aud" in members) == (200, True, False)
    assert answered(event(POOL.sign(access_claims(aud=["a", "b"]))))[1]["aud"] == ["a", "b"]


INACTIVE_TOKENS = {
    "expired": POOL.sign(access_claims(exp=NOW)),
    "of a foreign key": Pool(private_key("foreign")).sign(),
    "of a foreign issuer": POOL.sign(access_claims(iss="https://login.example.com")),
    "of a client that is not served": POOL.sign(access_claims(client_id="other")),
    "an ID token": POOL.sign(id_claims()),
    "a refresh token: opaque, five parts": ".".join(
        ["eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ", *["AAAA"] * 4]
    ),
    "changed": POOL.sign()[:-9] + "AAAAAAAAA",
    "unsigned": "eyJhbGciOiJub25lIn0.e30.",
    "too large": "x" * 20_000,
    "garbage": "not a token \u00e9 \x00",
}


@pytest.mark.parametrize("what", INACTIVE_TOKENS)
def test_section_2_2_every_token_that_is_not_active_gets_the_same_answer(what: str) -> None:
    assert answered(event(INACTIVE_TOKENS[what])) == INACTIVE


@pytest.mark.parametrize(
    "key", [revocation_key("session", access_claims()["origin_jti"]), revocation_key("tenant", "acme")]
)
def test_section_4_a_revoked_token_is_not_active(key: str) -> None:
    assert answered(event(), introspection(revoked=Revoked({key: NOW}))) == INACTIVE


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", ""])
def test_section_2_1_a_wrong_hint_changes_nothing(hint: str) -> None:
    body = urlencode({"token": POOL.sign(), "token_type_hint": hint})
    assert answered(event(body=body))[1]["active"] is True


@pytest.mark.parametrize("media_type", [FORM, FORM + "; charset=UTF-8", FORM.upper(), FORM + " ;x=y"])
@pytest.mark.parametrize("encoded", [True, False])
def test_section_2_1_the_request_is_a_form(media_type: str, *, encoded: bool) -> None:
    assert answered(event(media_type=media_type, encoded=encoded))[1]["active"] is True


@pytest.mark.parametrize(
    "media_type", [None, "", "application/json", "text/plain", "multipart/form-data", FORM + "x", f"{FORM},{FORM}"]
)
def test_section_2_1_any_other_media_type_is_415(media_type: str | None) -> None:
    assert answered(event(media_type=media_type)) == (415, {"error": "invalid_request"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", ""])
def test_section_4_get_is_not_answered_because_tokens_would_end_up_in_logs(method: str) -> None:
    made = event(method=method) | {"rawQueryString": urlencode({"token": POOL.sign()})}
    answer = introspection().answer(made)
    assert (answer.response["statusCode"], answer.response["headers"]["Allow"]) == (405, "POST")
    assert_never_cached_json(answer)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "token",
        "token=",
        "tok=x",
        "token=a&token=b",
        "token=a&token=",
        "token=a&x=1&x=2",
        "Token=a",
        "token=%ff",
        "&" * 40 + "=1" * 0 + "a=1&" * 20,
    ],
)
def test_a_form_without_exactly_one_token_is_a_bad_request(body: str) -> None:
    assert answered(event(body=body)) == (400, {"error": "invalid_request"})


def test_a_token_in_the_query_is_not_read() -> None:
    made = event(body="") | {"rawQueryString": "token=x", "queryStringParameters": {"token": POOL.sign()}}
    assert answered(made) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("body", ["***", "AAA", "AA=A", "AAAA=", "\u00e9", 7, ["x"], {"token": "x"}])
def test_a_body_that_is_not_what_it_says_is_a_bad_request(body: object) -> None:
    assert answered(event() | {"body": body}) == (400, {"error": "invalid_request"})
    assert answered(event() | {"body": None}) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("encoded", [True, False])
def test_an_oversized_body_is_413_before_anything_else_is_done(*, encoded: bool) -> None:
    rows = Rows({})
    made = event(body="token=" + "x" * MAX_BODY, encoded=encoded, authorization="Basic nonsense")
    assert answered(made, introspection(rows)) == (413, {"error": "invalid_request"})
    assert rows.asked == []


# --- Section 2.1: the caller must authenticate ------------------------------------------------------------------------


def refused(authorization: str | None, service: Introspection | None = None) -> str:
    made = event(authorization=authorization)
    if authorization is None:
        del made["headers"]["authorization"]
    answer = (introspection() if service is None else service).answer(made)
    assert_never_cached_json(answer)
    assert answer.response["statusCode"] == 401, "section 2.3"
    assert "active" not in answer.response["body"]
    assert (answer.code, answer.resource_id) == (Code.CALLER_REFUSED, None)
    challenge: str = answer.response["headers"]["WWW-Authenticate"]
    return challenge


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic ",
        "Digest x",
        "Basic ***",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        basic(password=""),
        basic(password="wrong"),
        basic(password=SECRET + " "),
        basic(password=digest(SECRET)),
        basic(user="unknown"),
        basic(user=""),
        basic(user="orders-api#x"),
        basic(user="Orders-Api"),
        basic(user="x" * 2000),
        f"{basic()}, {basic()}",
        basic() + "=",
    ],
)
def test_without_good_credentials_the_answer_is_401_and_says_how_to_authenticate(authorization: str | None) -> None:
    assert refused(authorization) == 'Basic realm="claimsmith", charset="UTF-8", Bearer realm="claimsmith"'


def test_basic_takes_the_scheme_in_any_case_and_form_encoded_parts() -> None:
    secret = "a+b%c:d e"
    service = introspection(Rows({"orders-api": row(secrets=[digest(secret)])}))
    encoded = base64.b64encode(f"orders-api:{quote(secret, safe='')}".encode()).decode()
    assert answered(event(authorization=f"bAsIc {encoded}"), service)[1]["active"] is True


def test_two_secrets_are_valid_at_once_so_that_one_can_be_rotated() -> None:
    for secrets in ([digest(SECRET), digest(SECOND)], {digest(SECRET), digest(SECOND)}):
        service = introspection(Rows({"orders-api": row(secrets=secrets)}))
        for secret in (SECRET, SECOND):
            assert answered(event(authorization=basic(password=secret)), service)[1]["active"] is True
    refused(basic(), introspection(Rows({"orders-api": row(secrets=[digest(SECOND)])})))


@pytest.mark.parametrize(
    "secrets",
    [
        None,
        [],
        digest(SECRET),
        [SECRET],
        [digest(SECRET).upper()],
        [digest(SECRET), digest("b"), digest("c")],
        [1],
        [None],
        {},
    ],
)
def test_a_row_whose_secrets_cannot_be_read_lets_nobody_in(secrets: object) -> None:
    refused(basic(), introspection(Rows({"orders-api": row(secrets=secrets)})))
    refused(basic(password=""), introspection(Rows({"orders-api": row(secrets=secrets)})))


def test_an_unknown_id_takes_the_same_look_up_as_a_known_one() -> None:
    rows = Rows({"orders-api": row()})
    for user in ("orders-api", "unknown"):
        refused(basic(user, "wrong"), introspection(rows))
    assert rows.asked == ["orders-api", "unknown"]


def machine_token(**changes: object) -> str:
    own = {
        "sub": MACHINE,
        "client_id": MACHINE,
        "username": None,
        "scope": f"other/x {SCOPE}",
        "tenant_id": None,
        "roles": None,
    }
    return POOL.sign(access_claims(**{**own, **changes}))


def test_section_2_1_a_machine_may_ask_with_its_own_access_token() -> None:
    answer = introspection().answer(event(authorization=f"Bearer {machine_token()}"))
    assert json.loads(answer.response["body"])["active"] is True
    assert answer.resource_id == MACHINE


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "other/x"},
        {"scope": None},
        {"scope": SCOPE + "x"},
        {"exp": NOW},
        {"token_use": "id", "aud": MACHINE},
        {"sub": "a user"},
        {"username": "ada"},
        {"client_id": "9other", "sub": "9other"},
        {"iss": "https://login.example.com"},
    ],
)
def test_section_2_3_a_bearer_token_that_is_not_enough_is_401(changes: dict[str, object]) -> None:
    assert refused(f"Bearer {machine_token(**changes)}") == 'Bearer realm="claimsmith", error="invalid_token"'


def test_a_revoked_machine_may_not_ask() -> None:
    refused(f"Bearer {machine_token()}", introspection(revoked=Revoked({revocation_key("client", MACHINE): NOW})))


def test_the_token_that_is_asked_about_does_not_authenticate_the_caller() -> None:
    refused(f"Bearer {POOL.sign()}")


# --- Section 4: a caller learns only of tokens that are meant for it --------------------------------------------------


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
        ("*", "*", False),
        ([CLIENT + "*"], ["*"], False),
    ],
)
def test_a_caller_sees_only_tokens_of_its_clients_and_tenants(
    clients: object, tenants: object, *, active: bool
) -> None:
    service = introspection(Rows({"orders-api": row(clients=clients, tenants=tenants)}))
    status, members = answered(event(), service)
    assert (status, members["active"]) == (200, active)
    assert active or (status, members) == INACTIVE, "the same as for a token that does not exist"


def test_a_token_without_a_tenant_is_seen_by_those_who_see_all_tenants() -> None:
    token = POOL.sign(access_claims(tenant_id=None))
    assert answered(event(token))[1]["active"] is True
    assert answered(event(token), introspection(Rows({"orders-api": row(tenants=["acme"])}))) == INACTIVE


# --- What cannot be known ---------------------------------------------------------------------------------------------


class NoRows:
    def row(self, _resource_id: str, /) -> Mapping[str, object] | None:
        raise DOWN


def unreachable(_uri: str, _timeout: float) -> bytes:
    raise ConnectionRefusedError


@pytest.mark.parametrize("authorization", [basic(), f"Bearer {machine_token()}"])
@pytest.mark.parametrize(
    "parts",
    [{"rows": NoRows()}, {"revoked": Revoked({}, DOWN)}, {"source": KeySource([ISSUER], fetch=unreachable)}],
    ids=["no table", "no revocations", "no keys"],
)
def test_what_cannot_be_known_is_503_and_neither_yes_nor_no(parts: dict[str, Any], authorization: str) -> None:
    answer = introspection(**parts).answer(event(authorization=authorization))
    assert answer.response["statusCode"] == 503
    assert json.loads(answer.response["body"]) == {"error": "temporarily_unavailable"}
    assert answer.response["headers"]["Retry-After"]
    assert_never_cached_json(answer)


def test_an_answer_says_for_the_log_who_asked_and_why_not_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = introspection().answer(event(INACTIVE_TOKENS["expired"]))
        assert (answer.code, answer.resource_id) == (Code.TOKEN_EXPIRED, "orders-api")
        assert introspection().answer(event()).code is None
    assert not caplog.records


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["headers", "requestContext", "body", "isBase64Encoded", "rawQueryString"]), JSON)
)
def test_whatever_an_event_holds_there_is_an_answer(changes: dict[str, Any]) -> None:
    assert answered({**event(), **changes})[0] in {200, 400, 401, 405, 413, 415}


@given(
    st.text(max_size=60) | st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4).map(urlencode),
    st.text(max_size=40),
)
def test_whatever_a_form_or_credentials_hold_there_is_an_answer(body: str, credentials: str) -> None:
    try:
        body.encode()
    except UnicodeEncodeError:
        return
    assert answered(event(body=body))[0] in {200, 400}
    assert answered(event(authorization=f"Basic {credentials}"))[0] == 401
    assert answered(event(authorization=f"Bearer {credentials}"))[0] == 401

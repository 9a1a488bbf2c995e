"""How callers of introspection authenticate: RFC 6749, 6750, 7617 and 9110, as far as they speak of that."""

from __future__ import annotations

import gc
import secrets
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.table import revocation_key
from tests.unit.verifier.introspecting import (
    FORM,
    MACHINE,
    POOL,
    SECOND,
    SECRET,
    Revoked,
    Rows,
    answered,
    basic,
    digest,
    encoded,
    event,
    introspection,
    machine_token,
    refused,
    row,
)
from tests.unit.verifier.minting import NOW

if TYPE_CHECKING:
    from types import FrameType

    from claimsmith.verifier.introspection import Introspection

BOTH = 'Basic realm="claimsmith", charset="UTF-8", Bearer realm="claimsmith"'


def is_active(authorization: str, service: Introspection | None = None) -> bool:
    return answered(event(authorization=authorization), service)[1].get("active") is True


# --- Basic ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic ",
        " " + basic(),
        basic().replace(" ", "\t"),
        "Digest x",
        basic().replace("s", "\u017f", 1),
        "Basic ***",
        "Basic " + encoded(b"no colon"),
        "Basic " + encoded(b"\xff:\xff"),
        "Basic " + encoded(b"orders-api:%ff"),
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
def test_without_valid_credentials_the_answer_is_401_with_a_challenge(authorization: str | None) -> None:
    assert refused(authorization) == BOTH


def test_rfc_9110_section_11_6_1_a_401_has_a_challenge_for_every_scheme() -> None:
    """RFC 7617 section 2: a realm, and UTF-8 as the only charset; RFC 6750 section 3: at least one parameter."""
    assert refused(None) == BOTH


def test_rfc_6750_section_3_1_without_credentials_the_challenge_has_no_error() -> None:
    assert "error" not in refused(None)
    assert 'error="invalid_token"' in refused("Bearer x")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_rfc_7617_section_2_the_scheme_is_case_insensitive(scheme: str) -> None:
    assert is_active(f"{scheme} {basic().partition(' ')[2]}")


@pytest.mark.parametrize("secret", ["with:colon", "\u00e9\u4e2d\U0001f511", "a+b%c d&e=f"])
def test_rfc_7617_section_2_the_password_may_contain_colons_and_any_utf_8(secret: str) -> None:
    service = introspection(Rows({"orders-api": row(secrets=[digest(secret)])}))
    assert is_active(basic(password=quote_plus(secret)), service)


@pytest.mark.parametrize("control", ["\x00", "\t", "\n", "\x7f"])
def test_rfc_7617_section_2_credentials_with_control_characters_are_refused(control: str) -> None:
    assert refused(basic(password=SECRET + control)) == BOTH
    assert refused(basic(user="orders-api" + control)) == BOTH


def test_rfc_7617_section_2_the_user_id_ends_at_the_first_colon() -> None:
    service = introspection(Rows({"a": row(secrets=[digest("b:c")]), "a:b": row(secrets=[digest("c")])}))
    assert is_active("Basic " + encoded(b"a:b:c"), service)
    assert not is_active("Basic " + encoded(b"a%3Ab:c"), service), "no id holds a colon"


def test_rfc_6749_section_2_3_1_id_and_secret_are_form_encoded() -> None:
    secret = "a+b%c:d e"
    service = introspection(Rows({"orders-api": row(secrets=[digest(secret)])}))
    for written in (quote(secret, safe=""), quote_plus(secret)):
        assert is_active("Basic " + encoded(f"orders-api:{written}".encode()), service)
    assert not is_active("Basic " + encoded(f"orders-api:{secret}".encode()), service), "its + would read as a blank"


def test_rfc_6749_section_2_3_1_a_generated_secret_reads_the_same_encoded_or_not() -> None:
    """Many clients forget the encoding; ``claimsmith resources`` makes secrets that do not need it."""
    secret = secrets.token_urlsafe(32)
    assert quote_plus(secret) == secret
    service = introspection(Rows({"orders-api": row(secrets=[digest(secret)])}))
    assert is_active(basic(password=secret), service)


@pytest.mark.parametrize("name", ["client_secret", "client_assertion", "access_token"])
def test_rfc_6749_section_5_2_two_credentials_in_one_request_are_a_bad_request(name: str) -> None:
    """RFC 6749 section 2.3, RFC 6750 section 2: one method in a request. Without a value it counts as left out."""
    form = {"token": POOL.sign(), name: SECRET}
    assert answered(event(body=urlencode(form))) == (400, {"error": "invalid_request"})
    assert answered(event(body=urlencode({**form, name: ""})))[1]["active"] is True


def posted(media_type: str = FORM, **parameters: str) -> dict[str, Any]:
    """A request whose credentials, if any, are in the form."""
    request = event(body=urlencode({"token": POOL.sign(), **parameters}), media_type=media_type)
    del request["headers"]["authorization"]
    return request


def test_rfc_6749_section_2_3_1_credentials_in_the_body_are_accepted() -> None:
    answer = introspection().answer(posted(client_id="orders-api", client_secret=SECRET))
    assert (answer.code, answer.resource_id, answer.credentials) == (None, "orders-api", "form")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"client_id": "orders-api"},
        {"client_secret": SECRET},
        {"client_id": "orders-api", "client_secret": ""},
        {"client_id": "orders-api", "client_secret": "wrong"},
        {"client_id": "orders-api", "client_secret": digest(SECRET)},
        {"client_id": "orders-api", "client_secret": quote(SECRET + "%")},
        {"client_id": "unknown", "client_secret": SECRET},
        {"client_id": "orders-api#x", "client_secret": SECRET},
        {
            "client_assertion": "a.b.c",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        },
        {"access_token": "x"},
    ],
)
def test_rfc_6749_section_5_2_wrong_credentials_in_the_body_are_401(parameters: dict[str, str]) -> None:
    answer = introspection().answer(posted(**parameters))
    assert (answer.response["statusCode"], answer.resource_id) == (401, None)
    assert answer.response["headers"]["WWW-Authenticate"] == BOTH, "RFC 9110 section 11.6.1: whatever was sent"
    assert answer.response["body"] == '{"error":"invalid_client"}'


def test_credentials_in_the_body_are_found_in_a_readable_form_only() -> None:
    credentials = {"client_id": "orders-api", "client_secret": SECRET}
    assert answered(posted("application/json", **credentials))[0] == 401
    twice = posted(**credentials)
    twice["body"] = encoded(urlencode([*credentials.items(), *credentials.items(), ("token", "x")]).encode())
    assert answered(twice)[0] == 401
    missing = posted(**credentials)
    missing["body"] = encoded(urlencode(credentials).encode())
    assert answered(missing) == (400, {"error": "invalid_request"}), "a caller who is known hears what is wrong"


@pytest.mark.parametrize("name", ["client_assertion", "access_token"])
def test_a_second_credential_in_addition_to_the_body_is_a_bad_request(name: str) -> None:
    credentials = {"client_id": "orders-api", "client_secret": SECRET}
    assert answered(posted(**credentials, **{name: "x"})) == (400, {"error": "invalid_request"})


def test_the_same_credentials_twice_are_accepted_and_reported() -> None:
    """More than RFC 6749 section 2.3 allows; ``docs/adr/0015`` says why."""
    both = event(body=urlencode({"token": POOL.sign(), "client_id": "orders-api", "client_secret": SECRET}))
    answer = introspection().answer(both)
    assert (answer.code, answer.resource_id, answer.credentials) == (None, "orders-api", "basic and form")
    assert introspection().answer(event()).credentials == "basic"
    assert introspection().answer(event(authorization=f"Bearer {machine_token()}")).credentials == "bearer"


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "orders-api", "client_secret": "another"},
        {"client_id": "orders-api", "client_secret": SECOND},
        {"client_id": "another-api", "client_secret": SECRET},
        {"client_id": "Orders-Api", "client_secret": SECRET},
        {"client_secret": SECRET},
        {"client_id": "orders-api", "client_secret": "\u00e9\u4e2d"},
    ],
)
def test_rfc_6749_section_5_2_credentials_that_differ_are_a_bad_request(parameters: dict[str, str]) -> None:
    """Both secrets of the row are good, but not at once; the log shows whose request it was."""
    rows = Rows({"orders-api": row(secrets=[digest(SECRET), digest(SECOND)]), "another-api": row()})
    answer = introspection(rows).answer(event(body=urlencode({"token": POOL.sign(), **parameters})))
    assert (answer.response["statusCode"], answer.response["body"]) == (400, '{"error":"invalid_request"}')
    assert answer.resource_id == "orders-api"


@pytest.mark.parametrize("authorization", [basic(password="wrong"), basic(user="unknown"), "Basic x", "Digest x"])
def test_valid_credentials_in_the_body_do_not_replace_wrong_ones_in_the_header(authorization: str) -> None:
    good = urlencode({"token": POOL.sign(), "client_id": "orders-api", "client_secret": SECRET})
    assert answered(event(body=good, authorization=authorization)) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize("scope", ["", "scope=orders%2Fread&"])
def test_clients_that_have_a_token_of_their_own_are_accepted(scope: str) -> None:
    """Workato with an OAuth 2.0 connection; Oathkeeper with ``pre_authorization``."""
    request = replayed(authorization=f"Bearer {machine_token()}", body=f"{scope}token={POOL.sign()}")
    answer = introspection().answer(request)
    assert (answer.code, answer.resource_id, answer.credentials) == (None, MACHINE, "bearer")


def test_a_bearer_token_and_a_secret_are_a_bad_request() -> None:
    for parameters in ({"client_id": "orders-api", "client_secret": SECRET}, {"client_secret": "x"}):
        form = urlencode({"token": POOL.sign(), **parameters})
        assert answered(event(body=form, authorization=f"Bearer {machine_token()}")) == (
            400,
            {"error": "invalid_request"},
        )
        assert answered(event(body=form, authorization="Bearer x")) == (401, {"error": "invalid_token"})


def replayed(*, authorization: str | None = None, body: str, media_type: str = FORM, **headers: str) -> dict[str, Any]:
    """A request, octet by octet as a client sends it, as an HTTP API hands it on."""
    sent = {"host": "api.example.com", "content-type": media_type, "content-length": str(len(body)), **headers}
    request = event(body=body)
    request["headers"] = sent if authorization is None else {**sent, "authorization": authorization}
    return request


def requests_of_clients(user: str, secret: str, token: str) -> dict[str, tuple[dict[str, Any], str]]:
    """What clients send by default and in their other modes, and how they authenticate by it."""
    raw, escaped = (f"{user}:{secret}", f"{quote(user, safe='')}:{quote(secret, safe='')}")
    ours = "Basic " + encoded(escaped.encode())
    post = f"client_id={quote(user, safe='')}&client_secret={quote(secret, safe='')}"
    return {
        # lua-resty-openidc to 1.8.0, in APISIX and kong-oidc: Basic, and the same in the form, in no certain order.
        "APISIX, client_secret_basic": (
            replayed(authorization=ours, body=f"{post}&token={token}", **{"user-agent": "lua-resty-http/0.17"}),
            "basic and form",
        ),
        "APISIX, client_secret_post": (replayed(body=f"token={token}&{post}"), "form"),
        # Duende.IdentityModel: the form unless configured otherwise.
        "Duende, PostBody": (
            replayed(body=f"token={token}&token_type_hint=access_token&{post}", accept="application/json"),
            "form",
        ),
        "Duende, AuthorizationHeader": (
            replayed(authorization=ours, body=f"token={token}&token_type_hint=access_token", accept="application/json"),
            "basic",
        ),
        "Quarkus, basic": (
            replayed(authorization=ours, body=f"token={token}&token_type_hint=access_token&client_id={user}"),
            "basic",
        ),
        "Quarkus, post": (replayed(body=f"token={token}&token_type_hint=access_token&{post}"), "form"),
        # Authlib does not encode what goes into Basic.
        "Authlib, client_secret_basic": (
            replayed(
                authorization="Basic " + encoded(raw.encode()),
                body=f"token={token}&token_type_hint=access_token",
                media_type=FORM + ";charset=UTF-8",
            ),
            "basic",
        ),
        "Authlib, client_secret_post": (replayed(body=f"token={token}&token_type_hint=access_token&{post}"), "form"),
        "FastMCP, client_secret_post": (replayed(body=urlencode({"token": token, "token_type_hint": "access_token",
                                                                 "client_id": user, "client_secret": secret})), "form"),
        # Vert.x does not encode either (eclipse-vertx/vertx-auth, vertx-auth-oauth2, OAuth2API.tokenIntrospection).
        "Vert.x": (
            replayed(
                authorization="Basic " + encoded(raw.encode()),
                body=f"token={token}&token_type_hint=access_token",
                accept="application/json,application/x-www-form-urlencoded;q=0.9",
            ),
            "basic",
        ),
        # Workato's source is closed; its connections send Basic or, as "OAuth 2.0", a machine's own token
        # (docs.workato.com/api-mgmt/oauth2-token-introspection), and the form is that of RFC 7662.
        "Workato, basic connection": (
            replayed(authorization="Basic " + encoded(raw.encode()), body=f"token={token}", accept="*/*"),
            "basic",
        ),
        # Ory Oathkeeper (pipeline/authn/authenticator_oauth2_introspection.go): a header that its users write, and the
        # scopes of a route, perhaps none.
        "Oathkeeper, introspection_request_headers": (
            replayed(authorization="Basic " + encoded(raw.encode()), body=f"scope=orders%2Fread&token={token}"),
            "basic",
        ),
        "Oathkeeper, no scopes": (
            replayed(authorization="Basic " + encoded(raw.encode()), body=f"scope=&token={token}"),
            "basic",
        ),
        # SpringOpaqueTokenIntrospector and NimbusOpaqueTokenIntrospector do not encode, the builder of Spring Security
        # 6.5 does.
        "Spring, constructor": (
            replayed(
                authorization="Basic " + encoded(raw.encode()),
                body=f"token={token}",
                media_type=FORM + ";charset=UTF-8",
                accept="application/json",
            ),
            "basic",
        ),
        "Spring": (
            replayed(
                authorization=f"Basic {encoded(f'{quote_plus(user)}:{quote_plus(secret)}'.encode())}",
                body=f"token={token}",
                media_type=FORM + ";charset=UTF-8",
                accept="application/json",
            ),
            "basic",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("client", requests_of_clients("", "", ""))
def test_requests_of_real_clients_are_accepted(client: str) -> None:
    """With an id and a secret as ``claimsmith resources`` makes them, so that encoding them changes nothing."""
    secret = secrets.token_urlsafe(32)
    service = introspection(Rows({"orders.api_2-x": row(secrets=[digest(secret)])}))
    request, credentials = requests_of_clients("orders.api_2-x", secret, POOL.sign())[client]
    answer = service.answer(request)
    assert (answer.code, answer.resource_id, answer.credentials) == (None, "orders.api_2-x", credentials)
    wrong, _ = requests_of_clients("orders.api_2-x", secret[::-1], POOL.sign())[client]
    assert service.answer(wrong).response["statusCode"] == 401


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
def test_rfc_9110_section_5_1_the_case_of_a_header_name_does_not_matter(name: str) -> None:
    request = event()
    headers = {name: request["headers"]["authorization"], "Content-Type": request["headers"]["content-type"]}
    assert answered({**request, "headers": headers})[1]["active"] is True


def test_two_headers_of_one_name_are_refused() -> None:
    request = event()
    request["headers"]["Authorization"] = basic(password="wrong")
    assert answered(request) == (401, {"error": "invalid_client"})


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_two_secrets_are_valid_at_once_so_that_one_can_be_rotated() -> None:
    for digests in ([digest(SECRET), digest(SECOND)], {digest(SECRET), digest(SECOND)}):
        service = introspection(Rows({"orders-api": row(secrets=digests)}))
        assert all(is_active(basic(password=secret), service) for secret in (SECRET, SECOND))
    refused(basic(), introspection(Rows({"orders-api": row(secrets=[digest(SECOND)])})))


@pytest.mark.parametrize(
    "digests",
    [
        None,
        [],
        digest(SECRET),
        [SECRET],
        [digest(SECRET).upper()],
        [digest(SECRET) + "\n"],
        [digest(SECRET), digest("b"), digest("c")],
        [1],
        [None],
        {},
    ],
)
def test_nobody_can_authenticate_with_a_row_whose_secrets_cannot_be_read(digests: object) -> None:
    service = introspection(Rows({"orders-api": row(secrets=digests)}))
    for password in (SECRET, "", "-" * 64):
        refused(basic(password=password), service)


def test_one_unreadable_secret_does_not_affect_the_other() -> None:
    assert is_active(basic(), introspection(Rows({"orders-api": row(secrets=[None, digest(SECRET)])})))


def work(service: Introspection, request: dict[str, Any]) -> Counter[str]:
    """Every function that is called while an event is answered, those written in C too, and how often."""
    called: Counter[str] = Counter()

    def note(frame: FrameType, kind: str, function: Any) -> None:  # noqa: ANN401 - what the interpreter hands over
        if kind == "call":
            called[frame.f_code.co_qualname] += 1
        elif kind == "c_call":
            called[function.__qualname__] += 1

    gc.disable()  # what a collection calls, such as Hypothesis's own callback, is no work of the endpoint
    sys.setprofile(note)
    try:
        service.answer(request)
    finally:
        sys.setprofile(None)
        gc.enable()
    return called


def test_an_unknown_id_and_a_known_one_take_the_same_work() -> None:
    """Counted, not timed: nobody learns from the work which ids there are, or how many secrets one has."""
    wrong = "a wrong secret"
    one, two = row(), row(secrets=[digest(SECRET), digest(SECOND)])
    service = introspection(Rows({"orders-api": one, "rotating": two, "broken": row(secrets=["x"])}))
    unknown = work(service, event(authorization=basic("unknown", wrong)))
    assert (unknown["openssl_sha256"], unknown["compare_digest"], unknown["Rows.row"]) == (1, 2, 1)
    for known in ("orders-api", "rotating", "broken"):
        assert work(service, event(authorization=basic(known, wrong))) == unknown
    in_the_form = work(service, posted(client_id="unknown", client_secret=wrong))
    assert in_the_form["compare_digest"] == 2
    for known in ("orders-api", "rotating", "broken"):
        assert work(service, posted(client_id=known, client_secret=wrong)) == in_the_form


def test_the_look_up_is_the_same_for_an_unknown_id() -> None:
    rows = Rows({"orders-api": row()})
    for user in ("orders-api", "unknown"):
        refused(basic(user, "wrong"), introspection(rows))
    assert rows.asked == ["orders-api", "unknown"]


def test_an_impossible_id_is_not_looked_up_but_the_secret_is_hashed_nevertheless() -> None:
    """The form of an id is public, so this reveals nothing; what is looked up is always a well-formed key."""
    rows = Rows({"orders-api": row()})
    called = work(introspection(rows), event(authorization=basic("orders-api#TENANT", SECRET)))
    assert (called["openssl_sha256"], called["compare_digest"], rows.asked) == (1, 2, [])


# --- Bearer -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_rfc_6750_section_2_1_a_machine_may_authenticate_with_its_own_access_token(scheme: str) -> None:
    answer = introspection().answer(event(authorization=f"{scheme} {machine_token()}"))
    assert answer.response["statusCode"] == 200
    assert (answer.code, answer.resource_id) == (None, MACHINE)


def test_rfc_6750_section_3_1_a_bad_bearer_token_is_invalid_token() -> None:
    for token in ("x", machine_token(exp=NOW), POOL.sign(), "a.b.c"):
        assert refused(f"Bearer {token}") == 'Bearer realm="claimsmith", error="invalid_token"'


def test_a_revoked_machine_is_refused() -> None:
    refused(f"Bearer {machine_token()}", introspection(revoked=Revoked({revocation_key("client", MACHINE): NOW})))


def test_the_introspected_token_does_not_authenticate_the_caller() -> None:
    refused(f"Bearer {POOL.sign()}")


def test_a_machine_that_introspects_its_own_token_is_a_caller_like_any_other() -> None:
    """Its token is not of a client that is served here."""
    own = machine_token()
    assert answered(event(own, f"Bearer {own}")) == (200, {"active": False})


@given(st.text(max_size=40), st.binary(max_size=40))
def test_any_wrong_credentials_are_a_401(text: str, octets: bytes) -> None:
    for authorization in (f"Basic {text}", f"Bearer {text}", text, "Basic " + encoded(octets)):
        status, members = answered(event() | {"headers": {**event()["headers"], "authorization": authorization}})
        assert (status, members["error"]) in {(401, "invalid_client"), (401, "invalid_token")}

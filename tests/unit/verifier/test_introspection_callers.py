"""How callers of introspection authenticate: RFC 6749, 6750, 7617 and 9110, as far as they speak of that."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.verifier.revocation import revocation_key
from tests.unit.verifier.introspecting import (
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
def test_without_good_credentials_the_answer_is_401_and_says_how_to_authenticate(authorization: str | None) -> None:
    assert refused(authorization) == BOTH


def test_rfc_9110_section_11_6_1_a_401_has_a_challenge_for_every_scheme() -> None:
    """RFC 7617 section 2: a realm, and UTF-8 as the only charset; RFC 6750 section 3: at least one parameter."""
    assert refused(None) == BOTH


def test_rfc_6750_section_3_1_who_sent_no_credentials_is_told_no_error_in_the_challenge() -> None:
    assert "error" not in refused(None)
    assert 'error="invalid_token"' in refused("Bearer x")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_rfc_7617_section_2_the_scheme_is_case_insensitive(scheme: str) -> None:
    assert is_active(f"{scheme} {basic().partition(' ')[2]}")


@pytest.mark.parametrize("secret", ["with:colon", "\u00e9\u4e2d\U0001f511", "a+b%c d&e=f"])
def test_rfc_7617_section_2_the_password_may_hold_colons_and_any_utf_8(secret: str) -> None:
    service = introspection(Rows({"orders-api": row(secrets=[digest(secret)])}))
    assert is_active(basic(password=quote_plus(secret)), service)


@pytest.mark.parametrize("control", ["\x00", "\t", "\n", "\x7f"])
def test_rfc_7617_section_2_control_characters_are_in_no_credentials(control: str) -> None:
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


def test_rfc_6749_section_2_3_1_credentials_in_the_body_are_not_taken() -> None:
    """The body form is optional, and not recommended."""
    made = event(body=urlencode({"token": POOL.sign(), "client_id": "orders-api", "client_secret": SECRET}))
    del made["headers"]["authorization"]
    assert answered(made) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
def test_rfc_9110_section_5_1_the_case_of_a_header_name_does_not_matter(name: str) -> None:
    made = event()
    headers = {name: made["headers"]["authorization"], "Content-Type": made["headers"]["content-type"]}
    assert answered({**made, "headers": headers})[1]["active"] is True


def test_two_headers_of_one_name_are_not_chosen_between() -> None:
    made = event()
    made["headers"]["Authorization"] = basic(password="wrong")
    assert answered(made) == (401, {"error": "invalid_client"})


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_two_secrets_are_valid_at_once_so_that_one_can_be_rotated() -> None:
    for held in ([digest(SECRET), digest(SECOND)], {digest(SECRET), digest(SECOND)}):
        service = introspection(Rows({"orders-api": row(secrets=held)}))
        assert all(is_active(basic(password=secret), service) for secret in (SECRET, SECOND))
    refused(basic(), introspection(Rows({"orders-api": row(secrets=[digest(SECOND)])})))


@pytest.mark.parametrize(
    "held",
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
def test_a_row_whose_secrets_cannot_be_read_lets_nobody_in(held: object) -> None:
    service = introspection(Rows({"orders-api": row(secrets=held)}))
    for password in (SECRET, "", "-" * 64):
        refused(basic(password=password), service)


def test_one_secret_that_cannot_be_read_does_not_spoil_the_other() -> None:
    assert is_active(basic(), introspection(Rows({"orders-api": row(secrets=[None, digest(SECRET)])})))


def work(service: Introspection, made: dict[str, Any]) -> Counter[str]:
    """Every function that is called while an event is answered, those written in C too, and how often."""
    called: Counter[str] = Counter()

    def note(frame: FrameType, kind: str, function: Any) -> None:  # noqa: ANN401 - what the interpreter hands over
        if kind == "call":
            called[frame.f_code.co_qualname] += 1
        elif kind == "c_call":
            called[function.__qualname__] += 1

    sys.setprofile(note)
    try:
        service.answer(made)
    finally:
        sys.setprofile(None)
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


def test_the_look_up_is_the_same_for_an_unknown_id() -> None:
    rows = Rows({"orders-api": row()})
    for user in ("orders-api", "unknown"):
        refused(basic(user, "wrong"), introspection(rows))
    assert rows.asked == ["orders-api", "unknown"]


def test_what_cannot_be_an_id_is_not_looked_up_but_the_secret_is_hashed_all_the_same() -> None:
    """The form of an id is public, so that tells nobody anything; what is looked up is always a well-formed key."""
    rows = Rows({"orders-api": row()})
    called = work(introspection(rows), event(authorization=basic("orders-api#TENANT", SECRET)))
    assert (called["openssl_sha256"], called["compare_digest"], rows.asked) == (1, 2, [])


# --- Bearer -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_rfc_6750_section_2_1_a_machine_may_ask_with_its_own_access_token(scheme: str) -> None:
    answer = introspection().answer(event(authorization=f"{scheme} {machine_token()}"))
    assert answer.response["statusCode"] == 200
    assert (answer.code, answer.resource_id) == (None, MACHINE)


def test_rfc_6750_section_3_1_a_bearer_token_that_is_no_good_is_invalid_token() -> None:
    for token in ("x", machine_token(exp=NOW), POOL.sign(), "a.b.c"):
        assert refused(f"Bearer {token}") == 'Bearer realm="claimsmith", error="invalid_token"'


def test_a_revoked_machine_may_not_ask() -> None:
    refused(f"Bearer {machine_token()}", introspection(revoked=Revoked({revocation_key("client", MACHINE): NOW})))


def test_the_token_that_is_asked_about_does_not_authenticate_the_caller() -> None:
    refused(f"Bearer {POOL.sign()}")


def test_a_machine_that_asks_about_its_own_token_is_a_caller_like_any_other() -> None:
    """Its token is not of a client that is served here."""
    own = machine_token()
    assert answered(event(own, f"Bearer {own}")) == (200, {"active": False})


@given(st.text(max_size=40), st.binary(max_size=40))
def test_whatever_credentials_hold_there_is_a_401(text: str, octets: bytes) -> None:
    for authorization in (f"Basic {text}", f"Bearer {text}", text, "Basic " + encoded(octets)):
        status, members = answered(event() | {"headers": {**event()["headers"], "authorization": authorization}})
        assert (status, members["error"]) in {(401, "invalid_client"), (401, "invalid_token")}

"""The grammar of routes: which paths a row may have, how they should be spelt, and how a request's path is read."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.routes import readings, segments, spelling, template

PATHS = st.text(alphabet="/ab.%2Ffe5C3Bb0{}+ ;\\\u00e9", max_size=14).map("/".__add__)


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/reports/Q1%202025", "/reports/Q1 2025"),
        ("/caf%C3%A9/admin", "/caf\u00e9/admin"),
        ("/100%25/admin", "/100%/admin"),
        ("/caf%25C3%25A9/{id}", "/caf\u00e9/{id}"),
        ("/%61dmin/{rest+}", "/admin/{rest+}"),
        ("/admin/", "/admin"),
        ("//admin//users", "/admin/users"),
        ("admin", "/admin"),
        ("/%24connect", "/$connect"),
    ],
)
def test_a_path_that_no_request_is_read_as_has_a_spelling_that_is(path: str, right: str) -> None:
    assert template(path) is None
    assert spelling(path) == right
    assert template(right) is not None


@pytest.mark.parametrize(
    "path", ["/a%2Fb", "/a\\b", "/a;v=1", "/a.", "/..", "/a/x{id}", "/a/{rest+}/b", "/%ff", "/{a}/{a}"]
)
def test_where_it_is_not_clear_what_was_meant_there_is_no_spelling(path: str) -> None:
    assert template(path) is None
    assert spelling(path) is None


@given(PATHS)
def test_a_literal_that_is_accepted_is_read_as_itself(path: str) -> None:
    read = template(path)
    if read is None:
        assert spelling(path) is None or template(spelling(path) or "") is not None
        return
    literals = [part for part in read if isinstance(part, str)]
    assert segments("/" + "/".join(quote(part, safe="") for part in literals)) == tuple(literals)


@given(PATHS)
def test_a_path_that_requests_may_have_is_accepted_as_it_is_read(path: str) -> None:
    read = segments(path)
    if read is not None and not set("{}") & set("".join(read)):
        assert template("/" + "/".join(read)) == read


@given(PATHS)
def test_the_first_reading_is_the_decoded_one(path: str) -> None:
    read = segments(path)
    if read is not None:
        assert next(readings(path)) == (read, True)

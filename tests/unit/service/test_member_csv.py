"""The CSV file of memberships, as spreadsheets and people write it."""

from __future__ import annotations

import io

import pytest

from claimsmith.errors import Code, OperationError
from claimsmith.service.member_csv import Line, Omitted, Refused, exported, read, refused_cells, write
from tests.policies import membership_row

NOW = 1_700_000_000


def only(text: str) -> Line | Refused:
    [line] = read(text.encode())
    return line


def test_a_line_gives_each_attribute_that_the_file_has_a_column_for() -> None:
    line = only("user,tenant,roles,scopes,status,until\nu1,acme,viewer editor viewer,a/b;c/d,suspended,2127-01-31\n")
    assert isinstance(line, Line)
    assert (line.number, line.user, line.tenant) == (2, "u1", "acme")
    assert line.given == {
        "roles": ("editor", "viewer"),
        "scopes": ("a/b", "c/d"),
        "status": "suspended",
        "expires_at": 4957113600,
    }


def test_a_column_that_is_not_there_gives_nothing_and_an_empty_cell_clears() -> None:
    [kept, cleared] = map(only, ("tenant,user,until\nacme,u1,\n", "user,tenant,roles,status\nu1,acme,,\n"))
    assert isinstance(kept, Line)
    assert isinstance(cleared, Line)
    assert kept.given == {"expires_at": None}
    assert cleared.given == {"roles": (), "status": None}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfUser;Tenant;Roles\r\nu1;acme;viewer editor\r\n;;\r\n\r\n",
        b'user,tenant,roles\n"u1","acme","viewer;editor"',
        b'"user";"tenant";"roles"\r\nu1;acme;"viewer;editor"\r\n',
        b"user , tenant,roles\n u1 , acme , viewer  editor \n",
    ],
)
def test_what_spreadsheets_write_is_read(content: bytes) -> None:
    [line] = read(content)
    assert isinstance(line, Line)
    assert (line.user, line.tenant, line.given) == ("u1", "acme", {"roles": ("editor", "viewer")})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'user'"),
        (b"user,roles\nu1,viewer\n", "no column 'tenant'"),
        (b"user,tenant,role\nu1,acme,viewer\n", "unknown column 'role'. Did you mean roles?"),
        (b"user,tenant,colour\n", "The columns are user, tenant"),
        (b"u1,acme,viewer\n", "unknown column"),
        (b"user,tenant,user\n", "a column twice"),
        (b"user,tenant\nu\xe9,acme\n", "not UTF-8"),
        (b'user,tenant\n"u1" x,acme\n', "Line 2 of the file is not CSV"),
    ],
)
def test_what_is_no_such_file_is_refused_whole(content: bytes, message: str) -> None:
    with pytest.raises(OperationError, match=message.replace("?", r"\?")) as raised:
        list(read(content))
    assert raised.value.code is Code.CSV_UNREADABLE


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("u1,acme,", "it has 3 cells, and the header has 4"),
        ("u1,acme,viewer,,", "it has 5 cells"),
        (",acme,viewer,", "the user is not"),
        ("u 1,acme,viewer,", "the user is not"),
        (f"{'u' * 129},acme,viewer,", "the user is not"),
        ("u1,Acme Ltd,viewer,", "not a tenant id"),
        ("u1,acme,viewer,soon", "until: This is not a time"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_alone(cells: str, reason: str) -> None:
    lines = list(read(f"user,tenant,roles,until\n{cells}\nu2,acme,viewer,\n".encode()))
    assert isinstance(lines[0], Refused)
    assert lines[0].number == 2
    assert reason in lines[0].reason
    assert isinstance(lines[1], Line)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    refused = [line.number for line in read(b'user,tenant\n\n"u\n1",acme\nu2,nowhere at all\n')]
    assert refused == [3, 5]


def test_a_file_of_refused_lines_is_read_again() -> None:
    file = io.StringIO()
    refused = Refused(7, {"user": "u1", "tenant": "acme", "roles": "viewer; edtor"}, 'no role "edtor", sadly')
    write(file, [refused_cells(refused)], ["user", "tenant", "roles", "line", "reason"])
    line = only(file.getvalue())
    assert isinstance(line, Line)
    assert line.given == {"roles": ("edtor", "viewer")}


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"roles": "viewer"}, "roles is not a list"),
        ({"expires_at": 1_700_000_000_000}, "expires_at is not a time"),
        ({"roles": ["two words"]}, "a name that a cell cannot hold"),
        ({"scopes": [""]}, "a name that a cell cannot hold"),
        ({"status": " "}, "a name that a cell cannot hold"),
    ],
)
def test_what_no_cell_can_hold_is_left_out_with_the_reason(attributes: dict[str, object], reason: str) -> None:
    left_out = exported(membership_row("u1", "acme", **attributes), NOW)
    assert isinstance(left_out, Omitted)
    assert reason in left_out.reason


def test_a_status_that_is_no_text_is_not_written_as_none() -> None:
    cells = exported(membership_row("u1", "acme", status=None), NOW)
    assert isinstance(cells, dict)
    assert cells["status"] == "None", "an empty cell would be a membership that counts"

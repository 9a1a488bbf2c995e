"""Responses of HTTP/1.1, from bytes."""

from __future__ import annotations

from io import BufferedReader, BytesIO

import pytest

from claimsmith.http import BrokenResponseError, ClosedConnectionError, read_body, read_head

OK = b"HTTP/1.1 200 OK\r\n"


def read(response: bytes, *, most: int = 10, until_closed: bool = False) -> bytes:
    file: BufferedReader[BytesIO] = BufferedReader(BytesIO(response))
    return read_body(file, read_head(file), most, until_closed=until_closed)


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabcd", b"abc"),
        (b"HTTP/1.1 200\r\ncontent-length:3\n\nabc", b"abc"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc"),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\na\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"0123456789"),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"ab"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4 + OK + b"Content-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a"),
    ],
)
def test_a_body_is_read_as_long_as_the_head_says(response: bytes, body: bytes) -> None:
    assert read(response) == body


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK",
        OK,
        OK + b"no colon\r\n\r\n",
        OK + b"A: " + b"a" * 20_000 + b"\r\n\r\n",
        OK + b"A: b\r\n" * 101 + b"\r\n",
        OK + b"Content-Length: 1\r\n 0: x\r\n\r\na",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + OK + b"Content-Length: 0\r\n\r\n",
        OK + b"\r\nabc",
        *(
            OK + b"Content-Length: " + length + b"\r\n\r\n" + b"a" * 12
            for length in (b"1_0", b"+3", b"-1", b"11", b"", b"3, 3", b"0x3", b"\xb2", b"1" * 20)
        ),
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: 4\r\n\r\nabc",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\na",
        *(
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
            for chunks in (
                b"",
                b"2\r\nab\r\n",
                b"3\r\nab\r\n0\r\n\r\n",
                b"1\r\nab\r\n0\r\n\r\n",
                b"0x1\r\na\r\n0\r\n\r\n",
                b"-1\r\na\r\n0\r\n\r\n",
                b"+1\r\na\r\n0\r\n\r\n",
                b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
                b"6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n",
                b"1\r\na\r\n0\r\n",
            )
        ),
    ],
)
def test_what_is_no_whole_response_is_an_error(response: bytes) -> None:
    with pytest.raises(BrokenResponseError):
        read(response)


def test_a_connection_that_ended_before_a_response_is_told_apart() -> None:
    with pytest.raises(ClosedConnectionError):
        read(b"")


def test_a_body_may_end_with_the_connection_where_the_caller_says_so() -> None:
    assert read(OK + b"\r\nabc", until_closed=True) == b"abc"
    with pytest.raises(BrokenResponseError):
        read(OK + b"\r\n" + b"a" * 11, until_closed=True)


@pytest.mark.parametrize(
    ("head", "kept"),
    [(OK, True), (b"HTTP/1.0 200 OK\r\n", False), (OK + b"Connection: Close\r\n", False)],
)
def test_whether_the_connection_can_be_used_again(head: bytes, kept: bool) -> None:  # noqa: FBT001
    assert read_head(BufferedReader(BytesIO(head + b"\r\n"))).keep_alive is kept

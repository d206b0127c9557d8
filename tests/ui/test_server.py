"""The server itself, spoken to over sockets."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from osform.errors import InputError
from osform.ui import Limits, Server
from tests.ui.conftest import Serve, Served, png


def connect(served: Served) -> socket.socket:
    parts = urlsplit(served.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def form(content: bytes) -> bytes:
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    query = b'--x\r\ncontent-disposition: form-data; name="q"\r\n\r\na cat\r\n'
    return query + head + content + b"\r\n--x--\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(served: Served, *asked: tuple[str, str], body: bytes | None = None, **headers: str) -> list[Answer]:
    """Ask one thing after the other on one connection."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
    answers = []
    for method, path in asked:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answers.append(Answer(answer.status, dict(answer.headers), answer.read()))
    connection.close()
    return answers


def post(served: Served, body: bytes, **headers: str) -> Answer:
    form = {"Origin": served.url.rstrip("/"), "Content-Type": "multipart/form-data; boundary=x"}
    return ask(served, ("POST", "/picture"), body=body, **form | headers)[0]


def test_a_picture_goes_to_an_address_of_its_own(serve: Serve) -> None:
    answer = post(serve(), form(png(1, 2, 3)))
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/?q=a+cat&picture=")


def test_what_is_no_picture_is_refused(serve: Serve) -> None:
    answer = post(serve(), form(b"<svg onload=alert(1)>"))
    assert answer.status == 400
    assert b"no picture that browsers draw" in answer.body


def test_200_mb_are_refused_before_they_are_sent(serve: Serve) -> None:
    served = serve()
    with connect(served) as wire:
        wire.sendall(
            b"POST /picture HTTP/1.1\r\nHost: " + urlsplit(served.url).netloc.encode() + b"\r\nOrigin: "
            + served.url.rstrip("/").encode() + b"\r\nContent-Length: 209715200\r\nExpect: 100-continue\r\n\r\n"
        )  # fmt: skip
        assert wire.recv(100).startswith(b"HTTP/1.1 413 ")


def test_200_mb_that_come_anyway_are_not_read_to_the_end(serve: Serve) -> None:
    served, sent, piece = serve(), 0, bytes(1 << 20)
    with connect(served) as wire:
        origin = f"Host: {urlsplit(served.url).netloc}\r\nOrigin: {served.url.rstrip('/')}\r\n"
        wire.sendall(f"POST /picture HTTP/1.1\r\n{origin}Content-Length: 209715200\r\n\r\n".encode())
        try:
            for _ in range(200):
                wire.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
    assert sent < 50 << 20


def test_another_name_and_another_origin_are_refused(serve: Serve) -> None:
    served = serve()
    assert post(served, form(png(1, 1, 1)), Host="evil.example").status == 421
    assert post(served, form(png(1, 1, 1)), Origin="http://evil.example").status == 403


def test_a_request_that_drips_is_ended_at_the_deadline(serve: Serve) -> None:
    begun = time.monotonic()
    with connect(serve(limits=Limits(idle=0.5))) as wire:
        try:
            while time.monotonic() - begun < 10:
                wire.sendall(b"G")
                time.sleep(0.05)
        except OSError:
            pass
    assert time.monotonic() - begun < 5


def test_no_more_than_so_many_connections_are_served(serve: Serve) -> None:
    served = serve(limits=Limits(connections=3))
    with connect(served), connect(served), connect(served), connect(served) as one_more:
        assert one_more.recv(1) == b""


def test_a_connection_is_used_for_many_pages_and_head_has_no_body(serve: Serve) -> None:
    answers = ask(serve(), ("GET", "/stack"), ("HEAD", "/stack"), ("GET", "/stack"))
    assert [(each.status, bool(each.body)) for each in answers] == [(200, True), (200, False), (200, True)]


def test_a_port_that_is_taken_says_so(serve: Serve) -> None:
    served = serve()
    with pytest.raises(InputError, match="in use"):
        Server(served.app, port=int(urlsplit(served.url).port or 0))


def test_the_server_says_nothing_about_python(serve: Serve) -> None:
    served = serve()
    headers = [each.headers["Server"] for each in ask(served, ("GET", "/nowhere"), ("GET", "/"), ("PUT", "/"))]
    assert headers == ["osform"] * 3


HERE = b"Host: localhost\r\nOrigin: http://localhost\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\n\r\n", 421),
        (b"POST /picture HTTP/1.1\r\n" + HERE + b"Content-Length: 5\r\nContent-Length: 99999999\r\n\r\n", 411),
        (b"POST /picture HTTP/1.1\r\n" + HERE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET http://[ HTTP/1.1\r\n" + HERE + b"\r\n", 400),
        (b"GET /?" + b"f=x&" * 300 + b" HTTP/1.1\r\n" + HERE + b"\r\n", 400),
        (b"GET /%00%ff/../..//etc/passwd HTTP/1.1\r\n" + HERE + b"\r\n", 404),
        (b"GET /picture/0/%2e%2e/secret.png HTTP/1.1\r\n" + HERE + b"\r\n", 404),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /picture HTTP/1.1\r\n" + HERE + b"Content-Length: 4\r\n\r\nabcd", 400),
    ],
)
def test_whatever_comes_over_the_wire_is_answered(serve: Serve, raw: bytes, status: int) -> None:
    served = serve()
    with connect(served) as wire:
        wire.sendall(raw)
        assert str(status).encode() in wire.recv(4096).partition(b"\r\n")[0]
    assert ask(served, ("GET", "/stack"))[0].status == 200

"""The proxy that other tests lean on, tried on a small server of the standard library."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests

from tests.proxy import Answer, Call, Cut, PassOn, Proxy, Stall, dropping, each, nth
from tests.serving import Quiet, listening


class Echo(Quiet):
    """Stands for a server that acts on what it is sent, and remembers it."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.bodies.append(body)
        self.send_response(201)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    Echo.bodies = []
    with listening(Echo) as url:
        yield url


def put(url: str, body: bytes, timeout: float = 10) -> requests.Response:
    return requests.put(url, data=body, timeout=timeout)


def test_without_a_script_a_call_and_its_answer_pass_unchanged(url: str) -> None:
    with Proxy(url) as proxy:
        answer = put(proxy.url + "/a/b?c=d", b"text")
    assert (answer.status_code, answer.content) == (201, b"text")
    (seen,) = proxy.requests
    assert (seen.method, seen.path, seen.query, seen.size, seen.status) == ("PUT", "/a/b", "c=d", 4, 201)


def test_ten_megabytes_pass_both_ways(url: str) -> None:
    body = bytes(range(250)) * 40_000
    with Proxy(url) as proxy:
        assert put(proxy.url, body).content == body


def test_one_connection_serves_many_calls(url: str) -> None:
    with Proxy(url) as proxy, requests.Session() as session:
        for number in range(50):
            assert session.put(proxy.url, data=str(number), timeout=10).text == str(number)
        assert len(proxy.requests) == 50


def test_a_field_is_dropped_in_passing(url: str) -> None:
    with Proxy(url, dropping("processors", "0", "model", path="pipeline")) as proxy:
        put(proxy.url + "/pipeline", json.dumps({"processors": [{"model": "m", "field": "f"}]}).encode())
    assert json.loads(Echo.bodies[0]) == {"processors": [{"field": "f"}]}


def test_an_answer_in_the_servers_place_never_reaches_the_server(url: str) -> None:
    with Proxy(url, nth(2, Answer(429, {"error": "busy"}))) as proxy:
        statuses = [put(proxy.url, b"x").status_code for _ in range(3)]
    assert statuses == [201, 429, 201]
    assert len(Echo.bodies) == 2


@pytest.mark.parametrize(("after", "acted"), [(False, 0), (True, 1)])
def test_a_cut_connection_is_an_error_whether_or_not_the_server_acted(url: str, after: bool, acted: int) -> None:
    with Proxy(url, nth(1, Cut(after=after))) as proxy:
        with pytest.raises(requests.ConnectionError):
            put(proxy.url, b"x")
        assert put(proxy.url, b"y").status_code == 201
    assert len(Echo.bodies) == acted + 1
    assert [seen.status for seen in proxy.requests] == [None, 201]


def test_a_stalled_call_outlasts_the_clients_patience(url: str) -> None:
    with Proxy(url, nth(1, Stall(30))) as proxy:
        started = time.monotonic()
        with pytest.raises(requests.Timeout):
            put(proxy.url, b"x", timeout=0.2)
    assert time.monotonic() - started < 10
    assert Echo.bodies == []


def test_the_answer_can_be_changed_on_its_way_back(url: str) -> None:
    with Proxy(url, nth(1, PassOn(answer=bytes.upper))) as proxy:
        assert put(proxy.url, b"abc").content == b"ABC"
    assert Echo.bodies == [b"abc"]


def test_the_script_is_called_back_at_the_call_that_it_waits_for(url: str) -> None:
    called: list[Call] = []
    with Proxy(url, nth(2, called.append, path="chunk")) as proxy:
        for path in ("/chunk/0", "/other", "/chunk/1", "/chunk/2"):
            put(proxy.url + path, b"x")
    assert [(call.number, call.path) for call in called] == [(3, "/chunk/1")]


def test_scripts_are_put_together_and_each_counts_every_call(url: str) -> None:
    with Proxy(url, each(nth(1, Answer(503)), nth(2, Answer(429)))) as proxy:
        assert [put(proxy.url, b"x").status_code for _ in range(3)] == [503, 429, 201]


def test_a_server_that_is_gone_looks_gone_through_the_proxy() -> None:
    with Proxy("http://127.0.0.1:9") as proxy, pytest.raises(requests.ConnectionError):
        put(proxy.url, b"x")

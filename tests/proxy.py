"""A scriptable HTTP proxy on the loopback interface, to stand between osform and a real OpenSearch.

    with Proxy(live_url, nth(3, Answer(429, {"error": ...}), path="_bulk")) as proxy:
        Cluster(proxy.url) ...
        assert [seen.status for seen in proxy.requests] == [...]

The script is a function: it is given each ``Call`` and returns what becomes of it, None meaning that it is passed on
as it is. It runs in the thread that serves the call and before the server sees anything, so it may also count, wait,
or kill the client. Requests are served at the same time, as the server itself would.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from urllib3.util import make_headers

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length"}


@dataclass(frozen=True)
class Call:
    """A request as it came from the client. ``number`` counts from 1; ``path`` is without its query."""

    number: int
    method: str
    path: str
    query: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class PassOn:
    """Pass the call on; with another ``body`` where one is given, and with the answer's body through ``answer``."""

    body: bytes | None = None
    answer: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True)
class Answer:
    """Answer in the server's place; the server never sees the call."""

    status: int
    body: Any = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Reset the connection: before the server saw the call or, ``after`` it acted, in place of its answer."""

    after: bool = False


@dataclass(frozen=True)
class Stall:
    """Say nothing for some seconds, then do what ``then`` says. Closing the proxy ends the wait."""

    seconds: float
    then: PassOn | Answer | Cut = field(default_factory=PassOn)


Action = PassOn | Answer | Cut | Stall
Script = Callable[[Call], Action | None]


@dataclass
class Seen:
    """What the proxy noted of a call; ``status`` is what the client was told, None where it was told nothing."""

    number: int
    method: str
    path: str
    query: str
    size: int
    status: int | None = None


def nth(number: int, action: Action | Callable[[Call], Action | None], *, path: str = "") -> Script:
    """A script that acts on one call alone: the ``number``-th whose path contains ``path``."""
    counted = 0
    lock = threading.Lock()

    def script(call: Call) -> Action | None:
        nonlocal counted
        if path not in call.path:
            return None
        with lock:
            counted += 1
            mine = counted == number
        if not mine:
            return None
        return action(call) if callable(action) else action

    return script


def dropping(*keys: str, path: str = "", method: str = "PUT") -> Script:
    """A script that takes a field out of JSON bodies in passing: the keys (or list positions) that lead to it."""

    def script(call: Call) -> Action | None:
        if call.method != method or path not in call.path or not call.body:
            return None
        body = call.json
        inner: Any = body
        for key in keys[:-1]:
            inner = inner[int(key)] if isinstance(inner, list) else inner.get(key, {})
        if isinstance(inner, dict):
            inner.pop(keys[-1], None)
        return PassOn(json.dumps(body).encode())

    return script


def each(*scripts: Script) -> Script:
    """The first action that any of the scripts has for a call; every script sees every call."""

    def script(call: Call) -> Action | None:
        actions = [one(call) for one in scripts]
        return next((action for action in actions if action is not None), None)

    return script


class Proxy:
    """A proxy in front of ``upstream``, from entering the block to leaving it. ``script`` may be changed meanwhile."""

    def __init__(self, upstream: str, script: Script | None = None) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._secure = parts.scheme == "https"
        self._login = dict(make_headers(basic_auth=f"{parts.username}:{parts.password}")) if parts.username else {}
        self.script = script
        self.requests: list[Seen] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def seen(self, path: str, method: str = "") -> list[Seen]:
        """The calls so far whose path contains ``path``."""
        return [seen for seen in self.requests if path in seen.path and method in ("", seen.method)]

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()

    def note(self, method: str, path: str, query: str, size: int) -> Seen:
        with self._lock:
            seen = Seen(len(self.requests) + 1, method, path, query, size)
            self.requests.append(seen)
        return seen

    def act(self, call: Call) -> PassOn | Answer | Cut:
        action = (self.script(call) if self.script else None) or PassOn()
        if isinstance(action, Stall):
            self._closing.wait(action.seconds)
            return Cut() if self._closing.is_set() else action.then
        return action

    def forward(self, call: Call, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Ask the server, over a connection of its own: whatever the server closes, the client is not concerned."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(*self.upstream, timeout=600)
        try:
            target = f"{call.path}?{call.query}" if call.query else call.path
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP} | self._login
            connection.request(call.method, target, body=body or None, headers=kept)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # no FIN in front: a connection that is to be reset must end with a RST

    def hang_up(self) -> None:
        """Close what clients keep open, so that no thread outlives the proxy."""
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was closed in this very moment

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that went away, which is what tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # its sender has thought better of it; no server acts on half a request
            return
        path, _, query = self.path.partition("?")
        seen = self.server.proxy.note(self.command, path, query, len(body))
        call = Call(seen.number, self.command, path, query, body)
        match self.server.proxy.act(call):
            case Answer(status, content):
                self.reply(seen, status, {"content-type": "application/json"}, json.dumps(content).encode())
            case Cut(after):
                if after:
                    self.server.proxy.forward(call, body, dict(self.headers))
                self.reset()
            case PassOn(other, change):
                try:
                    status, headers, content = self.server.proxy.forward(
                        call, body if other is None else other, dict(self.headers)
                    )
                except (OSError, http.client.HTTPException):
                    self.reset()  # the client sees what it would have seen without a proxy
                    return
                self.reply(seen, status, headers, change(content) if change else content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def reply(self, seen: Seen, status: int, headers: Mapping[str, str], body: bytes) -> None:
        seen.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reset(self) -> None:
        """End the connection with a RST, as a crashed server or a firewall would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return

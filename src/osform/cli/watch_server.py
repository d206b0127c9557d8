"""The small HTTP server of a watch: /, /status.json, /metrics, /healthz, /readyz. It only reads."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from osform.cli.watch_board import Board
from osform.errors import InputError

_TEXT = "text/plain; charset=utf-8"
_LONGEST = 10.0  # seconds that a client may take over one request


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    board: Board

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing of a client that went away: the log is for what happens to the cluster, a line an event."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was handed in


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _LONGEST
    server_version, sys_version = "osform", ""

    def do_GET(self) -> None:
        board = self.server.board
        match self.path.partition("?")[0]:
            case "/":
                self._answer(200, "text/html; charset=utf-8", board.page().encode())
            case "/status.json":
                self._answer(200, "application/json", json.dumps(board.to_json()).encode())
            case "/metrics":
                self._answer(200, "text/plain; version=0.0.4; charset=utf-8", board.metrics())
            case "/healthz":
                self._say(board.alive, "alive", "nothing has been heard of it for long")
            case "/readyz":
                self._say(board.ready, "ready", "not yet looked at everything, or the cluster is away")
            case _:
                self._answer(404, _TEXT, b"there is /, /status.json, /metrics, /healthz and /readyz\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _say(self, well: bool, yes: str, no: str) -> None:
        self._answer(200 if well else 503, _TEXT, f"{yes if well else no}\n".encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: probes come every few seconds."""


@contextmanager
def serving(board: Board, listen: str) -> Iterator[str]:
    """Answer at HOST:PORT for as long as the block runs; yields the address, with the port where that was 0."""
    host, colon, port = listen.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 65536):
        raise InputError(f"--listen {listen}: expected HOST:PORT", hint="--listen 127.0.0.1:9380")
    try:
        kind = _Server6 if ":" in host else _Server
        server = kind((host.strip("[]"), int(port)), _Handler)
    except OSError as error:
        raise InputError(f"--listen {listen}: {error.strerror or error}", hint="another port: --listen") from error
    server.board = board
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="osform-http", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

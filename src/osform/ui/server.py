"""The HTTP server: the standard library's, with deadlines, limits and a gate in front of every body.

It serves one person's browser on this machine. What it adds to ``http.server``: a request has to be there within a
deadline, however slowly it drips; a body is refused by its length before it is read; no more than so many connections
are served at a time.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from osform.errors import InputError
from osform.ui.app import App
from osform.ui.values import Asked, Reply

_PIECE = 1 << 16
_MOST_FIELDS = 200


@dataclass(frozen=True)
class Limits:
    """What one browser may take of the server; times are in seconds.

    A request and its headers must be there within ``idle``, counted from the end of the one before. Of a body that was
    refused so much is read on, so that the refusal is read as well.
    """

    connections: int = 64
    idle: float = 20.0
    body: float = 60.0
    send: float = 60.0
    linger: float = 2.0
    linger_bytes: int = 4 * 2**20


class Server(ThreadingHTTPServer):
    """Listens from its making on; ``serve_forever`` serves, ``shutdown`` from another thread ends that."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, app: App, address: str = "127.0.0.1", port: int = 0, *, limits: Limits = Limits()) -> None:
        """Raises InputError where the port can't be had."""
        self.app, self.limits = app, limits
        self._free = threading.BoundedSemaphore(limits.connections)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{address}:{port}: {reason}", hint="--port 0 takes any that is free") from error

    @property
    def url(self) -> str:
        """The address of the page."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service what this machine is called.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # a browser that went away is no error


class _Timed(io.RawIOBase):
    """What a socket receives until a deadline; TimeoutError afterwards, however much came in between."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not come in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """One connection, and the requests on it."""

    server: Server
    protocol_version = "HTTP/1.1"
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"
    wbufsize = -1  # head and body of an answer in one packet

    def setup(self) -> None:
        super().setup()
        self._timed = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.deadline = time.monotonic() + self.server.limits.idle
        super().handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def handle_expect_100(self) -> bool:
        # Whoever asks before sending a body is told here; then not one byte of it comes.
        refused = self._refused()
        return False if refused else super().handle_expect_100()

    def _serve(self) -> None:
        if self._refused():
            return
        try:
            parts = urlsplit(self.path)
            fields = parse_qs(parts.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            self._end(Reply.plain(400, "that is no address of this page"))
            return
        query = {name: tuple(values) for name, values in fields.items()}
        asked = Asked(self.command, unquote(parts.path), query, self._fields(), self._body())
        self._send(self.server.app.answer(asked))

    def _refused(self) -> bool:
        reply = self.server.app.settings.gate.refusal(self.command, self._fields())
        if reply is not None:
            self._end(reply)
        return reply is not None

    def _end(self, reply: Reply) -> None:
        """Refuse, whatever else was to come on this connection."""
        self.close_connection = True
        self._send(self.server.app.refused(reply))
        self._linger()

    def _fields(self) -> dict[str, str]:
        """The headers; what is said twice is said as both, so that no two readers take one each."""
        fields: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            fields.setdefault(name.lower(), []).append(value)
        return {name: ", ".join(values) for name, values in fields.items()}

    def _body(self) -> bytes:
        self._timed.deadline = time.monotonic() + self.server.limits.body
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the body was cut off")
        return body

    def _send(self, reply: Reply) -> None:
        self.connection.settimeout(self.server.limits.send)
        file = reply.body.open("rb") if isinstance(reply.body, Path) else io.BytesIO(reply.body)
        with file:
            length = file.seek(0, os.SEEK_END)
            file.seek(0)
            self.send_response(reply.status)
            if reply.body or reply.status not in (303, 304):
                self.send_header("Content-Type", reply.type)
            self.send_header("Content-Length", str(length))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                shutil.copyfileobj(file, self.wfile)
        self.wfile.flush()

    def _linger(self) -> None:
        """Let the other side read the refusal: a connection closed on bytes that still come in would be reset."""
        self.connection.shutdown(socket.SHUT_WR)
        self._timed.deadline = time.monotonic() + self.server.limits.linger
        left = self.server.limits.linger_bytes
        try:
            while left > 0 and (piece := self.rfile.read1(_PIECE)):
                left -= len(piece)
        except OSError:
            return

    def version_string(self) -> str:
        return "osform"

    def log_message(self, format: str, *args: Any) -> None:
        return

"""Web servers on this machine that tests ask, each on a port of its own for as long as a block runs."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext


class Quiet(BaseHTTPRequestHandler):
    """What a server's handler begins from; it keeps its log to itself."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def listening(handler: Callable[..., BaseHTTPRequestHandler], tls: SSLContext | None = None) -> Iterator[str]:
    """Have ``handler`` answer at the address that this gives; what is under way at the end is not waited for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


DRIPS = {
    "a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n", b" "),
    "pieces": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body without an end": (b"HTTP/1.0 200 OK\r\n\r\n", b" "),
    "a header": (b"HTTP/1.1 200 OK\r\nx: ", b" "),
}
"""How answers begin that never end, and the few bytes that come of them now and then."""


@contextmanager
def dripping(start: bytes, drop: bytes) -> Iterator[str]:
    """A server that sends a few bytes, and then more of them every now and then, for as long as somebody listens."""

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(start)
            with suppress(OSError):
                while not over.wait(0.02):
                    self.request.sendall(drop)

    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()

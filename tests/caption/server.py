"""A web server on this machine with pictures, some missing, slow, cut short, moved, or somewhere that is private."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Literal

from tests.caption.drawn import png
from tests.serving import Quiet, listening

Fate = Literal["fine", "missing", "slow", "cut", "cut once", "moved", "busy once", "page", "huge", "loop", "private"]


@dataclass
class Site:
    """What the server has: a fate for each number; ``asked`` counts requests, ``most`` those at a time."""

    url: str = ""
    fates: dict[int, Fate] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    slowness: float = 0.3
    open: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def address(self, number: int) -> str:
        return f"{self.url}/{number}.png"


@contextmanager
def serving(fates: dict[int, Fate]) -> Iterator[Site]:
    """Serve for as long as the block runs."""
    site = Site(fates=fates)

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = int(self.path.strip("/").partition(".")[0])
            with site.lock:
                site.open += 1
                site.most = max(site.most, site.open)
                site.asked[number] += 1
                first = site.asked[number] == 1
            try:
                with suppress(BrokenPipeError, ConnectionResetError):  # a client that has heard enough
                    _answer(self, site, number, first)
            finally:
                with site.lock:
                    site.open -= 1

    with listening(Handler) as site.url:
        yield site


def _answer(to: BaseHTTPRequestHandler, site: Site, number: int, first: bool) -> None:
    body = png(number)
    match site.fates.get(number, "fine"):
        case "missing":
            _send(to, 404, b"not here", {"Content-Type": "text/plain"})
        case "page":
            _send(to, 200, b"<html>", {"Content-Type": "text/html"})
        case "moved":
            _send(to, 302, b"", {"Location": f"/{number + 100_000}.png"})
        case "loop":
            _send(to, 302, b"", {"Location": to.path})
        case "private":
            _send(to, 302, b"", {"Location": "http://10.255.255.1/secret.png"})
        case "busy once" if first:
            _send(to, 503, b"", {"Retry-After": "0"})
        case "cut":
            _send(to, 200, body[: len(body) // 2], {"Content-Length": str(len(body)), "Connection": "close"})
        case "cut once" if first:
            _send(to, 200, body[: len(body) // 2], {"Content-Length": str(len(body)), "Connection": "close"})
        case "slow":
            time.sleep(site.slowness)
            _send(to, 200, body)
        case "huge":
            _send(to, 200, body + bytes(200_000))
        case _:
            _send(to, 200, body)


def _send(to: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    to.send_response(status)
    for name, value in {"Content-Type": "image/png", "Content-Length": str(len(body)), **(headers or {})}.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)
    if (headers or {}).get("Connection") == "close":
        to.close_connection = True

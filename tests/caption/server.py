"""A web server on this machine with pictures, some missing, slow, cut short, moved, or somewhere that is private."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal

from tests.caption.drawn import png
from tests.serving import Quiet, listening

Fate = Literal["fine", "missing", "slow", "cut", "cut once", "moved", "busy once", "page", "huge", "loop", "private"]


@dataclass
class Site:
    """What the server has: a fate for each number; ``asked`` counts requests, ``most`` connections at a time."""

    url: str = ""
    fates: dict[int, Fate] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    slowness: float = 0.3
    connections: set[socket.socket] = field(default_factory=set)
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def address(self, number: int) -> str:
        return f"{self.url}/{number}.png"

    def list_in(self, folder: Path, count: int) -> Path:
        """A file that names so many of its pictures."""
        path = folder / "list.txt"
        path.write_text("".join(f"{self.address(number)}\n" for number in range(count)))
        return path


def fates(count: int) -> dict[int, Fate]:
    """Of a thousand: 30 missing, 20 slow, 10 cut short, 20 moved; and a circle, and one somewhere that is private."""
    said: dict[int, Fate] = {}
    for number in range(count):
        match number % 100:
            case 3 | 33 | 63:
                said[number] = "missing"
            case 7 | 57:
                said[number] = "slow"
            case 11:
                said[number] = "cut"
            case 17 | 67:
                said[number] = "moved"
    return said | {20: "loop", 21: "private"}


def bad(said: dict[int, Fate]) -> list[int]:
    """The numbers of pictures that can't be had."""
    return sorted(number for number, fate in said.items() if fate in ("missing", "cut", "loop", "private"))


@contextmanager
def serving(fates: dict[int, Fate]) -> Iterator[Site]:
    """Serve for as long as the block runs."""
    site = Site(fates=fates)

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with site.lock:
                site.connections.add(self.connection)
                site.most = max(site.most, sum(map(_is_open, site.connections)))

        def do_GET(self) -> None:
            number = int(self.path.strip("/").partition(".")[0])
            with site.lock:
                site.asked[number] += 1
                first = site.asked[number] == 1
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that has heard enough
                _answer(self, site, number, first)

        def finish(self) -> None:
            with site.lock:
                site.connections.discard(self.connection)
            super().finish()

    with listening(Handler) as site.url:
        yield site


def _is_open(connection: socket.socket) -> bool:
    """Whether the client has not closed it; its thread here may not have been told yet."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


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

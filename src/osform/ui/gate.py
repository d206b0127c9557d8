"""What a request must be before anything of it is looked at: for this server, from its own pages, and not too long.

A browser lets any page on the web send requests to this machine. It can't read the answers, unless it has made its own
name stand for 127.0.0.1 (DNS rebinding): then the Host header has that name, which is why names are checked. Forms of
other pages are known by their Origin, their pictures and scripts by Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from osform.ui.values import Reply

MOST_BYTES = 20 * 2**20
"""The longest body of a request: a picture, and the fields of the form around it."""
_LENGTH = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class Gate:
    """``names`` are what the server may be called by, besides localhost and addresses in numbers."""

    names: frozenset[str] = frozenset()
    most_bytes: int = MOST_BYTES

    def refusal(self, method: str, headers: Mapping[str, str]) -> Reply | None:
        """Why a request is not served, None where it is. Names of ``headers`` are in lower case."""
        host = headers.get("host", "")
        if not self.knows(host):
            return Reply.plain(421, f"this server is not called {host[:200]!r}; --name NAME lets it be called NAME")
        if method not in ("GET", "HEAD", "POST"):
            return Reply.plain(405, f"{method[:20]} is not for this page")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return Reply.plain(403, "another page's scripts and pictures are not served")
        if method == "POST" and not _from_here(headers.get("origin", ""), host):
            return Reply.plain(403, "a form is taken from this server's own pages only")
        return self._length(method, headers)

    def knows(self, host: str) -> bool:
        """Whether a Host header is one of this server's. An address in numbers can't be made to stand for another."""
        name = _without_port(host).lower()
        if name == "localhost" or name in self.names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True

    def _length(self, method: str, headers: Mapping[str, str]) -> Reply | None:
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not _LENGTH.fullmatch(length):
            return Reply.plain(411, "a body must say how long it is")
        if method == "POST" and int(length) > self.most_bytes:
            most = f"{self.most_bytes // 2**20} MB"
            return Reply.plain(413, f"{int(length) / 2**20:,.0f} MB is too much: at most {most} are taken")
        if method != "POST" and int(length):
            return Reply.plain(400, f"{method} has no body")
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _from_here(origin: str, host: str) -> bool:
    return bool(host) and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")

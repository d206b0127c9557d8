"""Pictures from the web: so many connections and no more, limits on time and size, and no way into the own network."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from osform.errors import InputError
from osform.waiting import sent, waiting

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PIECE = 1 << 16
_GRACE = 0.2  # seconds, in which a socket tells that nothing came at all
_WITHIN = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Addresses whose end is one of version 4: what NAT64 translates, and what IPv6 began with."""


class Refused(Exception):
    """A picture that was not downloaded, with the reason."""


@dataclass(frozen=True)
class Web:
    """How much is asked of servers: ``connections`` at a time, ``tries`` a picture, ``timeout`` seconds a picture.

    ``most_bytes`` is the most that a picture may have. Private addresses are those that don't lead to the internet;
    ``networks`` are those of them that may be asked, such as 10.1.0.0/16, where not all of them may.
    """

    connections: int = 16
    tries: int = 3
    timeout: float = 30.0
    most_bytes: int = 100_000_000
    allow_private: bool = False
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for each in self.networks:
            try:
                ipaddress.ip_network(each)
            except ValueError as error:
                raise InputError(f"{each}: expected a network, such as 10.1.0.0/16: {error}") from error

    def may_ask(self, address: str) -> bool:
        """Whether pictures may be downloaded from an address."""
        if self.allow_private or is_public(address):
            return True
        parsed = ipaddress.ip_address(address.partition("%")[0])
        return any(parsed in ipaddress.ip_network(each) for each in self.networks)


class Fetcher:
    """Downloads pictures; may be used by ``connections`` threads at a time."""

    def __init__(
        self,
        web: Web = Web(),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._web, self._clock = web, clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._pool: Any = None
        self._lock = threading.Lock()
        self.connections = web.connections

    def fetch(self, url: str) -> bytes:
        """The bytes at an address. Raises Refused with the reason why there are none."""
        for attempt in range(1, self._web.tries + 1):
            try:
                return self._once(url)
            except _Again as again:
                if attempt == self._web.tries or self._stopped.is_set():
                    raise Refused(f"{again} ({attempt} tries)" if attempt > 1 else str(again)) from again
                self._sleep(min(again.after if again.after is not None else 0.5 * 2 ** (attempt - 1), 10.0))
                if self._stopped.is_set():
                    raise Refused(str(again)) from again
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Try nothing again; whoever waits for another try gives up."""
        self._stopped.set()

    def close(self) -> None:
        """Let go of connections."""
        self.stop()
        if self._pool is not None:
            self._pool.clear()

    def _once(self, url: str) -> bytes:
        end = self._clock() + self._web.timeout
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(url)
            with waiting(max(0.1, end - self._clock()) + _GRACE) as answering:
                try:
                    found, url = self._answer(url, end)
                except _Again as again:
                    if answering.over:
                        raise self._late() from again
                    raise
            if answering.over:  # what ended then may look like an answer without a length
                raise self._late()
            if found is not None:
                return found
        raise Refused(f"more than {_MOST_REDIRECTS} redirects")

    def _late(self) -> _Again:
        return _Again(f"not there after {self._web.timeout:.0f} s")

    def _answer(self, url: str, end: float) -> tuple[bytes | None, str]:
        """The bytes at an address, or None and the address that it redirects to."""
        response = self._get(url, end)
        try:
            if response.status not in _REDIRECTS or not response.headers.get("Location"):
                return self._body(response, end), url
            return None, _joined(url, response.headers["Location"])
        finally:
            response.release_conn() if response.isclosed() else response.close()

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Refused(f"{url[:200]}: no address that can be asked: {error}"[:400]) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{url[:200]}: expected an address with http or https")

    def _get(self, url: str, end: float) -> Any:
        import urllib3
        from urllib3.exceptions import HTTPError

        try:
            return self._connections().request(
                "GET",
                url,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=max(0.1, end - self._clock())),
                headers={"User-Agent": "osform", "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"},
            )
        except Refused:
            raise
        except HTTPError as error:
            raise _Again(_reason(error)) from error
        except (UnicodeError, ValueError, OSError) as error:
            raise Refused(f"no address that can be asked: {error}") from error

    def _body(self, response: Any, end: float) -> bytes:
        from urllib3.exceptions import HTTPError

        if response.status in _RETRIED:
            raise _Again(f"HTTP {response.status}", _seconds(response.headers.get("Retry-After")))
        if response.status != 200:
            raise Refused(f"HTTP {response.status}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind and not kind.startswith("image/") and kind not in ("application/octet-stream", "binary/octet-stream"):
            raise Refused(f"{kind}, expected a picture")
        pieces, size, most = [], 0, self._web.most_bytes
        try:
            for piece in response.stream(_PIECE):
                size += len(piece)
                if size > most:
                    raise Refused(f"more than {most:,} bytes")
                if self._clock() > end:
                    raise self._late()
                pieces.append(piece)
        except HTTPError as error:
            raise _Again(_reason(error)) from error
        return b"".join(pieces)

    def _connections(self) -> Any:
        with self._lock:
            if self._pool is None:
                self._pool = _manager(self._web)
            return self._pool


class _Again(Exception):
    """What may go better the next time; ``after`` seconds, where the server says so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise Refused(f"redirects to what is no address: {error}"[:400]) from error


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


def _reason(error: Exception) -> str:
    from urllib3.exceptions import ConnectTimeoutError, IncompleteRead, ProtocolError, ReadTimeoutError

    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        return "no answer in time"
    if isinstance(error, (IncompleteRead, ProtocolError)):
        return "the connection ended before the picture was whole"
    return f"can't be reached: {error}"[:200]


def _manager(web: Web) -> Any:
    """urllib3's pool of connections, whose connections look at the address that a name stands for before they connect.

    At the moment of connecting, and to the very address that was looked at, since a name may stand for another one the
    next time that it is asked for.
    """
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def connect(connection: Any) -> socket.socket:
        address = _allowed(connection._dns_host, connection.port, web)
        return urllib3.util.connection.create_connection(
            (address, connection.port), connection.timeout, socket_options=connection.socket_options
        )

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _named(self, connect)

        def getresponse(self) -> Any:
            sent(self.sock)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _named(self, connect)

        def getresponse(self) -> Any:
            sent(self.sock)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager = urllib3.PoolManager(num_pools=64, maxsize=web.connections)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def _named(connection: Any, connect: Callable[[Any], socket.socket]) -> socket.socket:
    """Connect; what goes wrong is told in urllib3's own errors."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    try:
        return connect(connection)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no connection in time") from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def _allowed(host: str, port: int, web: Web) -> str:
    """The address to connect to. Raises Refused where the name stands for a private one, OSError for no name."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not web.may_ask(address):
            raise Refused(f"{host} is the private address {address}, which is not asked without --allow-private")
    return found[0]


def is_public(address: str) -> bool:
    """Whether an address leads to the internet, rather than into the own network or to this machine."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = _inner(parsed)
    local = getattr(parsed, "is_site_local", False)
    return parsed.is_global and not parsed.is_multicast and not local and (inner is None or inner.is_global)


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of version 4 that one of version 6 leads to, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (last if any(address in each for each in _WITHIN) else None)

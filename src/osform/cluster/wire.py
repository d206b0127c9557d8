"""The last look before bytes leave: a check that is made right before each write to a socket; and the end of waiting.

Between a decision to send and the write itself lie opensearch-py, JSON, perhaps a handshake. A process may be stopped
there, for minutes, and would go on with a decision that is no longer true.

A socket's timeout is for one read, so a server that sends a byte now and then would be listened to for ever: a
connection whose answer is not whole in time is shut down.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

Check = Callable[[], object]
_here = threading.local()


@contextmanager
def checked(check: Check) -> Iterator[None]:
    """Call ``check`` before whatever this thread writes to a cluster; what it raises ends the request unsent."""
    before = getattr(_here, "check", None)
    _here.check = check
    try:
        yield
    finally:
        _here.check = before


@dataclass
class Waiting:
    """For the answer to one request, ``seconds`` at most from when it was sent. ``over`` once they have passed."""

    seconds: float
    over: bool = False
    _timer: threading.Timer | None = None

    def begin(self, sock: Any) -> None:
        """Sent: shut the connection down unless all is there in time."""
        self.end()
        self._timer = threading.Timer(self.seconds, self._give_up, [getattr(sock, "socket", sock)])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Whatever came is all that will be read."""
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self, sock: socket.socket) -> None:
        self.over = True
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which would change what is being read


@contextmanager
def waiting(seconds: float) -> Iterator[Waiting]:
    """Wait no longer than that for the answer to the request that this thread sends inside."""
    found = _here.waiting = Waiting(seconds)
    try:
        yield found
    finally:
        found.end()
        _here.waiting = None


def watched(manager: PoolManager) -> PoolManager:
    """Itself, with connections that look before they write."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


class _Watched(HTTPConnection):
    def send(self, data: Any) -> None:
        _look(self)
        super().send(data)

    def getresponse(self) -> Any:
        _listen(self)
        return super().getresponse()


class _WatchedTLS(HTTPSConnection):
    def send(self, data: Any) -> None:
        _look(self)
        super().send(data)

    def getresponse(self) -> Any:
        _listen(self)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


def _look(connection: HTTPConnection) -> None:
    check = getattr(_here, "check", None)
    if check is None:
        return
    if connection.sock is None:
        connection.connect()  # it takes its time, so it comes first
    check()


def _listen(connection: HTTPConnection) -> None:
    found: Waiting | None = getattr(_here, "waiting", None)
    if found is not None:
        found.begin(connection.sock)

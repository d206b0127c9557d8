"""The last look before bytes leave: a check that is made right before each write to a socket.

Between a decision to send and the write itself lie opensearch-py, JSON, perhaps a handshake. A process may be stopped
there, for minutes, and would go on with a decision that is no longer true.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from osform.waiting import sent

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


def watched(manager: PoolManager) -> PoolManager:
    """Itself, with connections that look before they write."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


class _Watched(HTTPConnection):
    def send(self, data: Any) -> None:
        _look(self)
        super().send(data)

    def getresponse(self) -> Any:
        sent(self.sock)
        return super().getresponse()


class _WatchedTLS(HTTPSConnection):
    def send(self, data: Any) -> None:
        _look(self)
        super().send(data)

    def getresponse(self) -> Any:
        sent(self.sock)
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

"""The end of waiting for an answer: a connection whose answer is not whole in time is shut down.

A socket's timeout is for one read, so a server that sends a byte now and then would be listened to for ever.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

_here = threading.local()


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
            self._timer = None  # it knows this object: left alone, the two would wait for the garbage collector

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


def sent(sock: Any) -> None:
    """Said by a connection that now listens for its answer: from here on the seconds count, where any were set."""
    found: Waiting | None = getattr(_here, "waiting", None)
    if found is not None:
        found.begin(sock)

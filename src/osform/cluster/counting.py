"""A cluster whose requests are counted."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from osform.cluster.client import Cluster
from osform.core.request import Request


class Counted(Cluster):
    """Counts what is sent, by method, and what came back as an error."""

    def __init__(self, cluster: Cluster) -> None:
        self.url = cluster.url
        self.timeout = cluster.timeout
        self.sent: Counter[str] = Counter()
        self.failed = 0
        self._cluster = cluster
        self._lock = threading.Lock()

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        """``Cluster.send``, counted."""
        with self._lock:
            self.sent[request.method] += 1
        try:
            return self._cluster.send(request, timeout=timeout)
        except Exception:
            with self._lock:
                self.failed += 1
            raise

    def close(self) -> None:
        """Nothing: the connection belongs to who made it."""

"""Going on until a deadline: which failures pass by themselves, and how long to wait between tries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import ClusterError, NotReady, RequestFailed, Unreachable

Clock = Callable[[], float]
Sleep = Callable[[float], None]

_PASSING_STATUS = {408, 429, 502, 503, 504}
_PASSING_TYPES = {
    "circuit_breaking_exception",
    "cluster_block_exception",
    "cluster_manager_not_discovered_exception",
    "no_shard_available_action_exception",
    "node_not_connected_exception",
    "process_cluster_event_timeout_exception",
    "rejected_execution_exception",
    "unavailable_shards_exception",
    "version_conflict_engine_exception",
}
_PASSING_WORDS = (
    "not green",
    "all shards failed",
    "no shard available",
    "node not connected",
    "is deploying",
    "not all cleaned up",  # a model's deletion met another one of the same model
    "fail to search model version",  # all that ML Commons says: its index was just made, say, and has no shard yet
    "document version conflict",  # two models registered in one group at the same time
)


OLDEST = "2.19"
"""The oldest OpenSearch that osform is tested on."""


@dataclass(frozen=True)
class Patience:
    """A deadline, and how to wait for it. All times are seconds of ``clock``, which never runs backwards."""

    ends: float
    clock: Clock
    sleep: Sleep
    jitter: Callable[[], float] = random.random

    @classmethod
    def of(cls, seconds: float, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> Patience:
        """Be patient for so many seconds from now on."""
        return cls(clock() + seconds, clock, sleep)

    def within(self, seconds: float) -> Patience:
        """The same, but for no longer than ``seconds`` from now on."""
        return Patience(min(self.ends, self.clock() + seconds), self.clock, self.sleep, self.jitter)

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.ends - self.clock())

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left == 0.0

    def timeout(self, longest: float) -> float:
        """What one request may take: ``longest``, and never more than what remains."""
        return max(0.05, min(longest, self.left))

    def pause(self, attempt: int, *, first: float = 0.1, longest: float = 5.0) -> None:
        """Wait before try number ``attempt`` + 1: twice as long each time, up to a half less by chance."""
        wait = min(longest, first * 2 ** min(attempt, 30)) * (1.0 - 0.5 * self.jitter())
        self.sleep(min(wait, self.left))


Each = Callable[[], Patience]
"""The deadline of each of many requests: a fresh one, where all of them take as long as there is work, or one for all.
"""


def passes(error: ClusterError) -> bool:
    """Whether a failure may pass by itself: nobody answered, a breaker is open, a shard is not there yet."""
    if isinstance(error, Unreachable):
        return error.passing
    if not isinstance(error, RequestFailed) or not error.passing:
        return False
    words = error.reason.lower()
    return (
        error.status in _PASSING_STATUS or error.type in _PASSING_TYPES or any(word in words for word in _PASSING_WORDS)
    )


def persist(
    cluster: Cluster, request: Request, patience: Patience, *, longest: float = 15.0, silence: float = 60.0
) -> Any:
    """Send a request that may be sent more than once, until it is answered or the deadline has passed.

    ``longest`` is the time for one try, in seconds. A cluster that gives no answer at all for ``silence`` seconds is
    given up. Raises the last error, Unreachable or RequestFailed; where the deadline cut off the last tries, what the
    server said before them.
    """
    attempt, answered = 0, patience.clock()
    said: RequestFailed | None = None
    while True:
        seconds = patience.timeout(longest)
        try:
            return cluster.send(request, timeout=seconds)
        except (Unreachable, RequestFailed) as error:
            now = patience.clock()
            if isinstance(error, RequestFailed):
                answered = now
            elif error.why != "timed out" or seconds == longest:
                said = None  # that is how it is now, whatever was said before
            elif said is not None and patience.over:
                raise said from error
            if not passes(error) or patience.over or (now - answered > silence and attempt > 1):
                raise
            if isinstance(error, RequestFailed):
                said = error.with_traceback(None)  # which knows this frame, and would wait for the garbage collector
        patience.pause(attempt)
        attempt += 1


def ping(cluster: Cluster, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> dict[str, Any]:
    """The cluster's name and version. One that is busy is asked for half a minute, one that is not there a few times.

    Raises Unreachable and RequestFailed, and NotReady for what is no OpenSearch, or one that is too old.
    """
    about = persist(cluster, Request("GET", "/"), Patience.of(30, clock, sleep), longest=5, silence=1)
    version = about.get("version") if isinstance(about, dict) else None
    if not isinstance(version, dict) or not isinstance(version.get("number"), str):
        raise NotReady(f"{cluster.url} answers, and is no OpenSearch", hint="--cluster URL of an OpenSearch")
    number, kind = version["number"], version.get("distribution", "opensearch")
    if kind != "opensearch" or str(about.get("tagline", "")).startswith("You Know"):
        raise NotReady(
            f"{cluster.url} is no OpenSearch, but {number} of another kind", hint="--cluster URL of an OpenSearch"
        )
    if number.partition(".")[0] in ("0", "1"):
        raise NotReady(
            f"{cluster.url} is OpenSearch {number}, which is too old: expected {OLDEST} or newer",
            hint="docs/versions.md",
        )
    return dict(about)


def reach(cluster: Cluster, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
    """Raise Unreachable where no connection comes about, within seconds: what follows may have patience for minutes.

    Any answer will do. Who may write documents, or search, need not be allowed to ask what it is that answers.
    """
    try:
        persist(cluster, Request("GET", "/"), Patience.of(5, clock, sleep), longest=5, silence=1)
    except ClusterError as error:
        if isinstance(error, Unreachable) and not error.sent:
            raise


def persist_if_there(cluster: Cluster, request: Request, patience: Patience, *, longest: float = 15.0) -> Any | None:
    """``persist``, with None for what does not exist (404)."""
    try:
        return persist(cluster, request, patience, longest=longest)
    except RequestFailed as error:
        if error.status == 404:
            return None
        raise

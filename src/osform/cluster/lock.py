"""The lock: one document of the ledger says who may change the cluster now, until when, and with which number.

Whether a lease is over is decided by one clock, the server's, inside the update of the document itself (``ctx._now``),
so two machines never compare theirs. The holder counts its lease with its own clock from before it asked, and calls it
over a sixth early. What is assumed: the two clocks run at the same speed to within that sixth, and where the ledger's
primary shard moves to another node during a lease, the clocks of both nodes agree to within it (10 s of a minute).

A request that was under way when its lease ended can't be called back. Therefore each write to the ledger carries the
lock's fencing number as its version, and the server refuses a number smaller than the last one (``Ledger``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from osform.cluster import wire
from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, passes, persist, persist_if_there
from osform.core.events import Note, Report, silent
from osform.core.request import Request
from osform.errors import LockHeld, LockLost, RequestFailed, Unreachable

INDEX = "osform-ledger"
DOCUMENT = "lock"
"""The document of the cluster's one lock; others of the same form say who leads a watch."""
LEASE_SECONDS = 60.0

# How long a server that does not answer is asked for the lock.
_ANSWER_SECONDS = 30.0

# The number is at least the server's time in seconds: so it grows even after somebody deleted the document. A run that
# asks again, its answer having been lost, gets the same lease, and none once it has given it back.
_TAKE = """
def lock = ctx._source.lock;
if (lock != null && lock.run == params.owner.run) {
  if (lock.until == 0) { ctx.op = 'none' } else { lock.until = ctx._now + params.lease }
} else if (lock != null && lock.until > ctx._now) {
  ctx.op = 'none'
} else {
  def fence = lock == null ? 0 : lock.fence + 1;
  def taken = new HashMap(params.owner);
  taken.fence = (long) Math.max(fence, ctx._now / 1000);
  taken.since = ctx._now;
  taken.until = ctx._now + params.lease;
  ctx._source.type = 'lock';
  ctx._source.lock = taken;
}
"""
_RENEW = """
def lock = ctx._source.lock;
if (lock.fence == params.fence && lock.until > 0) { lock.until = ctx._now + params.lease } else { ctx.op = 'none' }
"""
_RELEASE = """
def lock = ctx._source.lock;
if (lock.fence == params.fence && lock.until > 0) { lock.until = 0 } else { ctx.op = 'none' }
"""
_BREAK = """
def lock = ctx._source.lock;
if (lock.until > 0 && (params.force || lock.until <= ctx._now)) { lock.until = 0 } else { ctx.op = 'none' }
"""

# The last word of a POST that only looks, and of the one that only makes what was written visible.
_READING = ("_search", "_count", "_refresh", "_msearch", "_mget", "_simulate")


def boot_clock() -> float:
    """Seconds that go on while the machine sleeps, as a lease does; ``time.monotonic`` stands still on Linux then."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: a person, a machine, a process there, and one run of it."""

    user: str
    host: str
    pid: int
    run: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid})"


@dataclass(frozen=True)
class Holding:
    """What the lock's document says. Times are the server's, in milliseconds since 1970; ``until`` 0 is given back."""

    owner: Owner
    since: int
    until: int
    fence: int

    @classmethod
    def of(cls, source: dict[str, Any]) -> Holding:
        """From the document's source."""
        lock = source["lock"]
        owner = Owner(str(lock["user"]), str(lock["host"]), int(lock["pid"]), str(lock["run"]))
        return cls(owner, int(lock["since"]), int(lock["until"]), int(lock["fence"]))

    @property
    def free(self) -> bool:
        """Whether its holder gave it back."""
        return self.until == 0

    def to_json(self) -> dict[str, Any]:
        """For programs; times in ISO 8601."""
        return {**asdict(self.owner), "since": _shown(self.since), "until": _shown(self.until), "fence": self.fence}

    def __str__(self) -> str:
        return f"{self.owner} since {_shown(self.since)}, its lease ends {_shown(self.until)}"


def _shown(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def changes_something(request: Request) -> bool:
    """Whether a request may change the cluster."""
    if request.method in ("GET", "HEAD"):
        return False
    words = request.path.split("/")
    return not (request.method == "POST" and (words[-1] in _READING or "_predict" in words))


class Lease:
    """The right to change the cluster, for as long as it is renewed. Made by ``acquire``."""

    def __init__(
        self,
        cluster: Cluster,
        holding: Holding,
        began: float,
        seconds: float,
        clock: Clock,
        document: str = DOCUMENT,
    ) -> None:
        self.holding = holding
        self.document = document
        self.seconds = seconds
        self._cluster = cluster
        self._clock = clock
        self._ends = self._end(began)
        self._lost = ""
        self._under_way = 0
        self._quiet = threading.Condition()
        self._stopping = threading.Event()

    @property
    def fence(self) -> int:
        """The number of this acquisition, larger than that of every earlier one."""
        return self.holding.fence

    def left(self) -> float:
        """Seconds for which changes may still be sent. Raises LockLost where there are none, now and for ever."""
        left = self._ends - self._clock()
        if not self._lost and left <= 0:
            self._lost = "this process stood still or heard nothing from the cluster for longer than its lease"
        if self._lost:
            raise LockLost(
                f"the lock is lost: {self._lost}; nothing more was sent",
                hint="osform plan shows what is left to do, osform apply goes on from there",
            )
        return left

    def renew(self) -> None:
        """Make the lease as long again. Raises LockLost, Unreachable and RequestFailed."""
        timeout, began = min(self.left(), self.seconds / 4), self._clock()
        try:
            renew = _update(self.document, _RENEW, fence=self.fence, lease=_ms(self.seconds))
            answer = self._cluster.send(renew, timeout=timeout)
        except RequestFailed as error:
            if error.status != 404:
                raise
            answer = {"result": "noop"}  # the whole ledger was deleted
        if answer["result"] == "noop":
            self.revoke("somebody broke it (osform unlock), or took it over when its lease was over")
            self.left()
        self._ends = self._end(began)

    def revoke(self, reason: str) -> None:
        """Let nothing more be sent."""
        self._lost = self._lost or reason

    @contextmanager
    def using(self) -> Iterator[float]:
        """The time that one change may take, counted as under way meanwhile."""
        with self._quiet:
            left = self.left()
            self._under_way += 1
        try:
            yield left
        finally:
            with self._quiet:
                self._under_way -= 1
                self._quiet.notify_all()

    def keep(self) -> None:
        """Renew until ``release``, in the thread that calls it."""
        pause = self.seconds / 3
        while not self._stopping.wait(pause):
            try:
                self.renew()
                pause = self.seconds / 3
            except LockLost:
                return
            except (Unreachable, RequestFailed):
                pause = self.seconds / 20  # whoever sends a change meanwhile sees how much of the lease is left

    def release(self) -> None:
        """Send nothing more, wait for what is under way, and give the lock back. Failing that, the lease runs out."""
        self._stopping.set()
        with self._quiet:
            lost = bool(self._lost)
            self.revoke("it was given back")
            self._quiet.wait_for(lambda: not self._under_way, timeout=max(0.0, self._ends - self._clock()))
        left = self._ends - self._clock()
        if left > 0 and not lost:
            patience = Patience.of(min(5.0, left))
            try:
                persist(self._cluster, _update(self.document, _RELEASE, fence=self.fence), patience, longest=2.0)
            except (Unreachable, RequestFailed):
                return

    def _end(self, began: float) -> float:
        return began + self.seconds * 5 / 6


class Guarded(Cluster):
    """A cluster that is spoken to only while the lease lasts, and changed with timeouts within what is left of it.

    Without the lock nobody waits for anything any more, so looking ends as well.
    """

    def __init__(self, cluster: Cluster, lease: Lease) -> None:
        self.url = cluster.url
        self.timeout = cluster.timeout
        self._cluster = cluster
        self._lease = lease

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        """``Cluster.send``, and LockLost where the lease is over."""
        if not changes_something(request):
            self._lease.left()
            return self._cluster.send(request, timeout=timeout)
        with self._lease.using() as left, wire.checked(self._lease.left):
            return self._cluster.send(request, timeout=min(timeout or self.timeout, left))

    def close(self) -> None:
        """Nothing: the connection belongs to who made it."""


def acquire(
    cluster: Cluster,
    owner: Owner,
    *,
    seconds: float = LEASE_SECONDS,
    wait: float = 0.0,
    document: str = DOCUMENT,
    report: Report = silent,
    clock: Clock = boot_clock,
    sleep: Sleep = time.sleep,
) -> Lease:
    """Take the lock, waiting ``wait`` seconds where somebody holds it. The ledger's index must be there.

    Raises LockHeld with the holder's name, Unreachable and RequestFailed.
    """
    patience, attempt, told = Patience.of(wait, clock, sleep), 0, False
    answered = Patience.of(max(wait, _ANSWER_SECONDS), clock, sleep)
    while True:
        began = clock()
        holding = _taken(cluster, owner, seconds, answered, document)
        if holding is not None and holding.owner.run == owner.run and not holding.free:
            return Lease(cluster, holding, began, seconds, clock, document)
        if holding is not None and patience.over:
            raise LockHeld(
                f"somebody else is changing this cluster: {holding}",
                hint="wait for it: --lock-timeout SECONDS; the lock of a run that crashed is free when its lease is "
                "over, or at once with osform unlock --force",
            )
        if holding is not None and not told:
            report(Note(f"waiting for the lock of {holding}"))
            told = True
        answered.pause(attempt, longest=1.0)
        attempt += 1


def _taken(cluster: Cluster, owner: Owner, seconds: float, patience: Patience, document: str) -> Holding | None:
    """Who holds the lock after asking for it, None where no answer came and there is time to ask again."""
    more = {"upsert": {}, "scripted_upsert": True}
    take = _update(document, _TAKE, more, owner=asdict(owner), lease=_ms(seconds))
    try:
        # A lease counts from before the question, so an answer that takes long is not worth waiting for.
        answer = cluster.send(take, timeout=patience.timeout(min(10.0, seconds / 2)))
    except (Unreachable, RequestFailed) as error:
        if not passes(error) or patience.over:
            raise
        return None
    return Holding.of(answer["get"]["_source"])


@contextmanager
def keeping(lease: Lease) -> Iterator[Lease]:
    """Renew a lease in the background for as long as the block runs, and give it back at the end."""
    keeper = threading.Thread(target=lease.keep, name="osform-lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.release()


def holder(cluster: Cluster, patience: Patience) -> Holding | None:
    """Who holds the lock or held it last, None where nobody ever did."""
    found = persist_if_there(cluster, Request("GET", f"/{INDEX}/_doc/lock"), patience)
    return Holding.of(found["_source"]) if found else None


def break_lock(cluster: Cluster, patience: Patience, *, force: bool = False) -> bool:
    """Release a lock whose lease is over, or with ``force`` any; whether there was one to be released.

    A holder that is still at work learns of it when it renews its lease, and sends nothing more.
    """
    return bool(persist(cluster, _update(DOCUMENT, _BREAK, force=force), patience)["result"] == "updated")


def _update(document: str, script: str, more: dict[str, Any] | None = None, **params: Any) -> Request:
    source = " ".join(script.split())
    body = {"script": {"source": source, "lang": "painless", "params": params}, "_source": True, **(more or {})}
    return Request("POST", f"/{INDEX}/_update/{document}", body, {"retry_on_conflict": "5"})


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

"""``osform watch``: many may run it, one leads; the leader fetches, and keeps each stack to its commit."""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from osform.cluster import lock, standings
from osform.cluster.client import Cluster
from osform.cluster.ledger import INDEX, Ledger
from osform.cluster.lock import Guarded, Lease, Owner
from osform.cluster.retry import Patience, persist_if_there
from osform.core.events import Note, Report, silent
from osform.core.request import Request
from osform.core.watching import Happened, Standing, Target, Tell, WatchSpec
from osform.errors import ClusterError, LockHeld, LockLost, OsformError, RepositoryError
from osform.files.repository import Repository
from osform.flows.following import Follower
from osform.flows.locking import user

_LONGEST_PAUSE = 600.0


@dataclass
class Watch:
    """A watch on its way. ``tell`` is given what happens, ``report`` the progress of applies, ``stop`` ends it."""

    spec: WatchSpec
    cluster: Cluster
    repository: Repository
    environ: Mapping[str, str]
    tell: Tell
    report: Report = silent
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def run(self, *, once: bool = False) -> bool:
        """Lead where nobody else does, until ``stop``; with ``once`` only for one look. Whether all is well then.

        With ``once``, raises LockHeld where somebody else leads, and what keeps it from looking.
        """
        self.repository.open()
        try:
            return self._run(once=once)
        finally:
            self.repository.close()

    def _run(self, *, once: bool) -> bool:
        failures, told = 0, ""
        while not self.stop.is_set():
            try:
                lease = self._lead()
            except LockHeld as error:
                if once:
                    raise
                failures = 0
                words = error.message.partition(": ")[2].partition(", its lease ends ")[0] + self._show_standings()
                if told != words:
                    told = words
                    self.tell(Happened("standby", words))
                self.report(Note("stands by"))  # who waits for hours says nothing, and is alive
                self.stop.wait(self.spec.lease / 4)
                continue
            except ClusterError as error:
                if once:
                    raise
                failures, told = self._away(error, failures), ""
                continue
            failures, told = 0, ""
            try:
                with lock.keeping(lease):
                    self.tell(Happened("leading", str(lease.holding)))
                    well = _Leader(self, lease).run(once=once)
                    if once:
                        return well
            except LockLost as error:
                if once:
                    raise
                self.tell(Happened("note", error.message))
                self.tell(Happened("standby"))  # for nobody yet
            except ClusterError as error:
                if once:
                    raise
                failures = self._away(error, failures)
        return True

    def _away(self, error: ClusterError, failures: int) -> int:
        """Say that the cluster is away, wait, and count."""
        self.tell(Happened("note" if failures else "cluster away", error.message))
        self.stop.wait(self._pause(failures + 1))
        return failures + 1

    def _lead(self) -> Lease:
        if not persist_if_there(self.cluster, Request("HEAD", f"/{INDEX}"), Patience.of(20)):
            Ledger(self.cluster, self.spec.name, "watch").prepare()
        owner = Owner(user(), socket.gethostname(), os.getpid(), secrets.token_hex(8))
        return lock.acquire(self.cluster, owner, seconds=self.spec.lease, document=f"watch-leader-{self.spec.name}")

    def _show_standings(self) -> str:
        """Tell what the leader wrote down, so that the page of whoever stands by is not empty.

        Returns words on a leader that follows another repository: for that one nobody can stand by.
        """
        other = ""
        try:
            for key, standing in standings.read(self.cluster, self.spec.name).items():
                if standing.source not in ("", self.source):
                    other = f", and follows {standing.source}: one of the two needs another name"
                elif key in {target.key for target in self.spec.targets}:
                    self.tell(Happened("note", standing=standing))
        except ClusterError as error:
            self.tell(Happened("note", error.message))  # asking for the lease says whether the cluster is away
        return other

    @property
    def source(self) -> str:
        """What is followed, in words."""
        return f"{self.repository.shown} at {self.spec.ref}"

    def _pause(self, failures: int) -> float:
        longest: float = min(_LONGEST_PAUSE, self.spec.every * 2.0 ** min(failures, 10))
        return longest * (1 - 0.5 * self.jitter())


class _Leader:
    """The time of one leadership."""

    def __init__(self, watch: Watch, lease: Lease) -> None:
        self.watch, self.lease, self.spec = watch, lease, watch.spec
        self.guarded = Guarded(watch.cluster, lease)
        stored = standings.read(watch.cluster, self.spec.name)
        self.followers = [self._follower(target, stored) for target in self.spec.targets]
        self.due = dict.fromkeys((target.key for target in self.spec.targets), 0.0)
        self.failures = dict.fromkeys(self.due, 0)
        self.heads: dict[str, str] = {}
        self.head, self.away = "", False
        self.lost = 0  # looks at a stack, one after the other, of which the cluster did not hear

    def _follower(self, target: Target, stored: Mapping[str, Standing]) -> Follower:
        watch = self.watch
        return Follower(
            self.spec,
            target,
            watch.repository,
            watch.cluster,
            watch.environ,
            replace(stored.get(target.key) or Standing(target.key), source=self.watch.source),
            lambda standing: standings.write(self.guarded, self.spec.name, standing),
            watch.tell,
            watch.report,
        )

    def run(self, *, once: bool) -> bool:
        """Fetch, look, and wait, again and again."""
        while not self.watch.stop.is_set():
            self.lease.left()
            began = self.watch.clock()
            self._fetch()
            well = [self._step(follower) for follower in self.followers if self.head]
            self.watch.repository.clear({self.head}.union(*(each.in_use() for each in self.followers)))
            if once:
                return bool(well) and all(f.standing.state == "in sync" for f in self.followers)
            if not self.lost:
                self.watch.tell(Happened("note", seconds=self.watch.clock() - began))
            wait = self.spec.every * (0.95 + 0.1 * self.watch.jitter()) - (self.watch.clock() - began)
            self.watch.stop.wait(max(0.05, wait))
        return True

    def _fetch(self) -> None:
        try:
            self.watch.repository.fetch()
            head = self.watch.repository.resolve(self.spec.ref)
        except RepositoryError as error:
            if not self.away:
                self.watch.tell(Happened("source away", error.message))
            self.away = True
            return
        if self.away:
            self.watch.tell(Happened("source back", self.watch.repository.shown))
        self.head, self.away = head, False

    def _step(self, follower: Follower) -> bool:
        """One look at a target, unless it has failed and its pause is not over; a new commit ends the pause."""
        key, clock = follower.target.key, self.watch.clock
        if self.heads.get(key) == self.head and clock() < self.due[key]:
            return False
        self.lease.left()
        try:
            well = follower.step(self.head)
            self.lost = 0
        except LockLost:
            raise
        except OsformError as error:
            # Its standing could not be stored: the next look does it again.
            self.watch.tell(Happened("note" if self.lost else "cluster away", error.message))
            self.lost, well = self.lost + 1, False
        except Exception as error:  # noqa: BLE001 - whatever it is, the other stacks have nothing to do with it
            self.watch.tell(Happened("note", f"a fault of osform's own: {traceback.format_exc()}"))
            follower.stumbled(error)
            well = False
        self.heads[key] = self.head
        self.watch.tell(Happened("note", standing=follower.standing))
        self.failures[key] = 0 if well else self.failures[key] + 1
        pause = 0.0 if well else self.watch._pause(self.failures[key] - 1)
        self.due[key] = clock() + pause if pause > self.spec.every else 0.0
        return well

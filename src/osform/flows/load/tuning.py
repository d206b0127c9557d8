"""The index of a load set up for it, and put back at its end: also by the next run, where this one is killed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from types import TracebackType

from osform.cluster import tuning
from osform.cluster.client import Cluster
from osform.cluster.retry import Patience
from osform.core.events import Report, Warned
from osform.errors import ClusterError
from osform.flows.load.whereabouts import Whereabouts

MANY = 5_000
"""Rows that are worth it: two changes of the cluster's state at the beginning, and two at the end."""
_BEAT_SECONDS = 60.0
_END_SECONDS = 60.0


class Tuning:
    """Changes the settings while the block runs. ``now`` is in seconds since 1970.

    Where ``wanted`` is False, only what a load left that was cut off is put back. What can't be set is told and no
    reason to stop: whoever may write documents need not be allowed to change an index.
    """

    def __init__(
        self,
        cluster: Cluster,
        where: Whereabouts,
        *,
        wanted: bool,
        empty: bool,
        patience: Callable[[], Patience],
        now: Callable[[], float],
        report: Report,
    ) -> None:
        self._cluster, self._where, self._wanted, self._empty = cluster, where, wanted, empty
        self._patience, self._now, self._report = patience, now, report
        self._owner = uuid.uuid4().hex
        self._index = where.now.index
        self._over = threading.Event()
        self._beat: threading.Thread | None = None

    def __enter__(self) -> Tuning:
        try:
            self._begin()
        except ClusterError as error:
            self._report(Warned(f"{self._index} is loaded with the settings that it has: {error.message}"))
        except BaseException:
            self.__exit__(None, None, None)  # Ctrl-C: what was not entered is left by nobody else
            raise
        return self

    def _begin(self) -> None:
        if not self._wanted:
            dead = self._now()
            tuning.end(self._cluster, self._index, self._patience(), mine=lambda note: note.dead(dead))
        elif tuning.begin(
            self._cluster, self._index, self._owner, self._now(), empty=self._empty, patience=self._patience()
        ):
            self._beat = threading.Thread(target=self._say_so, name="alive", daemon=True)
            self._beat.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._beat:
            self._beat.join(timeout=2 * _END_SECONDS)
        # The alias may have moved: an index that was cloned from this one has its note as well.
        for index in sorted({self._index, self._where.now.index} if self._wanted else ()):
            self._put_back(index)

    def _put_back(self, index: str) -> None:
        try:
            # A patience of its own: the run's ends with the run, and this has to be done even so.
            tuning.end(self._cluster, index, Patience.of(_END_SECONDS), mine=lambda note: note.owner == self._owner)
        except ClusterError as error:
            words = "the next osform ingest into it, or osform apply, puts its settings back"
            self._report(Warned(f"{index} still has the settings of this load ({error.message}): {words}"))

    def _say_so(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            try:
                if not tuning.alive(self._cluster, self._index, self._owner, self._now(), Patience.of(_BEAT_SECONDS)):
                    return
            except ClusterError:
                continue  # a cluster that is away for a while; the next beat says it as well

"""Models that are away while documents wait for them: asked to be deployed again, by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.models import undeploy
from osform.core.events import Note, Report, Warned
from osform.errors import ClusterError, NotReady

_BETWEEN = 30.0
"""Seconds after a try that failed: whatever forbids a deployment does not go away in less."""
_SOON = 10.0
"""Seconds after a model was said to be there: answers that were under way are in by then."""
_TRIES = 3
"""Tries that fit into the time that a run is patient for: ML Commons leaves a deployment running for ever at times, and
whoever waits for that one has no time left for another."""
_AGAIN = 300.0
"""A model that is away again so many seconds after the last try, whatever came of that, is loaded anew."""


class Waker:
    """Has the models of a run deployed where they are not. ``sleep`` returns True where the run was stopped.

    ``patience`` is how long, in seconds, the run goes on without them.
    """

    def __init__(
        self,
        cluster: Cluster,
        model_ids: Sequence[str],
        *,
        patience: float,
        clock: Callable[[], float],
        sleep: Callable[[float], bool],
        report: Report,
    ) -> None:
        self._cluster, self._model_ids, self._deadline = cluster, model_ids, patience / _TRIES
        self._clock, self._sleep, self._report = clock, sleep, report
        self._busy = threading.Lock()
        self._next = clock()
        self._tried: float | None = None

    def __call__(self, reason: str) -> None:
        """Deploy what is not deployed, and come back; what goes wrong is told, since the model may come back anyway."""
        if not self._busy.acquire(blocking=False):
            return  # another thread is at it, and this one waits as for anything else
        try:
            # A call that comes too early must not put the next try off: with many threads, some call all the time.
            if self._clock() >= self._next:
                pause = self._try(reason)
                self._tried = self._clock()
                self._next = self._tried + pause
        finally:
            self._busy.release()

    def _try(self, reason: str) -> float:
        """Deploy; returns how long to wait before the next try, in seconds."""
        self._report(Note(f"a model is not at work, asking for its deployment: {reason}"))
        try:
            for model_id in self._model_ids:
                self._deploy(model_id)
        except ClusterError as error:
            self._report(Warned(f"waiting for the model, which could not be deployed: {error.message}"))
            return _BETWEEN
        return _SOON

    def _deploy(self, model_id: str) -> None:
        if self._tried is not None and self._clock() - self._tried < _AGAIN:
            # Deployments that cross leave a node that is listed as having the model and refuses to use it.
            self._report(
                Note(f"model {model_id} does not answer, although its deployment was tried: it is loaded anew")
            )
            undeploy(self._cluster, model_id, deadline_seconds=self._deadline, clock=self._clock, sleep=self._wait)
        deploy(self._cluster, model_id, deadline_seconds=self._deadline, clock=self._clock, sleep=self._wait)

    def _wait(self, seconds: float) -> None:
        if self._sleep(seconds):
            raise NotReady("the run was stopped")

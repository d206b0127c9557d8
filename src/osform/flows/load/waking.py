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
"""Seconds between two tries: whatever forbids a deployment does not go away in less."""
_AGAIN = 300.0
"""A model that is away again so many seconds after it was said to be there is loaded anew."""


class Waker:
    """Has the models of a run deployed where they are not. ``sleep`` returns True where the run was stopped."""

    def __init__(
        self,
        cluster: Cluster,
        model_ids: Sequence[str],
        *,
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], bool],
        report: Report,
    ) -> None:
        self._cluster, self._model_ids, self._deadline = cluster, model_ids, deadline
        self._clock, self._sleep, self._report = clock, sleep, report
        self._busy = threading.Lock()
        self._last = clock() - _BETWEEN
        self._there: float | None = None

    def __call__(self, reason: str) -> None:
        """Deploy what is not deployed, and come back; what goes wrong is told, since the model may come back anyway."""
        if not self._busy.acquire(blocking=False):
            return  # another thread is at it, and this one waits as for anything else
        try:
            if self._clock() - self._last < _BETWEEN:
                return
            self._report(Note(f"a model is not at work, asking for its deployment: {reason}"))
            for model_id in self._model_ids:
                self._deploy(model_id)
            self._there = self._clock()
        except ClusterError as error:
            self._report(Warned(f"waiting for the model, which could not be deployed: {error.message}"))
        finally:
            self._last = self._clock()
            self._busy.release()

    def _deploy(self, model_id: str) -> None:
        if self._there is not None and self._clock() - self._there < _AGAIN:
            # Deployments that cross leave a node that is listed as having the model and refuses to use it.
            self._report(Note(f"model {model_id} is said to be deployed and does not answer: it is loaded anew"))
            undeploy(self._cluster, model_id, deadline_seconds=self._deadline, clock=self._clock, sleep=self._wait)
        deploy(self._cluster, model_id, deadline_seconds=self._deadline, clock=self._clock, sleep=self._wait)

    def _wait(self, seconds: float) -> None:
        if self._sleep(seconds):
            raise NotReady("the run was stopped")

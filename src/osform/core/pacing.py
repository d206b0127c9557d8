"""How much to send at a time, and how much to have under way: found out while sending.

Documents under way are what an ML node queues, so they are what is counted. Their number grows as long as that makes
the whole faster, twofold at first and by a step later, and is cut in half where the cluster says that it has too much
(additive increase, multiplicative decrease). Requests are sized by bytes and by the time that their documents take the
model, which is learned from the answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

_EPOCH_SECONDS = 0.4
_BETTER = 1.04
"""How much faster a step must have made the whole to be followed by another one."""
_PROBE_EPOCHS = 6
_FORGETTING = 0.3
_QUEUED_SECONDS = 4.0
"""Work that waits for longer than this before the cluster gets to it makes nothing faster."""
_LEAST_TIMEOUT = 30.0
_A_CORE = 16
"""Documents under way for each core at least, however small the groups are: a request takes time besides."""


@dataclass(frozen=True)
class Bounds:
    """What pacing keeps to.

    ``count`` documents and ``size`` bytes a request, ``clients`` requests at a time, ``model_seconds`` of work in one
    request; ``under_way`` documents at most. With ``exact``, every request holds ``count`` documents.

    ``group`` documents are embedded one after the other, on one thread of ``cores`` (the pipeline's batch_size): with
    less than a group for each core under way, some have nothing to do.
    """

    count: int = 1_000
    size: int = 5_000_000
    clients: int = 12
    model_seconds: float = 1.0
    under_way: int = 8_000
    group: int = 1
    cores: int = 2
    exact: bool = False

    @property
    def least(self) -> int:
        """Documents under way that keep every core at work, with as many waiting."""
        requests = min(2, self.clients) * self.count if self.exact else 2
        return min(self.under_way, max(requests, self.cores * max(2 * self.group, _A_CORE)))


class Pacing:
    """The pace of one run. Any thread may say what it heard; ``timeout`` is the most that a request may take."""

    def __init__(self, bounds: Bounds, timeout: float, clock: Callable[[], float]) -> None:
        self.bounds, self.timeout, self._clock = bounds, timeout, clock
        self._lock = threading.Lock()
        self.window = float(bounds.least)
        self._rate = 0.0  # documents a second
        self._speed = 0.0  # cost a second
        self._best, self._held, self._probing, self._fresh = 0.0, 0, False, True
        self._cut = self._begun = clock()
        self._documents = self._answers = 0
        self._cost = 0.0

    @property
    def count(self) -> int:
        """Documents that the next request should hold at most: a third of the window, in whole groups."""
        if self.bounds.exact:
            return self.bounds.count
        share = int(self.window / min(3, self.bounds.clients))
        group = self.bounds.group
        return max(1, min(self.bounds.count, share - share % group if share > group else share))

    @property
    def cost(self) -> float:
        """The work that the next request should hold at most; no bound while nothing was learned."""
        return self._speed * self.bounds.model_seconds or float("inf")

    def admits(self, documents: int, requests: int) -> bool:
        """Whether one more request may be sent while so much is under way."""
        return requests == 0 or (requests < self.bounds.clients and documents < self.window)

    def seconds_for(self, cost: float) -> float:
        """How long to wait for the answer to a request: ten times as long as it should take, and never very short."""
        expected = 10 * cost / self._speed if self._speed else self.timeout
        return min(self.timeout, max(_LEAST_TIMEOUT, expected))

    def answered(self, documents: int, cost: float) -> None:
        """So many documents were taken."""
        with self._lock:
            self._documents += documents
            self._cost += cost
            self._answers += 1
            seconds = self._clock() - self._begun
            if seconds >= _EPOCH_SECONDS and self._answers > 1 and self._documents >= self.window / 2:
                self._learn(self._documents / seconds, self._cost / seconds)
                self._restart()

    def pushed_back(self) -> None:
        """The cluster said that it has too much, or did not answer in time."""
        with self._lock:
            now = self._clock()
            if now - self._cut < _EPOCH_SECONDS:
                return  # many documents of the same moment say so: that is one reason to send less, not many
            self._cut = now
            self.window = max(1.0, float(min(self.bounds.group, self.bounds.least)), self.window / 2)
            self._best, self._held, self._probing, self._fresh = 0.0, 0, False, False
            self._restart()

    def _restart(self) -> None:
        self._begun, self._documents, self._answers, self._cost = self._clock(), 0, 0, 0.0

    def _learn(self, rate: float, speed: float) -> None:
        self._rate = rate if not self._rate else self._rate + _FORGETTING * (rate - self._rate)
        self._speed = speed if not self._speed else self._speed + _FORGETTING * (speed - self._speed)
        if self.window < self.bounds.least or rate > self._best * _BETTER:
            self._best, self._held, self._probing = max(rate, self._best), 0, True
            self._set(2 * self.window if self._fresh else self.window + self._step)
        elif self._probing:
            # The last step made nothing faster.
            self._set(self.window / 1.5 if self._fresh else self.window - self._step)
            self._probing = self._fresh = False
        else:
            self._held += 1
            self._best += _FORGETTING * (rate - self._best) if rate < self._best else 0.0
            if self._held >= _PROBE_EPOCHS:
                self._held, self._probing = 0, True
                self._set(self.window + self._step)

    @property
    def _step(self) -> int:
        return max(1, self.bounds.least // 2)

    def _set(self, window: float) -> None:
        most = min(float(self.bounds.under_way), max(float(self.bounds.least), self._rate * _QUEUED_SECONDS))
        least = min(self.window, float(self.bounds.least))
        self.window = min(most, max(least, window))

"""Who does the work: this machine, which reads ahead for its copies of a model. Several machines are in ``several``."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from osform.caption.replicas import Answer, Replicas
from osform.images.pictures import Picture
from osform.images.reading import Reader, Ready

Key = tuple[str, str | None]
Known = Callable[[Ready], bool]
"""Whether there are lines already for a picture's bytes and prompts."""


@dataclass(frozen=True)
class Batch:
    """Pictures, and what a model made of those that nothing was known of.

    ``places`` of pictures in the answer, by ``key``; the same bytes with the same prompt are there once.
    """

    ready: Sequence[Ready]
    places: dict[Key, int]
    answer: Answer | None


def key(ready: Ready) -> Key:
    """What the description of a picture depends on, the model and the run's prompts apart."""
    return ready.decoded.sha256, ready.picture.prompt


class Hands(Protocol):
    """What describes pictures."""

    @property
    def starting(self) -> float:
        """Seconds for which the first batch was waited for."""
        ...

    @property
    def waited(self) -> float:
        """Seconds after it for which a copy of the model had nothing to do, since no other was ready."""
        ...

    def work(self, wanted: Iterator[Picture], known: Known) -> Iterator[Batch]:
        """Describe pictures; all of them come back, in their order."""
        ...

    def close(self) -> None:
        """Let go of processes and connections."""
        ...


class Here:
    """This machine: while the replicas compute, the next batches are read, and those before handed out."""

    def __init__(self, reader: Reader, replicas: Replicas, batch: int) -> None:
        self._reader, self._replicas, self._batch = reader, replicas, batch
        self._idle = Idle(len(replicas))

    @property
    def starting(self) -> float:
        return self._idle.starting

    @property
    def waited(self) -> float:
        return self._idle.waited

    def work(self, wanted: Iterator[Picture], known: Known) -> Iterator[Batch]:
        under_way: deque[tuple[list[Ready], dict[Key, int], Future[Answer] | None]] = deque()
        ready = self._reader.read(wanted)
        while batch := self._next(ready):
            under_way.append((batch, *self._submitted(batch, known)))
            while len(under_way) > 2 * len(self._replicas):
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())

    def close(self) -> None:
        self._replicas.close()
        self._reader.close()

    def _next(self, ready: Iterator[Ready]) -> list[Ready]:
        asked = time.monotonic()
        batch = list(itertools.islice(ready, self._batch))
        self._idle.came(asked)
        return batch

    def _submitted(self, batch: Sequence[Ready], known: Known) -> tuple[dict[Key, int], Future[Answer] | None]:
        fresh = unlike([each for each in batch if each.decoded.pixels is not None and not known(each)])
        return {key(each): place for place, each in enumerate(fresh)}, self._submit(fresh) if fresh else None

    def _submit(self, fresh: Sequence[Ready]) -> Future[Answer]:
        import numpy

        pixels = [each.decoded.pixels for each in fresh if each.decoded.pixels is not None]
        future = self._replicas.submit(numpy.stack(pixels), [each.picture.prompt for each in fresh])
        self._idle.begun(future)
        return future


class Idle:
    """For how long copies of a model had nothing to do while a batch was waited for."""

    def __init__(self, replicas: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.starting = self.waited = 0.0
        self._replicas, self._clock, self._lock = replicas, clock, threading.Lock()
        self._busy, self._since, self._first = 0, 0.0, True

    def begun(self, future: Future[Answer]) -> None:
        """A batch is handed to a copy."""
        with self._lock:
            self._busy += 1
        future.add_done_callback(self._ended)

    def came(self, asked: float) -> None:
        """A batch that was asked for at that time came now; none was begun meanwhile."""
        with self._lock:
            spent = self._clock() - max(asked, self._since) if self._busy < self._replicas else 0.0
        if self._first:
            self.starting = spent
        else:
            self.waited += spent
        self._first = False

    def _ended(self, future: Future[Answer]) -> None:
        with self._lock:
            self._busy -= 1
            if self._busy == self._replicas - 1:
                self._since = self._clock()


def unlike(batch: Sequence[Ready]) -> list[Ready]:
    """The first of those that would be described the same."""
    found: dict[Key, Ready] = {}
    for each in batch:
        found.setdefault(key(each), each)
    return list(found.values())


def _finished(ready: Sequence[Ready], places: dict[Key, int], future: Future[Answer] | None) -> Batch:
    return Batch(ready, places, future.result() if future else None)

"""Pictures on their way to the model: downloaded by some threads, decoded by some processes, handed on in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context

from osform.images.children import settle
from osform.images.decoding import Decoded, Decoding, decode, prepare, read
from osform.images.fetching import Fetcher, Refused
from osform.images.pictures import Picture

_GROUP = 8


@dataclass(frozen=True)
class Ready:
    """A picture and what decoding made of it."""

    picture: Picture
    decoded: Decoded


class Reader:
    """Reads ahead by ``ahead`` pictures and gives them in order, so that output does not depend on who was faster.

    With ``workers`` 0 pictures are decoded by threads of this process.
    """

    def __init__(self, how: Decoding, fetcher: Fetcher, *, workers: int, ahead: int) -> None:
        self._how, self._fetcher, self._workers, self._ahead = how, fetcher, workers, max(1, ahead)
        self._pool = self._new_pool(workers)
        self._second: Executor | None = None
        self._lock = threading.Lock()
        self._downloads = ThreadPoolExecutor(fetcher.connections, "download")
        self.waited = 0.0
        """Seconds for which nothing was ready."""

    def read(self, pictures: Iterable[Picture]) -> Iterator[Ready]:
        """Each of the pictures, decoded or with the reason why not."""
        waiting: deque[tuple[list[Picture], Future[list[Decoded]]]] = deque()
        count = 0
        for group in _groups(pictures, min(_GROUP, self._ahead)):
            waiting.append((group, self._begin(group)))
            count += len(group)
            while count > self._ahead:
                count -= len(waiting[0][0])
                yield from self._finish(*waiting.popleft())
        while waiting:
            yield from self._finish(*waiting.popleft())

    def close(self) -> None:
        self._downloads.shutdown(wait=True, cancel_futures=True)
        for pool in (self._pool, self._second):
            if pool:
                pool.shutdown(wait=True, cancel_futures=True)
        self._fetcher.close()

    def _begin(self, group: list[Picture]) -> Future[list[Decoded]]:
        first = group[0]
        if first.reason:
            return _done([Decoded(reason=first.reason)])
        if first.url:
            return self._downloads.submit(self._download, first.url)
        return self._decode(group)

    def _decode(self, group: list[Picture]) -> Future[list[Decoded]]:
        try:
            return self._pool.submit(_decoded, group, self._how)
        except BrokenProcessPool:
            self._pool = self._new_pool(self._workers)
            return self._pool.submit(_decoded, group, self._how)

    def _download(self, url: str) -> list[Decoded]:
        started = time.monotonic()
        try:
            picture = Picture(url, content=self._fetcher.fetch(url))
        except Refused as error:
            return [Decoded(reason=str(error), seconds=time.monotonic() - started)]
        spent = time.monotonic() - started
        try:
            (decoded,) = self._decode([picture]).result()
        except BrokenProcessPool:
            decoded = self._alone(picture)
        return [replace(decoded, seconds=decoded.seconds + spent)]

    def _finish(self, group: list[Picture], future: Future[list[Decoded]]) -> Iterator[Ready]:
        started = time.monotonic()
        try:
            decoded = future.result()
        except BrokenProcessPool:
            decoded = [self._alone(picture) for picture in group]
        self.waited += time.monotonic() - started
        yield from map(Ready, group, decoded)

    def _alone(self, picture: Picture) -> Decoded:
        """Decode with nobody beside it: some picture crashed the decoder, and this tells whether it was this one."""
        with self._lock:
            self._second = self._second or self._new_pool(1)
            try:
                return self._second.submit(_decoded, [picture], self._how).result()[0]
            except BrokenProcessPool:
                self._second = None
                return Decoded(reason="the decoder crashed on it")

    def _new_pool(self, workers: int) -> Executor:
        if not workers:
            return ThreadPoolExecutor(2, "decode")
        # Not fork: torch's threads in this process would leave their locks behind in the child.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), settle)
        for _ in range(workers):
            pool.submit(prepare)  # they start now, while the model is loaded
        return pool


def _groups(pictures: Iterable[Picture], most: int) -> Iterator[list[Picture]]:
    """Neighbours that are decoded in one go, since handing one over takes as long as decoding a small one.

    What is downloaded goes by itself.
    """
    group: list[Picture] = []
    for picture in pictures:
        alone = bool(picture.url or picture.reason)
        if group and (alone or len(group) == most):
            yield group
            group = []
        if alone:
            yield [picture]
        else:
            group.append(picture)
    if group:
        yield group


def _decoded(group: list[Picture], how: Decoding) -> list[Decoded]:
    found = []
    for picture in group:
        started = time.monotonic()
        decoded = read(picture.path, how) if picture.content is None else decode(picture.content, how)
        found.append(replace(decoded, seconds=time.monotonic() - started))
    return found


def _done(decoded: list[Decoded]) -> Future[list[Decoded]]:
    future: Future[list[Decoded]] = Future()
    future.set_result(decoded)
    return future

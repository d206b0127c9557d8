"""Pictures on their way to the model: downloaded by some threads, decoded by some processes, handed on in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context

from osform.caption.decoding import Decoded, Decoding, decode, read
from osform.caption.fetching import Fetcher, Refused
from osform.caption.pictures import Picture


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
        self._downloads = ThreadPoolExecutor(fetcher.connections, "download")
        self.waited = 0.0
        """Seconds for which nothing was ready."""

    def read(self, pictures: Iterable[Picture]) -> Iterator[Ready]:
        """Each of the pictures, decoded or with the reason why not."""
        waiting: deque[tuple[Picture, Future[Decoded]]] = deque()
        for picture in pictures:
            waiting.append((picture, self._begin(picture)))
            if len(waiting) >= self._ahead:
                yield self._finish(*waiting.popleft())
        while waiting:
            yield self._finish(*waiting.popleft())

    def close(self) -> None:
        self._downloads.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._fetcher.close()

    def _begin(self, picture: Picture) -> Future[Decoded]:
        if picture.reason:
            return _done(Decoded(reason=picture.reason))
        if picture.url:
            return self._downloads.submit(self._download, picture.url)
        return self._decode(picture.content, picture.path)

    def _decode(self, content: bytes | None, path: str) -> Future[Decoded]:
        work: Callable[[], Future[Decoded]] = lambda: self._pool.submit(_timed, content, path, self._how)  # noqa: E731
        try:
            return work()
        except BrokenProcessPool:
            self._pool = self._new_pool(self._workers)
            return work()

    def _download(self, url: str) -> Decoded:
        started = time.monotonic()
        try:
            content = self._fetcher.fetch(url)
        except Refused as error:
            return Decoded(reason=str(error), seconds=time.monotonic() - started)
        spent = time.monotonic() - started
        try:
            decoded = self._decode(content, "").result()
        except BrokenProcessPool:
            decoded = self._alone(content, "")
        return replace(decoded, seconds=decoded.seconds + spent)

    def _finish(self, picture: Picture, future: Future[Decoded]) -> Ready:
        started = time.monotonic()
        try:
            decoded = future.result()
        except BrokenProcessPool:
            decoded = self._alone(picture.content, picture.path)
        self.waited += time.monotonic() - started
        return Ready(picture, decoded)

    def _alone(self, content: bytes | None, path: str) -> Decoded:
        """Decode in a process of its own: some picture crashed the decoder, and this tells whether it was this one."""
        with self._new_pool(1) as pool:
            try:
                return pool.submit(_timed, content, path, self._how).result()
            except BrokenProcessPool:
                return Decoded(reason="the decoder crashed on it")

    def _new_pool(self, workers: int) -> Executor:
        # Not fork: torch's threads in this process would leave their locks behind in the child.
        return ProcessPoolExecutor(workers, get_context("spawn")) if workers else ThreadPoolExecutor(2, "decode")


def _timed(content: bytes | None, path: str, how: Decoding) -> Decoded:
    started = time.monotonic()
    decoded = read(path, how) if content is None else decode(content, how)
    return replace(decoded, seconds=time.monotonic() - started)


def _done(decoded: Decoded) -> Future[Decoded]:
    future: Future[Decoded] = Future()
    future.set_result(decoded)
    return future

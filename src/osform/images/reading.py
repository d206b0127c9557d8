"""Pictures on their way to the model: downloaded by some threads, decoded by some processes, handed on in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from osform.images.decoders import Decoders, decoded
from osform.images.decoding import Decoded, Decoding
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
        self._how, self._fetcher, self._ahead = how, fetcher, max(1, ahead)
        self._decoders = Decoders(workers) if workers else None
        self._pool = ThreadPoolExecutor(workers or 2, "decode")
        if self._decoders:
            for _ in range(workers):
                self._pool.submit(self._decoders.prepare)  # now, while the model is loaded
        self._downloads = ThreadPoolExecutor(fetcher.connections, "download")

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
        self._fetcher.stop()  # or it would be waited for all their tries
        self._downloads.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._decoders:
            self._decoders.close()
        self._fetcher.close()

    def _begin(self, group: list[Picture]) -> Future[list[Decoded]]:
        first = group[0]
        if first.reason:
            return _done([Decoded(reason=first.reason)])
        if first.url:
            return self._downloads.submit(self._download, first.url)
        return self._decode(group)

    def _decode(self, group: list[Picture]) -> Future[list[Decoded]]:
        if self._decoders:
            return self._pool.submit(self._decoders.decode, group, self._how)
        return self._pool.submit(decoded, group, self._how)

    def _download(self, url: str) -> list[Decoded]:
        started = time.monotonic()
        try:
            picture = Picture(url, content=self._fetcher.fetch(url))
        except Refused as error:
            return [Decoded(reason=str(error), seconds=time.monotonic() - started)]
        spent = time.monotonic() - started
        (found,) = self._decode([picture]).result()
        return [replace(found, seconds=found.seconds + spent)]

    def _finish(self, group: list[Picture], future: Future[list[Decoded]]) -> Iterator[Ready]:
        yield from map(Ready, group, future.result())


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


def _done(decoded: list[Decoded]) -> Future[list[Decoded]]:
    future: Future[list[Decoded]] = Future()
    future.set_result(decoded)
    return future

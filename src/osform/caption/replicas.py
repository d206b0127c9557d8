"""Copies of the model at work: one in this process, or one in a process of its own for each device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import TYPE_CHECKING, Any

from osform.caption.describing import Described, Describer
from osform.caption.engines import Loading, load
from osform.caption.prompts import Uses
from osform.images.children import settle

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class Answer:
    """What a replica made of a batch: a description for each picture, the seconds, and the batch size that it keeps."""

    described: tuple[Described, ...]
    seconds: float
    batch: int


class Replicas:
    """The replicas; each takes one batch at a time, and they are asked in turn."""

    def __init__(self, loadings: Sequence[Loading], uses: Uses, batch: int) -> None:
        """Load them. One alone works in this process. Raises what loading raises."""
        self._turn = 0
        self._describers: list[Describer] = []
        self._executors: list[Executor] = []
        if len(loadings) == 1:
            self._describers = [Describer(load(loadings[0]), uses, batch)]
            self._executors = [ThreadPoolExecutor(1, "model")]
            return
        for loading in loadings:
            pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (loading, uses, batch))
            self._executors.append(pool)
        try:
            for loaded in [executor.submit(_loaded) for executor in self._executors]:
                loaded.result()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Replicas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._executors)

    def submit(self, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Future[Answer]:
        """Have the next replica describe pictures, uint8 of shape (pictures, 3, size, size); see ``Describer``."""
        number = self._turn = (self._turn + 1) % len(self._executors)
        if self._describers:
            return self._executors[0].submit(_describe, self._describers[0], pixels, own)
        return self._executors[number].submit(_describe_there, pixels, own)

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown(wait=True, cancel_futures=True)


def _describe(describer: Describer, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Answer:
    started = time.monotonic()
    described = describer.describe(pixels, own)
    return Answer(tuple(described), time.monotonic() - started, describer.batch)


_there: dict[str, Any] = {}


def _begin(loading: Loading, uses: Uses, batch: int) -> None:
    settle()
    try:
        _there["describer"] = Describer(load(loading), uses, batch)
    except Exception as error:  # noqa: BLE001 - told to the caller by _loaded; a pool would only say that it is broken
        _there["error"] = error


def _loaded() -> None:
    if "error" in _there:
        raise _there["error"]


def _describe_there(pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Answer:
    return _describe(_there["describer"], pixels, own)

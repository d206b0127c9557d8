"""Copies of the model at work: one in this process, or one in a process of its own for each device."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from osform.caption.describing import Described, Describer
from osform.caption.engines import Loading, load
from osform.caption.prompts import Uses
from osform.errors import CaptionError, OsformError
from osform.images.children import Child, Died

if TYPE_CHECKING:
    import numpy

Asked = TypeVar("Asked")


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
        self._children: list[Child] = []
        self._devices = [loading.device for loading in loadings]
        self._executors = [ThreadPoolExecutor(1, "model") for _ in loadings]
        self._describer = Describer(load(loadings[0]), uses, batch) if len(loadings) == 1 else None
        if self._describer:
            return
        try:
            self._children = [Child() for _ in loadings]
            threads = _threads_each(len(loadings))
            begun = [self._begun(number, loading, uses, batch, threads) for number, loading in enumerate(loadings)]
            for error in [future.result() for future in begun]:
                if error:
                    raise error
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
        if self._describer:
            return self._executors[0].submit(_describe, self._describer, pixels, own)
        return self._executors[number].submit(self._described, number, pixels, own)

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown(wait=True, cancel_futures=True)
        for child in self._children:
            child.close()

    def _begun(self, number: int, *how: Any) -> Future[Exception | None]:
        return self._executors[number].submit(self._ask, number, _begin, *how)

    def _described(self, number: int, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Answer:
        answer = self._ask(number, _describe_there, pixels, own)
        if isinstance(answer, OsformError):
            raise answer
        return answer

    def _ask(self, number: int, function: Callable[..., Asked], *args: Any) -> Asked:
        try:
            return self._children[number].ask(function, *args)
        except Died as error:
            raise CaptionError(
                f"the process of the model on {self._devices[number]} ended before it answered",
                hint="mostly for want of memory: try a smaller --batch; the same command goes on where it was",
            ) from error


def _describe(describer: Describer, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Answer:
    started = time.monotonic()
    described = describer.describe(pixels, own)
    return Answer(tuple(described), time.monotonic() - started, describer.batch)


_there: dict[str, Any] = {}


def _threads_each(replicas: int) -> int:
    """Threads of torch for each replica, which takes all processors for itself where nobody tells it otherwise."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, there // replicas)


def _begin(loading: Loading, uses: Uses, batch: int, threads: int) -> Exception | None:
    """Load the model here. What stands in the way is told to the parent, which raises it."""
    try:
        import torch

        torch.set_num_threads(min(threads, torch.get_num_threads()))
        _there["describer"] = Describer(load(loading), uses, batch)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    return None


def _describe_there(pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> Answer | OsformError:
    """What stands in the way is told to the parent, which raises it: the process would die of it, and say nothing."""
    try:
        return _describe(_there["describer"], pixels, own)
    except OsformError as error:
        return error

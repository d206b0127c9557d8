"""Calls of several threads made as one: while one batch is under way, the next one gathers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """A function of one item, carried out by ``act``, which takes as many as there are.

    An item's call begins after it was given, so what a thread did before it asked is seen by the answer. Where ``act``
    raises, the thread that ran it gets the error, and the items of the others are tried again by themselves.
    """

    def __init__(self, act: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._act = act
        self._waiting: list[_Call[Item, Result]] = []
        self._gate = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, item: Item) -> Result:
        mine: _Call[Item, Result] = _Call(item)
        with self._gate:
            self._waiting.append(mine)
        with self._turn:
            if not mine.results:
                self._run(mine)
        return mine.results[0]

    def _run(self, mine: _Call[Item, Result]) -> None:
        with self._gate:
            batch, self._waiting = self._waiting, []
        try:
            for call, result in zip(batch, self._act([call.item for call in batch]), strict=True):
                call.results.append(result)
        finally:
            with self._gate:
                self._waiting += [call for call in batch if not call.results and call is not mine]


class _Call(Generic[Item, Result]):
    def __init__(self, item: Item) -> None:
        self.item = item
        self.results: list[Result] = []

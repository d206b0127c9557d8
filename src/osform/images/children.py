"""Processes that work for a run: they leave interruptions to their parent, and go when it goes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

Answer = TypeVar("Answer")

# Not fork: torch's threads in this process would leave their locks behind in the child.
_SPAWN = multiprocessing.get_context("spawn")


class Died(Exception):
    """The process ended before it answered."""


class Child:
    """A process that does what it is asked, one thing after another.

    Its pipe is its own, so its death is seen at once, even in the middle of an answer. The processes of a
    ``ProcessPoolExecutor`` share one, which stays open: the pool waits for ever for the rest of an answer whose writer
    was killed.
    """

    def __init__(self) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """What ``function`` gives there. Raises Died; it dies of whatever ``function`` raises."""
        try:
            self._pipe.send((function, args))
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Died from error
        return answer

    def close(self) -> None:
        """End it, once it has done what it is at."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection[Any, Any]) -> None:
    settle()
    with suppress(EOFError, OSError):  # the parent wants no more
        while True:
            function, args = pipe.recv()
            pipe.send(function(*args))


def settle() -> None:
    """To be called first in a worker process.

    Ctrl-C reaches all processes of a terminal, and the parent alone says how to end. A parent that was killed says
    nothing: workers would wait for ever, with the memory of a GPU in their hands.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)

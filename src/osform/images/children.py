"""How processes that work for a run behave: they leave interruptions to their parent, and go when it goes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


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

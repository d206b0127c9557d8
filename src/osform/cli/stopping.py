"""Ctrl-C and SIGTERM end a command, at whatever moment they come."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

_A_MOMENT = 0.01


def stoppable() -> None:
    """Make SIGTERM, which is how CI systems cancel a job, the same as Ctrl-C, and let neither be lost.

    Python only prints a KeyboardInterrupt that is raised while it clears something away (in ``__del__``, or in the
    callback of a weak reference), and goes on as if nobody had pressed anything. Such a one is raised again a moment
    later, by an alarm: that needs no thread and no lock, whatever was being done meanwhile. Whatever else is lost there
    is for whoever was told of it before, and the alarm is everybody's until it is needed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = partial(_again, sys.unraisablehook)


def _again(others: Callable[[Any], object], lost: Any) -> None:
    if lost.exc_type is KeyboardInterrupt:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, _A_MOMENT)
    else:
        others(lost)

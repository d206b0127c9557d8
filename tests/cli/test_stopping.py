"""A command ends when it is told to, whatever it is doing in that moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from osform.cli.stopping import stoppable

CLEARING_AWAY = """
import os, signal, time
from osform.cli.stopping import stoppable

class Cleared:
    def __del__(self):
        print("cleared", flush=True)
        os.kill(os.getpid(), {number})  # its handler runs in here, where nobody catches what it raises

stoppable()
try:
    Cleared()
    time.sleep(20)
    print("nothing came")
except KeyboardInterrupt:
    print("stopped")
"""


BROKEN = """
from osform.cli.stopping import stoppable

class Broken:
    def __del__(self):
        1 / 0

stoppable()
Broken()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_comes_while_something_is_cleared_away_is_not_lost(number: int) -> None:
    command = ["env", "--default-signal=INT", sys.executable, "-c", CLEARING_AWAY.format(number=int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.split(), done.stderr) == (["cleared", "stopped"], "")


class Broken:
    def __del__(self) -> None:
        raise OSError("told")


def test_anything_else_that_is_lost_there_is_told_to_whoever_was_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(str(lost.exc_value)))
    stoppable()
    Broken()
    assert told == ["told"]


def test_an_alarm_that_somebody_else_has_set_is_left_to_them() -> None:
    before = signal.getsignal(signal.SIGALRM)  # that of pytest-timeout
    stoppable()
    assert signal.getsignal(signal.SIGALRM) is before


def test_anything_else_that_is_lost_there_is_told_as_ever() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=60, check=True)
    assert "ZeroDivisionError" in done.stderr

"""Processes, told apart for certain: a number alone is reused, after a reboot at the latest."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process that was started here: its number, and when it began in the terms of ``began``."""

    pid: int
    began: str


def began(pid: int, proc: Path = PROC) -> str | None:
    """When a living process began: the boot's id and its ticks since. None for one that is gone or a zombie."""
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        threads = len(list((proc / str(pid) / "task").iterdir()))
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    state, ticks = fields[0], fields[19]
    # A JVM that is being killed is a zombie at its first thread while others still hold its ports and files.
    return None if state in "ZX" and threads <= 1 else f"{boot}:{ticks}"


def alive(process: Process | None, proc: Path = PROC) -> bool:
    """Whether that very process still runs; another one that has its number now does not count."""
    return process is not None and began(process.pid, proc) == process.began


def find(variable: str, proc: Path = PROC) -> Process | None:
    """The process that was started with this in its environment (``NAME=value``) and leads a session of its own.

    It finds a node whose number was never written down, because osform was killed right after it started the node. The
    environment is looked at since the node's start script, which becomes the JVM, has no telling arguments.
    """
    wanted = variable.encode()
    for folder in proc.glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            session = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[3]
        except OSError:  # it ended, or is another user's
            continue
        if wanted in variables and session == folder.name and (since := began(int(folder.name), proc)):
            return Process(int(folder.name), since)
    return None


def end(process: Process, patience: float, *, sleep: Callable[[float], None] = time.sleep, step: float = 0.1) -> bool:
    """End a process: SIGTERM, ``patience`` seconds, then SIGKILL. False where it was gone already.

    Both signals are sent only to a process that still is the one that was started.
    """
    if not alive(process):
        return False
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return True
        waited = 0.0
        while waited < seconds:
            _reap(process.pid)
            if not alive(process):
                return True
            sleep(step)
            waited += step
    return True


def _reap(pid: int) -> None:
    """Take leave of a child that ended, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):  # a node that an earlier osform started is no child of this one
        os.waitpid(pid, os.WNOHANG)

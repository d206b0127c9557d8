"""One at a time: a lock on a file, which the system lets go of even where the holder was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from osform.core.events import Note, Report
from osform.errors import LocalClusterError


@contextmanager
def held(
    file: Path,
    what: str,
    report: Report,
    *,
    patience: float = 900.0,
    sleep: Callable[[float], None] = time.sleep,
    step: float = 0.2,
) -> Iterator[None]:
    """Hold the lock for as long as the block runs; wait ``patience`` seconds for another holder, and say so."""
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        waited = 0.0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if waited == 0.0:
                    report(Note(f"waiting for another osform that works on {what}"))
                if waited >= patience:
                    raise LocalClusterError(
                        f"another osform has been working on {what} for {patience:.0f} s", hint=f"who holds it: {file}"
                    ) from error
            sleep(step)
            waited += step
        yield
    finally:
        os.close(handle)

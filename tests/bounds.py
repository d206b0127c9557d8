"""What harmless means: no more than two seconds of the processor, and 300 MB."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS, MEGABYTES = 2.0, 300


@contextmanager
def harmless() -> Iterator[None]:
    """Fail where the block takes more; what was imported before doesn't count."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most that there was is now what there is
    began, before = time.process_time(), _kilobytes("VmRSS")
    yield
    assert time.process_time() - began < SECONDS
    assert _kilobytes("VmHWM") - before < MEGABYTES * 1_000


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

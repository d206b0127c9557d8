"""How far a load has got, kept beside the user's other state, so that one that was cut off goes on from there.

    {"rows": 12000}

The file's name stands for what is loaded into what: other files, other options, another index, and the note is not
found. Nothing is decided from it alone: it says which rows need no closer look, where the index has them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from osform.files.inputs import STDIN, Input

_KEPT_SECONDS = 30 * 86_400.0


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where osform keeps what it needs to go on: ``OSFORM_STATE``, else the user's folder for such things."""
    given = environment.get("OSFORM_STATE")
    return Path(given) if given else Path(platformdirs.user_state_dir("osform"))


def fingerprint(inputs: Sequence[Input], *how: Any) -> str | None:
    """What is loaded, and ``how``, as a file's name; None where it can't be read a second time."""
    if any(each.path == STDIN or not Path(each.path).is_file() for each in inputs):
        return None
    found = []
    for each in inputs:
        path = Path(each.path).resolve()
        status = path.stat()
        part = [each.groups] if each.groups else []
        found.append([str(path), each.kind, status.st_size, status.st_mtime_ns, status.st_ino, *part])
    return hashlib.sha256(json.dumps([found, how], sort_keys=True, default=str).encode()).hexdigest()[:32]


class Checkpoint:
    """The note of one load. ``rows`` is how many of the first rows were settled when an earlier run ended early.

    A folder that can't be written to is no reason to stop: then the next run has more to look at.
    """

    def __init__(
        self, folder: Path, name: str | None, *, clock: Callable[[], float] = time.monotonic, every: float = 2.0
    ) -> None:
        self._path = folder / "loads" / f"{name}.json" if name else None
        self._clock, self._every = clock, every
        self._saved = clock()
        self.rows = self._read()

    def reached(self, rows: int, *, now: bool = False) -> None:
        """So many rows from the first on are settled; written down every few seconds, or ``now``."""
        if self._path is None or not (now or self._clock() - self._saved >= self._every):
            return
        self._saved = self._clock()
        # A run that is cut off before it is where the earlier one was has not undone anything.
        self._write(self._path, max(rows, self.rows))

    def finished(self) -> None:
        """Everything is settled: the next run looks at all of it again."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        try:
            found = json.loads(self._path.read_text()) if self._path else {}
            return max(0, int(found.get("rows", 0)))
        except (OSError, ValueError, AttributeError, TypeError):
            return 0

    def _write(self, path: Path, rows: int) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}")
            with beside.open("w") as file:
                file.write(json.dumps({"rows": rows}))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _forget_old(path.parent)
        except OSError:
            return


def _forget_old(folder: Path) -> None:
    for each in folder.iterdir():
        if time.time() - each.stat().st_mtime > _KEPT_SECONDS:
            each.unlink(missing_ok=True)

"""The dead-letter file: documents that were not indexed, each with its reason, one JSON object a line.

    {"_dead_letter": {"reason": "...", "file": "photos.jsonl", "line": 12}, "_id": "p12", "document": {...}}

``text`` stands in the place of ``document`` where the line was none. ``osform ingest`` reads such a file as it is
(``osform.files.records`` takes the document out again), so that once the cause is gone, the file is simply replayed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from osform.core.rows import Rejected
from osform.errors import InputError
from osform.files.records import WRAPPER


class DeadLetters:
    """A dead-letter file, which is made when the first document comes in; ``count`` says how many did."""

    def __init__(self, path: Path) -> None:
        """Raise InputError where the file is already there or its folder can't be written to."""
        folder = path.parent
        if path.exists():
            raise InputError(f"{path} is there already", hint="replay or remove it, or give another --dead-letter FILE")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"{folder} is no folder that can be written to", hint="give another --dead-letter FILE")
        self.path = path
        self.count = 0
        self._stream: FileIO | None = None

    def add(self, rejected: Rejected) -> None:
        """Write one document down, at once: a run that is killed has lost none. Raises InputError where that fails."""
        # A lone surrogate can't be written as UTF-8; escaped with a backslash it is JSON as well.
        line = (json.dumps(wrapped(rejected), ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        try:
            if self._stream is None:
                self._stream = FileIO(self.path, "x")
            _write(self._stream, line)
        except OSError as error:
            raise InputError(
                f"{self.path}: can't be written: {error.strerror}; {rejected.place} is not in it: {rejected.reason}",
                hint="once there is room, run the same command again: what is in already is not sent twice",
            ) from error
        self.count += 1

    def close(self) -> None:
        """Nothing more comes in."""
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _write(stream: FileIO, line: bytes) -> None:
    """Write all of a line, or nothing: half of one would be the end of a file that can't be replayed."""
    before, rest = stream.tell(), memoryview(line)
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except OSError:
        with suppress(OSError):
            stream.truncate(before)
            stream.seek(before)
        raise


def wrapped(rejected: Rejected) -> dict[str, Any]:
    """A rejected document as it stands in the file."""
    place = rejected.place
    update = {"update": True} if rejected.update else {}
    line: dict[str, Any] = {WRAPPER: {"reason": rejected.reason, "file": place.file, "line": place.line, **update}}
    if rejected.id is not None:
        line["_id"] = rejected.id
    if rejected.document is not None:
        return {**line, "document": rejected.document}
    return {**line, "text": rejected.text, **({"cut": True} if rejected.cut else {})}

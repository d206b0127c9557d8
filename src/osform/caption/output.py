"""The file of descriptions: a line a picture and prompt, flushed, gone on with where an earlier run stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from osform.errors import InputError


class Descriptions:
    """The output file, open for appending and locked; knows which lines it has, and which bytes were described.

    It keeps some hundred bytes a line in memory, not the lines.
    """

    def __init__(self, path: Path) -> None:
        """Raises InputError where the file can't be written, is being written, or is no file of descriptions."""
        self._path = path
        self._done: set[bytes] = set()
        self._known: dict[bytes, int] = {}
        self.lines = self.failed = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b", buffering=0)
        except OSError as error:
            raise InputError(f"--out {path}: can't be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._take_in()
        except BlockingIOError as error:
            self._file.close()
            raise InputError(f"--out {path}: another run is writing it") from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Descriptions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def has(self, image: str, prompt: str) -> bool:
        """Whether there is a line for the picture, its error, or for that prompt of it."""
        return _key(image, prompt) in self._done or _key(image, None) in self._done

    def earlier(self, sha256: str, prompt: str) -> dict[str, Any] | None:
        """The line of a picture with the same bytes, None where there is none yet."""
        offset = self._known.get(_key(sha256, prompt))
        if offset is None:
            return None
        self._file.seek(offset)
        found: dict[str, Any] = json.loads(self._file.readline())
        return found

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line. It is the system's by the time that this returns: a kill does not lose it."""
        content = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        offset = self._file.seek(0, os.SEEK_END)
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]
        self._note(line, offset)

    def sync(self) -> None:
        """Have the disk keep what was written, a loss of power notwithstanding."""
        os.fsync(self._file.fileno())

    def _take_in(self) -> None:
        self._file.seek(0)
        offset = 0
        for number, line in enumerate(iter(self._file.readline, b""), start=1):
            if not line.endswith(b"\n"):
                self._file.truncate(offset)  # what a kill or a full disk cut off is written anew
                return
            try:
                value = json.loads(line)
                self._note(value, offset)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self._path}:{number}: no description, so this file is left alone",
                    hint="name another file with --out",
                ) from error
            offset += len(line)

    def _note(self, line: Mapping[str, Any], offset: int) -> None:
        self.lines += 1
        if "error" in line:
            self.failed += 1
            self._done.add(_key(line["image"], None))
            return
        self._done.add(_key(line["image"], line["prompt"]))
        self._known.setdefault(_key(line["sha256"], line["prompt"]), offset)


def without_errors(path: Path) -> int:
    """Take the lines of pictures that failed out of a file, so that they are tried again; how many there were."""
    if not path.exists():
        return 0
    fresh, removed = path.with_name(path.name + ".part"), 0
    with path.open("rb") as old, fresh.open("wb") as new:
        for line in old:
            if line.endswith(b"\n") and "error" in json.loads(line):
                removed += 1
            else:
                new.write(line)
        new.flush()
        os.fsync(new.fileno())
    fresh.replace(path)
    return removed


def printable(name: str) -> str:
    """A name as JSON can have it: bytes of a file's name that are no UTF-8 become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _key(text: str, prompt: str | None) -> bytes:
    mark = b"\0" if prompt is None else b"\1" + prompt.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass") + b"\0" + mark, digest_size=16).digest()

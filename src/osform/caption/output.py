"""The file of descriptions: a line a picture and prompt, flushed, gone on with where an earlier run stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from osform.errors import InputError


class Descriptions:
    """The output file, open for appending and locked; knows which lines it has, and which bytes were described.

    It keeps some hundred bytes a line in memory, not the lines.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Raises InputError where the file can't be written, is being written, or is no file of descriptions.

        ``anew`` empties it, whatever it holds, once no other run can be writing it.
        """
        self._path = path
        self._file = _locked(path)
        try:
            with _told(path):
                if anew:
                    self._file.truncate(0)
                self._take_in()
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
        """Whether there is a line for that prompt of the picture, its text or its error, or the picture's own error."""
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
        with _told(self._path):
            offset = self._file.seek(0, os.SEEK_END)
            _put(self._file, content)
        self._note(line, offset)

    def forget_errors(self) -> int:
        """Take the lines of pictures that failed out, so that they are tried again; how many there were.

        A kill leaves the old file or the new one; the lock is held on both, so that no other run comes between.
        """
        failed = self.failed
        if not failed:
            return 0
        part = self._path.with_name(self._path.name + ".part")
        part.unlink(missing_ok=True)
        fresh = _locked(part)
        try:
            with _told(self._path):
                self._file.seek(0)
                for line in iter(self._file.readline, b""):
                    if "error" not in json.loads(line):
                        _put(fresh, line)
                os.fsync(fresh.fileno())
                part.replace(self._path)
        except BaseException:
            fresh.close()
            raise
        self._file.close()
        self._file = fresh
        self._take_in()
        return failed

    def sync(self) -> None:
        """Have the disk keep what was written, a loss of power notwithstanding."""
        with _told(self._path):
            os.fsync(self._file.fileno())

    def _take_in(self) -> None:
        self._done: set[bytes] = set()
        self._known: dict[bytes, int] = {}
        self.lines = self.failed = 0
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
            self._done.add(_key(line["image"], line.get("prompt")))
            return
        self._done.add(_key(line["image"], line["prompt"]))
        self._known.setdefault(_key(line["sha256"], line["prompt"]), offset)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A full disk, and whatever else the system says of a file, as a sentence."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"--out {path}: can't be written: {error.strerror}", hint="the same command goes on where it was"
        ) from error


def _put(file: BinaryIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _locked(path: Path) -> BinaryIO:
    """The file, open for appending, that nobody else writes. Raises InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file: BinaryIO = path.open("a+b", buffering=0)
    except OSError as error:
        raise InputError(f"--out {path}: can't be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, another run may have put a file without its errors in the place of this one.
        if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise BlockingIOError
    except (BlockingIOError, FileNotFoundError) as error:
        file.close()
        raise InputError(f"--out {path}: another run is writing it") from error
    except BaseException:
        file.close()
        raise
    return file


def printable(name: str) -> str:
    """A name as JSON can have it: bytes of a file's name that are no UTF-8 become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _key(text: str, prompt: str | None) -> bytes:
    mark = b"\0" if prompt is None else b"\1" + prompt.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass") + b"\0" + mark, digest_size=16).digest()

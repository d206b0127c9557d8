"""A file of pictures that could not be used, a line of JSON each, in the words of osform caption: image and error."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO

from osform.errors import InputError


class Failures:
    """The file, made with the first line; knows which pictures it has. ``fresh`` and ``retry`` begin it anew."""

    def __init__(self, path: Path, *, fresh: bool = False, retry: bool = False) -> None:
        """Raises InputError where the file can't be written, or holds something else."""
        self.path = path
        self._names: set[str] = set()
        self._stream: IO[str] | None = None
        if not path.parent.is_dir():
            raise InputError(f"--failures {path}: there is no folder {path.parent}")
        if path.exists():
            self._take_in()  # whatever is to become of it: what holds something else is not this command's to delete
        if fresh or retry:
            path.unlink(missing_ok=True)
            self._names.clear()

    def __enter__(self) -> Failures:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def has(self, name: str) -> bool:
        """Whether a picture is recorded."""
        return name in self._names

    def add(self, name: str, reason: str) -> None:
        """Record one, at once: a run that is killed has lost none."""
        if self._stream is None:
            self._stream = self.path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")
        self._names.add(name)
        self._stream.write(json.dumps({"image": name, "error": reason}, ensure_ascii=False) + "\n")
        self._stream.flush()

    def _take_in(self) -> None:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)  # of bytes, since names may have U+2028 in them
            whole = [line for line in lines if line.endswith(b"\n")]
            self._names = {json.loads(line)["image"] for line in whole}
        except OSError as error:
            raise InputError(f"--failures {self.path}: can't be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: no file of failures, so it is left alone", hint="--failures FILE"
            ) from error
        if len(whole) < len(lines):  # a kill cut off the last line
            self.path.write_bytes(b"".join(whole))

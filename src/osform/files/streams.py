"""Bytes and lines out of files: unpacked on the way where they are gzip or zstd, in little memory, whatever their size.

What a file is packed with is seen in its first bytes and not in its name.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from osform.core.unpacking import MUCH, swollen
from osform.errors import InputError, MissingExtra
from osform.files.inputs import STDIN

BLOCK = 1 << 18
PARQUET = b"PAR1"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# Of zeros, four packed bytes become 128 KB.
_PACKED_BLOCK = 1 << 10
_RATIO = 500
"""Bytes that a packed one may become in a large file: what has more is a bomb."""
_MARK = b"\xef\xbb\xbf"  # what some editors put in front of UTF-8
_AGAIN = "mend it and run the same command again: what is in already is not sent twice"


@dataclass(frozen=True)
class Line:
    """A line with its number, counted from 1; ``cut`` means that it was longer than the limit and is its beginning."""

    number: int
    content: bytes
    cut: bool


class Source:
    """An open file, unpacked. ``size`` are its bytes on disk, 0 of standard input."""

    def __init__(self, raw: IO[bytes], size: int) -> None:
        self.size = size
        self.stream = _unpacked(raw)
        self._raw, self._unpacked = raw, 0

    @property
    def at(self) -> int:
        """Bytes taken from the disk so far, 0 where there is no size."""
        return self._raw.tell() if self.size else 0

    def lines(self, limit: int) -> Iterator[Line]:
        """Each line, at most ``limit`` bytes of it."""
        number = 0
        while line := self.stream.readline(limit + 2 + (0 if number else len(_MARK))):
            number += 1
            self._count(line)
            if number == 1:
                line = line.removeprefix(_MARK)
            cut = len(line.rstrip(b"\r\n")) > limit
            rest = line
            while cut and rest and not rest.endswith(b"\n"):
                rest = self.stream.readline(BLOCK)
                self._count(rest)
            yield Line(number, line, cut)

    def _count(self, piece: bytes) -> None:
        """Raise InputError where a file has become more than anybody's rows would."""
        self._unpacked += len(piece)
        if self.size and self._unpacked > MUCH:  # where to is asked of the disk, so only then
            too_packed(getattr(self._raw, "name", "the file"), self._unpacked, self._raw.tell())


def too_packed(name: str, unpacked: int, packed: int) -> None:
    """Raise InputError where bytes become more than anybody's rows would."""
    if said := swollen(unpacked, packed, _RATIO):
        raise InputError(f"{name}: {said}")


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """A file, or standard input, for as long as the block runs. Raises InputError where reading it goes wrong."""
    try:
        if path == STDIN:
            yield Source(sys.stdin.buffer, 0)
        else:
            with Path(path).open("rb", buffering=BLOCK) as raw:
                yield Source(raw, Path(path).stat().st_size)
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise InputError(f"{path}: can't be read to its end: {reason}", hint=_AGAIN) from error


def first_bytes(path: str) -> bytes:
    """The first four bytes of a file, nothing of standard input or a pipe: what is taken from those is gone."""
    if path == STDIN or not Path(path).is_file():
        return b""
    with Path(path).open("rb") as file:
        return file.read(4)


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    peek = getattr(raw, "peek", None)
    head = peek(4) if peek else b""
    if head.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    return cast(IO[bytes], io.BufferedReader(_Zstd(raw), BLOCK)) if head.startswith(_ZSTD) else raw


class _Zstd(io.RawIOBase):
    """Frames of zstd, one after the other. zstandard's own reader takes a file that is cut off for its end."""

    def __init__(self, raw: IO[bytes]) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise MissingExtra("zstd", "reading zstd", error) from error
        self._raw = raw
        self._wrong = zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._packed, self._held = b"", memoryview(b"")  # a view, since much may be held and be taken in small pieces
        self._within = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            packed = self._packed or self._raw.read(_PACKED_BLOCK)
            if not packed:
                if self._within:
                    raise EOFError("it ends in the middle of a zstd frame")
                return 0
            try:
                self._held = memoryview(self._frame.decompress(packed))
            except self._wrong as error:
                raise OSError(str(error)) from error
            self._within, self._packed = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = self._new()
        count = min(len(buffer), len(self._held))
        buffer[:count], self._held = self._held[:count], self._held[count:]
        return count

"""Tar files of strangers, packed or not: read as a stream, in little memory, and given up where they are bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

from osform.core.unpacking import swollen

_RATIO = 50
"""Bytes that a packed one may become in a large shard. Pictures hardly shrink."""
_MOST_HEADER = 1 << 20
"""Bytes of a long name, or of a member's other headers."""
_PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class Member(tarfile.TarInfo):
    """A member whose headers are of the size that headers have. Sparse files are none: no picture is one."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        """What tarfile calls for each block of 512 bytes that begins a member. Raises tarfile.ReadError."""
        if self.type == tarfile.GNUTYPE_SPARSE or (self.type in _HEADERS and self.size > _MOST_HEADER):
            raise tarfile.ReadError("a header that no picture needs")
        return super()._proc_member(archive)  # type: ignore[misc]

    # A sparse file of the newer sort is seen in its extended header alone, which tarfile reads by itself.
    def _refuse(self, *args: Any) -> NoReturn:
        raise tarfile.ReadError("a sparse file, which no picture is")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


@contextmanager
def unpacked(path: str) -> Iterator[IO[bytes]]:
    """The bytes of a tar file. Reading raises tarfile.ReadError once there are too many for what is on disk."""
    with Path(path).open("rb") as raw:
        head = raw.peek(6)[:6]
        opened = next((made(raw) for magic, made in _PACKED if head.startswith(magic)), None)
        yield _Counted(raw, opened) if opened is not None else raw  # type: ignore[misc]


class _Counted(io.RawIOBase):
    def __init__(self, raw: IO[bytes], stream: IO[bytes]) -> None:
        self._raw, self._stream, self._size = raw, stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._size += len(piece)
        if said := swollen(self._size, self._raw.tell(), _RATIO):
            raise tarfile.ReadError(said)
        return piece

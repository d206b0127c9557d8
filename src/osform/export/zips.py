"""Zips that are the same bytes whenever and wherever they are made."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import IO

MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
ALIGNMENT = 64  # where torch wants each tensor to begin
LOCAL_HEADER = 30  # bytes before an entry's name


def write_zip(file: IO[bytes] | str, entries: Iterable[tuple[str, bytes]], *, aligned: bool = False) -> None:
    """Write entries in the order given, each with the same date, rights and system.

    Nothing is compressed: weights hardly shrink, and zlib's bytes differ from one implementation to another.
    ``aligned`` starts every entry's bytes at a multiple of 64, as torch does.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            if aligned:
                assert archive.fp is not None
                entry.extra = _padding(archive.fp.tell() + LOCAL_HEADER + len(name.encode()))
            archive.writestr(entry, content)


def _padding(start: int) -> bytes:
    """An extra field, torch's ``FB``, that moves what would begin at ``start`` to a multiple of the alignment."""
    size = -(start + 4) % ALIGNMENT
    return b"FB" + size.to_bytes(2, "little") + b"Z" * size

"""The cache of bundles: zips under the name of their own SHA-256, so that a name can't lie for long."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import platformdirs

CHUNK = 1 << 20
_MAKING = ".export-"
_A_MOMENT = 60.0  # in which a new folder may not be held yet


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where osform keeps what it can make or fetch again: ``OSFORM_CACHE``, else the user's cache folder."""
    given = environment.get("OSFORM_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("osform"))


def path_of(cache: Path, sha256: str) -> Path:
    """Where the bundle of that hash is, or would be."""
    return cache / "bundles" / f"{sha256}.zip"


def find(cache: Path, sha256: str) -> Path | None:
    """The bundle of that hash, its bytes checked against it; None where it is missing or damaged."""
    path = path_of(cache, sha256)
    return path if path.is_file() and sha256_of(path) == sha256 else None


@contextmanager
def workplace(cache: Path) -> Iterator[Path]:
    """A folder for a bundle in the making, on the cache's own disk, so that storing it is a rename; gone at the end.

    Those of processes that were killed are cleared away first: nobody holds them.
    """
    folder = cache / "bundles"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_MAKING}*"):
        with suppress(OSError), _held(left):  # another process has it, or another one is clearing it away
            if time.time() - left.stat().st_mtime > _A_MOMENT:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_MAKING) as place, ExitStack() as holding:
        with suppress(OSError):  # some network file systems lock no folders, and then nothing is cleared away either
            holding.enter_context(_held(Path(place)))
        yield Path(place)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Raises OSError where another process has it."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def store(cache: Path, made: Path) -> tuple[str, Path]:
    """Move a finished zip into the cache; returns its SHA-256 and where it is now."""
    sha256 = sha256_of(made)
    path = path_of(cache, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.replace(path)
    return sha256, path


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

"""The cache of bundles: zips under the name of their own SHA-256, so that a name can't lie for long."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import platformdirs

CHUNK = 1 << 20


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


def workplace(cache: Path) -> Path:
    """A folder on the cache's own disk for bundles in the making, so that storing one is a rename."""
    folder = cache / "bundles"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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

"""The cache of bundles: found by hash, and only where the bytes have it."""

from __future__ import annotations

from pathlib import Path

from osform.files.bundles import cache_folder, find, path_of, sha256_of, store


def stored(cache: Path, content: bytes) -> tuple[str, Path]:
    made = cache / "made.zip"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_bytes(content)
    return store(cache, made)


def test_a_stored_bundle_is_found_under_its_hash(tmp_path: Path) -> None:
    sha256, path = stored(tmp_path, b"bytes")
    assert find(tmp_path, sha256) == path == path_of(tmp_path, sha256)
    assert sha256_of(path) == sha256


def test_a_bundle_that_was_never_stored_is_not_found(tmp_path: Path) -> None:
    assert find(tmp_path, "0" * 64) is None


def test_a_damaged_bundle_is_not_found(tmp_path: Path) -> None:
    sha256, path = stored(tmp_path, b"bytes")
    path.write_bytes(b"bites")
    assert find(tmp_path, sha256) is None


def test_the_environment_names_another_cache(tmp_path: Path) -> None:
    assert cache_folder({"OSFORM_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({}).name == "osform"

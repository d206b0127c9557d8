"""The cache of bundles: found by hash, and only where the bytes have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from osform.files.bundles import cache_folder, find, path_of, sha256_of, store, workplace


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


KILLED = """
import os, signal, sys
from pathlib import Path
from osform.files.bundles import workplace
with workplace(Path(sys.argv[1])) as place:
    (place / "bundle.zip").write_bytes(b"half of one")
    print(place, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def aged(folder: Path) -> Path:
    os.utime(folder, (1, 1))
    return folder


def test_what_a_killed_export_left_is_cleared_away_by_the_next_and_what_is_under_way_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        there = aged(Path(other.stdout.readline().strip()))
        with workplace(tmp_path) as mine:
            assert mine != there
            assert (there / "bundle.zip").exists()
        other.communicate("")
    assert there.exists()
    with workplace(tmp_path) as mine:
        assert [each.name for each in (tmp_path / "bundles").iterdir()] == [mine.name]
    assert not mine.exists()


def test_a_folder_that_was_made_just_now_is_somebodys(tmp_path: Path) -> None:
    with workplace(tmp_path) as mine:
        pass
    mine.mkdir()
    with workplace(tmp_path):
        assert mine.exists()

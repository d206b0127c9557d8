"""Runs that are killed by the system, and memory: what takes processes of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.caption import hard
from tests.caption.drawn import folder_of

pytestmark = pytest.mark.soak


def command(model: Path, out: Path, names: list[Path], batch: int) -> list[str]:
    return [sys.executable, "-m", "osform", "caption", *map(str, names), "--model", str(model), "--out", str(out),
            "--device", "cpu", "--batch", str(batch), "--workers", "2"]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_killed_five_times_and_shuffled_the_lines_are_the_same(opt: Path, tmp_path: Path, batch: int) -> None:
    names, chance = sorted(folder_of(tmp_path / "pictures", 400).glob("*.png")), random.Random(batch)
    subprocess.run(command(opt, tmp_path / "whole.jsonl", names, 64), check=True, timeout=600)
    out, killed = tmp_path / "out.jsonl", 0
    for _ in range(5):
        chance.shuffle(names)
        size = out.stat().st_size if out.exists() else 0
        process = subprocess.Popen(command(opt, out, names, batch), start_new_session=True)
        while process.poll() is None and (not out.exists() or out.stat().st_size <= size):
            time.sleep(0.01)
        time.sleep(chance.random() * 0.2)
        killed += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    chance.shuffle(names)
    subprocess.run(command(opt, out, names, batch), check=True, timeout=600)
    assert sorted(out.read_bytes().splitlines()) == sorted((tmp_path / "whole.jsonl").read_bytes().splitlines())
    assert killed >= 3


def test_sixty_hard_files_take_no_more_memory_than_a_plain_one(opt: Path, tmp_path: Path) -> None:
    """The decoder's process, which alone sees the files: a picture of 30,000 by 30,000 would be 2.7 GB."""
    hard.make(tmp_path / "hard")
    code = "import sys; from pathlib import Path; from osform.images.decoding import *; " \
        "[read(str(path), Decoding(32)) for path in sorted(Path(sys.argv[1]).iterdir())]; " \
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "hard"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200_000  # kilobytes


def test_workers_go_when_their_run_is_killed(opt: Path, tmp_path: Path) -> None:
    names = sorted(folder_of(tmp_path / "pictures", 300).glob("*.png"))
    process = subprocess.Popen(command(opt, tmp_path / "out.jsonl", names, 1))
    while not (tmp_path / "out.jsonl").exists() or not (tmp_path / "out.jsonl").stat().st_size:
        time.sleep(0.05)
    workers = _children(process.pid)
    process.kill()
    process.wait()
    end = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert len(workers) >= 2
    assert not [each for each in workers if Path(f"/proc/{each}").exists()]


def _children(parent: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

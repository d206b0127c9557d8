"""Runs that are killed by the system, and memory: what takes processes of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.caption import hard
from tests.caption.drawn import folder_of
from tests.caption.server import bad, fates, serving

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1"}  # on a busy machine, more threads wait for each other


def command(model: Path, out: Path, names: Sequence[Path], batch: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "osform", "caption", *map(str, names), "--model", str(model), "--out", str(out),
            "--device", "cpu", "--batch", str(batch), "--workers", "2", *more]  # fmt: skip


def kill(words: Sequence[str], out: Path, after: float) -> bool:
    """Kill a run, its workers too, so many seconds after it wrote its first lines; whether it was at work then."""
    size = out.stat().st_size if out.exists() else 0
    process = subprocess.Popen(words, start_new_session=True, env=ENVIRON)
    while process.poll() is None and (not out.exists() or out.stat().st_size <= size):
        time.sleep(0.005)
    time.sleep(after)
    killed = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return killed


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_killed_five_times_and_shuffled_the_lines_are_the_same(opt: Path, tmp_path: Path, batch: int) -> None:
    names, chance = sorted(folder_of(tmp_path / "pictures", 800).glob("*.png")), random.Random(batch)
    subprocess.run(command(opt, tmp_path / "whole.jsonl", names, 64), check=True, timeout=600, env=ENVIRON)
    out, killed = tmp_path / "out.jsonl", 0
    for _ in range(5):
        chance.shuffle(names)
        killed += kill(command(opt, out, names, batch), out, chance.random() * 0.1)
    lines = out.read_bytes().count(b"\n")
    chance.shuffle(names)
    subprocess.run(command(opt, out, names, batch), check=True, timeout=600, env=ENVIRON)
    assert sorted(out.read_bytes().splitlines()) == sorted((tmp_path / "whole.jsonl").read_bytes().splitlines())
    assert killed == 5
    assert 0 < lines < 800


def test_killed_while_it_downloads_it_asks_for_no_picture_twice_whose_line_is_there(opt: Path, tmp_path: Path) -> None:
    with serving(fates(400)) as site:
        words = [site.list_in(tmp_path, 400)], 7, "--connections", "8", "--allow-network", "127.0.0.0/8"
        out = tmp_path / "out.jsonl"
        killed = sum(kill(command(opt, out, *words), out, 0.1) for _ in range(3))
        there, asked = out.read_bytes().count(b"\n"), Counter(site.asked)
        done = subprocess.run(command(opt, out, *words), timeout=600, env=ENVIRON)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert (killed, done.returncode) == (3, 3)
        assert [line["image"] for line in lines] == [site.address(number) for number in range(400)]
        assert [number for number, line in enumerate(lines) if "error" in line] == bad(site.fates)
        assert {number: site.asked[number] for number in range(there)} == {each: asked[each] for each in range(there)}
        assert site.most <= 8


def peak(words: Sequence[str]) -> int:
    """The most kilobytes that a run or one of its workers had."""
    process = subprocess.Popen(words, env=ENVIRON)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 3)
    return used.ru_maxrss


def test_a_run_over_sixty_hard_files_takes_no_more_memory_than_over_plain_ones(opt: Path, tmp_path: Path) -> None:
    hard.make(tmp_path / "hard")
    folders = [folder_of(tmp_path / "plain", 60), tmp_path / "hard"]
    plain, difficult = (peak(command(opt, tmp_path / f"{each.name}.jsonl", [each], 64)) for each in folders)
    assert difficult < plain + 100_000


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
    process = subprocess.Popen(command(opt, tmp_path / "out.jsonl", names, 1), env=ENVIRON)
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

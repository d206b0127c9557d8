"""``osform caption --engine ray``: several workers of a Ray that each run starts for itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.caption import hard
from tests.caption.drawn import folder_of

pytest.importorskip("ray")
pytestmark = pytest.mark.timeout(600)


def command(model: Path, out: Path, *words: Path | str, ray: bool) -> list[str]:
    how = ("--engine", "ray", "--workers", "2", "--replicas", "2") if ray else ("--workers", "1")
    return [sys.executable, "-m", "osform", "caption", *map(str, words), "--model", str(model), "--out", str(out),
            "--device", "cpu", "--max-new-tokens", "6", "--batch", "16", "--format", "json", *how]  # fmt: skip


def table(tmp_path: Path, count: int) -> Path:
    """Pictures, every third with a prompt of its own, every fifth the same as the first."""
    folder_of(tmp_path / "many", count)
    rows = [
        {"image": f"many/{number if number % 5 else 0:04}.png", **({} if number % 3 else {"ask": f"a photo {number}"})}
        for number in range(count)
    ]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "table.jsonl"


@pytest.mark.soak  # Ray itself takes most of the two minutes
def test_ray_writes_the_bytes_that_one_process_writes(opt: Path, tmp_path: Path) -> None:
    hard.make(tmp_path / "hard")
    words = (tmp_path / "hard", table(tmp_path, 60), "--prompt-column", "ask")
    one, several = (
        subprocess.run(command(opt, tmp_path / f"{ray}.jsonl", *words, ray=ray), stdout=subprocess.PIPE, text=True)
        for ray in (False, True)
    )
    assert (one.returncode, several.returncode) == (3, 3)
    assert (tmp_path / "True.jsonl").read_bytes() == (tmp_path / "False.jsonl").read_bytes()
    figures = [json.loads(each.stdout) for each in (one, several)]
    for name in ("pictures", "described", "repeated", "failed", "lines", "finished"):
        assert figures[0][name] == figures[1][name], name


@pytest.mark.soak
def test_killed_with_ray_and_gone_on_with_without_it_the_bytes_are_the_same(opt: Path, tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "many", 600), tmp_path / "out.jsonl"
    subprocess.run(command(opt, tmp_path / "whole.jsonl", folder, ray=False), check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(command(opt, out, folder, ray=True), start_new_session=True, stdout=subprocess.DEVNULL)
    while process.poll() is None and (not out.exists() or not out.stat().st_size):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lines = out.read_bytes().count(b"\n")
    assert 0 < lines < 600
    subprocess.run(command(opt, out, folder, ray=False), check=True, stdout=subprocess.DEVNULL)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()

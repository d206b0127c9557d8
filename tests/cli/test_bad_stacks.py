"""Bad stacks, as a user would have them: each is the folder ``tests/specs/base`` with the files of its own laid over.

``expected.txt`` holds every line that the command writes. ``args`` are words of the command line, ``remove`` names
files of the base that the bad stack lacks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.cli.main import main
from tests.serving import Quiet, listening

SPECS = Path(__file__).parents[1] / "specs"
CASES = sorted(each.name for each in SPECS.iterdir() if each.is_dir() and each.name != "base")


class Counter:
    """A port that stands where a cluster would, and counts who comes."""

    def __init__(self) -> None:
        self.connections: list[object] = []
        self.url = ""


@pytest.fixture(scope="module")
def counter() -> Iterator[Counter]:
    counter = Counter()

    class Handler(Quiet):
        def handle(self) -> None:
            counter.connections.append(self.client_address)

    with listening(Handler) as counter.url:
        yield counter


def laid_out(case: str, folder: Path) -> list[str]:
    """The bad stack in a folder of its own, and the words that its command line has."""
    shutil.copytree(SPECS / "base", folder, dirs_exist_ok=True)
    shutil.copytree(SPECS / case, folder, dirs_exist_ok=True)
    for name in _words(SPECS / case / "remove"):
        (folder / name).unlink()
    return _words(SPECS / case / "args")


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("case", CASES)
def test_a_bad_stack_is_told_in_full_and_no_request_is_sent(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], counter: Counter
) -> None:
    words = laid_out(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    expected = (SPECS / case / "expected.txt").read_text(encoding="utf-8")
    for command in (["validate"], ["plan", "--cluster", counter.url], ["apply", "--yes", "--cluster", counter.url]):
        assert run([*command, *words]) == 1
        assert capsys.readouterr() == ("", expected)
    assert counter.connections == []


def test_the_base_itself_has_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SPECS / "base", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert run(["validate", "--env", "production"]) == 0
    assert capsys.readouterr() == ("photos (production): 6 resources, no mistake found\n", "")


def test_every_line_names_a_place_an_expectation_and_a_next_step() -> None:
    for case in CASES:
        for line in (SPECS / case / "expected.txt").read_text(encoding="utf-8").splitlines():
            place, _, rest = line.removeprefix("error: ").partition(": ")
            assert place.startswith(("provision/", "templates/", "models/", "--env", "--var")), line
            assert "; " in rest, f"no next step in {case}: {line}"


def test_the_program_says_the_same_without_a_traceback_and_ends_with_1(tmp_path: Path, counter: Counter) -> None:
    laid_out("many_at_once", tmp_path)
    words = [sys.executable, "-m", "osform", "apply", "--yes", "--cluster", counter.url]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ), check=False)
    expected = (SPECS / "many_at_once" / "expected.txt").read_text(encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
    assert counter.connections == []

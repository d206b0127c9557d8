"""How far a load has got is found by the same load, and by no other."""

from __future__ import annotations

from pathlib import Path

from osform.files.checkpoints import Checkpoint, fingerprint
from osform.files.inputs import resolve


def lines(path: Path, text: str = "{}\n") -> str:
    path.write_text(text)
    return str(path)


def test_what_was_reached_is_found_by_the_next_run_until_it_is_through(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "a").reached(1200, now=True)
    again = Checkpoint(tmp_path, "a")
    assert (again.rows, Checkpoint(tmp_path, "b").rows) == (1200, 0)
    again.finished()
    assert Checkpoint(tmp_path, "a").rows == 0


def test_a_folder_that_can_not_be_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = Checkpoint(tmp_path / "file", "a")
    one.reached(1200, now=True)
    one.finished()
    assert Checkpoint(tmp_path / "file", "a").rows == 0


def test_it_is_written_every_few_seconds_and_not_all_the_time(tmp_path: Path) -> None:
    now = [0.0]
    one = Checkpoint(tmp_path, "a", clock=lambda: now[0], every=2.0)
    one.reached(10)
    assert Checkpoint(tmp_path, "a").rows == 0
    now[0] = 3.0
    one.reached(20)
    assert Checkpoint(tmp_path, "a").rows == 20


def test_a_second_run_that_ends_before_the_first_one_did_loses_nothing(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "a").reached(1200, now=True)
    Checkpoint(tmp_path, "a").reached(3, now=True)
    assert Checkpoint(tmp_path, "a").rows == 1200


def test_another_file_or_another_way_of_reading_it_is_another_load(tmp_path: Path) -> None:
    inputs = resolve([lines(tmp_path / "a.jsonl")])
    first = fingerprint(inputs, "index", None)
    assert first == fingerprint(inputs, "index", None)
    assert first != fingerprint(inputs, "another index", None)
    lines(tmp_path / "a.jsonl", "{}\n{}\n")
    assert first != fingerprint(inputs, "index", None)


def test_standard_input_has_no_second_time(tmp_path: Path) -> None:
    assert fingerprint(resolve(["-"])) is None
    none = Checkpoint(tmp_path, None)
    none.reached(5, now=True)
    none.finished()
    assert (none.rows, list(tmp_path.iterdir())) == (0, [])


def test_a_note_that_can_not_be_read_or_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "loads").mkdir()
    (tmp_path / "loads" / "a.json").write_text("[1")
    assert Checkpoint(tmp_path, "a").rows == 0
    (tmp_path / "file").write_text("")
    Checkpoint(tmp_path / "file", "a").reached(5, now=True)

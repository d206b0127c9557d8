"""The desk of a load that several processes do: what it is told stays, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

from osform.core.events import Warned
from osform.core.rows import Rejected
from osform.errors import Place
from osform.flows.load.desk import Desk


def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "state", ["first", "second"], tmp_path / "dead.jsonl")


def test_how_far_a_part_has_got_is_known_to_the_next_run(tmp_path: Path) -> None:
    desk(tmp_path).reached(1, 700)
    assert [desk(tmp_path).settled(part) for part in (0, 1)] == [0, 700]


def test_a_part_that_is_begun_again_goes_on_from_there_in_the_same_run(tmp_path: Path) -> None:
    one = desk(tmp_path)
    one.reached(0, 300)
    one.reached(0, 200)  # the second try has not yet come to where the first one was
    assert one.settled(0) == 300


def test_nothing_is_noted_any_more_once_all_is_through(tmp_path: Path) -> None:
    one = desk(tmp_path)
    one.reached(0, 300)
    one.finished()
    assert desk(tmp_path).settled(0) == 0


def test_what_failed_is_in_the_file_at_once_and_counted(tmp_path: Path) -> None:
    one = desk(tmp_path)
    one.letter(Rejected(Place("a.parquet", 3), "too long", id="r3", document={"text": "x"}))
    one.close()
    assert json.loads((tmp_path / "dead.jsonl").read_text())["_id"] == "r3"
    assert one.news().failed == 1


def test_what_is_told_is_passed_on_once(tmp_path: Path) -> None:
    one = desk(tmp_path)
    one.told(Warned("a word"))
    one.advanced(0, 5)
    one.advanced(0, 9)
    first, second = one.news(), one.news()
    assert (first.events, first.done, second.events, second.done) == ((Warned("a word"),), {0: 9}, (), {0: 9})

"""The dead-letter file: nothing is lost in it, and `osform ingest` reads it as it is."""

from __future__ import annotations

import json
import resource
from itertools import pairwise
from pathlib import Path

import pytest

from osform.core.rows import Rejected, Row
from osform.errors import InputError, Place
from osform.files.dead_letters import DeadLetters
from osform.files.documents import Reader
from osform.files.inputs import Input


def bury(path: Path, rows: list[Row | Rejected]) -> None:
    with DeadLetters(path) as letters:
        for row in rows:
            letters.add(row.rejected("the server said no") if isinstance(row, Row) else row)


def test_no_file_is_made_where_nothing_fails(tmp_path: Path) -> None:
    bury(tmp_path / "d.jsonl", [])
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read_again_as_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "é"}\n{"_id": "x", "t": 2}\n{"id": 3}\n')
    rows = list(Reader([Input(str(tmp_path / "a.jsonl"), "jsonl")]))
    bury(tmp_path / "d.jsonl", rows)
    again = list(Reader([Input(str(tmp_path / "d.jsonl"), "jsonl")]))
    assert [(row.id, row.text) for row in again if isinstance(row, Row)] == [
        (row.id, row.text) for row in rows if isinstance(row, Row)
    ]


def test_a_disk_that_is_full_ends_the_run_and_leaves_whole_lines(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    letter = Rejected(Place("a.jsonl", 7), "wrong", id="r7", document={"t": "x" * 300})
    with DeadLetters(tmp_path / "d.jsonl") as letters:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))  # stands for the disk's end
        try:
            letters.add(letter)
            letters.add(letter)
            with pytest.raises(InputError, match=r"d.jsonl: can't be written: .*; a.jsonl:7 is not in it"):
                letters.add(letter)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    lines = (tmp_path / "d.jsonl").read_text().splitlines()
    assert [json.loads(line)["_id"] for line in lines] == ["r7", "r7"]


def test_a_line_says_why_and_from_where(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n{oops\n")
    bury(tmp_path / "d.jsonl", list(Reader([Input(str(tmp_path / "a.jsonl"), "jsonl")])))
    line = json.loads((tmp_path / "d.jsonl").read_text())
    assert line["text"] == "{oops\n"
    assert line["_dead_letter"]["line"] == 2
    assert "not JSON" in line["_dead_letter"]["reason"]


@pytest.mark.parametrize(
    "content", [b"{oops", b'"\xff"', b'{"a": "\\ud800"}', b'{"id": "' + b"x" * 600 + b'", "a": 1}', b'{"a": 1, "a": 2}']
)
def test_what_is_still_wrong_is_rejected_again_with_the_same_content(tmp_path: Path, content: bytes) -> None:
    names = ["a.jsonl", "b.jsonl", "c.jsonl"]
    (tmp_path / names[0]).write_bytes(content)
    for source, target in pairwise(names):
        bury(tmp_path / target, list(Reader([Input(str(tmp_path / source), "jsonl")])))
    first, second = (json.loads((tmp_path / name).read_text()) for name in names[1:])
    assert {key: value for key, value in first.items() if key != "_dead_letter"} == {
        key: value for key, value in second.items() if key != "_dead_letter"
    }


def test_a_line_that_was_cut_sends_the_reader_to_the_whole_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "' + "x" * 5000 + '"}')
    bury(tmp_path / "d.jsonl", list(Reader([Input(str(tmp_path / "a.jsonl"), "jsonl")], limit=2000)))
    (row,) = Reader([Input(str(tmp_path / "d.jsonl"), "jsonl")])
    assert isinstance(row, Rejected)
    assert row.reason == f"only the beginning was kept; the whole line is at {tmp_path}/a.jsonl:1"


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("precious")
    with pytest.raises(InputError, match="there already"):
        DeadLetters(tmp_path / "d.jsonl")


def test_a_folder_that_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder that can be written to"):
        DeadLetters(tmp_path / "no" / "d.jsonl")

"""The file of pictures that could not be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import InputError
from osform.files.failures import Failures


def test_what_was_recorded_is_known_the_next_time(tmp_path: Path) -> None:
    with Failures(tmp_path / "failed.jsonl") as file:
        file.add("a.jpg", "HTTP 404")
    assert Failures(tmp_path / "failed.jsonl").has("a.jpg")


def test_a_line_that_a_kill_cut_off_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    path.write_text('{"image": "a.jpg", "error": "x"}\n{"image": "b.j')
    file = Failures(path)
    assert (file.has("a.jpg"), path.read_text().count("\n")) == (True, 1)


def test_names_with_other_ends_of_lines_in_them_are_known_the_next_time(tmp_path: Path) -> None:
    with Failures(tmp_path / "failed.jsonl") as file:
        file.add("a\u2028\x85\x0c\r\n.jpg", "HTTP 404")
    assert Failures(tmp_path / "failed.jsonl").has("a\u2028\x85\x0c\r\n.jpg")


@pytest.mark.parametrize("how", [{}, {"retry": True}, {"fresh": True}])
def test_another_file_is_left_alone(tmp_path: Path, how: dict[str, bool]) -> None:
    path = tmp_path / "failed.jsonl"
    path.write_text("notes of mine\n")
    with pytest.raises(InputError, match="left alone"):
        Failures(path, **how)
    assert path.read_text() == "notes of mine\n"


def test_to_retry_it_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    path.write_text('{"image": "a.jpg", "error": "x"}\n')
    assert not Failures(path, retry=True).has("a.jpg")


def test_nothing_failed_is_no_file(tmp_path: Path) -> None:
    with Failures(tmp_path / "failed.jsonl"):
        pass
    assert not (tmp_path / "failed.jsonl").exists()

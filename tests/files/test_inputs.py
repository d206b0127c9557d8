"""Which files are read, and as what."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import InputError
from osform.files.inputs import Input, resolve, size_of


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}\n")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "jsonl"), ("a.ndjson.gz", "jsonl"), ("a.csv", "csv"), ("A.CSV.ZST", "csv"), ("a.tsv", "tsv"),
        ("a.parquet", "parquet"), ("rows", "jsonl"), ("a.txt", "jsonl"), ("a.csv.txt", "jsonl"),
    ],
)  # fmt: skip
def test_a_files_name_tells_its_format(tmp_path: Path, name: str, kind: str) -> None:
    lay(tmp_path, name)
    assert resolve([str(tmp_path / name)]) == (Input(str(tmp_path / name), kind),)  # type: ignore[arg-type]


def test_a_folder_stands_for_its_files_at_any_depth_but_not_for_the_dead(tmp_path: Path) -> None:
    lay(tmp_path, "b/2.csv", "b/1.jsonl.gz", "a.parquet", "notes.md", ".hidden.jsonl", ".git/x.jsonl",
        "rows-1.dead-letter.jsonl")  # fmt: skip
    found = [Path(each.path).relative_to(tmp_path).as_posix() for each in resolve([str(tmp_path)])]
    assert found == ["a.parquet", "b/1.jsonl.gz", "b/2.csv"]


def test_a_pattern_stands_for_the_files_that_fit_in_order(tmp_path: Path) -> None:
    lay(tmp_path, "2.jsonl", "1.jsonl", "x/3.jsonl", "4.csv")
    assert [Path(each.path).name for each in resolve([str(tmp_path / "**/*.jsonl")])] == [
        "1.jsonl",
        "2.jsonl",
        "3.jsonl",
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    lay(tmp_path, "rows[1].jsonl", "rows1.jsonl")
    assert [Path(each.path).name for each in resolve([str(tmp_path / "rows[1].jsonl")])] == ["rows[1].jsonl"]


def test_a_format_that_is_given_overrides_the_names(tmp_path: Path) -> None:
    lay(tmp_path, "a.txt")
    assert resolve([str(tmp_path / "a.txt"), "-"], "csv") == (Input(str(tmp_path / "a.txt"), "csv"), Input("-", "csv"))


def test_everything_that_cannot_be_read_is_named_together(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        resolve([str(tmp_path / "no.jsonl"), str(tmp_path / "empty"), str(tmp_path / "*.csv")])
    assert "no.jsonl: there is no such file" in caught.value.message
    assert "empty: a folder without a file to read" in caught.value.message
    assert "*.csv: no file is like that" in caught.value.message


def test_standard_input_is_read_once_and_never_as_parquet() -> None:
    with pytest.raises(InputError, match="once only"):
        resolve(["-", "-"])
    with pytest.raises(InputError, match="Parquet can't be read from standard input"):
        resolve(["-"], "parquet")


def test_bytes_are_known_of_files_alone(tmp_path: Path) -> None:
    lay(tmp_path, "a.jsonl", "b.jsonl")
    assert size_of(resolve([str(tmp_path)])) == 6
    assert size_of([Input("-", "jsonl")]) is None

"""Parquet in parts: all rows once, whoever reads them, and the ids that more than one row has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from osform.core.rows import Row
from osform.errors import InputError
from osform.files.checkpoints import fingerprint
from osform.files.documents import Reader
from osform.files.inputs import Input
from osform.files.parts import Part, id_hash, id_hashes, parts_of, repeated


def write(path: Path, rows: Sequence[dict[str, Any]], group: int) -> Input:
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path, row_group_size=group)
    return Input(str(path), "parquet")


def rows(part: Part, **options: Any) -> list[Row]:
    return [row for row in Reader(part.inputs, **options) if isinstance(row, Row)]


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3), group=st.integers(1, 12), part=st.integers(1, 30))
def test_parts_have_every_row_once_in_its_place(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], group: int, part: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    inputs = [
        write(folder / f"{n}.parquet", [{"id": f"{n}-{row}"} for row in range(size)], group)
        for n, size in enumerate(sizes)
    ]
    parts = parts_of(inputs, part)
    whole = [(row.id, row.place) for row in Reader(inputs) if isinstance(row, Row)]
    assert [(row.id, row.place) for each in parts for row in rows(each)] == whole
    assert [each.rows for each in parts] == [len(rows(each)) for each in parts]


def test_a_part_has_whole_row_groups_and_about_so_many_rows(tmp_path: Path) -> None:
    each = write(tmp_path / "a.parquet", [{"id": n} for n in range(100)], 10)
    assert [part.inputs[0].groups for part in parts_of([each], 25)] == [(0, 3), (3, 6), (6, 9), (9, 10)]


def test_parts_are_noted_apart(tmp_path: Path) -> None:
    parts = parts_of([write(tmp_path / "a.parquet", [{"id": n} for n in range(20)], 5)], 10)
    assert len({fingerprint(part.inputs, "index") for part in parts}) == 2


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InputError, match=r"a\.jsonl is not Parquet"):
        parts_of([Input(str(tmp_path / "a.jsonl"), "jsonl")])


def test_ids_that_are_there_twice_are_found_under_whatever_name(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}, {"sku": None, "n": 3}], 2)
    second = write(tmp_path / "b.parquet", [{"sku": "b", "n": 4}, {"sku": "c", "n": 5}, {"sku": None, "n": 6}], 2)
    parts = parts_of([first, second], 1)
    for id_field, mapped in (("sku", {}), (None, {"sku": "_id"}), ("key", {"sku": "key"})):
        assert repeated(id_hashes(part, id_field, mapped) for part in parts) == {id_hash("b")}
    assert repeated(id_hashes(part, None, {}) for part in parts) == set()


def test_numbers_and_texts_may_be_the_same_id(tmp_path: Path) -> None:
    numbers = write(tmp_path / "a.parquet", [{"id": 7}], 1)
    texts = write(tmp_path / "b.parquet", [{"id": "7"}], 1)
    assert repeated(id_hashes(part, None, {}) for part in parts_of([numbers, texts])) == {id_hash("7")}


def test_rows_that_are_not_wanted_are_neither_read_nor_counted(tmp_path: Path) -> None:
    each = write(tmp_path / "a.parquet", [{"id": "a"}, {"id": "b"}, {"id": "x" * 600}], 5)
    reader = Reader([each], wanted=lambda id: id == "b", documents_only=True)
    assert [(row.id, row.number) for row in reader if isinstance(row, Row)] == [("b", 0)]
    assert reader.read == 1

"""CSV, TSV and Parquet: every row a document, or a reason and a place."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from osform.core.rows import Rejected, Row
from osform.errors import InputError
from osform.files.documents import Reader, count_rows
from osform.files.inputs import Input, Kind
from tests.bounds import harmless


def read(path: Path, content: str | bytes, kind: Kind = "csv", **options: Any) -> list[Row | Rejected]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Reader([Input(str(path), kind)], **options))


def sources(rows: list[Row | Rejected]) -> list[Any]:
    return [dict(row.source) if isinstance(row, Row) else row.reason for row in rows]


def test_the_first_row_names_the_fields_and_an_empty_cell_is_missing(tmp_path: Path) -> None:
    rows = read(tmp_path / "a", 'id,text,price\nr1,"a ""red"" shoe, new",9.5\nr2,,\n\n')
    assert sources(rows) == [{"id": "r1", "text": 'a "red" shoe, new', "price": "9.5"}, {"id": "r2"}]


def test_a_cell_may_hold_a_line_break_and_places_are_those_of_the_file(tmp_path: Path) -> None:
    rows = read(tmp_path / "a", 'id,text\r\nr1,"two\r\nlines"\r\nr2,one\r\n')
    assert [(row.place.line, row.source["text"]) for row in rows if isinstance(row, Row)] == [
        (2, "two\r\nlines"),
        (4, "one"),
    ]


def test_tabs_separate_where_the_file_is_tsv(tmp_path: Path) -> None:
    assert sources(read(tmp_path / "a", "id\ttext\nr1\ta, b\n", "tsv")) == [{"id": "r1", "text": "a, b"}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"r1,a,b\n", "3 cells, where the first row names 2 columns"),
        (b"r1\n", "1 cells, where the first row names 2 columns"),
        (b"r1,caf\xe9\n", "not UTF-8: byte 0xe9 in the column 'text'"),
        (b'r1,"' + b"x" * 3_000 + b'"\n', "the line is longer than 2,000 bytes"),
    ],
)
def test_a_row_that_is_none_is_rejected_and_the_next_one_is_read(tmp_path: Path, line: bytes, reason: str) -> None:
    bad, good = read(tmp_path / "a", b"id,text\n" + line + b"r2,fine\n", limit=2_000)
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.place.line) == (reason, 2)
    assert isinstance(good, Row)
    assert (good.id, good.place.line) == ("r2", 3)


@pytest.mark.parametrize("behind", ["r3,a hat\nr4,a coat\n", 'r3,"a hat"\n'])
def test_rows_behind_a_quote_that_is_never_closed_are_not_taken_for_a_cell(tmp_path: Path, behind: str) -> None:
    good, bad, *_ = read(tmp_path / "a", f'id,text\nr1,fine\nr2,"a shoe\n{behind}')
    assert isinstance(good, Row)
    assert isinstance(bad, Rejected)
    assert ("opened in line 3 never closed" in bad.reason, bad.place.line) == (True, 3)
    assert bad.text == f'r2,"a shoe\n{behind}'


def test_a_quote_within_one_line_is_taken_as_it_stands(tmp_path: Path) -> None:
    rows = read(tmp_path / "a", 'id,text\nr1,"5" monitor\nr2,5" disc\n')
    assert sources(rows) == [{"id": "r1", "text": "5 monitor"}, {"id": "r2", "text": '5" disc'}]


@pytest.mark.parametrize("behind", ["r1,fine\n", 'r1,"fine"\nr2,fine\n'])
def test_a_first_row_whose_quote_is_never_closed_names_no_columns(tmp_path: Path, behind: str) -> None:
    with pytest.raises(InputError, match="first row"):
        read(tmp_path / "a", f'"id,text\n{behind}')


def test_the_last_row_needs_no_line_break(tmp_path: Path) -> None:
    assert sources(read(tmp_path / "a", 'id,text\nr1,"a ""red"" shoe"')) == [{"id": "r1", "text": 'a "red" shoe'}]


@pytest.mark.parametrize("content", ["\n", "a,,b\n1,2,3\n", "a,b,a\n1,2,3\n"])
def test_columns_need_names_each_one_of_its_own(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="first row"):
        read(tmp_path / "a", content)


def test_fields_get_the_names_that_they_are_to_have_before_anything_looks_at_them(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "a", "sku,descr,x\n7,a shoe,1\n", mapped={"descr": "text", "x": None}, id_field="sku")
    assert isinstance(row, Row)
    assert (row.id, row.source) == ("7", {"sku": "7", "text": "a shoe"})


def test_two_fields_of_one_name_are_refused(tmp_path: Path) -> None:
    assert sources(read(tmp_path / "a", "a,b\n1,2\n", mapped={"a": "b"})) == ["two fields would be called 'b'"]


def write(path: Path, rows: list[dict[str, Any]]) -> Input:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)
    return Input(str(path), "parquet")


def test_parquet_types_become_what_json_has(tmp_path: Path) -> None:
    when = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
    rows = [
        {"n": 1, "f": 0.5, "t": "é", "when": when, "day": date(2025, 1, 2), "price": Decimal("9.90"), "raw": b"\0\1",
         "tags": ["a", "b"], "inner": {"x": 1, "y": None}, "ok": True, "none": None},
    ]  # fmt: skip
    (found,) = sources(list(Reader([write(tmp_path / "a.parquet", rows)])))
    assert found == {
        "n": 1, "f": 0.5, "t": "é", "when": "2025-01-02T03:04:00+00:00", "day": "2025-01-02", "price": 9.9,
        "raw": "AAE=", "tags": ["a", "b"], "inner": {"x": 1}, "ok": True,
    }  # fmt: skip


def test_parquet_has_nothing_where_pandas_says_nan_and_infinity_is_refused(tmp_path: Path) -> None:
    each = write(tmp_path / "a.parquet", [{"n": 1, "f": float("nan")}, {"n": 2, "f": float("inf")}])
    assert sources(list(Reader([each]))) == [{"n": 1}, "inf is no JSON number"]


NOT_UTF8 = pyarrow.Array.from_buffers(
    pyarrow.string(), 2, [None, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0\3\0\0\0"), pyarrow.py_buffer(b"\xff\xfea")]
)


@pytest.mark.parametrize(
    "column",
    [
        NOT_UTF8, pyarrow.array([10**15, 1], pyarrow.timestamp("s")), pyarrow.array([10**7, 1], pyarrow.date32()),
        pyarrow.array([[("a", 1), ("a", 2)], [("b", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
    ],
    ids=["text", "time", "date", "map"],
)  # fmt: skip
def test_a_value_in_parquet_that_can_be_none_in_json_fails_its_row_alone(tmp_path: Path, column: Any) -> None:
    parquet.write_table(pyarrow.table({"n": [1, 2], "odd": column}), tmp_path / "a.parquet")
    bad, good = Reader([Input(str(tmp_path / "a.parquet"), "parquet")])
    assert isinstance(bad, Rejected)
    assert (bad.reason.startswith("'odd' has no form in JSON: "), bad.text) == (True, "{'n': 1}")
    assert isinstance(good, Row)
    assert good.source["n"] == 2


def test_parquet_rows_are_counted_and_numbered(tmp_path: Path) -> None:
    each = write(tmp_path / "rows", [{"n": number} for number in range(5)])
    assert [row.place.line for row in Reader([Input(each.path, "jsonl")])] == [
        1,
        2,
        3,
        4,
        5,
    ]  # known by its first bytes
    assert count_rows([each]) == 5


def test_what_is_no_parquet_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing of the kind")
    with pytest.raises(InputError, match="no Parquet file that can be read"):
        list(Reader([Input(str(tmp_path / "a.parquet"), "parquet")]))


def test_a_column_that_unpacks_to_gigabytes_is_not_read(tmp_path: Path) -> None:
    table = pyarrow.table({"t": [" " * (70 << 20)]})
    parquet.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    with harmless(), pytest.raises(InputError, match="unpacks to more than 500 times its size"):
        list(Reader([Input(str(tmp_path / "a.parquet"), "parquet")]))


def test_a_large_value_that_is_stored_once_for_all_rows_is_read_in_little_memory(tmp_path: Path) -> None:
    values = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 8_000, pyarrow.int32()), [" " * (1 << 18)])
    table = pyarrow.table({"n": range(8_000), "t": values})  # 2 GB in all
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)
    with harmless():
        rows = iter(Reader([Input(str(tmp_path / "a.parquet"), "parquet")]))
        assert sum(1 for _ in islice(rows, 200)) == 200


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(exclude_categories=["Cs"])), min_size=1)))
def test_a_table_gives_the_same_ids_as_json_lines_do(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    full = [{key: value for key, value in row.items() if value} for row in rows]
    full = [row for row in full if row]
    lines, table = folder / "rows.jsonl", folder / "rows.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in full))
    schema = pyarrow.schema([(name, pyarrow.string()) for name in "abc"])
    parquet.write_table(pyarrow.Table.from_pylist(full, schema=schema), table)
    inputs = Input(str(lines), "jsonl"), Input(str(table), "parquet")
    one, other = ([row.id for row in Reader([each]) if isinstance(row, Row)] for each in inputs)
    assert one == other

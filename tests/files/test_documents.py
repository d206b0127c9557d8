"""Rows of files: ids that stay, and a place and reason for every line that is no document."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.rows import Rejected, Row
from osform.errors import Place
from osform.files.documents import ID_LIMIT, Reader, count_rows, row
from osform.files.inputs import Input
from osform.files.records import Unusable, parse

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
    alphabet=st.characters(exclude_categories=["Cs"])
)  # fmt: skip
documents = st.dictionaries(
    st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])).filter(lambda key: key not in ("_id", "id")),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    min_size=1,
)


def read(tmp_path: Path, content: bytes | str, **options: Any) -> list[Row | Rejected]:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Reader([Input(str(path), "jsonl")], **options))


def identified(document: dict[str, Any]) -> tuple[str, Any]:
    made = row(document, Place("a"), 0, None)
    return made.id, made.source


def reason(tmp_path: Path, content: bytes | str, **options: Any) -> str:
    (found,) = read(tmp_path, content, **options)
    assert isinstance(found, Rejected)
    return found.reason


@given(documents, st.randoms())
def test_an_id_depends_on_the_row_and_not_on_how_it_is_written(document: dict[str, Any], chance: Any) -> None:
    keys = list(document)
    chance.shuffle(keys)
    shuffled = json.dumps({key: document[key] for key in keys}, indent=chance.choice([None, 3])).replace("\n", " ")
    assert identified(parse(shuffled.encode())) == identified(document)


@given(documents)
def test_every_document_that_json_can_say_becomes_a_row_of_one_line(document: dict[str, Any]) -> None:
    id, source = identified(parse(json.dumps(document).encode()))
    assert (len(id), source) == (64, document)


@given(st.binary())
def test_no_line_whatsoever_is_more_than_unusable(line: bytes) -> None:
    with suppress(Unusable):
        identified(parse(line))


def test_an_id_is_the_rows_own_before_it_is_a_hash(tmp_path: Path) -> None:
    rows = read(tmp_path, '{"_id": "a", "id": "b", "t": 1}\n{"id": 7, "t": 1}\n{"t": 1}\n')
    assert [row.id for row in rows][:2] == ["a", "7"]
    assert rows[2].id == identified({"t": 1})[0]


def test_the_field_that_is_named_holds_the_id_and_stays_in_the_document(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '{"sku": "x1", "id": "b"}', id_field="sku")
    assert isinstance(row, Row)
    assert (row.id, row.source) == ("x1", {"sku": "x1", "id": "b"})


def test_the_key__id_is_taken_out_since_the_server_refuses_it_inside(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '{"_id": "a", "t": 1}')
    assert isinstance(row, Row)
    assert row.text == '{"t":1}'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a": 1', "not JSON: Expecting ',' delimiter at column 8"),
        (b"[1, 2]", "an array, where an object with the document's fields was expected"),
        (b"null", "null, where an object"),
        (b'{"a": "caf\xe9"}', "not UTF-8: byte 0xe9 at position 11"),
        (b"\xff\xd8\xff\xe0JFIF", "not UTF-8"),
        (b'{"a": "x\x00y"}', "a NUL byte"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1e999}', "a number beyond what can be stored"),
        (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON that can be indexed"),
        (b"{}", "an object without any field"),
        (b'{"id": null, "a": 1}', "'id' is null, and an id is a text or a whole number"),
        (b'{"_id": "", "a": 1}', "'_id' is \"\""),
        (b'{"id": "' + b"x" * 513 + b'", "a": 1}', f"'id' has 513 bytes, and an id has at most {ID_LIMIT}"),
    ],
)
def test_a_line_that_is_no_document_is_rejected_with_the_reason(tmp_path: Path, line: bytes, expected: str) -> None:
    assert expected in reason(tmp_path, line)


def test_a_bad_line_stops_nothing_and_keeps_its_place(tmp_path: Path) -> None:
    rows = read(tmp_path, '{"a": 1}\r\n\n  \nnot json\n{"a": 2}')
    assert [(type(row), row.place.line) for row in rows] == [(Row, 1), (Rejected, 4), (Row, 5)]


def test_a_line_beyond_the_limit_is_cut_and_the_next_one_is_read(tmp_path: Path) -> None:
    long, short = read(tmp_path, '{"a": "' + "x" * 3_000_000 + '"}\n{"a": 1}\n', limit=100)
    assert isinstance(long, Rejected)
    assert (long.cut, long.reason) == (True, "the line is longer than 100 bytes")
    assert isinstance(short, Row)


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '{"a": "bcd"}\n', limit=12)
    assert isinstance(row, Row)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (row,) = read(tmp_path, b'\xef\xbb\xbf{"a": 1}')
    assert isinstance(row, Row)


def test_a_second_document_with_the_same_id_is_rejected_and_says_where_the_first_is(tmp_path: Path) -> None:
    _, second = read(tmp_path, '{"id": 1, "a": 1}\n{"id": "1", "a": 2}\n')
    assert isinstance(second, Rejected)
    assert second.reason == f"the id '1' already belongs to another document, at {tmp_path}/rows.jsonl:1"


def test_the_very_same_document_again_is_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"b": 2, "a": 1}\n{"a": 1, "b": 2}\n')
    reader = Reader([Input(str(path), "jsonl")])
    assert len(list(reader)) == 1
    assert (reader.read, reader.repeated) == (2, 1)


def test_a_field_that_is_to_hold_the_id_must_be_there(tmp_path: Path) -> None:
    assert reason(tmp_path, '{"a": 1}', id_field="sku") == "there is no 'sku', which --id names"


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n')))
    (row,) = Reader([Input("-", "jsonl")])
    assert str(row.place) == "-:1"


def test_lines_are_counted_with_and_without_a_last_newline(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("{}\n2\n")
    (tmp_path / "b").write_text("{}\n2\n3")
    assert count_rows([Input(str(tmp_path / name), "jsonl") for name in "ab"]) == 5
    assert count_rows([Input("-", "jsonl")]) is None


def test_memory_stays_bounded_whatever_the_file_holds(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big.jsonl"
    with path.open("w") as stream:
        for number in range(6_000):
            stream.write(json.dumps({"text": f"row {number} " + "x" * 200}) + "\n")
    tracemalloc.start()
    assert sum(1 for _ in Reader([Input(str(path), "jsonl")])) == 6_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("prompt", ["", '"prompt": "an <image> of", '])
def test_a_picture_that_was_not_described_is_no_document(tmp_path: Path, prompt: str) -> None:
    line = f'{{"image": "a.jpg", {prompt}"error": "an empty file"}}'
    assert reason(tmp_path, line) == "a.jpg was not described: an empty file"

"""Packed files: what comes out is what went in, and one that is damaged says so."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, example, given
from hypothesis import strategies as st

from osform.core.rows import Row
from osform.errors import InputError
from osform.files.documents import Reader
from osform.files.inputs import Input
from osform.files.streams import opened
from tests.bounds import harmless

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress,
}  # fmt: skip
packers = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
LINES = b"".join(b'{"number": %d}\n' % number for number in range(20_000))


def read(path: Path) -> list[str]:
    return [row.id for row in Reader([Input(str(path), "jsonl")], id_field="number") if isinstance(row, Row)]


@packers
def test_rows_are_the_same_however_a_file_is_packed_and_called(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "rows").write_bytes(pack(LINES))
    assert read(tmp_path / "rows") == [str(number) for number in range(20_000)]


@packers
def test_pieces_packed_one_after_the_other_are_one_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "rows").write_bytes(pack(LINES[:150]) + pack(LINES[150:]))
    assert len(read(tmp_path / "rows")) == 20_000


@packers
def test_standard_input_may_be_packed_too(monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(LINES)))))
    assert sum(1 for _ in Reader([Input("-", "jsonl")], id_field="number")) == 20_000


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_file_that_unpacks_to_gigabytes_is_given_up_in_little_memory(tmp_path: Path, name: str) -> None:
    packer = zlib.compressobj(9, wbits=31) if name == "gzip" else zstandard.ZstdCompressor().compressobj()
    with (tmp_path / "rows").open("wb") as file:
        for _ in range(80):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    with harmless(), pytest.raises(InputError, match="unpacks to more than 500 times its size"):
        read(tmp_path / "rows")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_file_that_is_cut_off_gives_its_rows_and_then_says_so(tmp_path: Path, name: str) -> None:
    packed = PACKERS[name](LINES)
    (tmp_path / "rows").write_bytes(packed[: len(packed) * 2 // 3])
    reader = Reader([Input(str(tmp_path / "rows"), "jsonl")], id_field="number")
    with pytest.raises(InputError, match="rows: can't be read to its end"):
        for _ in reader:
            pass
    assert 0 < reader.read < 20_000


@packers
def test_a_pipe_with_a_name_gives_all_that_goes_in(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    pipe = tmp_path / "rows"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(pack(LINES),), daemon=True).start()
    rows = list(Reader([Input(str(pipe), "jsonl")]))
    assert [row.source["number"] for row in rows if isinstance(row, Row)] == list(range(20_000))


@given(st.lists(st.binary(max_size=30)), st.sampled_from(sorted(PACKERS)), st.integers(1, 20))
@example([b"\xef\xbb\xbf"], "gzip", 1)
def test_lines_put_together_are_the_file_and_those_that_are_too_long_say_so(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], name: str, limit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    content = b"\n".join(parts)
    assume(not content.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")))  # would be unpacked, and is no archive
    path.write_bytes(PACKERS[name](content))
    with opened(str(path)) as source:
        lines = list(source.lines(limit))
    whole = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert [line.cut for line in lines] == [len(line.rstrip(b"\r")) > limit for line in whole[: len(lines)]]
    assert b"".join(line.content for line in lines) == content.removeprefix(b"\xef\xbb\xbf") or any(
        line.cut for line in lines
    )

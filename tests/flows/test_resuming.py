"""Rows that were settled before a run was cut off are asked for, and looked at only where one of them is gone."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from osform.core.rows import Row
from osform.errors import Place
from osform.flows.load.resuming import resumed


def rows(count: int, size: int = 1) -> list[Row]:
    return [Row(f"r{n}", {"text": "x" * size}, Place("a.jsonl", n + 1), n) for n in range(count)]


@given(st.integers(0, 30), st.integers(0, 40), st.sets(st.integers(0, 30)))
def test_every_row_is_either_found_or_looked_at_and_what_is_gone_is_looked_at(
    count: int, settled: int, gone: set[int]
) -> None:
    found: list[Row] = []

    def all_there(block: Sequence[Row]) -> bool:
        return not gone & {row.number for row in block}

    left = list(resumed(rows(count), settled, all_there, found.extend))
    assert sorted(row.number for row in [*found, *left]) == list(range(count))
    assert not gone & {row.number for row in found}
    assert all(row.number < settled for row in found)
    assert [row.number for row in left] == sorted(row.number for row in left)


def test_big_rows_are_asked_for_a_few_at_a_time() -> None:
    blocks: list[int] = []

    def all_there(block: Sequence[Row]) -> bool:
        blocks.append(len(block))
        return True

    assert list(resumed(rows(10, size=3_000_000), 10, all_there, lambda _: None)) == []
    assert blocks == [3, 3, 3, 1]

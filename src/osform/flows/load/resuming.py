"""Rows that an earlier run had settled before it was cut off: the index is asked whether it has them, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from osform.core.rows import Row

_COUNT, _BYTES = 5_000, 8_000_000


def resumed(
    rows: Iterable[Row],
    settled: int,
    all_there: Callable[[Sequence[Row]], bool],
    found: Callable[[Sequence[Row]], None],
) -> Iterator[Row]:
    """The rows that have to be looked at, in their order.

    Of the first ``settled`` ones, ``found`` is told of those that are all there, some thousand at a time; where one of
    so many is not, all of them are looked at.
    """
    block: list[Row] = []
    size = 0
    for row in rows:
        early = row.number < settled
        if early:
            block.append(row)
            size += row.size
        if block and (not early or len(block) >= _COUNT or size >= _BYTES):
            yield from _lacking(block, all_there, found)
            block, size = [], 0
        if not early:
            yield row
    yield from _lacking(block, all_there, found)


def _lacking(
    block: list[Row], all_there: Callable[[Sequence[Row]], bool], found: Callable[[Sequence[Row]], None]
) -> Sequence[Row]:
    if not block or all_there(block):
        found(block)
        return ()
    return block

"""Parquet files cut into parts that several processes can read at the same time, and rows that none of them may have.

A part is some row groups of one file. Which ones depends on the files alone, and not on how many processes there are:
so what is noted of a part holds for the next run too.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from osform.errors import InputError
from osform.files.documents import Mapped, identify, is_parquet, renamed
from osform.files.inputs import Input
from osform.files.records import Unusable
from osform.files.tables import ParquetRows

ROWS = 20_000
"""Rows of a part, about: one has whole row groups, and at least one."""


@dataclass(frozen=True)
class Part:
    """A piece of a load: what it reads, and how many rows that are."""

    inputs: tuple[Input, ...]
    rows: int


def parts_of(inputs: Sequence[Input], rows: int = ROWS) -> tuple[Part, ...]:
    """All parts of some files. Raises InputError where one of them is not Parquet."""
    others = [each.path for each in inputs if not is_parquet(each)]
    if others:
        raise InputError(
            f"{others[0]} is not Parquet, which several machines can read in parts",
            hint="make Parquet of it, in row groups of some ten thousand rows, or leave --engine out",
        )
    return tuple(part for each in inputs for part in _of_file(each, rows))


def _of_file(each: Input, rows: int) -> Iterator[Part]:
    with closing(ParquetRows(each.path)) as found:
        sizes = found.sizes
    first = held = 0
    for group, size in enumerate(sizes):
        held += size
        if held >= rows or group == len(sizes) - 1:
            yield Part((Input(each.path, "parquet", (first, group + 1)),), held)
            first, held = group + 1, 0


def id_hash(id: str) -> int:
    """A number for an id, the same everywhere; two ids have the same one by the rarest chance, which does no harm."""
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "big")


def id_hashes(part: Part, id_field: str | None, mapped: Mapped) -> array[int]:
    """What the ids of a part's rows hash to, without those that have none of their own. Reads no other column."""
    found = array("Q")
    wanted = {id_field} if id_field else {"_id", "id"}
    for each in part.inputs:
        with closing(ParquetRows(each.path)) as file:
            columns = [name for name in file.columns if mapped.get(name, name) in wanted]
        if columns:
            with closing(ParquetRows(each.path, each.groups, columns)) as rows:
                found.extend(id_hash(id) for row in rows if (id := _id(row.document or {}, id_field, mapped)))
    return found


def _id(document: Mapping[str, Any], id_field: str | None, mapped: Mapped) -> str | None:
    try:
        return identify(renamed(document, mapped), id_field)
    except Unusable:
        return None  # it will be rejected, with its place, where its part is read


def repeated(hashes: Iterable[array[int]]) -> frozenset[int]:
    """The numbers that are there more than once."""
    import numpy

    every = [numpy.frombuffer(each, numpy.uint64) for each in hashes if len(each)]
    if not every:
        return frozenset()
    ordered = numpy.sort(numpy.concatenate(every))
    return frozenset(int(each) for each in numpy.unique(ordered[1:][ordered[1:] == ordered[:-1]]))

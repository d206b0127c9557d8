"""Rows of tables as documents: CSV, TSV and Parquet. What is missing in a table is missing in the document."""

from __future__ import annotations

import base64
import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from uuid import UUID

from osform.errors import InputError, MissingExtra
from osform.files.records import Found, Unusable, too_long
from osform.files.streams import Line, Source, too_packed

_ROWS = 100
"""Rows of a Parquet file in memory at a time: one text of 1 MB, stored once, may be the value of each of them."""


def delimited(source: Source, name: str, limit: int, delimiter: str) -> Iterator[Found]:
    """The rows of a CSV file, whose first one names the columns. Every value is a text; an empty one is missing.

    A row's line is the one that it begins in. Raises InputError where the first row can't name columns.
    """
    lines = _Lines(source, limit)
    csv.field_size_limit(limit + 2)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: Sequence[str] | None = None
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            cells = _alone(lines.text, delimiter) if lines.only else []
            if not cells and columns is None:
                raise InputError(f"{name}:{lines.first}: the first row must name the columns: {error}") from error
            if not cells:
                yield _unclear(lines, error)
                continue
        if lines.cut is not None:
            yield too_long(lines.cut, limit)
        elif not cells:
            continue
        elif columns is None:
            columns = _columns(cells, name)
        else:
            yield _row(columns, cells, lines.first)
    if columns is None and lines.first:
        raise InputError(f"{name}: there is no first row that names the columns")


def _alone(line: str, delimiter: str) -> list[str]:
    """The cells of a row of one line with quotes where none belong, as most readers take it; none where it goes on."""
    goes_on = False

    def lines() -> Iterator[str]:
        nonlocal goes_on
        yield line
        goes_on = True

    try:
        cells = next(csv.reader(lines(), delimiter=delimiter))
    except csv.Error:
        return []
    return [] if goes_on else cells


def _unclear(lines: _Lines, error: csv.Error) -> Found:
    """What csv can't read: of several lines, nobody knows which belong to one row."""
    where = (
        "" if lines.only else f" at line {lines.last}; is a quote that is opened in line {lines.first} never closed?"
    )
    text = lines.text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return Found(lines.first, reason=f"not CSV: {error}{where}", text=text)


class _Lines:
    """The lines of a file as text, and those of them that csv has read for the row that it is at."""

    def __init__(self, source: Source, limit: int) -> None:
        self._lines = source.lines(limit)
        self._number = 0
        self.begin()

    def begin(self) -> None:
        self.first = self._number + 1
        self.cut: Line | None = None
        self._read: list[str] = []

    @property
    def last(self) -> int:
        return self._number

    @property
    def only(self) -> bool:
        return len(self._read) == 1

    @property
    def text(self) -> str:
        return "".join(self._read)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number = line.number
        if line.cut:
            self.cut = line
            return "\n"
        text = line.content.decode("utf-8", "surrogateescape")
        self._read.append(text)
        return text


def _columns(cells: Sequence[str], name: str) -> Sequence[str]:
    counts = Counter(cells)
    wrong = [each for each in cells if not each.strip() or counts[each] > 1]
    if wrong:
        raise InputError(
            f"{name}:1: the first row must name the columns, each once; found {wrong[0]!r} among {len(cells)} cells",
            hint="give the file a first row with names; a file with another delimiter: --read tsv",
        )
    return cells


def _row(columns: Sequence[str], cells: Sequence[str], line: int) -> Found:
    reason = ""
    if len(cells) != len(columns):
        reason = f"{len(cells)} cells, where the first row names {len(columns)} columns"
    elif broken := _not_utf8(columns, cells):
        reason = broken
    if reason:
        # An array, so that a replay without a repair does not take it for a document.
        plain = [cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for cell in cells]
        return Found(line, reason=reason, text=json.dumps(plain, ensure_ascii=False))
    return Found(line, {key: cell for key, cell in zip_longest(columns, cells) if cell})


def _not_utf8(columns: Sequence[str], cells: Sequence[str]) -> str:
    for column, cell in zip(columns, cells, strict=True):
        if not cell.isascii():
            for letter in cell:
                if "\udc80" <= letter <= "\udcff":
                    return f"not UTF-8: byte 0x{ord(letter) - 0xDC00:02x} in the column {column!r}"
    return ""


class ParquetRows:
    """The rows of a Parquet file; ``total`` is how many there are. Raises InputError for what is none.

    ``groups`` are the row groups to read, from the first to before the second, and ``columns`` those to read; None is
    all. ``columns`` names those that there are.
    """

    def __init__(self, name: str, groups: tuple[int, int] | None = None, columns: Sequence[str] | None = None) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtra("parquet", "reading Parquet", error) from error
        self._name, self._wrong = name, (pyarrow.ArrowException, OSError)
        self._odd = (pyarrow.ArrowException, ArithmeticError, LookupError, ValueError)
        try:
            self._file = parquet.ParquetFile(name, buffer_size=1 << 20, pre_buffer=False)
        except self._wrong as error:
            raise InputError(f"{name}: no Parquet file that can be read: {error}") from error
        groups_there = [self._file.metadata.row_group(n) for n in range(self._file.metadata.num_row_groups)]
        for group in groups_there:
            for column in map(group.column, range(group.num_columns)):
                too_packed(name, column.total_uncompressed_size, column.total_compressed_size)
        self.sizes = [int(group.num_rows) for group in groups_there]
        """Rows in each row group of the whole file."""
        self.columns = list(self._file.schema_arrow.names)
        self._groups = range(*groups) if groups else range(len(self.sizes))
        self._only = None if columns is None else list(columns)
        self._before = sum(self.sizes[: self._groups.start])
        self.total = sum(self.sizes[each] for each in self._groups)
        self.read = 0

    def __iter__(self) -> Iterator[Found]:
        batches = self._file.iter_batches(
            batch_size=_ROWS, row_groups=list(self._groups), columns=self._only, use_threads=False
        )
        while True:
            try:
                batch = next(batches, None)
            except self._wrong as error:
                beyond = self._before + self.read
                raise InputError(f"{self._name}: can't be read beyond row {beyond}: {error}") from error
            if batch is None:
                return
            yield from self._found(batch)

    def _found(self, batch: Any) -> Iterator[Found]:
        rows: Sequence[Mapping[str, Any]] | None
        try:
            rows = batch.to_pylist(maps_as_pydicts="strict")
        except self._odd:
            rows = None
        for index in range(batch.num_rows):
            self.read += 1
            number = self._before + self.read
            yield self._by_itself(batch.slice(index, 1), number) if rows is None else _document(rows[index], number)

    def _by_itself(self, row: Any, number: int) -> Found:
        """A row that may have what Python has no value for: text that is not UTF-8, a date beyond the year 9999."""
        values: dict[str, Any] = {}
        for name, column in zip(row.schema.names, row.columns, strict=True):
            try:
                (values[name],) = column.to_pylist(maps_as_pydicts="strict")
            except self._odd as error:
                return Found(number, reason=f"{name!r} has no form in JSON: {error}", text=repr(values)[:1_000])
        return _document(values, number)

    def close(self) -> None:
        self._file.close()


def _document(row: Mapping[str, Any], number: int) -> Found:
    try:
        return Found(number, {key: _as_json(value) for key, value in row.items() if not _missing(value)})
    except Unusable as error:
        return Found(number, reason=str(error), text=repr(dict(row))[:1_000])


def _missing(value: Any) -> bool:
    """Whether a table has nothing there: null, and NaN, which is what pandas has for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_json(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            raise Unusable(f"{value} is no JSON number")
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): _as_json(inner) for key, inner in value.items() if not _missing(inner)}
        case list() | tuple():
            return [_as_json(inner) for inner in value]
    for type, convert in _CONVERSIONS:
        if isinstance(value, type):
            return convert(value)
    raise Unusable(f"a value of type {value.__class__.__name__}, which has no form in JSON")


_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((datetime, date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, lambda value: int(value) if value == value.to_integral_value() else float(value)),
    (
        (bytes, bytearray, memoryview),
        lambda value: base64.b64encode(value).decode(),
    ),  # as a field of type binary has it
    (UUID, str),
)

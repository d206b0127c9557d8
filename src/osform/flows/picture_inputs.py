"""The pictures that names on the command line stand for, rows of tables among them, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from osform.caption.output import printable
from osform.errors import InputError
from osform.files.records import LINE_LIMIT, Found, jsonl
from osform.files.streams import opened
from osform.files.tables import ParquetRows, delimited
from osform.images.decoding import MOST_BYTES
from osform.images.pictures import (
    LISTS,
    Picture,
    begins_like_a_picture,
    is_address,
    is_shard,
    is_table,
    of_list,
    of_shard,
    of_value,
    resolve,
    with_params,
)

COLUMNS = ("photo_image_url", "image_url", "picture_url", "image", "picture", "photo", "url", "path", "file")
"""Columns that are taken for the pictures where none is named; the first is that of Unsplash's ``photos.tsv``."""

_LOOKED_AT = 1_000


@dataclass(frozen=True)
class Inputs:
    """Names of files, folders, patterns, lists, tables, tar shards and addresses; see ``pictures``.

    ``column`` of tables has the pictures, ``prompt_column`` what each of them is asked; ``params`` are put to every
    address, ``limit`` takes the first so many pictures.
    """

    names: tuple[str, ...]
    column: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    most_bytes: int = MOST_BYTES
    prompt_column: str | None = None


def pictures(inputs: Inputs) -> Iterator[Picture]:
    """The pictures, in the order of the names. Raises InputError for names and tables that can't be read.

    Their own names are text, whatever files, lists and shards call them, so that lines and documents can hold them.
    """
    left = inputs.limit if inputs.limit is not None else -1
    for name in resolve(inputs.names):
        for picture in _of(name, inputs):
            if left == 0:
                return
            left -= 1
            name = printable(picture.name)
            yield picture if name == picture.name else replace(picture, name=name)


def count(inputs: Inputs) -> int | None:
    """How many pictures there are, None where only reading tables, lists or shards would tell."""
    names = resolve(inputs.names)
    if any(not is_address(name) and _holds_several(name) for name in names):
        return inputs.limit
    return len(names) if inputs.limit is None else min(len(names), inputs.limit)


def _holds_several(name: str) -> bool:
    return _is_list(name) or is_table(name) or is_shard(name)


def _is_list(name: str) -> bool:
    return Path(name).suffix.lower() in LISTS and not begins_like_a_picture(Path(name))


def _of(name: str, inputs: Inputs) -> Iterator[Picture]:
    if is_address(name):
        yield Picture(name, url=with_params(name, inputs.params))
    elif is_table(name):
        yield from _of_table(name, inputs)
    elif is_shard(name):
        yield from of_shard(name, inputs.most_bytes)
    elif _is_list(name):
        yield from of_list(name, inputs.params)
    else:
        yield Picture(name, path=name)


def _of_table(name: str, inputs: Inputs) -> Iterator[Picture]:
    folder, column = Path(name).parent, inputs.column
    for row in _rows(name):
        place = f"{name}:{row.line}"
        if row.document is None:
            yield Picture(place, reason=row.reason)
            continue
        if not _is_text(row.document):
            yield Picture(place, reason="half of a surrogate pair, which is no character")
            continue
        column = column or _column(row.document, name)
        value, prompt = row.document.get(column), row.document.get(inputs.prompt_column or "")
        if not isinstance(value, str):
            yield Picture(place, reason=f"{_a(value)} in the column {column!r}, expected an address or a path")
        elif not isinstance(prompt, str | None):
            # By its place, as other rows that can't be read: the picture may stand in rows with prompts as well.
            yield Picture(place, reason=f"{_a(prompt)} in the column {inputs.prompt_column!r}, expected a prompt")
        else:
            own = (prompt or "").strip() or None
            yield replace(of_value(value, folder, inputs.params), prompt=own, row=row.document)


def _is_text(row: Mapping[str, Any]) -> bool:
    """Whether all that a row says can be written; JSON has escapes for halves of characters."""
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _a(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r}"[:60]


def _rows(name: str) -> Iterator[Found]:
    suffix = Path(name).suffix.lower()
    if suffix in (".parquet", ".pq"):
        with closing(ParquetRows(name)) as rows:
            yield from rows
        return
    with opened(name) as source:
        if suffix in (".jsonl", ".ndjson"):
            yield from jsonl(source, LINE_LIMIT)
            return
        yield from delimited(source, name, LINE_LIMIT, "," if suffix == ".csv" else "\t")


def _column(row: Mapping[str, Any], name: str) -> str:
    for column in COLUMNS:
        if column in row:
            return column
    raise InputError(f"{name}: which column has the pictures? It has: {', '.join(row)}", hint="--column NAME")


def check_columns(inputs: Inputs, more: Sequence[tuple[str, str]] = ()) -> None:
    """Raises InputError where a column is named and there is no table, or none that has anything in it.

    ``more`` are options that name columns besides, with what they name.
    """
    asked = [("--prompt-column", inputs.prompt_column), *more]
    filled = [(option, column) for option, column in asked if column is not None]
    named = [("--column", inputs.column), *filled] if inputs.column is not None else filled
    if not named:
        return
    tables = [name for name in resolve(inputs.names) if not is_address(name) and is_table(name)]
    if not tables:
        raise InputError(f"{named[0][0]} {named[0][1]}: there is no table among the files")
    for option, column in filled:
        if not any(_has(table, column) for table in tables):
            raise InputError(f"{option} {column}: nothing stands in it in the first {_LOOKED_AT:,} rows")


def _has(table: str, column: str) -> bool:
    return any(row.document is not None and column in row.document for row in islice(_rows(table), _LOOKED_AT))

"""Files read as rows to index: stable ids, and a reason with a place for every line that is no document.

Nothing in a file stops the reading of the rest, and nothing is kept in memory: what must be remembered, the ids
already seen, is in a temporary database on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from osform.core.rows import Rejected, Row
from osform.errors import Place
from osform.files.inputs import Input
from osform.files.records import LINE_LIMIT, Found, Unusable, jsonl
from osform.files.seen import Seen
from osform.files.streams import PARQUET, first_bytes, opened
from osform.files.tables import ParquetRows, delimited

ID_LIMIT = 512
"""Bytes of an id that OpenSearch takes (documentation of ``_bulk``)."""

Mapped = Mapping[str, str | None]
"""Names of fields in the files -> their names in documents; None leaves a field out."""


def count_rows(inputs: Sequence[Input], *, limit: int = 2_000_000_000) -> int | None:
    """The rows in some files, or None where counting would take long (``limit`` bytes) or can't be done."""
    total = size = 0
    for each in inputs:
        path = Path(each.path)
        if not path.is_file() or (size := size + path.stat().st_size) > limit:
            return None
        if is_parquet(each):
            with closing(ParquetRows(each.path, each.groups)) as rows:
                total += rows.total
        elif each.kind == "jsonl" and first_bytes(each.path)[:1] in b"{ \n\t":  # else it is packed
            total += _count_lines(path)
        else:
            return None
    return total


def _count_lines(path: Path) -> int:
    total = 0
    with path.open("rb") as stream:
        last = b"\n"
        while block := stream.read(1_000_000):
            total, last = total + block.count(b"\n"), block[-1:]
    return total + (last != b"\n")


class Reader:
    """The rows of some files in order; iterate once.

    An id is the value of ``id_field`` where that is given, else of the row's own ``_id`` or ``id``, else the SHA-256
    of the canonical row: the same row always has the same id. ``mapped`` gives fields their names before anything else
    looks at them. Lines of a dead-letter file are taken as the documents that they hold. ``limit`` is in bytes a line.
    ``seen`` remembers the ids; without it that is done here, and forgotten at the end. ``wanted`` says by its id
    whether a row is to be read at all: what it doesn't want is neither counted nor seen, and with ``documents_only``
    nor are rows that are no documents. With ``update``, rows hold the fields to change of documents; those of a
    dead-letter file that say so of themselves are nothing else.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        *,
        id_field: str | None = None,
        mapped: Mapped | None = None,
        limit: int = LINE_LIMIT,
        seen: Seen | None = None,
        wanted: Callable[[str], bool] | None = None,
        documents_only: bool = False,
        update: bool = False,
    ) -> None:
        self.inputs = inputs
        self.seen = seen
        self._wanted, self._documents_only, self._update = wanted, documents_only, update
        self.id_field = id_field
        self.mapped = mapped or {}
        self.limit = limit
        self.read = 0
        self.repeated = 0
        """Rows that were left out because the very same document was in an earlier one."""
        self._finished = 0
        self._at: Callable[[], float] = lambda: 0.0

    @property
    def progress(self) -> float:
        """How far the files have been read, from 0 to 1, each file counted alike."""
        return min(1.0, (self._finished + self._at()) / max(1, len(self.inputs)))

    def __iter__(self) -> Iterator[Row | Rejected]:
        with nullcontext(self.seen) if self.seen else closing(Seen()) as seen:
            for each in self.inputs:
                for found in self._records(each):
                    row = self._row(found, Place(each.path, found.line))
                    if not self._concerns(row):
                        continue
                    self.read += 1
                    if isinstance(row, Row) and (twin := seen.add(row.id, row.hash, row.place)):
                        if twin.same:
                            self.repeated += 1
                            continue
                        row = row.rejected(f"the id {row.id!r} already belongs to another document, at {twin.place}")
                    yield row
                self._finished, self._at = self._finished + 1, lambda: 0.0

    def _concerns(self, row: Row | Rejected) -> bool:
        if isinstance(row, Rejected):
            return not self._documents_only
        return self._wanted is None or self._wanted(row.id)

    def _records(self, each: Input) -> Iterator[Found]:
        if is_parquet(each):
            with closing(ParquetRows(each.path, each.groups)) as rows:
                self._at = lambda: rows.read / max(1, rows.total)
                yield from rows
            return
        with opened(each.path) as source:
            self._at = lambda: source.at / max(1, source.size)
            if each.kind == "jsonl":
                yield from jsonl(source, self.limit)
            else:
                yield from delimited(source, each.path, self.limit, "\t" if each.kind == "tsv" else ",")

    def _row(self, found: Found, place: Place) -> Row | Rejected:
        if found.document is None:
            reason, number = found.reason, self.read
            return Rejected(place, reason, text=found.text, cut=found.cut, number=number, update=found.update)
        document: Mapping[str, Any] = found.document
        given = found.given if isinstance(found.given, str) else None
        try:
            if found.update and not self._update:
                raise Unusable("it holds only the fields to change of a document: give this file with --update")
            if self.mapped and not found.sent:
                document = renamed(document, self.mapped)
            return row(document, place, self.read, self.id_field, found.given)
        except Unusable as error:
            return Rejected(place, str(error), given, document, number=self.read, update=found.update)


def row(document: Mapping[str, Any], place: Place, number: int, id_field: str | None, given: Any = None) -> Row:
    """A document as a row. Raises Unusable."""
    source = {key: value for key, value in document.items() if key != "_id"} if "_id" in document else document
    if not source:
        raise Unusable("an object without any field")
    canonical = _canonical(source)
    hash = hashlib.sha256(canonical)
    id = _checked("_id", given) if given is not None else identify(document, id_field) or hash.hexdigest()
    return Row(id, source, place, number, hash.digest()[:16])


def renamed(document: Mapping[str, Any], mapped: Mapped) -> dict[str, Any]:
    """A document with its fields under their new names, in the same order. Raises Unusable where two get one name."""
    fields: dict[str, Any] = {}
    for key, value in document.items():
        name = mapped.get(key, key)
        if name in fields:
            raise Unusable(f"two fields would be called {name!r}")
        if name is not None:
            fields[name] = value
    return fields


def identify(document: Mapping[str, Any], id_field: str | None) -> str | None:
    """A document's own id, None where it has none. Raises Unusable."""
    if id_field is not None:
        if id_field not in document:
            raise Unusable(f"there is no {id_field!r}, which --id names")
        return _checked(id_field, document[id_field])
    return next((_checked(key, document[key]) for key in ("_id", "id") if key in document), None)


def _checked(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Unusable(f"{key!r} is {json.dumps(value)[:60]}, and an id is a text or a whole number")
    text = str(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Unusable(f"{key!r} has half of a surrogate pair, which is no character") from error
    if size > ID_LIMIT:
        raise Unusable(f"{key!r} has {size} bytes, and an id has at most {ID_LIMIT}")
    return text


def _canonical(source: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(source, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError as error:
        raise Unusable("half of a surrogate pair, which is no character") from error
    except ValueError as error:
        raise Unusable("a number beyond what can be stored") from error


def is_parquet(each: Input) -> bool:
    """Whether a file is read as Parquet: called so, or begins so."""
    return each.kind == "parquet" or (each.kind == "jsonl" and first_bytes(each.path) == PARQUET)

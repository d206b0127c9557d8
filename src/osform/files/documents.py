"""JSON Lines read as rows to index: stable ids, and a reason with a place for every line that is no document.

Nothing in a file stops the reading of the rest, and nothing is kept in memory: what must be remembered, the ids
already seen, is in a temporary database on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from osform.core.rows import Rejected, Row
from osform.errors import InputError, Place

STDIN = "-"
ID_LIMIT = 512
"""Bytes of an id that OpenSearch takes (documentation of ``_bulk``)."""
LINE_LIMIT = 10_000_000
KEPT_OF_A_LONG_LINE = 1_000
WRAPPER = "_dead_letter"


class Unusable(ValueError):
    """A line that is no document; the message is the reason."""


def check_readable(files: Sequence[str]) -> None:
    """Raise InputError, naming every one of the files that can't be read."""
    wrong = [f"{file}: {reason}" for file in files if (reason := _unreadable(file))]
    if wrong:
        raise InputError("\n".join(wrong), hint="nothing was sent")
    if files.count(STDIN) > 1:
        raise InputError("- stands for standard input, which can be read once only")


def count_lines(files: Sequence[str], *, limit: int = 2_000_000_000) -> int | None:
    """The number of lines in the files, or None where counting would take long (``limit`` bytes) or can't be done."""
    if not all(Path(file).is_file() for file in files) or sum(Path(file).stat().st_size for file in files) > limit:
        return None
    total = 0
    for file in files:
        with Path(file).open("rb") as stream:
            last = b"\n"
            while block := stream.read(1_000_000):
                total, last = total + block.count(b"\n"), block[-1:]
            total += last != b"\n"
    return total


class Reader:
    """The rows of some JSON Lines files in order; iterate once.

    An id is the value of ``id_field`` where that is given, else of the line's own ``_id`` or ``id``, else the SHA-256
    of the canonical row: the same row always has the same id. Lines of a dead-letter file are taken as the documents
    that they hold. ``limit`` is in bytes a line.
    """

    def __init__(self, files: Sequence[str], *, id_field: str | None = None, limit: int = LINE_LIMIT) -> None:
        self.files = files
        self.id_field = id_field
        self.limit = limit
        self.read = 0
        self.repeated = 0
        """Lines that were left out because the very same document was in an earlier line."""

    def __iter__(self) -> Iterator[Row | Rejected]:
        with closing(_Seen()) as seen:
            for file in self.files:
                for number, line, cut in _lines(file, self.limit):
                    if not line.strip():
                        continue
                    self.read += 1
                    place = Place(file, number)
                    row = self._row(line, place, cut)
                    if isinstance(row, Row) and (twin := seen.add(row)):
                        if twin.same:
                            self.repeated += 1
                            continue
                        row = row.rejected(f"the id {row.id!r} already belongs to another document, at {twin.place}")
                    yield row

    def _row(self, line: bytes, place: Place, cut: bool) -> Row | Rejected:
        text = line.decode("utf-8", "backslashreplace")
        if cut:
            reason = f"the line is longer than {self.limit:,} bytes"
            return Rejected(place, reason, text=text[:KEPT_OF_A_LONG_LINE], cut=True)
        given: str | None = None
        document: dict[str, Any] | None = None
        try:
            found = parse(line)
            if isinstance(found.get(WRAPPER), dict):
                text, cut = str(found.get("text", "")), found.get("cut") is True
                given, document = _unwrapped(found)
            else:
                document = found
            given, source = identify(document, self.id_field) if given is None else (given, document)
            return _row(given, source, place)
        except Unusable as error:
            return Rejected(place, str(error), given, document, "" if document is not None else text, cut)


def parse(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises Unusable, with the reason, where OpenSearch would refuse or misread it."""
    if b"\0" in line:
        raise Unusable("a NUL byte: this is not a line of text")
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unusable(f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise Unusable(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise Unusable("not JSON that can be read: nested too deep") from error
    except ValueError as error:
        raise Unusable(f"not JSON that can be indexed: {error}") from error
    if not isinstance(value, dict):
        raise Unusable(f"{_KINDS[type(value)]}, where an object with the document's fields was expected")
    return value


def identify(document: Mapping[str, Any], id_field: str | None) -> tuple[str, Mapping[str, Any]]:
    """A document's id, and the document without ``_id``, which OpenSearch refuses inside one. Raises Unusable."""
    source = {key: value for key, value in document.items() if key != "_id"}
    if id_field is not None:
        if id_field not in document:
            raise Unusable(f"there is no {id_field!r}, which --id names")
        return _checked(id_field, document[id_field]), source
    for key in ("_id", "id"):
        if key in document:
            return _checked(key, document[key]), source
    return hashlib.sha256(_canonical(source)).hexdigest(), source


def _checked(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Unusable(f"{key!r} is {json.dumps(value)[:60]}, and an id is a text or a whole number")
    text = str(value)
    if (size := len(text.encode("utf-8", "surrogatepass"))) > ID_LIMIT:
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


def _row(id: str, source: Mapping[str, Any], place: Place) -> Row:
    if not source:
        raise Unusable("an object without any field")
    _canonical({"_id": id, **source})  # what can't be encoded is found here, not while sending
    return Row(id, source, json.dumps(source, separators=(",", ":"), ensure_ascii=False), place)


def _unwrapped(wrapper: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """What a line of a dead-letter file holds: the id where one was known, and the document."""
    if wrapper.get("cut"):
        origin = wrapper[WRAPPER]
        raise Unusable(f"only the beginning was kept; the whole line is at {origin.get('file')}:{origin.get('line')}")
    document, given = wrapper.get("document"), wrapper.get("_id")
    if not isinstance(document, dict):
        document = parse(str(wrapper.get("text", "")).encode("utf-8", "surrogatepass"))
    return None if given is None else _checked("_id", given), document


class _Twin(NamedTuple):
    same: bool
    place: str


class _Seen:
    """The ids so far, in a database that SQLite keeps in a temporary file and deletes on closing."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, hash BLOB, place TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")  # one transaction throughout: nothing of this needs to last

    def add(self, row: Row) -> _Twin | None:
        """Remember a row; the earlier one that has the same id, where there is one."""
        hash = hashlib.sha256(_canonical(row.source)).digest()
        entry = (row.id, hash, str(row.place))
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", entry).rowcount:
            return None
        known = self._database.execute("SELECT hash, place FROM seen WHERE id = ?", (row.id,)).fetchone()
        return _Twin(known[0] == hash, known[1])

    def close(self) -> None:
        self._database.close()


def _lines(file: str, limit: int) -> Iterator[tuple[int, bytes, bool]]:
    """Each line with its number, counted from 1; True at its end means that it was longer than ``limit`` and is cut."""
    try:
        with _open(file) as stream:
            number = 0
            while line := stream.readline(limit + 2):
                number += 1
                cut = len(line.rstrip(b"\r\n")) > limit
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")  # the mark that some editors put in front of UTF-8
                rest = line
                while cut and rest and not rest.endswith(b"\n"):
                    rest = stream.readline(1_000_000)
                yield number, line, cut
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror or error}", hint="run the same command again: ids are stable"
        ) from error


def _open(file: str) -> nullcontext[BinaryIO] | BinaryIO:
    return nullcontext(sys.stdin.buffer) if file == STDIN else Path(file).open("rb")


def _unreadable(file: str) -> str:
    if file == STDIN:
        return ""
    path = Path(file)
    if path.is_dir():
        return "is a folder, not a file of JSON Lines"
    try:
        if not path.exists():
            return "there is no such file"
        return "" if os.access(path, os.R_OK) else "can't be read: permission denied"
    except (OSError, ValueError) as error:
        return str(error)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
_KINDS = {
    list: "an array",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}

"""What an index held at one moment, kept beside the program: which ids with which numbers, by shard.

A deletion leaves no trace that a search could find. But a shard that has fewer documents in a range of numbers than
the manifest lost some there, to an update, which has a new number, or to a deletion; only such ranges are listed again.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from osform.cluster.retry import Each
from osform.cluster.shards import Index, Written
from osform.errors import NotReady

_WIDTH = 1024  # numbers in one range
_MOST_RANGES = 4096  # of one shard: what one aggregation counts
_TABLES = """
    PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
    CREATE TABLE source (id TEXT, routing TEXT, shard INTEGER, number INTEGER, PRIMARY KEY (id, routing));
    CREATE INDEX by_number ON source (shard, number);
    CREATE TABLE target (id TEXT, routing TEXT, PRIMARY KEY (id, routing));
"""


class Manifest:
    """The documents of an index; ten million of them take about a gigabyte of the temp folder.

    Everything raises NotReady where that folder has no room for them.
    """

    def __init__(self) -> None:
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="osform-")
            # One thread at a time uses it, but not always the one that made it.
            self._database = sqlite3.connect(f"{self._folder.name}/manifest", check_same_thread=False)
            self._database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise _no_room(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
        self._folder.cleanup()

    def note(self, shard: int, documents: Iterable[Written]) -> None:
        """These documents are in the source now, with these numbers."""
        rows = [(each.id, each.routing or "", shard, each.number) for each in documents]
        self._store("INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)", rows)

    def forget(self, documents: Iterable[Written]) -> None:
        """These documents are in the source no more."""
        rows = [(each.id, each.routing or "") for each in documents]
        self._store("DELETE FROM source WHERE id = ? AND routing = ?", rows)

    def copied(self, documents: Iterable[Written]) -> None:
        """These documents are in the target."""
        rows = [(each.id, each.routing or "") for each in documents]
        self._store("INSERT OR REPLACE INTO target VALUES (?, ?)", rows)

    def missing(self) -> list[str]:
        """Ids that the source has and the target lacks."""
        found = self._find("SELECT id, routing FROM source EXCEPT SELECT id, routing FROM target")
        return [id for id, _ in found]

    def extra(self) -> list[Written]:
        """What the target has and the source lacks."""
        found = self._find("SELECT id, routing FROM target EXCEPT SELECT id, routing FROM source")
        return [Written(id, -1, routing or None) for id, routing in found]

    def gone(self, source: Index, shard: int, upto: int, each: Each) -> Iterator[Written]:
        """Documents of the manifest that the source no longer has under their numbers: deleted, or updated just now.

        What was written up to ``upto`` must have been noted, else a new document might stand in for a deleted one.
        """
        width = max(_WIDTH, -(-(upto + 1) // _MOST_RANGES))
        now = source.histogram(shard, width, upto, each())
        query = "SELECT number / ?, COUNT(*) FROM source WHERE shard = ? AND number <= ? GROUP BY 1"
        for bucket, count in self._find(query, (width, shard, upto)):
            if now.get(bucket, 0) != count:
                yield from self._lost(source, shard, bucket * width, min((bucket + 1) * width - 1, upto), each)

    def _lost(self, source: Index, shard: int, first: int, last: int, each: Each) -> Iterator[Written]:
        there = {one.number for page in source.written(shard, first - 1, last, each) for one in page}
        query = "SELECT id, routing, number FROM source WHERE shard = ? AND number BETWEEN ? AND ?"
        for id, routing, number in self._find(query, (shard, first, last)):
            if number not in there:
                yield Written(id, number, routing or None)

    def _store(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def _find(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return list(self._database.execute(query, values))  # the ordering of a large answer takes room as well
        except sqlite3.Error as error:
            raise _no_room(error) from error


def _no_room(error: Exception) -> NotReady:
    return NotReady(
        f"the temp folder has no room for the ids of the documents that are copied: {error}",
        hint="ten million take a gigabyte: make room, or set TMPDIR, and run osform apply again: it goes on from here",
    )

"""The ids of a run so far, on disk: who has an id already, and at the end, which ids must be in the index."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from osform.errors import Place


@dataclass(frozen=True)
class Twin:
    """An earlier row with the same id; ``same`` says whether it is the same document."""

    same: bool
    place: Place


class Seen:
    """A table in a temporary file that SQLite makes and deletes; whatever is big is there and not in memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(
            "CREATE TABLE seen (id TEXT PRIMARY KEY, hash BLOB, file INT, line INT, texts INT) WITHOUT ROWID"
        )
        self._database.execute("CREATE TABLE texts (hash BLOB PRIMARY KEY, id TEXT, number INT) WITHOUT ROWID")
        self._database.execute("BEGIN")  # one transaction throughout: nothing of this needs to last
        self._files: dict[str, int] = {}

    def add(self, id: str, hash: bytes, place: Place, texts: int = 0) -> Twin | None:
        """Remember a row; the earlier one that has the same id, where there is one."""
        file = self._files.setdefault(place.file, len(self._files))
        entry = (id, hash, file, place.line, texts)
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)", entry).rowcount:
            return None
        known, file, line = self._database.execute("SELECT hash, file, line FROM seen WHERE id = ?", (id,)).fetchone()
        return Twin(known == hash, Place(list(self._files)[file], line))

    def has(self, id: str) -> bool:
        """Whether a row with this id was read."""
        return self._database.execute("SELECT 1 FROM seen WHERE id = ?", (id,)).fetchone() is not None

    def first_with(self, texts: bytes, id: str, number: int) -> tuple[str, int] | None:
        """The id and number of the first row with these texts; None where this one is the first, and remembered."""
        insert = "INSERT OR IGNORE INTO texts VALUES (?, ?, ?)"
        if self._database.execute(insert, (texts, id, number)).rowcount:
            return None
        first, position = self._database.execute("SELECT id, number FROM texts WHERE hash = ?", (texts,)).fetchone()
        return None if first == id else (first, position)

    def forget_first(self, texts: bytes, id: str) -> None:
        """No row is to look to this one for what was made of these texts."""
        self._database.execute("DELETE FROM texts WHERE hash = ? AND id = ?", (texts, id))

    def close(self) -> None:
        """Delete all of it."""
        self._database.close()

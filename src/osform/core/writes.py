"""One action of a bulk request: what is written of a row, and on what condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from osform.core.rows import Row


class Version(NamedTuple):
    """Which state of a document was looked at; a write that names it is refused where another one came between."""

    seq_no: int
    primary_term: int


@dataclass(frozen=True)
class Write:
    """The whole document of a row, or where ``patch`` is given, only those fields of it.

    ``asked`` is the row as it was read, where that holds only the fields to change and ``row`` is merged with what the
    index had.

    ``ready`` documents bring along what the pipeline of ``index`` would make, and go past it. ``cost`` is the work that
    the write is for the cluster, in units of one's own choice.
    """

    row: Row
    patch: Mapping[str, Any] | None = None
    ready: Mapping[str, Any] | None = None
    version: Version | None = None
    asked: Row | None = None
    index: str | None = None
    cost: float = field(default=1.0, compare=False)

    @property
    def read(self) -> Row:
        """The row as it was read: what is decided on anew, and what a dead-letter file holds."""
        return self.asked or self.row

    @cached_property
    def lines(self) -> str:
        """The two lines of a bulk request, each with its newline."""
        header: dict[str, Any] = {"_id": self.row.id}
        if self.version is not None:
            header |= {"if_seq_no": self.version.seq_no, "if_primary_term": self.version.primary_term}
        if self.patch is not None:
            return f"{_json({'update': header})}\n{_json({'doc': self.patch})}\n"
        if self.ready is not None:
            return f"{_json({'index': header | {'pipeline': '_none'}})}\n{_json(self.ready)}\n"
        return f"{_json({'index': header})}\n{self.row.text}\n"

    @cached_property
    def size(self) -> int:
        """Bytes in a bulk request."""
        return len(self.lines.encode())


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

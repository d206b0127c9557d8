"""Documents on their way into the cluster: a row that can be sent, or one that can't and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from osform.errors import Place


@dataclass(frozen=True)
class Row:
    """A document to index. ``place`` is where it was read.

    ``number`` counts the rows of a run from 0, those that are no documents included; ``hash`` is that of the source, in
    which neither spaces nor the order of keys count.
    """

    id: str
    source: Mapping[str, Any]
    place: Place
    number: int = 0
    hash: bytes = b""

    @cached_property
    def text(self) -> str:
        """``source`` as it is sent: JSON on one line."""
        return json.dumps(self.source, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def size(self) -> int:
        """Bytes that this row takes in a bulk request, its action line and both newlines included."""
        return len(self.text.encode()) + len(self.action.encode()) + 2

    @property
    def action(self) -> str:
        """The line in front of the document in a bulk request."""
        return '{"index":{"_id":' + json.dumps(self.id, ensure_ascii=False) + "}}"

    def rejected(self, reason: str) -> Rejected:
        """This row as one that the cluster would not take."""
        return Rejected(self.place, reason, id=self.id, document=self.source, number=self.number)


@dataclass(frozen=True)
class Rejected:
    """A document that was not indexed, with the reason; whatever is needed to try it again is in here.

    It has a ``document`` where the line could be read as one, else the line's ``text``; ``cut`` says that the line was
    too long to keep and ``text`` is only its beginning. ``update``: it holds only the fields to change of a document.
    """

    place: Place
    reason: str
    id: str | None = None
    document: Mapping[str, Any] | None = None
    text: str = ""
    cut: bool = False
    number: int = 0
    update: bool = False


def value_at(source: Mapping[str, Any], field: str) -> Any:
    """The value of a field of a document, ``outer.inner`` for one inside an object; None where there is none."""
    value: Any = source
    for key in field.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value

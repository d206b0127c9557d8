"""Texts that were embedded in this run already: their vectors are copied, past the pipeline, and not made once more.

A row whose text is that of an earlier one waits until that one is in the index. Then its vector is fetched, and the row
goes in with it. Only where the pipeline does nothing but embed: what else would it have done to the row?
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.lookup import ready_made
from osform.cluster.retry import Patience
from osform.core.embeddings import Embedding
from osform.core.rows import Row, value_at
from osform.core.writes import Write
from osform.files.seen import Seen
from osform.flows.load.whereabouts import Whereabouts

WAITING = 2_000
"""Rows that wait for their twins at most; beyond it, the oldest are waited for."""
_AT_ONCE = 200


@dataclass(frozen=True)
class _Waiting:
    write: Write
    first: str
    number: int


class Twins:
    """Finds rows with texts that were embedded before. ``settled`` says whether a row, by its number, is done with."""

    def __init__(
        self,
        cluster: Cluster,
        where: Whereabouts,
        seen: Seen,
        *,
        patience: Callable[[], Patience],
        settled: Callable[[int], bool],
    ) -> None:
        self._cluster, self._where, self._seen = cluster, where, seen
        self._patience, self._settled = patience, settled
        self._waiting: list[_Waiting] = []

    @property
    def full(self) -> bool:
        """Whether so many wait that some have to go."""
        return len(self._waiting) >= WAITING

    @property
    def any(self) -> bool:
        """Whether rows wait here."""
        return bool(self._waiting)

    def apart(self, writes: Iterable[Write]) -> Iterator[Write | None]:
        """The writes that have to go through the pipeline or need none; None where too many others wait here."""
        for write in writes:
            key = texts_of(write.row.source, self._where.now.embeddings) if write.patch is None else None
            first = self._seen.first_with(key, write.row.id, write.row.number) if key else None
            if first is None:
                yield write
            else:
                self._waiting.append(_Waiting(write, *first))
                if self.full:
                    yield None

    def known(self, row: Row) -> None:
        """A row that is in the index with true vectors: others may take them from it."""
        if key := texts_of(row.source, self._where.now.embeddings):
            self._seen.first_with(key, row.id, row.number)

    def failed(self, id: str, source: Mapping[str, Any]) -> None:
        """A row that is not in the index after all: nobody can take anything from it."""
        if key := texts_of(source, self._where.now.embeddings):
            self._seen.forget_first(key, id)

    def ready(self) -> Iterator[Write]:
        """What can be written now: with the vectors of its twin, or through the pipeline where the twin has none."""
        able = [each for each in self._waiting if self._settled(each.number)]
        self._waiting = [each for each in self._waiting if not self._settled(each.number)]
        source = iter(able)
        while block := list(islice(source, _AT_ONCE)):
            yield from self._completed(block)

    def _completed(self, block: Sequence[_Waiting]) -> Iterator[Write]:
        ids = sorted({each.first for each in block})
        index, found = self._where.ask(
            lambda where: (where.index, ready_made(self._cluster, where, ids, self._patience()))
        )
        for each in block:
            made = found.get(each.first, {})
            if self._true(each.write.row, made):
                ready = {**each.write.row.source, **{name: made[name] for name in self._where.now.made if name in made}}
                yield replace(each.write, ready=ready, index=index, cost=1 + len(json.dumps(ready)) / 100)
            else:
                yield each.write

    def _true(self, row: Row, made: Mapping[str, Any]) -> bool:
        """Whether what the twin has is what the pipeline would make of this row."""
        return self._where.now.plain and all(
            value_at(made, one.text) == value_at(row.source, one.text)
            and (one.text_of(row.source) is None or one.vector in made)
            and (one.digest is None or made.get(one.digest) == one.digest_of(row.source))
            for one in self._where.now.embeddings
        )


def texts_of(source: Mapping[str, Any], embeddings: tuple[Embedding, ...]) -> bytes | None:
    """A hash of all texts of a document that are embedded, None where there is none."""
    texts = [one.text_of(source) for one in embeddings]
    if not any(isinstance(text, str) for text in texts):
        return None
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False, sort_keys=True).encode()).digest()[:16]

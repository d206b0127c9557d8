"""Rows become writes: what the index has already is looked up, and what is as it should be is not written again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from itertools import islice

from osform.cluster.client import Cluster
from osform.cluster.lookup import IDS_A_SEARCH, look_up
from osform.cluster.retry import Patience
from osform.core.comparing import Need, Stored, decide, merged
from osform.core.embeddings import Embedding, embedded, tokens
from osform.core.rows import Rejected, Row
from osform.core.writes import Write
from osform.flows.load.whereabouts import Whereabouts

AHEAD = 3
"""Look-ups under way while rows are read."""
BYTES_A_TOKEN = 100
"""What a document's size adds to its cost: enough to matter where nothing is embedded, and not beside a model."""


def cost(row: Row, embeddings: tuple[Embedding, ...]) -> float:
    """About how much work a document is for the cluster: the tokens that models read, and a little for its size."""
    return sum(tokens(one.text_of(row.source)) for _, one in embedded(row.source, embeddings)) + _carried(row)


def _carried(row: Row) -> float:
    return 1 + row.size / BYTES_A_TOKEN


class Decider:
    """Decides what is written of rows. ``unchanged`` is told of a row that needs nothing, ``fail`` of what can't be.

    With ``update``, rows hold the fields to change of documents that are there. ``patience`` makes the deadline of a
    look-up.
    """

    def __init__(
        self,
        cluster: Cluster,
        where: Whereabouts,
        pool: Executor,
        *,
        update: bool,
        patience: Callable[[], Patience],
        unchanged: Callable[[Row], None],
        fail: Callable[[Rejected], None],
    ) -> None:
        self._where = where
        self._cluster, self._pool, self._update = cluster, pool, update
        self._patience, self._unchanged, self._fail = patience, unchanged, fail

    def whole(self, rows: Iterable[Row]) -> Iterator[Write]:
        """Every row in full, without a look at what is there."""
        return (self._full(row) for row in rows)

    def needed(self, rows: Iterable[Row]) -> Iterator[Write]:
        """What has to be written of these rows, in their order; a few look-ups are always ahead."""
        under_way: deque[tuple[Sequence[Row], Future[dict[str, Stored]]]] = deque()
        source = iter(rows)
        while True:
            while len(under_way) < AHEAD and (block := list(islice(source, IDS_A_SEARCH))):
                under_way.append((block, self._pool.submit(self._look, [row.id for row in block])))
            if not under_way:
                return
            rows, answer = under_way.popleft()
            stored = answer.result()
            for row in rows:
                write = self._decided(row, stored.get(row.id))
                if write is not None:
                    yield write

    def _look(self, ids: Sequence[str]) -> dict[str, Stored]:
        return self._where.ask(lambda where: look_up(self._cluster, where, ids, self._patience()))

    def _decided(self, row: Row, stored: Stored | None) -> Write | None:
        asked = row if self._update else None
        if self._update:
            if stored is None:
                self._fail(row.rejected("there is no document with this id, and an update makes none"))
                return None
            row = replace(row, source=merged(stored.source, row.source))
        decision = decide(row.source, stored, self._where.now.embeddings, plain=self._where.now.plain)
        match decision.need:
            case Need.NOTHING:
                self._unchanged(row)
                return None
            case Need.FIELDS:
                assert stored is not None, "fields are those that differ from what is stored"
                return Write(row, patch=decision.fields, version=stored.version, asked=asked, cost=_carried(row))
        # An update that is merged here must not undo what came between; a row that is sent whole is all there is.
        version = stored.version if self._update and stored else None
        return Write(row, version=version, asked=asked, cost=cost(row, self._where.now.embeddings))

    def _full(self, row: Row) -> Write:
        return Write(row, cost=cost(row, self._where.now.embeddings))

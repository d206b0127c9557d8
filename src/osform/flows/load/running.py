"""One load under way: rows are read, decided on and sent, and each is settled once: indexed, unchanged, or failed."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from osform.cluster.bulk import BulkWriter, Written
from osform.cluster.client import Cluster
from osform.cluster.destinations import refresh
from osform.cluster.lookup import all_there
from osform.cluster.retry import Patience
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned
from osform.core.pacing import Pacing
from osform.core.rows import Rejected, Row
from osform.core.writes import Write
from osform.errors import ClusterError
from osform.files.documents import Reader
from osform.files.seen import Seen
from osform.flows.load.deciding import Decider
from osform.flows.load.resuming import resumed
from osform.flows.load.twins import Twins
from osform.flows.load.whereabouts import Whereabouts

SHOWN_FAILURES = 20
_ROUNDS = 5
"""How often a document is decided on anew that somebody else changes meanwhile."""


_COUNTED = (
    "read", "indexed", "created", "unchanged", "patched", "copied", "resumed", "failed", "repeated", "retries",
    "ingest_seconds", "waited", "without_text",
)  # fmt: skip


@dataclass
class Ingested:
    """What an ingest did. read = indexed + failed + repeated, unless it was cut short.

    ``indexed`` are those that are in the index now: ``unchanged`` were there already, ``resumed`` were put there by an
    earlier run that was cut off, of ``patched`` only some fields were written, ``copied`` got the vectors of another
    one with the same text. ``without_vector`` counts those that have a text and no vector at the end, which should be
    none. ``ingest_seconds`` is what the cluster
    says that its pipelines took, summed over requests that ran at the same time; ``waited`` what was spent waiting for
    a cluster that took nothing.
    """

    alias: str
    read: int = 0
    indexed: int = 0
    created: int = 0
    unchanged: int = 0
    patched: int = 0
    copied: int = 0
    resumed: int = 0
    without_vector: int = 0
    failed: int = 0
    repeated: int = 0
    retries: int = 0
    seconds: float = 0.0
    ingest_seconds: float = 0.0
    waited: float = 0.0
    without_text: Counter[str] = field(default_factory=Counter)
    """Embedded field -> documents that came with nothing in it; they get no vector."""
    dead_letter: Path | None = None

    def plus(self, other: Ingested) -> None:
        """Count in what another process did of the same load, but for its time."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def docs_per_second(self) -> float:
        """Documents indexed a second, all told."""
        return self.indexed / self.seconds if self.seconds else 0.0


class Notes(Protocol):
    """How far a load has got. ``rows`` is how many of the first ones were settled when an earlier run ended early."""

    @property
    def rows(self) -> int: ...

    def reached(self, rows: int, *, now: bool = False) -> None:
        """So many rows from the first on are settled; to be kept at once with ``now``."""


class Letters(Protocol):
    """Where rows go that can't be indexed."""

    def add(self, rejected: Rejected) -> None:
        """Keep one; it is kept for good when this comes back."""


@dataclass(frozen=True)
class Tools:
    """What a load works with. ``patience`` makes the deadline of one look at the cluster; ``eyes`` run the looks."""

    cluster: Cluster
    where: Whereabouts
    reader: Reader
    seen: Seen
    writer: BulkWriter
    pacing: Pacing
    letters: Letters
    checkpoint: Notes
    report: Report
    stopped: threading.Event
    patience: Callable[[], Patience]
    eyes: ThreadPoolExecutor
    hands: ThreadPoolExecutor


@dataclass(frozen=True)
class Manner:
    """How a load goes about it.

    With ``compare``, rows are compared with what the index has; with ``update``, they hold fields to change.
    ``total`` is the number of rows where that is known, ``longest_text`` the letters that a text may have.
    ``held``: the index had documents before.
    """

    compare: bool
    update: bool
    total: int | None
    longest_text: int
    held: bool


class Load:
    """Rows on their way. Only the thread that calls ``run`` changes anything in here."""

    def __init__(self, tools: Tools, manner: Manner, done: Ingested) -> None:
        self._tools, self._manner, self.done = tools, manner, done
        where = tools.where
        self._decider = Decider(
            tools.cluster, where, tools.eyes, update=manner.update, patience=tools.patience,
            unchanged=self._unchanged, fail=self._fail,
        )  # fmt: skip
        self._twins: Twins | None = None
        if where.now.plain and where.now.embeddings:
            self._twins = Twins(tools.cluster, where, tools.seen, patience=tools.patience, settled=self._is_settled)
        self.pending: dict[int, None] = {}
        """The numbers of rows that were read and are not settled, in their order."""
        self._under_way: dict[Future[Written], int] = {}
        self._in_doubt = sys.maxsize
        """The number of the first row that failed, and that the index may have as it was before."""
        self._stale: list[Row] = []
        self._rounds: Counter[int] = Counter()
        self._gave_up: ClusterError | None = None
        self._task = f"into {done.alias}"

    def run(self) -> None:
        """Settle every row. Raises what ends the run early."""
        self._tools.report(Begun(self._task, self._manner.total, "documents"))
        try:
            self._send(resumed(self._rows(), self._tools.checkpoint.rows, self._all_there, self._resumed))
            while self._stale and not self._gave_up:
                stale, self._stale = self._stale, []
                where = self._tools.where.look()  # perhaps they are in another index by now
                # A search would go on showing them as they were, and every write would be refused again.
                refresh(self._tools.cluster, where.index, self._tools.patience())
                self._send(iter(stale))
        except KeyboardInterrupt:
            self._tools.stopped.set()
            self._tools.report(Note("stopping as soon as the requests under way are answered"))
            raise
        finally:
            while self._under_way:
                self._take_first()
            self._tools.checkpoint.reached(self._settled_rows, now=True)
            self._tools.report(Ended(self._task))
        if self._gave_up:
            words = f"{self.done.indexed} of the {self._tools.reader.read} documents read so far are indexed"
            self._tools.report(Warned(words))
            raise self._gave_up

    def _unchanged(self, row: Row) -> None:
        """A row that is in the index as it should be."""
        self.pending.pop(row.number, None)
        self.done.indexed += 1
        self.done.unchanged += 1
        if self._twins:
            self._twins.known(row)
        if self.done.unchanged % 1000 == 0:
            self._advance()

    def _all_there(self, rows: Sequence[Row]) -> bool:
        return self._tools.where.ask(lambda where: all_there(self._tools.cluster, where, rows, self._tools.patience()))

    def _resumed(self, rows: Sequence[Row]) -> None:
        """Rows that an earlier run put into the index, where they still are."""
        for row in rows:
            self.pending.pop(row.number, None)
            if self._twins:
                self._twins.known(row)
        self.done.indexed += len(rows)
        self.done.resumed += len(rows)
        self._advance()

    @property
    def _settled_rows(self) -> int:
        """How many rows from the first on need nothing more."""
        return min(next(iter(self.pending), self._tools.reader.read), self._in_doubt)

    def _is_settled(self, number: int) -> bool:
        """Whether nobody has to wait for a row: what is decided on anew is sent after those that would wait."""
        return number not in self.pending or number in self._rounds

    def _fail(self, one: Rejected) -> None:
        """A row that can't be indexed."""
        self._reject(one)
        if one.number in self.pending:
            del self.pending[one.number]
            if self._manner.held and one.number >= self._tools.checkpoint.rows:
                self._in_doubt = min(self._in_doubt, one.number)

    def _reject(self, one: Rejected) -> None:
        self._tools.letters.add(replace(one, update=one.update or self._manner.update))
        self.done.failed += 1
        if self._twins and one.id is not None and one.document is not None:
            self._twins.failed(one.id, one.document)
        if self.done.failed <= SHOWN_FAILURES:
            self._tools.report(Warned(f"{one.place}: {one.reason}"))

    def _rows(self) -> Iterator[Row]:
        for row in self._tools.reader:
            if isinstance(row, Rejected):
                self._fail(row)
            elif reason := self._too_long(row):
                self._fail(row.rejected(reason))
            else:
                self.done.without_text.update(
                    one.text for one in self._tools.where.now.embeddings if one.text_of(row.source) is None
                )
                self.pending[row.number] = None
                yield row

    def _too_long(self, row: Row) -> str:
        for one in self._tools.where.now.embeddings:
            text = one.text_of(row.source)
            if isinstance(text, str) and len(text) > self._manner.longest_text:
                return (
                    f"{one.text!r} has {len(text):,} letters, more than {self._manner.longest_text:,}: a vector of it "
                    "would only be that of its beginning; cut the text, or make several documents of it"
                )
        return ""

    def _send(self, rows: Iterator[Row]) -> None:
        """Send what these rows need, and whatever waits for them, to the end."""
        twins = self._twins
        decide = self._decider.needed if self._manner.compare else self._decider.whole
        writes: Iterator[Write | None] = twins.apart(decide(rows)) if twins else decide(rows)
        for batch in self._batches(writes):
            self._submit(batch)
            while twins and twins.full and not self._gave_up and not self._send_ready(twins):
                self._take_first()
            if self._gave_up:
                return
        while (self._under_way or (twins and twins.any)) and not self._gave_up:
            if not (twins and self._send_ready(twins)):
                self._take_first()

    def _send_ready(self, twins: Twins) -> bool:
        ready = list(twins.ready())
        for batch in self._batches(iter(ready)):
            self._submit(batch)
        return bool(ready)

    def _batches(self, writes: Iterable[Write | None]) -> Iterator[list[Write]]:
        """Cut writes into requests, by number, bytes and model time; a bigger one is a request by itself."""
        pacing = self._tools.pacing
        batch: list[Write] = []
        size = cost = 0.0
        for write in writes:
            full = write is None or (
                len(batch) >= pacing.count or size + write.size > pacing.bounds.size or cost + write.cost > pacing.cost
            )
            if full:
                yield batch
                batch, size, cost = [], 0.0, 0.0
            if write is not None:
                batch.append(write)
                size, cost = size + write.size, cost + write.cost
        yield batch

    def _submit(self, batch: list[Write]) -> None:
        while not self._tools.pacing.admits(sum(self._under_way.values()), len(self._under_way)):
            self._take_first()
        if batch and not self._gave_up:
            self._under_way[self._tools.hands.submit(self._tools.writer.write, batch)] = len(batch)

    def _take_first(self) -> None:
        finished, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            self._under_way.pop(future)
            self._settle(future.result())
        if self._gave_up:
            self._tools.stopped.set()
        self._advance()

    def _settle(self, written: Written) -> None:
        done = self.done
        for write in written.done:
            self.pending.pop(write.row.number, None)
            done.patched += write.patch is not None
            done.copied += write.ready is not None
        done.indexed += len(written.done)
        done.created += written.created
        done.retries += written.again
        done.waited += written.waited
        done.ingest_seconds += written.ingest_seconds
        for write in written.stale:
            self._decide_again(write.read)
        for one in written.failed:
            self._fail(one)
        for one in written.given_up:
            self._reject(one)  # and is not settled: the index may have it as it was, which the next run has to see
        if written.moved:
            self._tools.where.look()
        self._gave_up = self._gave_up or written.gave_up  # the first is the reason, the others were stopped by it

    def _decide_again(self, row: Row) -> None:
        self._rounds[row.number] += 1
        if self._rounds[row.number] > _ROUNDS:
            self._fail(row.rejected("somebody else changes this document all the time"))
        else:
            self._stale.append(row)

    def _advance(self) -> None:
        read = self._tools.reader.read
        self._tools.checkpoint.reached(self._settled_rows)
        total = self._manner.total
        if total is None and self._tools.reader.progress > 0.01:
            total = round(read / self._tools.reader.progress)
        self._tools.report(Advanced(self._task, read - len(self.pending), total))

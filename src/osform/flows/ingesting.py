"""Ingest: rows from files into an alias, in bulk; whatever can't be indexed goes to the dead-letter file."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from osform.cluster.bulk import BulkWriter, Written, batches
from osform.cluster.client import Cluster
from osform.cluster.guard import refuse_mixing
from osform.cluster.targets import Embedding, Target, describe
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned, silent
from osform.core.request import Request
from osform.core.rows import Rejected, Row, value_at
from osform.errors import ClusterError, NotReady
from osform.files.dead_letters import DeadLetters
from osform.files.documents import Mapped, Reader, count_rows
from osform.files.inputs import Kind, resolve

SHOWN_FAILURES = 20
Chance = Callable[[], float]


@dataclass(frozen=True)
class Pace:
    """How much is sent at a time, and for how long the cluster is given to take it.

    ``count`` documents and ``size`` bytes a bulk request, ``clients`` requests under way at a time; ``timeout`` for one
    request and ``patience`` with a cluster that takes nothing, both in seconds.
    """

    count: int = 200
    size: int = 5_000_000
    clients: int = 2
    timeout: float = 120.0
    patience: float = 300.0


@dataclass
class Ingested:
    """What an ingest did. read = indexed + failed + repeated, unless it was cut short."""

    alias: str
    read: int = 0
    indexed: int = 0
    created: int = 0
    failed: int = 0
    repeated: int = 0
    retries: int = 0
    seconds: float = 0.0
    without_text: Counter[str] = field(default_factory=Counter)
    """Embedded field -> documents that were sent with nothing in it; they get no vector."""
    dead_letter: Path | None = None

    @property
    def docs_per_second(self) -> float:
        """Documents indexed a second, all told."""
        return self.indexed / self.seconds if self.seconds else 0.0


def ingest(
    cluster: Cluster,
    alias: str,
    files: Sequence[str],
    *,
    dead_letter: Path,
    id_field: str | None = None,
    mapped: Mapped | None = None,
    read_as: Kind | None = None,
    pace: Pace = Pace(),
    report: Report = silent,
    clock: Callable[[], float] = time.monotonic,
    chance: Chance = random.random,
) -> Ingested:
    """Index the rows of some files through ``alias``. Folders and patterns stand for files, "-" for standard input.

    ``mapped`` gives fields other names; ``read_as`` is the format of all files, where their names don't tell.

    Raises InputError before anything is sent where a file can't be read, NotReady where there is no such alias, and
    ClusterError where the cluster takes nothing for as long as ``pace`` allows; what was under way then is in the
    dead-letter file too.
    """
    inputs = resolve(files, read_as)
    target = writable(cluster, alias)
    with DeadLetters(dead_letter) as letters:
        stopped = threading.Event()
        reader = Reader(inputs, id_field=id_field, mapped=mapped)
        run = _Run(reader, target, letters, report, clock, stopped)
        run.begin(count_rows(inputs))
        writer = BulkWriter(
            cluster,
            alias,
            patience=pace.patience,
            timeout=pace.timeout,
            clock=clock,
            sleep=stopped.wait,
            chance=chance,
            report=report,
        )
        try:
            run.write(writer, pace)
        finally:
            done = run.finish()
    _refresh(cluster, alias, report)
    return done


def writable(cluster: Cluster, alias: str) -> Target:
    """The alias, as far as writes can go through it. Raises NotReady where they can't, VectorsAstray where they would
    mix the vectors of two models.
    """
    target = describe(cluster, alias)
    refuse_mixing(cluster, target)
    if not target.is_alias:
        raise NotReady(
            f"{alias!r} is an index, and osform writes through aliases only",
            hint="a write to an index that is gone would make a new one, without mapping or pipeline",
        )
    if target.write_index is None:
        raise NotReady(
            f"the alias {alias!r} stands for {', '.join(target.indices)}, and none of them is its write index",
            hint="set is_write_index for one of them",
        )
    return target


class _Run:
    """One ingest under way: what was read, what became of it, and what the reader is told."""

    def __init__(
        self,
        reader: Reader,
        target: Target,
        letters: DeadLetters,
        report: Report,
        clock: Callable[[], float],
        stopped: threading.Event,
    ) -> None:
        self._reader, self._letters, self._report, self._stopped = reader, letters, report, stopped
        self._embedded = target.embeddings
        self._total: int | None = None
        self._gave_up: ClusterError | None = None
        self._task = f"into {target.name}"
        self._clock, self._started = clock, clock()
        self.done = Ingested(target.name)

    def begin(self, total: int | None) -> None:
        """Say how much there is to do, in lines, where that is known."""
        self._total = total
        self._report(Begun(self._task, total, "documents"))

    def write(self, writer: BulkWriter, pace: Pace) -> None:
        """Keep ``pace.clients`` requests under way until all rows are settled. Raises what ends the run early."""
        under_way: set[Future[Written]] = set()
        with ThreadPoolExecutor(pace.clients, thread_name_prefix="bulk") as pool:
            try:
                for batch in batches(self._rows(), count=pace.count, size=pace.size):
                    while len(under_way) >= pace.clients:
                        self._take_first(under_way)
                    if self._gave_up:
                        break
                    under_way.add(pool.submit(writer.write, batch))
            except KeyboardInterrupt:
                self._stopped.set()
                self._report(Note("stopping as soon as the requests under way are answered"))
                raise
            finally:
                while under_way:
                    self._take_first(under_way)
        if self._gave_up:
            self._report(Warned(f"{self.done.indexed} of the {self._reader.read} documents read so far were indexed"))
            raise self._gave_up

    def finish(self) -> Ingested:
        """The figures, final; says on the way what a reader should know of."""
        done = self.done
        done.read, done.repeated = self._reader.read, self._reader.repeated
        done.seconds = self._clock() - self._started
        done.dead_letter = self._letters.path if self._letters.count else None
        self._report(Ended(self._task))
        if done.failed > SHOWN_FAILURES:
            self._report(Warned(f"and {done.failed - SHOWN_FAILURES} more"))
        if done.dead_letter:
            self._report(Warned(f"what failed is in {done.dead_letter}, each with its reason ({done.failed})"))
        for name, count in sorted(done.without_text.items()):
            self._report(Warned(f"no vector is made where {name!r} holds no text ({count} of {done.read})"))
        return done

    def _rows(self) -> Iterator[Row]:
        for row in self._reader:
            if isinstance(row, Rejected):
                self._fail([row])
            else:
                self.done.without_text.update(_textless(row, self._embedded))
                yield row

    def _take_first(self, under_way: set[Future[Written]]) -> None:
        finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            under_way.discard(future)
            written = future.result()
            self.done.indexed += written.indexed
            self.done.created += written.created
            self.done.retries += written.again
            self._fail(written.failed)
            self._gave_up = self._gave_up or written.gave_up  # the first is the reason, the others were stopped by it
        if self._gave_up:
            self._stopped.set()
        self._report(Advanced(self._task, self.done.indexed + self.done.failed + self._reader.repeated, self._total))

    def _fail(self, rejected: Iterable[Rejected]) -> None:
        for one in rejected:
            self._letters.add(one)
            self.done.failed += 1
            if self.done.failed <= SHOWN_FAILURES:
                self._report(Warned(f"{one.place}: {one.reason}"))


def _textless(row: Row, embedded: Iterable[Embedding]) -> Iterator[str]:
    for one in embedded:
        value = value_at(row.source, one.text)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield one.text


def _refresh(cluster: Cluster, alias: str, report: Report) -> None:
    """Make what was written visible to searches now rather than at the next refresh."""
    try:
        cluster.send(Request("POST", f"/{quote(alias, safe='')}/_refresh"))
    except ClusterError as error:
        report(Warned(f"what was indexed will be found a little later: {error.message}"))

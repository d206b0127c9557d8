"""Ingest: rows from files into an alias, in bulk; whatever can't be indexed goes to the dead-letter file."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from osform.cluster import nodes
from osform.cluster.bulk import BulkWriter, Means
from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination, count, refresh
from osform.cluster.lookup import textful
from osform.cluster.retry import Patience
from osform.core.events import Report, Warned, silent
from osform.core.pacing import Bounds, Pacing
from osform.errors import ClusterError, NotReady
from osform.files.checkpoints import Checkpoint, fingerprint, state_folder
from osform.files.dead_letters import DeadLetters
from osform.files.documents import Mapped, Reader, count_rows
from osform.files.inputs import Input, Kind, resolve
from osform.files.seen import Seen
from osform.flows.load.deciding import AHEAD
from osform.flows.load.running import SHOWN_FAILURES, Ingested, Load, Manner, Tools
from osform.flows.load.tuning import MANY, Tuning
from osform.flows.load.waking import Waker
from osform.flows.load.whereabouts import Whereabouts

__all__ = ["Ingested", "Pace", "ingest"]

LONGEST_TEXT = 1_000_000
"""Letters of a text that is embedded: models read a few hundred tokens, and the rest takes time and memory."""
# What a request holds where no model has to do anything with it.
_PLAIN_COUNT, _PLAIN_GROUP = 5_000, 250
_LOOK_SECONDS = 120.0
_LOOKED_AT = 20_000  # documents without a vector: by far the most of them have a blank text
Chance = Callable[[], float]


@dataclass(frozen=True)
class Pace:
    """How much is sent at a time, and for how long the cluster is given to take it.

    ``count`` documents a bulk request and ``clients`` requests under way at a time, both found out on the way where
    they are None; at most ``size`` bytes a request. ``timeout`` for one request and ``patience`` with a cluster that
    takes nothing, both in seconds.
    """

    count: int | None = None
    size: int = 5_000_000
    clients: int | None = None
    timeout: float = 120.0
    patience: float = 300.0


@dataclass(frozen=True)
class Reading:
    """How files become documents: see ``Reader`` and ``resolve``."""

    id_field: str | None = None
    mapped: Mapped | None = None
    read_as: Kind | None = None


def ingest(
    cluster: Cluster,
    alias: str,
    files: Sequence[str],
    *,
    dead_letter: Path,
    reading: Reading = Reading(),
    update: bool = False,
    pace: Pace = Pace(),
    longest_text: int = LONGEST_TEXT,
    keep_settings: bool = False,
    state: Path | None = None,
    report: Report = silent,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
    chance: Chance = random.random,
) -> Ingested:
    """Index the rows of some files through ``alias``. Folders and patterns stand for files, "-" for standard input.

    What the index has already is not written again, and not embedded again. With ``update``, rows hold the fields to
    change of documents that are there. An index that gets many rows has its refreshes and copies put off until the end
    but for ``keep_settings``. How far a run has got is kept in the folder ``state``, until it is through: the same call
    goes on from there.

    Raises InputError before anything is sent where a file can't be read, NotReady where there is no such alias,
    VectorsAstray where the vectors of two models would be mixed, and ClusterError where the cluster takes nothing for
    as long as ``pace`` allows; what was under way then is in the dead-letter file too.
    """
    inputs = resolve(files, reading.read_as)
    stopped, started = threading.Event(), clock()

    def sleep(seconds: float) -> None:
        if stopped.wait(seconds):
            raise NotReady("the run was stopped")

    def patience() -> Patience:
        return Patience.of(min(_LOOK_SECONDS, pace.patience), clock, sleep)

    whereabouts = Whereabouts(cluster, alias, patience)
    where = whereabouts.now
    done = Ingested(alias)
    with ExitStack() as stack:
        letters = stack.enter_context(DeadLetters(dead_letter))
        seen = stack.enter_context(closing(Seen()))
        checkpoint = Checkpoint(
            state or state_folder(os.environ), _fingerprint(inputs, where, reading, update), clock=clock
        )
        reader = Reader(inputs, id_field=reading.id_field, mapped=reading.mapped, seen=seen)
        pacing = Pacing(_bounds(cluster, where, pace), pace.timeout, clock)
        wake = Waker(cluster, where.model_ids, deadline=pace.patience, clock=clock, sleep=stopped.wait, report=report)
        means = Means(pacing, clock, stopped.wait, chance, report, wake)
        writer = BulkWriter(cluster, alias, means, patience=pace.patience)
        eyes, hands = (
            stack.enter_context(ThreadPoolExecutor(workers, name))
            for workers, name in ((AHEAD, "look-up"), (pacing.bounds.clients, "bulk"))
        )
        tools = Tools(
            cluster,
            whereabouts,
            reader,
            seen,
            writer,
            pacing,
            letters,
            checkpoint,
            report,
            stopped,
            patience,
            eyes,
            hands,
        )
        held, total = count(cluster, where.index, patience()), count_rows(inputs)
        compare = update or (bool(where.embeddings) and held > 0)
        load = Load(tools, Manner(compare, update, total, longest_text), done)
        wanted = not keep_settings and (total is None or total >= MANY)
        stack.enter_context(
            Tuning(cluster, whereabouts, wanted=wanted, empty=not held, patience=patience, now=now, report=report)
        )
        try:
            load.run()
            checkpoint.finished()
            _refresh(cluster, alias, patience(), report)
            _prove(cluster, whereabouts, seen, done, patience(), report)
        finally:
            done.read, done.repeated = reader.read, reader.repeated
            done.seconds = clock() - started
            done.dead_letter = letters.path if letters.count else None
            _tell(done, report)
    return done


def _fingerprint(inputs: Sequence[Input], where: Destination, reading: Reading, update: bool) -> str | None:
    """What is loaded into what, and how, for the checkpoint."""
    return fingerprint(inputs, where.uuid, reading.id_field, dict(reading.mapped or {}), update)


def _bounds(cluster: Cluster, where: Destination, pace: Pace) -> Bounds:
    """What pacing keeps to: as many documents under way as the processors of the ML nodes can use."""
    usual = Bounds()
    embeds = bool(where.embeddings)
    return Bounds(
        count=pace.count or (usual.count if embeds else _PLAIN_COUNT),
        size=pace.size,
        clients=pace.clients or usual.clients,
        group=where.group if embeds else _PLAIN_GROUP,
        cores=_cores(cluster, where) if embeds else usual.cores,
        exact=pace.count is not None,
    )


def _cores(cluster: Cluster, where: Destination) -> int:
    """Processors that can embed: those of the nodes that have the models, else of those that may have them."""
    try:
        held = nodes.serving(cluster, where.model_ids)
        ids = frozenset.union(*held.values()) or {node.id for node in nodes.ml_nodes(cluster)}
        return max(1, nodes.processors(cluster, ids))
    except ClusterError:
        return Bounds().cores  # somebody who may write need not be allowed to look at nodes


def _tell(done: Ingested, report: Report) -> None:
    """What a reader should know of besides the figures."""
    if done.failed > SHOWN_FAILURES:
        report(Warned(f"and {done.failed - SHOWN_FAILURES} more"))
    if done.dead_letter:
        report(Warned(f"what failed is in {done.dead_letter}, each with its reason ({done.failed})"))
    for name, textless in sorted(done.without_text.items()):
        report(Warned(f"no vector is made where {name!r} holds no text ({textless} of {done.read})"))


def _prove(
    cluster: Cluster, where: Whereabouts, seen: Seen, done: Ingested, patience: Patience, report: Report
) -> None:
    """Count what has a text and no vector: nothing of this run, whatever the answers said."""
    try:
        lacking = list(where.ask(lambda there: list(textful(cluster, there, patience, _LOOKED_AT))))
    except ClusterError as error:
        report(Warned(f"whether every text has its vector could not be asked: {error.message}"))
        return
    ours = [each for each in lacking if seen.has(each)]
    done.without_vector = len(ours)
    for few, whose in ((ours, "of this run"), ([each for each in lacking if each not in set(ours)], "of others")):
        if few:
            names = ", ".join(few[:3])
            report(
                Warned(f"{len(few)} documents {whose} have a text and no vector, {names} among them: send them again")
            )


def _refresh(cluster: Cluster, alias: str, patience: Patience, report: Report) -> None:
    """Make what was written visible to searches now rather than at the next refresh."""
    try:
        refresh(cluster, alias, patience)
    except ClusterError as error:
        report(Warned(f"what was indexed will be found a little later: {error.message}"))

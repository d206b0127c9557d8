"""Ingest: rows from files into an alias, in bulk; whatever can't be indexed goes to the dead-letter file."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination, count, refresh
from osform.cluster.lookup import textful
from osform.cluster.retry import Patience, reach
from osform.core.events import Report, Warned, silent
from osform.errors import ClusterError
from osform.files.checkpoints import Checkpoint, fingerprint, state_folder
from osform.files.dead_letters import DeadLetters
from osform.files.documents import Mapped, Reader, count_rows
from osform.files.inputs import Kind, resolve
from osform.files.seen import Seen
from osform.flows.load.assembling import USUAL_PACE, Pace, Run, Sources, assembled
from osform.flows.load.running import SHOWN_FAILURES, Ingested, Manner
from osform.flows.load.tuning import MANY, Tuning
from osform.flows.load.whereabouts import Whereabouts

__all__ = ["Ingested", "Pace", "ingest"]

LONGEST_TEXT = 1_000_000
"""Letters of a text that is embedded: models read a few hundred tokens, and the rest takes time and memory."""
_LOOKED_AT = 20_000  # documents without a vector: by far the most of them have a blank text
Chance = Callable[[], float]


@dataclass(frozen=True)
class Reading:
    """How files become documents: see ``Reader`` and ``resolve``."""

    id_field: str | None = None
    mapped: Mapped | None = None
    read_as: Kind | None = None


AS_NAMED = Reading()


def ingest(
    cluster: Cluster,
    alias: str,
    files: Sequence[str],
    *,
    dead_letter: Path,
    reading: Reading = AS_NAMED,
    update: bool = False,
    pace: Pace = USUAL_PACE,
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
    started, run = clock(), Run(pace, report, threading.Event(), clock, chance)
    reach(cluster, clock=clock, sleep=run.sleep)
    where = Whereabouts(cluster, alias, run.patience)
    done = Ingested(alias)
    with ExitStack() as stack:
        letters = stack.enter_context(DeadLetters(dead_letter))
        seen = stack.enter_context(closing(Seen()))
        name = fingerprint(inputs, where.now.uuid, reading.id_field, dict(reading.mapped or {}), update)
        checkpoint = Checkpoint(state or state_folder(os.environ), name, clock=clock)
        reader = Reader(inputs, id_field=reading.id_field, mapped=reading.mapped, seen=seen, update=update)
        held, total = count(cluster, where.now.index, run.patience()), count_rows(inputs)
        manner = Manner(update or (bool(where.now.embeddings) and held > 0), update, total, longest_text, held > 0)
        sources = Sources(reader, seen, letters, checkpoint)
        load = stack.enter_context(assembled(cluster, where, sources, manner, run, done))
        wanted = not keep_settings and (total is None or total >= MANY)
        tuned = Tuning(cluster, where, wanted=wanted, empty=not held, patience=run.patience, now=now, report=report)
        stack.enter_context(tuned)
        try:
            load.run()
            checkpoint.finished()
            show(cluster, alias, run.patience(), report)
            done.without_vector = prove(cluster, where, seen.has, run.patience(), report)
        finally:
            done.read, done.repeated = reader.read, reader.repeated
            done.seconds = clock() - started
            done.dead_letter = letters.path if letters.count else None
            tell(done, report)
    return done


def tell(done: Ingested, report: Report) -> None:
    """What a reader should know of besides the figures."""
    if done.failed > SHOWN_FAILURES:
        report(Warned(f"and {done.failed - SHOWN_FAILURES} more"))
    if done.dead_letter:
        report(Warned(f"what failed is in {done.dead_letter}, each with its reason ({done.failed})"))
    for name, textless in sorted(done.without_text.items()):
        report(Warned(f"no vector is made where {name!r} holds no text ({textless} of {done.read})"))


def prove(
    cluster: Cluster, where: Whereabouts, ours: Callable[[str], bool] | None, patience: Patience, report: Report
) -> int:
    """Count what has a text and no vector: nothing of this run, whatever the answers said.

    Without ``ours``, which says by its id whether a document is of this run, all are counted.
    """
    try:
        lacking = _lacking(cluster, where, patience)
    except ClusterError as error:
        report(Warned(f"whether every text has its vector could not be asked: {error.message}"))
        return 0
    mine = [each for each in lacking if ours is None or ours(each)]
    for few, whose in (
        (mine, "of this run" if ours else "of the index"),
        ([each for each in lacking if each not in set(mine)], "of others"),
    ):
        if few:
            names = ", ".join(few[:3])
            report(
                Warned(f"{len(few)} documents {whose} have a text and no vector, {names} among them: send them again")
            )
    return len(mine)


def _lacking(cluster: Cluster, where: Whereabouts, patience: Patience) -> list[str]:
    """Ids in the index that the alias points to by now; where its pipeline was taken away, by what that had made."""
    before = where.now.embeddings
    where.look()

    def question(there: Destination) -> list[str]:
        there = replace(there, embeddings=there.embeddings or before)
        return list(textful(cluster, there, patience, _LOOKED_AT))

    return where.ask(question)


def show(cluster: Cluster, alias: str, patience: Patience, report: Report) -> None:
    """Make what was written visible to searches now rather than at the next refresh."""
    try:
        refresh(cluster, alias, patience)
    except ClusterError as error:
        report(Warned(f"what was indexed will be found a little later: {error.message}"))

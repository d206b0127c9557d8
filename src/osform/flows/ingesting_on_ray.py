"""Ingest by the workers of a Ray cluster: Parquet in parts, each read, decided on and sent by a process of its own."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.destinations import count
from osform.cluster.retry import reach
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned, silent
from osform.errors import ClusterError, InputError
from osform.files.checkpoints import fingerprint, state_folder
from osform.files.dead_letters import DeadLetters
from osform.files.inputs import Input, resolve
from osform.files.parts import Part, parts_of, repeated
from osform.flows.ingesting import AS_NAMED, LONGEST_TEXT, Reading, prove, show, tell
from osform.flows.load.assembling import USUAL_PACE, Pace, Run
from osform.flows.load.on_ray import Fleet
from osform.flows.load.parts import Order
from osform.flows.load.running import SHOWN_FAILURES, Ingested, Manner
from osform.flows.load.tuning import MANY, Tuning
from osform.flows.load.whereabouts import Whereabouts


def ingest_on_ray(
    cluster: Cluster,
    alias: str,
    files: Sequence[str],
    *,
    dead_letter: Path,
    connect: Callable[[], Cluster],
    workers: int | None = None,
    reading: Reading = AS_NAMED,
    update: bool = False,
    pace: Pace = USUAL_PACE,
    longest_text: int = LONGEST_TEXT,
    keep_settings: bool = False,
    state: Path | None = None,
    report: Report = silent,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Ingested:
    """Index the rows of Parquet files through ``alias``, as ``osform.flows.ingesting.ingest`` does.

    ``workers`` parts are under way at a time; each worker makes a connection with ``connect``, and reads the files
    under the paths that they have here. Checkpoints, dead letters and settings are kept by this process.

    Raises what ``ingest`` raises, InputError for a file that is not Parquet, and MissingExtra without Ray.
    """
    inputs = tuple(replace(each, path=str(Path(each.path).absolute())) for each in resolve(files, reading.read_as))
    parts, mapped = parts_of(inputs), dict(reading.mapped or {})
    with DeadLetters(dead_letter):
        pass  # what speaks against it is said before anything is sent
    started, run = clock(), Run(pace, report, threading.Event(), clock, random.random)
    reach(cluster, clock=clock, sleep=run.sleep)
    where = Whereabouts(cluster, alias, run.patience)
    held, total = count(cluster, where.now.index, run.patience()), sum(part.rows for part in parts)
    done = Ingested(alias)
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(workers))
        twice = repeated(fleet.hashes(parts, reading.id_field, mapped))
        manner = Manner(update or (bool(where.now.embeddings) and held > 0), update, None, longest_text, held > 0)
        share = max(1, min(fleet.workers, len(parts)))
        order = Order(connect, alias, reading.id_field, mapped, manner, pace, share, twice)
        names = [_name(part, where, order, ()) for part in parts] + [_name(_rest(inputs), where, order, (total,))]
        desk = fleet.desk(state or state_folder(os.environ), names, dead_letter.absolute())
        wanted = not keep_settings and total >= MANY
        tuned = Tuning(cluster, where, wanted=wanted, empty=not held, patience=run.patience, now=now, report=report)
        stack.enter_context(tuned)
        watch = _Watch(fleet, desk, f"into {alias}", total, report)
        try:
            _load(fleet, order, parts, _rest(inputs), watch, done)
            fleet.finished(desk)
            show(cluster, alias, run.patience(), report)
            done.without_vector = prove(cluster, where, None, run.patience(), report)
        except KeyboardInterrupt:
            report(Note("stopped as soon as the requests under way were answered"))
            raise
        finally:
            watch.end()
            done.failed = watch.failed
            done.seconds = clock() - started
            done.dead_letter = dead_letter if done.failed else None
            tell(done, report)
    return done


def _load(fleet: Fleet, order: Order, parts: Sequence[Part], rest: Part, watch: _Watch, done: Ingested) -> None:
    """All parts side by side, and then the rows whose ids are there more than once, in the order of the files."""
    for more, chosen in ((False, list(enumerate(parts))), (True, [(len(parts), rest)] if order.twice else [])):
        shared = order if not more else replace(order, share=1)
        for outcome in fleet.loaded(shared, chosen, watch.desk, watch, rest=more):
            done.plus(outcome.done)
            if outcome.wrong:
                message, hint = outcome.wrong
                raise (InputError if outcome.is_input else ClusterError)(message, hint=hint)


def _rest(inputs: Sequence[Input]) -> Part:
    return Part(tuple(inputs), 0)


def _name(part: Part, where: Whereabouts, order: Order, more: tuple[Any, ...]) -> str | None:
    """What the note of a part is called: what is loaded into what, and how."""
    return fingerprint(part.inputs, where.now.uuid, order.id_field, dict(order.mapped), order.manner.update, *more)


class _Watch:
    """Passes on what the desk is told."""

    def __init__(self, fleet: Fleet, desk: Any, task: str, total: int, report: Report) -> None:
        self.desk = desk
        self.failed = 0
        self._fleet, self._task, self._total, self._report = fleet, task, total, report
        self._warnings = 0
        report(Begun(task, total, "documents"))

    def __call__(self) -> None:
        news = self._fleet.news(self.desk)
        self.failed = news.failed
        for event in news.events:
            self._warnings += isinstance(event, Warned)
            if not isinstance(event, Warned) or self._warnings <= SHOWN_FAILURES:
                self._report(event)
        self._report(Advanced(self._task, sum(news.done.values()), self._total))

    def end(self) -> None:
        self()
        self._report(Ended(self._task))

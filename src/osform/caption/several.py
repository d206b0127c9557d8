"""Several machines: Ray Data streams pictures through actors that decode and actors that describe.

A machine of the Ray cluster needs osform with the extras ``caption`` and ``ray``, in the same versions, and sees files
and model at the same paths; addresses and names on the Hub need nothing. What comes back is written here, in order.
The names of all pictures are in memory at once, and so are the contents of tar shards.
"""

from __future__ import annotations

import math
import os
import pickle
import secrets
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from osform.caption.describing import Described, Describer
from osform.caption.engines import REVISIONS, Loading, load
from osform.caption.hands import Batch, Key, Known, key, unlike
from osform.caption.prompts import Uses
from osform.caption.replicas import Answer
from osform.errors import CaptionError, InputError, MissingExtra, OsformError
from osform.images import checkpoints
from osform.images.checkpoints import Checkpoint
from osform.images.decoding import Decoded, Decoding
from osform.images.fetching import Fetcher, Web
from osform.images.pictures import Picture
from osform.images.reading import Reader, Ready

if TYPE_CHECKING:
    import numpy

    Rows = dict[str, numpy.ndarray[Any, Any]]
else:
    Rows = dict

_STORE = 512 << 20
"""Bytes of shared memory of a Ray that is started for one run on this machine."""
# Of a cluster that is started here: no figures of its use for Ray's makers, and work from nobody but this run, since
# whoever may hand Ray work can run anything as this user. Ray reads them when it is imported.
_OF_OUR_OWN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
_MOST_BLOCKS = 10_000
_ROW = "row"
USUAL_BATCH = 64
"""Pictures at a time where nobody knows the memory of the machines."""


@dataclass(frozen=True)
class Task:
    """What every worker is told. ``model`` and ``asked`` are the name and revision as they were given."""

    model: str
    asked: str | None
    revision: str
    loading: Loading
    decoding: Decoding
    uses: Uses
    web: Web
    batch: int


@dataclass(frozen=True)
class Team:
    """How many actors decode and how many describe."""

    decoders: int
    describers: int


class Several:
    """A Ray cluster; see ``Hands``. ``RAY_ADDRESS`` names one, else one is started on this machine."""

    def __init__(self, actors: int) -> None:
        """Join the cluster; one that is started here has room for so many ``actors``, whatever the machine has.

        Raises MissingExtra without Ray, CaptionError where it does not answer.
        """
        address = os.environ.get("RAY_ADDRESS")
        os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
        if not address:
            os.environ.update(_OF_OUR_OWN)
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise MissingExtra("ray", "--engine ray", error) from error
        self.starting = self.waited = 0.0
        self._stack = ExitStack()
        self._stack.enter_context(redirect_stdout(sys.stderr))  # Ray prints what happens to its workers
        self._stack.enter_context(warnings.catch_warnings(action="ignore"))
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        how: dict[str, Any] = {"address": address} if address else {
            "address": "local", "object_store_memory": _STORE, "include_dashboard": False,
            "num_cpus": max(actors, os.cpu_count() or 1), "_node_ip_address": "127.0.0.1"}  # fmt: skip
        try:
            if self._ours:
                ray.init(log_to_driver=False, logging_level="ERROR", **how)
            self.resources: Mapping[str, float] = ray.cluster_resources()
        except (OSError, ValueError, RuntimeError) as error:  # ConnectionError is an OSError
            self._stack.close()
            raise CaptionError(f"Ray at {address or 'this machine'}: {error}", hint="RAY_ADDRESS names it") from error

    def set_up(self, task: Task, team: Team) -> None:
        """Say what is to be done. Raises InputError where the cluster has not the processors for it."""
        self._task, self._team = task, team
        gpu = task.loading.device.startswith("cuda")
        needed = team.decoders + (0 if gpu else team.describers)
        if needed > self.resources.get("CPU", 0) or (gpu and team.describers > self.resources.get("GPU", 0)):
            there = ", ".join(f"{self.resources.get(name, 0):.0f} {name}" for name in ("CPU", "GPU"))
            raise InputError(
                f"{team.decoders} workers and {team.describers} replicas are more than Ray has: {there}",
                hint="fewer --workers or --replicas",
            )

    def work(self, wanted: Iterator[Picture], known: Known) -> Iterator[Batch]:
        """See ``Hands``. ``known`` is not asked: what is known is only known here, where the lines are."""
        planned = list(wanted)
        if not planned:
            return
        try:
            rows = iter(self._planned(planned).iter_rows())
            while batch := self._next(rows):
                yield _gathered(batch)
        except self._ray.exceptions.RayError as error:
            raise CaptionError(f"Ray stopped: {str(error).strip().splitlines()[-1]}") from error

    def close(self) -> None:
        if self._ours:
            self._ray.shutdown()
        self._stack.close()

    def _planned(self, wanted: Sequence[Picture]) -> Any:
        import ray.data
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        task, team = self._task, self._team
        rows = [{_ROW: pickle.dumps(replace(each, row={}))} for each in wanted]
        blocks = min(max(1, math.ceil(len(rows) / task.batch)), _MOST_BLOCKS)
        connections = max(1, task.web.connections // team.decoders)
        model = {"num_gpus": 1} if task.loading.device.startswith("cuda") else {"num_cpus": 1}
        return (
            ray.data.from_items(rows, override_num_blocks=blocks)
            .map_batches(
                Decode, batch_size=task.batch, fn_constructor_args=(task, connections),
                compute=ActorPoolStrategy(size=team.decoders), num_cpus=1,
            )
            .map_batches(
                Describe, batch_size=task.batch, fn_constructor_args=(task,),
                compute=ActorPoolStrategy(size=team.describers), **model,
            )
        )  # fmt: skip

    def _next(self, rows: Iterator[Mapping[str, Any]]) -> list[_Done]:
        batch: list[_Done] = []
        started = time.monotonic()
        for row in rows:
            batch.append(pickle.loads(row[_ROW]))
            if len(batch) == self._task.batch:
                break
        spent = time.monotonic() - started
        if self.starting:
            self.waited += spent
        else:
            self.starting = spent
        for each in batch:
            if each.wrong:
                raise CaptionError(each.wrong[0], hint=each.wrong[1])
        return batch


@dataclass(frozen=True)
class _Done:
    """A picture that came back: without its pixels, with what is said of it, and a batch's seconds on its first row."""

    ready: Ready
    described: Described | None = None
    seconds: float = 0.0
    batch: int = 0
    wrong: tuple[str, str | None] | None = None


class Decode:
    """Rows of pictures to rows of decoded ones, with a process of its own that may crash."""

    def __init__(self, task: Task, connections: int) -> None:
        fetcher = Fetcher(replace(task.web, connections=connections))
        self._reader = Reader(task.decoding, fetcher, workers=1, ahead=task.batch)

    def __call__(self, rows: Rows) -> Rows:
        return _rows(list(self._reader.read(pickle.loads(each) for each in rows[_ROW])))


class Describe:
    """Rows of decoded pictures to rows of described ones."""

    def __init__(self, task: Task) -> None:
        self._wrong: tuple[str, str | None] | None = None
        try:
            folder = _there(task)
            self._describer = Describer(load(replace(task.loading, folder=folder.folder)), task.uses, task.batch)
        except OsformError as error:  # told with the first row, since Ray would show a trace in place of the sentence
            self._wrong = (f"{socket.gethostname()}: {error.message}", error.hint)

    def __call__(self, rows: Rows) -> Rows:
        batch: list[Ready] = [pickle.loads(each) for each in rows[_ROW]]
        if self._wrong:
            return _rows([_Done(each, wrong=self._wrong) for each in batch])
        try:
            return _rows(self._described(batch))
        except OsformError as error:
            return _rows([_Done(each, wrong=(error.message, error.hint)) for each in batch])

    def _described(self, batch: Sequence[Ready]) -> list[_Done]:
        import numpy

        started = time.monotonic()
        fresh = unlike([each for each in batch if each.decoded.pixels is not None])
        said: dict[Key, Described] = {}
        if fresh:
            pixels = numpy.stack([each.decoded.pixels for each in fresh if each.decoded.pixels is not None])
            texts = self._describer.describe(pixels, [each.picture.prompt for each in fresh])
            said = {key(each): described for each, described in zip(fresh, texts, strict=True)}
        seconds = time.monotonic() - started
        return [
            _Done(_light(each), said.get(key(each)), 0.0 if place else seconds, self._describer.batch)
            for place, each in enumerate(batch)
        ]


def _there(task: Task) -> Checkpoint:
    found = checkpoints.locate(task.model, task.asked, REVISIONS)
    if found.revision != task.revision:
        raise CaptionError(f"{task.model} is at revision {found.revision} here, expected {task.revision}",
                           hint="every machine needs the same files")  # fmt: skip
    return found


def _light(ready: Ready) -> Ready:
    decoded = Decoded(ready.decoded.sha256, reason=ready.decoded.reason, seconds=ready.decoded.seconds)
    return Ready(replace(ready.picture, content=None), decoded)


def _gathered(batch: Sequence[_Done]) -> Batch:
    said = {key(each.ready): each.described for each in batch if each.described is not None}
    places = {each: place for place, each in enumerate(said)}
    answer = Answer(tuple(said.values()), sum(each.seconds for each in batch), min(each.batch for each in batch))
    return Batch([each.ready for each in batch], places, answer)


def _rows(values: Sequence[object]) -> Rows:
    import numpy

    column = numpy.empty(len(values), dtype=object)
    column[:] = [pickle.dumps(each) for each in values]
    return {_ROW: column}

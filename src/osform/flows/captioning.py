"""Describe pictures: read and decode ahead, have the model describe batches, write lines in the pictures' order."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osform.caption import manifest
from osform.caption.engines import REVISIONS, Loading, Precision, devices, sight
from osform.caption.manifest import Manifest, Run
from osform.caption.memory import batch_for
from osform.caption.output import Descriptions, without_errors
from osform.caption.prompts import Uses
from osform.caption.replicas import Answer, Replicas
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned, silent
from osform.errors import InputError, MissingExtra
from osform.flows.picture_inputs import Inputs, check_column, count, pictures
from osform.images import checkpoints
from osform.images.decoding import Decoding
from osform.images.fetching import Fetcher, Web
from osform.images.pictures import Picture
from osform.images.reading import Reader, Ready

SHOWN_FAILURES = 5
_TASK = "describing pictures"
A_CAPTION, USUAL_WEB = Uses(), Web()


@dataclass(frozen=True)
class Model:
    """The model: a folder or a name on the Hub with its ``revision``, and how it works.

    ``device`` names torch devices, one replica each, None for all GPUs or else the CPU; ``precision`` None is bf16 on a
    GPU and fp32 elsewhere.
    """

    name: str
    revision: str | None = None
    device: str | None = None
    precision: Precision | None = None
    max_new_tokens: int = 30
    static: bool = False


@dataclass(frozen=True)
class Manner:
    """How a run goes: rows a ``batch`` (None: what memory allows), ``workers`` that decode, and what is begun anew."""

    batch: int | None = None
    workers: int | None = None
    quick: bool = False
    most_pixels: int = Decoding.most_pixels
    retry: bool = False
    restart: bool = False


USUAL_MANNER = Manner()


@dataclass(frozen=True)
class Captioned:
    """What came of a run: its figures, and where they are written. ``failed`` counts the errors in the whole file."""

    out: Path
    manifest: Path
    run: Run
    failed: int


def describe(
    inputs: Inputs,
    out: Path,
    model: Model,
    *,
    uses: Uses = A_CAPTION,
    manner: Manner = USUAL_MANNER,
    web: Web = USUAL_WEB,
    report: Report = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Captioned:
    """Describe pictures in ``out``, a line for each picture and prompt; what it has already is left as it is.

    Raises InputError for inputs and options that can't be worked with, CaptionError for a model that can't be used.
    """
    check_column(inputs.names, inputs.column)
    total = count(inputs)
    checkpoint = checkpoints.locate(model.name, model.revision, REVISIONS)
    loadings = _loadings(checkpoint, model)
    decoding = _decoding(checkpoint, manner, inputs)
    made_with = _identity(checkpoint, loadings[0], uses, decoding, inputs)
    _make_way(out, manner, report)
    with ExitStack() as stack:
        lines = stack.enter_context(Descriptions(out))
        kept = Manifest(manifest.path_of(out), made_with)
        kept.take_up(lines.lines)
        batch = manner.batch or batch_for(checkpoint.folder, loadings[0])
        workers = manner.workers if manner.workers is not None else max(1, min(8, (os.cpu_count() or 2) - 1))
        fetcher = Fetcher(replace(web, most_bytes=inputs.most_bytes))
        ahead = max(4 * batch * len(loadings), 2 * web.connections)
        reader = stack.enter_context(closing(Reader(decoding, fetcher, workers=workers, ahead=ahead)))
        report(Note(_loading(checkpoint, loadings)))
        replicas = stack.enter_context(Replicas(loadings, uses, batch))
        work = _Work(lines, uses, checkpoint, replicas, reader, batch, report, clock, total)
        kept.runs.append(work.run)
        kept.write()
        try:
            work.carry_out(pictures(inputs))
            work.run.finished = True
        finally:
            work.close()
            kept.write()
    return Captioned(out, kept.path, work.run, lines.failed)


def _loading(checkpoint: checkpoints.Checkpoint, loadings: Sequence[Loading]) -> str:
    where = ", ".join(each.device for each in loadings)
    return f"loading {checkpoint.name} at {checkpoint.revision[:12]} ({loadings[0].precision}, {where})"


def _make_way(out: Path, manner: Manner, report: Report) -> None:
    if manner.restart:
        for path in (out, manifest.path_of(out)):
            path.unlink(missing_ok=True)
    elif manner.retry:
        report(Note(f"{without_errors(out)} pictures that failed are tried again"))


def _loadings(checkpoint: checkpoints.Checkpoint, model: Model) -> list[Loading]:
    loadings = []
    for device in devices(model.device):
        precision: Precision = model.precision or ("bf16" if device.startswith("cuda") else "fp32")
        if precision == "fp16" and device == "cpu":
            raise InputError("fp16 is for GPUs", hint="--precision fp32, or bf16")
        loadings.append(Loading(checkpoint.folder, device, precision, model.max_new_tokens, model.static))
    return loadings


def _decoding(checkpoint: checkpoints.Checkpoint, manner: Manner, inputs: Inputs) -> Decoding:
    try:
        import PIL  # noqa: F401 - the processes that decode would each say that it is missing
    except ImportError as error:
        raise MissingExtra("caption", "describing pictures", error) from error
    sees = sight(checkpoint.folder)
    return Decoding(sees.size, sees.resample, manner.most_pixels, inputs.most_bytes, manner.quick)


def _identity(
    checkpoint: checkpoints.Checkpoint, loading: Loading, uses: Uses, decoding: Decoding, inputs: Inputs
) -> dict[str, Any]:
    return {
        "model": checkpoint.name,
        "revision": checkpoint.revision,
        "precision": loading.precision,
        "max_new_tokens": loading.max_new_tokens,
        "prompts": list(uses.prompts),
        "questions": dict(uses.questions),
        "chat": [[turn.question, turn.answer] for turn in uses.chat],
        "pixels": decoding.size,
        "quick_decode": decoding.quick,
        "url_params": dict(inputs.params),
    }


class _Work:
    """A run under way."""

    def __init__(
        self,
        lines: Descriptions,
        uses: Uses,
        checkpoint: checkpoints.Checkpoint,
        replicas: Replicas,
        reader: Reader,
        batch: int,
        report: Report,
        clock: Callable[[], float],
        total: int | None,
    ) -> None:
        self._lines, self._uses, self._checkpoint, self._replicas = lines, uses, checkpoint, replicas
        self._reader, self._batch, self._report, self._clock, self._total = reader, batch, report, clock, total
        self._begun = clock()
        self.run = Run(datetime.now(UTC).isoformat(timespec="seconds"), batch=batch)
        report(Begun(_TASK, total))

    def carry_out(self, wanted: Iterator[Picture]) -> None:
        """Describe the pictures: while the replicas compute, the next batches are read, and those before written."""
        under_way: deque[tuple[list[Ready], dict[str, int], Future[Answer] | None]] = deque()
        ready = self._reader.read(self._missing(wanted))
        while batch := list(itertools.islice(ready, self._batch)):
            under_way.append((batch, *self._submitted(batch)))
            while len(under_way) > 2 * len(self._replicas):
                self._write(*under_way.popleft())
        while under_way:
            self._write(*under_way.popleft())
        if self.run.failed > SHOWN_FAILURES:
            self._report(Warned(f"and {self.run.failed - SHOWN_FAILURES} more"))
        if self.run.empty:
            self._report(Warned(f"{self.run.empty} descriptions are empty: the model had nothing to say"))

    def close(self) -> None:
        """The last figures."""
        run = self.run
        run.seconds = self._clock() - self._begun
        run.waiting = self._reader.waited
        run.pictures_per_second = (run.described + run.repeated) / run.seconds if run.seconds else 0.0
        for name in ("seconds", "reading", "waiting", "computing", "writing", "pictures_per_second"):
            setattr(run, name, round(getattr(run, name), 3))
        self._report(Ended(_TASK))

    def _missing(self, wanted: Iterator[Picture]) -> Iterator[Picture]:
        """The pictures that have not all of their lines yet; each name once."""
        for picture in wanted:
            self.run.pictures += 1
            if all(self._lines.has(picture.name, label) for label in self._uses.labels):
                self.run.skipped += 1
            else:
                yield picture

    def _submitted(self, batch: Sequence[Ready]) -> tuple[dict[str, int], Future[Answer] | None]:
        """Have the replicas describe what of a batch has not been described; its place in their answer by hash."""
        import numpy

        places: dict[str, int] = {}
        pixels: list[numpy.ndarray[Any, Any]] = []
        for each in batch:
            digest = each.decoded.sha256
            if each.decoded.pixels is not None and digest not in places and not self._described(digest):
                places[digest] = len(pixels)
                pixels.append(each.decoded.pixels)
        return places, self._replicas.submit(numpy.stack(pixels)) if pixels else None

    def _described(self, digest: str) -> bool:
        return all(self._lines.earlier(digest, label) is not None for label in self._uses.labels)

    def _write(self, batch: Sequence[Ready], places: dict[str, int], future: Future[Answer] | None) -> None:
        answer = future.result() if future else None
        if answer:
            self.run.computing += answer.seconds
            if answer.batch < self.run.batch:
                self._report(
                    Warned(f"the device's memory was too small: {answer.batch} pictures at a time from now on")
                )
                self.run.batch = answer.batch
        started = self._clock()
        for each in batch:
            self.run.reading += each.decoded.seconds
            if each.decoded.pixels is None:
                self._fail(each)
                continue
            self._write_picture(each, places.get(each.decoded.sha256), answer)
        self._lines.sync()
        self.run.writing += self._clock() - started
        self.run.lines = self._lines.lines
        self._report(Advanced(_TASK, self.run.pictures, self._total))

    def _write_picture(self, each: Ready, place: int | None, answer: Answer | None) -> None:
        name, digest = each.picture.name, each.decoded.sha256
        fresh = True
        for number, label in enumerate(self._uses.labels):
            line = self._lines.earlier(digest, label)
            if line is not None:
                line, fresh = {**line, "image": name}, False
            else:
                assert answer is not None
                assert place is not None
                line = self._line(name, digest, label, number, place, answer)
            if not self._lines.has(name, label):
                self.run.empty += not line["description"]
                self._lines.write(line)
        self.run.described += fresh
        self.run.repeated += not fresh

    def _line(self, name: str, digest: str, label: str, number: int, place: int, answer: Answer) -> dict[str, Any]:
        described = answer.described[place]
        line: dict[str, Any] = {
            "image": name,
            "sha256": digest,
            "prompt": label,
            "description": described.texts[number],
            "model": self._checkpoint.name,
            "revision": self._checkpoint.revision,
            **described.fields,
        }
        if described.chat:
            line["chat"] = [{"question": turn.question, "answer": turn.answer} for turn in described.chat]
        return line

    def _fail(self, each: Ready) -> None:
        if self._lines.has(each.picture.name, self._uses.labels[0]):
            return
        self.run.failed += 1
        self._lines.write({"image": each.picture.name, "error": each.decoded.reason})
        if self.run.failed <= SHOWN_FAILURES:
            self._report(Warned(f"{each.picture.name}: {each.decoded.reason}"))

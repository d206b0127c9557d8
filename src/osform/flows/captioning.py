"""Describe pictures: read and decode ahead, have the model describe batches, write lines in the pictures' order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from osform.caption import manifest
from osform.caption.engines import REVISIONS, Loading, Precision, devices, sight
from osform.caption.hands import Hands, Here
from osform.caption.manifest import Manifest, Run
from osform.caption.memory import batch_for
from osform.caption.output import Descriptions
from osform.caption.prompts import Uses
from osform.caption.replicas import Replicas
from osform.caption.several import USUAL_BATCH, Several, Task, Team
from osform.core.events import Note, Report, silent
from osform.errors import InputError, MissingExtra
from osform.flows.caption_work import Work
from osform.flows.picture_inputs import Inputs, check_columns, count, pictures
from osform.images import checkpoints
from osform.images.decoding import Decoding
from osform.images.fetching import Fetcher, Web
from osform.images.reading import Reader

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
    """How a run goes: rows a ``batch`` (None: what memory allows), ``workers`` that decode, and what is begun anew.

    The engine ``ray`` has the machines of a Ray cluster work, with so many ``replicas`` of the model.
    """

    batch: int | None = None
    workers: int | None = None
    quick: bool = False
    most_pixels: int = Decoding.most_pixels
    retry: bool = False
    restart: bool = False
    engine: Literal["local", "ray"] = "local"
    replicas: int | None = None

    def __post_init__(self) -> None:
        if self.replicas is not None and self.engine != "ray":
            raise InputError("--replicas is for --engine ray", hint="here, --device names a device for each")


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
    check_columns(inputs)
    if uses.chat and inputs.prompt_column is not None:
        raise InputError("a conversation goes with neither prompts nor questions", hint="leave --prompt-column out")
    total = count(inputs)
    checkpoint = checkpoints.locate(model.name, model.revision, REVISIONS)
    decoding = _decoding(checkpoint, manner, inputs)
    web = replace(web, most_bytes=inputs.most_bytes)
    actors = (manner.workers or 1) + (manner.replicas or 1)
    with ExitStack() as stack:
        several = stack.enter_context(closing(Several(actors))) if manner.engine == "ray" else None
        loadings = _loadings_there(checkpoint, model, several) if several else _loadings(checkpoint, model)
        made_with = _identity(checkpoint, loadings[0], uses, decoding, inputs)
        lines = stack.enter_context(Descriptions(out, anew=manner.restart))
        _make_way(lines, out, manner, report)
        kept = Manifest(manifest.path_of(out), made_with)
        kept.take_up(lines.lines)
        copies = sum(each.device == loadings[0].device for each in loadings)
        batch = manner.batch or (USUAL_BATCH if several else batch_for(checkpoint.folder, loadings[0], copies))
        report(Note(_loading(checkpoint, loadings)))
        hands: Hands
        if several:
            task = Task(model.name, model.revision, checkpoint.revision, loadings[0], decoding, uses, web, batch)
            several.set_up(task, _team(manner, several, loadings[0]))
            hands = several
        else:
            hands = stack.enter_context(closing(_here(loadings, manner, decoding, uses, web, batch)))
        work = Work(lines, uses, checkpoint, hands, report, clock, total, batch)
        kept.runs.append(work.run)
        kept.write()
        try:
            work.carry_out(pictures(inputs))
            work.run.finished = True
        finally:
            work.close()
            kept.write()
    return Captioned(out, kept.path, work.run, lines.failed)


def _here(loadings: Sequence[Loading], manner: Manner, decoding: Decoding, uses: Uses, web: Web, batch: int) -> Here:
    workers = manner.workers if manner.workers is not None else max(1, min(8, (os.cpu_count() or 2) - 1))
    ahead = max(4 * batch * len(loadings), 2 * web.connections)
    reader = Reader(decoding, Fetcher(web), workers=workers, ahead=ahead)
    try:
        return Here(reader, Replicas(loadings, uses, batch), batch)
    except BaseException:
        reader.close()
        raise


def _team(manner: Manner, several: Several, loading: Loading) -> Team:
    """Unless asked otherwise: a copy of the model for each GPU, or half of the processors; the others decode."""
    gpu = loading.device.startswith("cuda")
    processors = int(several.resources.get("CPU", 1))
    describers = manner.replicas or int(several.resources.get("GPU", 0) if gpu else max(1, processors // 2))
    left = processors if gpu else processors - describers
    return Team(max(1, left if manner.workers is None else manner.workers), describers)


def _loading(checkpoint: checkpoints.Checkpoint, loadings: Sequence[Loading]) -> str:
    where = ", ".join(each.device for each in loadings)
    return f"loading {checkpoint.name} at {checkpoint.revision[:12]} ({loadings[0].precision}, {where})"


def _make_way(lines: Descriptions, out: Path, manner: Manner, report: Report) -> None:
    """Of the earlier runs, take away what is done anew: only now, when no other run writes these files."""
    if manner.restart:
        manifest.path_of(out).unlink(missing_ok=True)
    elif manner.retry:
        report(Note(f"{lines.forget_errors()} pictures that failed are tried again"))


def _loadings(checkpoint: checkpoints.Checkpoint, model: Model) -> list[Loading]:
    return [_on(device, checkpoint, model) for device in devices(model.device)]


def _loadings_there(checkpoint: checkpoints.Checkpoint, model: Model, several: Several) -> list[Loading]:
    device = model.device or ("cuda" if several.resources.get("GPU") else "cpu")
    if device not in ("cpu", "cuda"):
        raise InputError(f"--device {device}: with Ray it is cpu or cuda, and Ray says which of them")
    return [_on(device, checkpoint, model)]


def _on(device: str, checkpoint: checkpoints.Checkpoint, model: Model) -> Loading:
    precision: Precision = model.precision or ("bf16" if device.startswith("cuda") else "fp32")
    if precision == "fp16" and device == "cpu":
        raise InputError("fp16 is for GPUs", hint="--precision fp32, or bf16")
    return Loading(checkpoint.folder, device, precision, model.max_new_tokens, model.static)


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

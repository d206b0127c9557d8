"""Picture vectors into an index: read and decode ahead, see in batches, write in bulk; what is there stays as it is."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from osform.cluster.bulk import BulkWriter, Means
from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination, destination, refresh
from osform.cluster.lookup import stored, version_of
from osform.cluster.picture_fields import Made, PictureField, made, note, sampled
from osform.cluster.retry import Patience
from osform.cluster.targets import Target, describe
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned, silent
from osform.core.rows import Row, value_at
from osform.core.writes import Write
from osform.errors import InputError, MissingExtra, PictureError, Place, VectorsAstray
from osform.files.failures import Failures
from osform.flows.picture_inputs import Inputs, check_columns, count, pictures
from osform.flows.picture_texts import Texts, descriptions
from osform.flows.searching_pictures import asked_of
from osform.images.checkpoints import Checkpoint
from osform.images.fetching import Fetcher, Web
from osform.images.pictures import Picture
from osform.images.reading import Reader, Ready
from osform.pictures import towers
from osform.pictures.blending import middle
from osform.pictures.towers import Tower

SHOWN_FAILURES = 5
_TASK = "indexing pictures"
_BLOCK = 200  # pictures that are looked up at a time
_SAMPLE, _SOME = 1_000, 64  # vectors that the middle is taken from, and those that are kept
_SECONDS = 120.0
_REMEMBERED = 20_000  # pictures whose vectors are kept for others with the same bytes
USUAL_WEB = Web()
IMAGE, HASH = "image", "sha256"


@dataclass(frozen=True)
class Manner:
    """How a run goes: ``batch`` pictures at a time, ``workers`` that decode, and what is begun anew.

    ``retry`` tries failed pictures again, ``again`` sees all of them again. ``id_column`` of a table has the ids of
    documents, ``kept`` are columns that documents get, by their names there. ``patience`` in seconds.
    """

    batch: int | None = None
    workers: int | None = None
    retry: bool = False
    again: bool = False
    id_column: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    patience: float = 300.0
    most_pixels: int = 150_000_000


@dataclass
class Indexed:
    """What came of a run. pictures = indexed + described + unchanged + failed + repeated.

    ``described`` had their vector already and got a description; ``skipped`` failed in an earlier run and are left.
    ``failed_before`` and ``failed`` together are the lines of the file of failures.
    """

    alias: str
    failures: Path
    pictures: int = 0
    indexed: int = 0
    described: int = 0
    unchanged: int = 0
    repeated: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @property
    def pictures_per_second(self) -> float:
        """Pictures indexed a second, all told."""
        return self.indexed / self.seconds if self.seconds else 0.0


def index_pictures(
    cluster: Cluster,
    alias: str,
    inputs: Inputs,
    *,
    model: str,
    failures: Path,
    revision: str | None = None,
    device: str | None = None,
    captions: Sequence[Path] = (),
    vector_field: str | None = None,
    description: str | None = None,
    manner: Manner = Manner(),
    web: Web = USUAL_WEB,
    report: Report = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Indexed:
    """Index pictures with their vectors through ``alias``; those that are there already are left as they are.

    ``captions`` are files of ``osform caption``: a picture gets the description of the same bytes. Pictures that can't
    be indexed are lines of the file ``failures``, and are not tried again without ``manner.retry``.

    Raises InputError for inputs and options that can't be worked with, NotReady without the alias, PictureError for a
    model that can't be loaded, VectorsAstray where another model made the vectors of this index.
    """
    ids = [("--id", manner.id_column)] if manner.id_column is not None else []
    check_columns(inputs, [*ids, *(("--keep", column) for column in manner.kept)])
    total = count(inputs)
    target = describe(cluster, alias)
    where = destination(cluster, alias, Patience.of(_SECONDS))
    seen_in = asked_of(cluster, target, vector_field)
    checkpoint = towers.locate(model, revision)
    by = Made(checkpoint.name, checkpoint.revision, seen_in.dimension, source=_source(model, checkpoint))
    _refuse_another(made(cluster, target, seen_in.vector), by, target, cluster, seen_in)
    texts = descriptions(captions, description or _text_field(target))
    with ExitStack() as stack:
        lines = stack.enter_context(Failures(failures, fresh=manner.again, retry=manner.retry))
        report(Note(f"loading {checkpoint.name} at {checkpoint.revision[:12]}"))
        tower = _tower(checkpoint, device, seen_in, target)
        note(cluster, target, seen_in.vector, _noted(made(cluster, target, seen_in.vector), by))
        reader = stack.enter_context(closing(_reader(tower, manner, inputs, web)))
        done = Indexed(alias, failures)
        several = len({*target.vector_fields} - {one.vector for one in target.embeddings}) > 1
        work = _Work(cluster, where, seen_in, several, tower, texts, manner, lines, done, report, clock, total)
        try:
            work.carry_out(pictures(inputs), reader)
        finally:
            work.close()
    refresh(cluster, alias, Patience.of(_SECONDS))
    _middle(cluster, target, seen_in, by)
    return done


def _source(model: str, checkpoint: Checkpoint) -> str:
    return model if checkpoint.name == model and "/" in model else str(Path(model).resolve())


def _refuse_another(there: Made | None, by: Made, target: Target, cluster: Cluster, seen_in: PictureField) -> None:
    if there is None or (there.model, there.revision) == (by.model, by.revision) or there.revision == by.revision:
        return
    if sampled(cluster, target, seen_in.vector, 1):
        raise VectorsAstray(
            f"{target.name}: its pictures were seen by {there.model} at {there.revision[:12]}, and {by.model} at "
            f"{by.revision[:12]} gives vectors that can't be compared with theirs",
            hint="take the same model, or another index: an index has the vectors of one model",
        )


def _noted(there: Made | None, by: Made) -> Made:
    """What is noted at the beginning: the middle by the same model is kept until there is a new one."""
    if there is None or there.revision != by.revision:
        return by
    return replace(by, middle=there.middle, some=there.some)


def _tower(checkpoint: Checkpoint, device: str | None, seen_in: PictureField, target: Target) -> Tower:
    try:
        import PIL  # noqa: F401 - the processes that decode would each say that it is missing
    except ImportError as error:
        raise MissingExtra("pictures", "vectors of pictures", error) from error
    tower = towers.load(checkpoint.folder, device)
    if tower.dimension != seen_in.dimension:
        raise InputError(
            f"{target.name}: {seen_in.vector} has {seen_in.dimension} dimensions, {checkpoint.name} gives "
            f"{tower.dimension}",
            hint="the mapping and the model must agree: dimension: ${model/NAME.dimension} of its text tower",
        )
    return tower


def _reader(tower: Tower, manner: Manner, inputs: Inputs, web: Web) -> Reader:
    how = replace(tower.decoding, most_pixels=manner.most_pixels, most_bytes=inputs.most_bytes)
    workers = manner.workers if manner.workers is not None else max(1, min(8, (os.cpu_count() or 2) - 1))
    fetcher = Fetcher(replace(web, most_bytes=inputs.most_bytes))
    return Reader(how, fetcher, workers=workers, ahead=max(4 * _batch(tower, manner), 2 * web.connections))


def _batch(tower: Tower, manner: Manner) -> int:
    return manner.batch or (256 if tower.device.startswith("cuda") else 32)


def _text_field(target: Target) -> str:
    """The field for descriptions: the one that is embedded, else ``description``."""
    return target.embeddings[0].text if len(target.embeddings) == 1 else "description"


class _Unpaced:
    """As much time as a bulk request may take; the batches of pictures are small anyhow."""

    def seconds_for(self, cost: float) -> float:
        return _SECONDS

    def answered(self, documents: int, cost: float) -> None:
        return

    def pushed_back(self) -> None:
        return


class _Work:
    """A run under way."""

    def __init__(
        self,
        cluster: Cluster,
        where: Destination,
        seen_in: PictureField,
        several: bool,
        tower: Tower,
        texts: Texts,
        manner: Manner,
        failures: Failures,
        done: Indexed,
        report: Report,
        clock: Callable[[], float],
        total: int | None,
    ) -> None:
        self._cluster, self._where, self._field, self._tower = cluster, where, seen_in.vector, tower
        self._texts, self._manner, self._failures, self.done = texts, manner, failures, done
        self._report, self._clock, self._total, self._begun = report, clock, total, clock()
        # Where pictures have vectors in several fields, one that is there may lack this one; else it is not fetched.
        self._looked_at = (HASH, texts.name, *([seen_in.vector] if several else ()))
        self._names: set[bytes] = set()
        self._vectors: dict[str, list[float]] = {}
        stopped = threading.Event()
        means = Means(_Unpaced(), clock, stopped.wait, random.random, report)
        self._writer = BulkWriter(cluster, where.alias, means, patience=manner.patience)
        report(Begun(_TASK, total))

    def carry_out(self, wanted: Iterable[Picture], reader: Reader) -> None:
        ready = reader.read(self._missing(wanted))
        while batch := list(itertools.islice(ready, _batch(self._tower, self._manner))):
            self._index(batch)
            self._report(Advanced(_TASK, self.done.pictures, self._total))

    def close(self) -> None:
        self.done.seconds = self._clock() - self._begun
        if self.done.failed > SHOWN_FAILURES:
            self._report(Warned(f"and {self.done.failed - SHOWN_FAILURES} more"))
        self._report(Ended(_TASK))

    def _missing(self, wanted: Iterable[Picture]) -> Iterator[Picture]:
        """Pictures that are neither in the index nor known to be broken; each once."""
        source = iter(wanted)
        while block := list(itertools.islice(source, _BLOCK)):
            fresh = [each for each in block if self._is_new(each)]
            there = self._there([identity(each, self._manner.id_column) for each in fresh])
            for each in fresh:
                if not self._settled(each, there.get(identity(each, self._manner.id_column))):
                    yield each

    def _is_new(self, picture: Picture) -> bool:
        self.done.pictures += 1
        key = hashlib.blake2b(identity(picture, self._manner.id_column).encode(), digest_size=12).digest()
        if key in self._names:
            self.done.repeated += 1
            return False
        self._names.add(key)
        if self._failures.has(picture.name):
            self.done.skipped += 1
            return False
        return True

    def _there(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        if not ids or self._manner.again:
            return {}
        return stored(self._cluster, self._where.index, ids, Patience.of(_SECONDS), fields=self._looked_at)

    def _settled(self, picture: Picture, there: Mapping[str, Any] | None) -> bool:
        """Whether a picture is in the index; what is there gets its description, if it has another one by now."""
        digest = there["_source"].get(HASH) if there else None
        if there is None or digest is None:
            return False
        if self._field in self._looked_at and value_at(there["_source"], self._field) is None:
            return False
        text = self._texts.of.get(digest)
        if text is None or value_at(there["_source"], self._texts.name) == text:
            self.done.unchanged += 1
            return True
        whole = stored(self._cluster, self._where.index, [there["_id"]], Patience.of(_SECONDS)).get(there["_id"])
        if whole is None:
            return False
        source = {key: value for key, value in whole["_source"].items() if key not in self._where.made}
        row = self._row(picture, there["_id"], {**source, self._texts.name: text})
        self.done.described += self._written([Write(row, version=version_of(whole))])
        return True

    def _index(self, batch: Sequence[Ready]) -> None:
        vectors = self._seen(batch)
        sources: list[tuple[Picture, str, dict[str, Any]]] = []
        for each in batch:
            vector = vectors.get(each.decoded.sha256)
            if vector is None:
                self._fail(each.picture.name, each.decoded.reason)
            else:
                document = self._document(each, vector)
                sources.append((each.picture, identity(each.picture, self._manner.id_column), document))
        there: Mapping[str, Mapping[str, Any]] = {}
        if sources:
            ids = [id for _, id, _ in sources]
            there = stored(self._cluster, self._where.index, ids, Patience.of(_SECONDS))
        writes = []
        for picture, id, document in sources:
            old = {k: v for k, v in there[id]["_source"].items() if k not in self._where.made} if id in there else {}
            version = version_of(there[id]) if id in there else None
            writes.append(Write(self._row(picture, id, {**old, **document}), version=version))
        self.done.indexed += self._written(writes)

    def _seen(self, batch: Sequence[Ready]) -> dict[str, list[float]]:
        """Vectors by hash. The same bytes are seen once."""
        import numpy

        if len(self._vectors) > _REMEMBERED:
            self._vectors.clear()
        pixels = {
            each.decoded.sha256: each.decoded.pixels
            for each in batch
            if each.decoded.pixels is not None and each.decoded.sha256 not in self._vectors
        }
        if pixels:
            vectors = self._tower.see(numpy.stack(list(pixels.values())))
            if not numpy.isfinite(vectors).all():
                raise PictureError(
                    "the model gives vectors with NaN", hint="its weights are damaged, or the device fails"
                )
            found = ([float(value) for value in vector] for vector in vectors)
            self._vectors |= dict(zip(pixels, found, strict=True))
        return self._vectors

    def _document(self, each: Ready, vector: list[float]) -> dict[str, Any]:
        digest = each.decoded.sha256
        document = {IMAGE: each.picture.name, HASH: digest, self._field: vector}
        for column, name in self._manner.kept.items():
            value = each.picture.row.get(column)
            if value not in (None, ""):
                document[name] = value
        if digest in self._texts.of:
            document[self._texts.name] = self._texts.of[digest]
        return document

    def _row(self, picture: Picture, id: str, source: Mapping[str, Any]) -> Row:
        return Row(id, source, Place(picture.name))

    def _written(self, writes: Sequence[Write]) -> int:
        """How many of them the index took; what it refused is recorded."""
        if not writes:
            return 0
        written = self._writer.write(writes)
        if written.gave_up is not None:
            raise written.gave_up
        for one in written.failed:
            self._fail(one.place.file, one.reason)
        for stale in written.stale:
            self._fail(stale.row.place.file, "somebody else changed this document meanwhile")
        return len(written.done)

    def _fail(self, name: str, reason: str) -> None:
        self.done.failed += 1
        self._failures.add(name, reason)
        if self.done.failed <= SHOWN_FAILURES:
            self._report(Warned(f"{name}: {reason}"))


def identity(picture: Picture, column: str | None) -> str:
    """The id of a picture's document: what the table says, else a hash of its name."""
    value = picture.row.get(column) if column else None
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    return hashlib.sha256(picture.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _middle(cluster: Cluster, target: Target, seen_in: PictureField, by: Made) -> None:
    """Note where the middle of the picture vectors is, and a few of them."""
    vectors = [value_at(each, seen_in.vector) for each in sampled(cluster, target, seen_in.vector, _SAMPLE)]
    if vectors:
        some = [[round(value, 4) for value in each] for each in vectors[:_SOME]]
        note(cluster, target, seen_in.vector, replace(by, middle=middle(vectors), some=some))

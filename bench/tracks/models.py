"""What a packaged model gives in process, against the sentence-transformers model that it was made from.

The bundles run as an ML node runs them: one text a call, on one thread. sentence-transformers gets one thread too, and
is asked one text at a time and 32 at a time; batches are what ML Commons does not do for a local model.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import texts
from bench.harness import Arm, Sample, Table
from bench.tracks.base import Context
from osform.core.events import silent
from osform.core.models import Bundle, PackagedModel
from osform.files import bundles
from osform.files.models import load_model
from osform.flows.exporting import obtain_bundle

if TYPE_CHECKING:
    import numpy

    Vectors = Sequence[numpy.ndarray[Any, Any]]
    Encode = Callable[[Sequence[str]], Vectors]

ABOUT = "packaged models in process against sentence-transformers"
NEEDS_CLUSTER = False
ROUNDS = 4
MODEL = "all-MiniLM-L6-v2"
PEER = "sentence-transformers, batch 1"
BATCH = 32


def run(context: Context) -> list[Table]:
    """One table: texts a second. Needs the export extra."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread for everybody
    settings = context.settings
    documents = texts.docstrings(settings.documents_or(300, quick=40), settings.seed)
    model = packaged()
    encodes = encoders(model)
    given = documents.texts
    expected = encodes[PEER](given)
    arms = [Arm(name, _arm(encode, given, expected)) for name, encode in encodes.items()]
    table = context.measure(
        arms, settings.rounds_or(ROUNDS), title=f"models, {MODEL}", unit="texts/s", better="more", reference=PEER
    )
    table.notes += texts.describe(documents, tokens_of(model))
    table.notes.append("one thread each; least cosine is that to sentence-transformers, batch 1, over these texts")
    return [table]


def _arm(encode: Encode, given: Sequence[str], expected: Vectors) -> Callable[[], Sample]:
    def once() -> Sample:
        cpu, begun = time.process_time(), time.perf_counter()
        vectors = encode(given)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        cosine = least_cosine(vectors, expected)
        return Sample(len(given) / seconds, {"CPU ms/text": cpu * 1000 / len(given), "least cosine": cosine})

    return once


def least_cosine(vectors: Vectors, expected: Vectors) -> float:
    """The least cosine between vectors and those that they should be, pair by pair."""
    import numpy

    mine, theirs = numpy.asarray(vectors, numpy.float64), numpy.asarray(expected, numpy.float64)
    lengths = numpy.linalg.norm(mine, axis=1) * numpy.linalg.norm(theirs, axis=1)
    return float((numpy.sum(mine * theirs, axis=1) / lengths).min())


def encoders(model: PackagedModel) -> dict[str, Encode]:
    """Every bundle of the lock, and its source: functions from texts to vectors of shape (dimension,)."""
    import torch
    from sentence_transformers import SentenceTransformer

    from osform.export.server import serve
    from osform.export.sources import locate

    torch.set_num_threads(1)
    assert model.lock is not None, f"{MODEL} has no lock"
    found: dict[str, Encode] = {}
    for bundle in model.lock.bundles:
        answer = serve(bundle_path(model, bundle), bundle.format, bundle.model_config)
        found[f"{bundle.format} {bundle.precision}"] = _one_by_one(answer)
    folder = locate(model.spec.source, Path(model.spec.folder), silent)
    source = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    source.max_seq_length = model.lock.max_length
    for size in (1, BATCH):
        found[f"sentence-transformers, batch {size}"] = _source(source, size)
    return found


def _one_by_one(answer: Callable[[str], Any]) -> Encode:
    return lambda given: [answer(text) for text in given]


def _source(source: Any, size: int) -> Encode:
    if size == 1:  # a call a text, as whoever gets texts one by one has to
        return lambda given: [source.encode([text], show_progress_bar=False)[0] for text in given]
    return lambda given: list(source.encode(list(given), batch_size=size, show_progress_bar=False))


def packaged() -> PackagedModel:
    """The model that the repository's stack serves."""
    return load_model(texts.ROOT / "models" / MODEL)


def bundle_path(model: PackagedModel, bundle: Bundle) -> Path:
    """The bundle out of the cache, or exported into it."""
    cached = bundles.cache_folder(os.environ)
    return obtain_bundle(
        model, bundle.format, bundle.precision, cache=cached, place=None, report=silent, environment=os.environ
    )


def tokens_of(model: PackagedModel) -> Callable[[str], int]:
    """Counts a text's tokens as the bundles of the model read them, the two marks at the ends among them."""
    return _counter(bundle_path(model, model.lock.bundles[0])) if model.lock else len


@cache
def _counter(path: Path) -> Callable[[str], int]:
    import zipfile

    from tokenizers import Tokenizer

    with zipfile.ZipFile(path) as archive:
        tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode("utf-8"))
    return lambda text: len(tokenizer.encode(text).ids)

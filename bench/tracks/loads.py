"""What it takes to have documents with vectors in an index: osform, and the ways that people go without it.

Every arm starts from the same weights and the same file, and ends with a refresh. On the ML node: osform's own export
behind ``osform ingest``, and behind opensearch-py's ``streaming_bulk`` and ``parallel_bulk``, tuned; opensearch-py-ml's
TorchScript behind ``helpers.bulk``, at their defaults and tuned. Beside
the cluster: sentence-transformers, its batches tuned, and ``helpers.bulk`` into an index without a pipeline. The limit
is osform's model in process, one text a call as ML Commons does it, a single thread for each processor, and nothing
else done. All of them have the processors of this process; the nodes have theirs: run it as ``taskset -c 0,1``, say,
and it is the same two for everybody.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from opensearchpy.helpers import bulk, parallel_bulk

from bench import peak, peers, texts
from bench.harness import Arm, Sample, Table
from bench.limit import Limit
from bench.stage import Stage
from bench.tracks.base import Context
from bench.tracks.ingest import TIMEOUT, VECTOR, Load, finish, once, with_osform, with_parallel, with_streaming
from bench.tracks.models import bundle_path, packaged, tokens_of
from osform.core.events import silent
from osform.core.models import PackagedModel

ABOUT = "osform ingest against opensearch-py-ml, sentence-transformers in the client, and the model in process"
NEEDS_CLUSTER = True
ROUNDS = 5
OSFORM = "osform ingest"
LIMIT = "the model in process"
WARM = 200
BATCHES = (16, 32, 64, 128)
CHUNK, CLIENTS = 200, 2

# The texts of each table, and how many of them.
TEXTS: dict[str, tuple[Callable[[int, int], texts.Documents], int]] = {
    "short (12 words)": (texts.short, 5_000),
    "docstrings": (texts.docstrings, 600),
    "long (200 words)": (texts.long, 120),
}


def run(context: Context) -> list[Table]:
    """A table for each length of text: documents a second. Needs the export extra."""
    settings, stage, model = context.settings, context.stage, packaged()
    source = _source(model)
    made_by_peer, config = peers.torch_script(source, context.say)
    theirs = _pipelines(stage, made_by_peer, config)
    encoder, limit = _encoder(source), _limit(model)
    tables = []
    try:
        for name, (drawn, count) in TEXTS.items():
            documents = drawn(settings.documents_or(count, quick=96), settings.seed)
            with tempfile.TemporaryDirectory(prefix="osform-bench-") as place:
                file = documents.write(Path(place) / "documents.jsonl")
                arms = _arms(stage, documents, file, theirs, encoder, limit)
                _warm(stage, documents, Path(place), theirs)
                table = context.measure(
                    arms,
                    settings.rounds_or(ROUNDS),
                    title=f"documents with vectors, {name}",
                    unit="documents/s",
                    better="more",
                    reference=OSFORM,
                )
            table.notes += texts.describe(documents, tokens_of(model))
            table.notes.append(_roof(source, [tokens_of(model)(text) for text in documents.texts], table))
            table.notes.append(f"opensearch-py-ml cuts texts at {peers.cut_at(made_by_peer)} tokens, and fills them up")
            tables.append(table)
    finally:
        limit.close()
    return tables


def _arms(
    stage: Stage, documents: texts.Documents, file: Path, theirs: tuple[str, str], encoder: Any, limit: Limit
) -> list[Arm]:
    count, given = len(documents.lines), documents.texts
    batch = _best_batch(encoder, given[:256])

    def ours() -> Sample:
        return once(stage, with_osform, file, count)

    def peer(load: Load, pipeline: str) -> Sample:
        return once(stage, load, file, count, pipeline)

    def in_process() -> Sample:
        begun = time.perf_counter()
        return Sample(limit.embed(given) / (time.perf_counter() - begun))

    return [
        Arm(OSFORM, ours),
        Arm("streaming_bulk, tuned, osform's model", lambda: once(stage, with_streaming, file, count)),
        Arm("parallel_bulk, tuned, osform's model", lambda: once(stage, with_parallel, file, count)),
        Arm("opensearch-py-ml, bulk, defaults", partial(peer, with_bulk, theirs[0])),
        Arm("opensearch-py-ml, bulk, tuned", partial(peer, with_parallel_2, theirs[1])),
        Arm("sentence-transformers, bulk", partial(peer, with_client_vectors(encoder, batch), "_none")),
        Arm(LIMIT, in_process),
    ]


def _warm(stage: Stage, documents: texts.Documents, place: Path, theirs: tuple[str, str]) -> None:
    """Have every model and path of the server used some hundred times: what was just deployed is slow at first."""
    first = texts.Documents(documents.lines[:WARM])
    file = first.write(place / "first.jsonl")
    for pipeline in (None, *theirs):
        once(stage, with_parallel, file, len(first.lines), pipeline)


def _roof(source: Path, lengths: list[int], table: Table) -> str:
    """What the processors multiply in fp32, and how much of it the arms' documents are worth."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    most, a_text = peak.multiplied(processors()), peak.operations(config, lengths) / 1e9
    shares = {name: next(each.median for each in table.series if each.arm == name) for name in (OSFORM, LIMIT)}
    worth = ", ".join(f"{name} {rate * a_text / most:.0%}" for name, rate in shares.items() if rate)
    return f"{processors()} processors multiply {most:.0f} GFLOP/s in fp32; a text takes {a_text:.2f} GFLOP: {worth}"


def with_bulk(stage: Stage, alias: str, file: Path) -> None:
    """``helpers.bulk`` as it comes: chunks of 500, 10 s."""
    client = stage.client()
    try:
        bulk(client, ({"_index": alias, "_source": json.loads(line)} for line in _lines(file)))
        client.indices.refresh(index=alias)
    finally:
        client.close()


def with_parallel_2(stage: Stage, alias: str, file: Path) -> None:
    """Two threads with chunks of 200, and time enough."""
    client = stage.client(timeout=TIMEOUT)
    actions = ({"_index": alias, "_source": json.loads(line)} for line in _lines(file))
    finish(client, alias, parallel_bulk(client, actions, chunk_size=CHUNK, thread_count=CLIENTS, raise_on_error=False))


def with_client_vectors(encoder: Any, batch: int) -> Load:
    """Vectors made here, batch by batch, and sent with the documents."""

    def load(stage: Stage, alias: str, file: Path) -> None:
        client = stage.client(timeout=TIMEOUT)
        documents = [json.loads(line) for line in _lines(file)]
        vectors = encoder.encode([each[texts.FIELD] for each in documents], batch_size=batch, show_progress_bar=False)
        made = zip(documents, vectors, strict=True)
        actions = ({"_index": alias, "_source": {**each, VECTOR: vector.tolist()}} for each, vector in made)
        try:
            bulk(client, actions)
            client.indices.refresh(index=alias)
        finally:
            client.close()

    return load


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        yield from lines


def _pipelines(stage: Stage, bundle: Path, config: Any) -> tuple[str, str]:
    """The peer's model on the ML node, behind a pipeline at its defaults and one whose batches are tuned."""
    model_id = stage.serve(bundle, config)
    client = stage.client()
    for name, more in (("bench-defaults", {}), ("bench-tuned", {"batch_size": 16})):
        processor = {"model_id": model_id, "field_map": {texts.FIELD: VECTOR}, **more}
        client.ingest.put_pipeline(id=name, body={"processors": [{"text_embedding": processor}]})
    client.close()
    return "bench-defaults", "bench-tuned"


def _source(model: PackagedModel) -> Path:
    from osform.export.sources import locate

    return locate(model.spec.source, Path(model.spec.folder), silent)


def _encoder(source: Path) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(processors())
    return SentenceTransformer(str(source), device="cpu", local_files_only=True)


def _best_batch(encoder: Any, given: list[str]) -> int:
    def seconds(batch: int) -> float:
        begun = time.perf_counter()
        encoder.encode(given, batch_size=batch, show_progress_bar=False)
        return time.perf_counter() - begun

    seconds(BATCHES[0])
    return min(BATCHES, key=lambda batch: min(seconds(batch) for _ in range(2)))


def _limit(model: PackagedModel) -> Limit:
    assert model.lock is not None
    bundle = next(each for each in model.lock.bundles if (each.format, each.precision) == ("onnx", "int8"))
    return Limit(bundle_path(model, bundle), bundle.format, bundle.model_config, processors())


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

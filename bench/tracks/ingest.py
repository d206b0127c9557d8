"""Raw documents into a k-NN index through the pipeline that embeds them: osform against opensearch-py's helpers.

All arms read the same file, write to an index of their own with the same mapping, settings, pipeline and model, and end
with a refresh. After the clock has stopped, every document must be there and have a vector, else the round has no
figure. The model on the ML node does nearly all the work, so nobody can be much faster than a peer that is set well.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException
from opensearchpy.helpers import BulkIndexError, parallel_bulk, streaming_bulk

from bench import texts
from bench.harness import Arm, DidNotFinish, Sample, Table
from bench.machine import cpu_seconds
from bench.stage import Stage
from bench.tracks.base import Context
from bench.tracks.models import packaged, tokens_of
from osform.cluster.client import Cluster
from osform.errors import OsformError
from osform.flows.ingesting import Pace, ingest

ABOUT = "osform ingest against opensearch-py's streaming_bulk and parallel_bulk"
NEEDS_CLUSTER = True
ROUNDS = 4
LIKE = "stdlib"
VECTOR = f"{texts.FIELD}_vector"
CHUNK = 200
TIMEOUT = 300
PEER = "streaming_bulk, tuned"

Load = Callable[[Stage, str, Path], None]
"""Loads a file through an alias and makes it searchable; the time of that is what is measured."""


def run(context: Context) -> list[Table]:
    """One table: documents a second."""
    settings = context.settings
    documents = texts.docstrings(settings.documents_or(1000, quick=96), settings.seed)
    with tempfile.TemporaryDirectory(prefix="osform-bench-") as place:
        file = documents.write(Path(place) / "documents.jsonl")
        first = texts.Documents(documents.lines[:64]).write(Path(place) / "first.jsonl")
        loads: dict[str, Load] = {
            "osform ingest": with_osform,
            PEER: with_streaming,
            "parallel_bulk(4), tuned": with_parallel,
            "streaming_bulk, defaults": with_defaults,
        }
        once(context.stage, with_streaming, first, 64)  # a model that was just deployed is slow at first
        arms = [Arm(name, _arm(context.stage, load, file, len(documents.lines))) for name, load in loads.items()]
        table = context.measure(
            arms, settings.rounds_or(ROUNDS), title="ingest", unit="documents/s", better="more", reference=PEER
        )
    table.notes += texts.describe(documents, tokens_of(packaged()))
    table.notes.append(
        f"tuned: chunk {CHUNK}, ids, timeout {TIMEOUT} s; osform: bulk {Pace().count} x {Pace().clients}"
    )
    return [table]


def _arm(stage: Stage, load: Load, file: Path, count: int) -> Callable[[], Sample]:
    return lambda: once(stage, load, file, count)


def once(stage: Stage, load: Load, file: Path, count: int, pipeline: str | None = None) -> Sample:
    """Load ``count`` documents into a fresh index, and check that all of them are there with their vectors."""
    with stage.index(LIKE, pipeline) as alias:
        before, cpu, begun = cpu_seconds(stage.pids), time.process_time(), time.perf_counter()
        try:
            load(stage, alias, file)
        except (OpenSearchException, BulkIndexError, OsformError) as error:
            seconds = time.perf_counter() - begun
            raise DidNotFinish(f"{type(error).__name__} after {seconds:.0f} s") from error
        seconds, cpu, after = time.perf_counter() - begun, time.process_time() - cpu, cpu_seconds(stage.pids)
        check(stage.client(), alias, count)
    extra = {"client CPU ms/document": cpu * 1000 / count}
    if before is not None and after is not None:
        extra["server CPU ms/document"] = (after - before) * 1000 / count
    return Sample(count / seconds, extra)


def check(client: OpenSearch, alias: str, count: int) -> None:
    """Raise DidNotFinish unless there are ``count`` documents, and as many vectors."""
    found = client.count(index=alias)["count"]
    vectors = client.count(index=alias, body={"query": {"exists": {"field": VECTOR}}})["count"]
    client.close()
    if (found, vectors) != (count, count):
        raise DidNotFinish(f"{found} documents and {vectors} vectors, not {count}")


def with_osform(stage: Stage, alias: str, file: Path) -> None:
    """``osform ingest`` as the command does it, at its defaults."""
    cluster = Cluster(stage.url)
    done = ingest(cluster, alias, [str(file)], dead_letter=file.with_suffix(f".{alias}"), state=file.parent)
    cluster.close()
    if done.failed:
        raise DidNotFinish(f"{done.failed} documents failed")


def with_defaults(stage: Stage, alias: str, file: Path) -> None:
    """As in opensearch-py's guide: chunks of 500, 10 s, ids by the server, the first error ends it."""
    client = stage.client()
    finish(client, alias, streaming_bulk(client, _actions(alias, file, ids=False)))


def with_streaming(stage: Stage, alias: str, file: Path) -> None:
    """Set for the job: smaller chunks, time enough, ids, and retries, which it does only where nothing is raised."""
    client = stage.client(timeout=TIMEOUT)
    actions = _actions(alias, file, ids=True)
    finish(client, alias, streaming_bulk(client, actions, chunk_size=CHUNK, raise_on_error=False, max_retries=5))


def with_parallel(stage: Stage, alias: str, file: Path) -> None:
    """Four threads, which have no retries at all."""
    client = stage.client(timeout=TIMEOUT)
    actions = _actions(alias, file, ids=True)
    finish(client, alias, parallel_bulk(client, actions, thread_count=4, chunk_size=CHUNK, raise_on_error=False))


def finish(client: OpenSearch, alias: str, results: Iterable[tuple[bool, Any]]) -> None:
    """Send everything, and refresh."""
    try:
        deque((None for ok, _ in results if not ok), maxlen=0)  # what failed is missing, which the check notices
        client.indices.refresh(index=alias)
    finally:
        client.close()


def _actions(alias: str, file: Path, *, ids: bool) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            identity = {"_id": document["id"]} if ids else {}
            yield {"_index": alias, **identity, "_source": document}

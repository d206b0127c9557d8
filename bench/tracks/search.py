"""Searches by meaning and hybrid ones, from one client and from several at a time: how long each takes, and how right.

Everybody sends what ``osform search`` sends, the next question as soon as the last one is answered; the model on the ML
node makes each question's vector. *recall@10* is how many of the exact ten are found, where exact is the same search
with every vector of the index compared: OpenSearch's ``knn_score`` script in the place of the HNSW graph.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import texts
from bench.harness import Arm, Sample, Table, percentile
from bench.machine import cpu_seconds
from bench.stage import Stage
from bench.tracks.base import Context
from bench.tracks.ingest import LIKE, VECTOR, with_osform
from osform.cluster.client import Cluster
from osform.cluster.predict import predict
from osform.cluster.queries import search_request
from osform.cluster.targets import Target, describe
from osform.core.checks import Mode
from osform.core.request import Request

ABOUT = "semantic and hybrid searches from 1, 4 and 8 clients: latency, and recall against exact ones"
NEEDS_CLUSTER = True
ROUNDS = 4
CLIENTS = (1, 4, 8)
MODES: tuple[Mode, ...] = ("semantic", "hybrid")
SIZE = 10
_AT_ONCE = 50


@dataclass(frozen=True)
class Asked:
    """A question, the request that asks it, and the ids of the exact answer."""

    request: Request
    exact: frozenset[str]


def run(context: Context) -> list[Table]:
    """A table for each mode: milliseconds a search, the median of a round."""
    settings, stage = context.settings, context.stage
    documents = texts.docstrings(settings.documents_or(5_000, quick=200), settings.seed)
    asked = questions(documents, 20 if settings.quick else 400, settings.seed)
    with tempfile.TemporaryDirectory(prefix="osform-bench-") as place, stage.index(LIKE) as alias:
        with_osform(stage, alias, documents.write(Path(place) / "documents.jsonl"))
        stage.compact(alias)
        tables = [_table(context, alias, mode, asked) for mode in MODES]
    for table in tables:
        table.notes.append(f"{len(documents.lines):,} docstrings, {len(asked)} questions a round: first sentences")
        table.notes.append(f"recall@{SIZE}: the same search with every vector compared is 1")
    return tables


def _table(context: Context, alias: str, mode: Mode, given: Sequence[str]) -> Table:
    stage, settings = context.stage, context.settings
    cluster = Cluster(stage.url)
    asked = prepared(cluster, alias, mode, given)
    cluster.close()
    _round(stage, asked[:_AT_ONCE], 2)  # a model that was just deployed is slow at first
    arms = [Arm(_name(clients), _arm(stage, asked, clients)) for clients in CLIENTS]
    return context.measure(
        arms,
        settings.rounds_or(ROUNDS),
        title=f"search, {mode}",
        unit="ms (p50)",
        better="less",
        reference=_name(CLIENTS[0]),
    )


def _name(clients: int) -> str:
    return f"{clients} client{'s' if clients > 1 else ''}"


def questions(documents: texts.Documents, count: int, seed: int) -> list[str]:
    """First sentences of docstrings, no two alike, as many as there are of ``count``."""
    found: dict[str, None] = {}
    for line in documents.lines:
        sentence = " ".join(str(json.loads(line)["docstring"]).split("\n\n")[0].split()).partition(". ")[0]
        if 3 <= len(sentence.split()) <= 30:
            found[sentence] = None
    return random.Random(seed).sample(list(found), min(count, len(found)))


def prepared(cluster: Cluster, alias: str, mode: Mode, given: Sequence[str]) -> list[Asked]:
    """The requests, each with its exact answer."""
    target = describe(cluster, alias)
    vectors: list[Sequence[float]] = []
    for start in range(0, len(given), _AT_ONCE):
        vectors += predict(cluster, target.embeddings[0].model_id, list(given[start : start + _AT_ONCE]))
    found = []
    for text, vector in zip(given, vectors, strict=True):
        request = search_request(target, text, mode, field=None, size=SIZE, pipeline=_pipeline(target, mode))
        found.append(Asked(request, frozenset(ids(cluster.send(exactly(request, vector))))))
    return found


def _pipeline(target: Target, mode: Mode) -> str | None:
    return target.search_pipeline if mode == "hybrid" else None


def exactly(request: Request, vector: Sequence[float]) -> Request:
    """A search with every vector compared in place of those that the graph leads to."""
    params = {"field": VECTOR, "query_value": list(vector), "space_type": "cosinesimil"}
    script = {"lang": "knn", "source": "knn_score", "params": params}
    exact = {"script_score": {"query": {"exists": {"field": VECTOR}}, "script": script}}
    assert isinstance(request.body, Mapping)
    query: Mapping[str, Any] = request.body["query"]
    if "hybrid" in query:
        words, _ = query["hybrid"]["queries"]
        exact = {"hybrid": {"queries": [words, exact]}}
    return Request(request.method, request.path, {**request.body, "query": exact}, request.params)


def ids(answer: Mapping[str, Any]) -> list[str]:
    """Of the documents found."""
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def _arm(stage: Stage, asked: Sequence[Asked], clients: int) -> Callable[[], Sample]:
    def once() -> Sample:
        before, begun = cpu_seconds(stage.pids), time.perf_counter()
        milliseconds, recalls = _round(stage, asked, clients)
        seconds, after = time.perf_counter() - begun, cpu_seconds(stage.pids)
        extra = {
            "p99 ms": percentile(milliseconds, 99),
            "searches/s": len(asked) / seconds,
            f"recall@{SIZE}": sum(recalls) / len(recalls),
        }
        if before is not None and after is not None:
            extra["server CPU ms/search"] = (after - before) * 1000 / len(asked)
        return Sample(percentile(milliseconds, 50), extra)

    return once


def _round(stage: Stage, asked: Sequence[Asked], clients: int) -> tuple[list[float], list[float]]:
    """Ask everything once, by so many threads; milliseconds and recalls."""
    source: Iterator[Asked] = iter(asked)
    lock, milliseconds, recalls = threading.Lock(), list[float](), list[float]()

    def client() -> None:
        cluster = Cluster(stage.url)
        while True:
            with lock:
                one = next(source, None)
            if one is None:
                break
            begun = time.perf_counter()
            answer = cluster.send(one.request)
            milliseconds.append((time.perf_counter() - begun) * 1000)
            recalls.append(len(one.exact & set(ids(answer))) / max(1, len(one.exact)))
        cluster.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recalls) == len(asked), "a search failed; its trace is above"
    return milliseconds, recalls

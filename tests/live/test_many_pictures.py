"""A hundred thousand picture vectors with a filter that keeps one in a hundred: found as exact search finds them."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from osform.cluster.client import Cluster
from osform.cluster.picture_fields import PictureField
from osform.cluster.queries import CANDIDATES, run
from osform.core.metrics import percentile
from osform.core.request import Request
from osform.flows.searching_pictures import near

pytestmark = [pytest.mark.soak, pytest.mark.export]
log = logging.getLogger(__name__)
COUNT, EVERY, QUERIES, FIRST = 100_000, 100, 200, 10
ONLY = {"term": {"kind": "rare"}}
FIELD = PictureField("picture_vector", 128, None)
Vectors = numpy.ndarray[Any, Any]


def vectors() -> tuple[Vectors, Vectors]:
    """Those of the index, at random around what the toy CLIP sees of drawn pictures; and those that are asked."""
    from examples.drawn import draw
    from examples.toys import TOY_CLIP
    from examples.toys.measure_clip import png
    from osform.images.decoding import decode
    from osform.pictures import towers

    tower = towers.load(TOY_CLIP, "cpu")
    pixels = [decode(png(each), tower.decoding).pixels for each in draw(400, 11)]
    real = tower.see(numpy.stack([each for each in pixels if each is not None]))
    random = numpy.random.default_rng(1)
    around = real[random.integers(0, 200, COUNT)] + 0.05 * random.standard_normal((COUNT, FIELD.dimension))
    return around / numpy.linalg.norm(around, axis=1, keepdims=True), real[200 : 200 + QUERIES]


@pytest.fixture
def index(cluster: Cluster) -> Iterator[str]:
    name = f"many-{uuid.uuid4().hex[:8]}"
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    vector = {"type": "knn_vector", "dimension": FIELD.dimension, "method": method}
    settings = {
        "index": {"knn": True, "number_of_replicas": 0, "refresh_interval": "-1", "translog.durability": "async"}
    }  # nothing here has to outlive its node
    properties = {"kind": {"type": "keyword"}, FIELD.vector: vector}
    cluster.send(Request("PUT", f"/{name}", {"settings": settings, "mappings": {"properties": properties}}))
    yield name
    cluster.send(Request("DELETE", f"/{name}"))


def fill(cluster: Cluster, index: str, all_of_them: Vectors) -> None:
    for start in range(0, COUNT, 1_000):
        lines = []
        for number in range(start, start + 1_000):
            kind = "rare" if number % EVERY == 0 else "common"
            lines.append(json.dumps({"index": {"_id": str(number)}}))
            lines.append(json.dumps({"kind": kind, FIELD.vector: all_of_them[number].round(5).tolist()}))
        answer = cluster.send(Request("POST", f"/{index}/_bulk", "\n".join(lines) + "\n"))
        assert not answer["errors"]
    cluster.send(Request("POST", f"/{index}/_refresh"))


def asked(cluster: Cluster, index: str, query: dict[str, Any]) -> tuple[list[str], float]:
    """The first ten, and the milliseconds until they were here."""
    request = Request("POST", f"/{index}/_search", {"size": FIRST, "query": query, "_source": False})
    begun = time.monotonic()
    found = run(cluster, request)
    return [hit.id for hit in found.hits], 1000 * (time.monotonic() - begun)


def exactly(vector: list[float]) -> dict[str, Any]:
    script = {"source": "knn_score", "lang": "knn", "params": {
        "field": FIELD.vector, "query_value": vector, "space_type": "cosinesimil"}}  # fmt: skip
    return {"script_score": {"query": {"bool": {"filter": [ONLY]}}, "script": script}}


def test_a_filter_that_keeps_one_in_a_hundred_costs_no_recall(cluster: Cluster, index: str) -> None:
    all_of_them, questions = vectors()
    fill(cluster, index, all_of_them)
    rare = numpy.arange(0, COUNT, EVERY)
    recalls, took, took_exactly, agreed = [], [], [], []
    for vector in questions:
        best = {str(rare[each]) for each in numpy.argsort(-(all_of_them[rare] @ vector))[:FIRST]}
        found, seconds = asked(cluster, index, near(FIELD, vector.tolist(), CANDIDATES, ONLY))
        exact, seconds_exactly = asked(cluster, index, exactly(vector.tolist()))
        assert len(found) == FIRST
        recalls.append(len(best & set(found)) / FIRST)
        agreed.append(len(best & set(exact)) / FIRST)
        took.append(seconds)
        took_exactly.append(seconds_exactly)
    recall = sum(recalls) / len(recalls)
    for name, values, share in (("osform search", took, recall), ("exact", took_exactly, sum(agreed) / len(agreed))):
        figures = tuple(percentile(values, each) for each in (0.5, 0.99))
        log.info("%s: recall@10 %.4f, median %.1f ms, p99 %.1f ms", name, share, *figures)
    assert recall >= 0.95

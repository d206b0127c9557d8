"""Documents that have text and no vector, as a query."""

from __future__ import annotations

from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.vectors import VectorMap, strange, without
from osform.core.request import Request
from osform.kinds.vectors import Made

SHARDS = {"0": [{"routing": {"primary": True}, "seq_no": {"global_checkpoint": 0, "max_seq_no": 0}}]}


class Asked(Cluster):
    """Stands for a cluster whose one index has one shard, and ``hits`` in it; ``queries`` are what it was asked."""

    def __init__(self) -> None:
        self.url, self.timeout = "memory", 60.0
        self.queries: list[Any] = []
        self.hits: list[Any] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if not request.path.endswith("/_search"):
            return {"indices": {"i": {"shards": SHARDS}}}
        assert isinstance(request.body, dict)
        if "bool" in request.body["query"]:
            self.queries.append(request.body["query"]["bool"]["filter"][0])
        hits, self.hits = self.hits, []
        return {"hits": {"hits": hits}}


def test_a_vector_of_a_text_is_looked_for_in_its_document_and_those_of_a_list_in_the_objects_within() -> None:
    cluster = Asked()
    assert without(cluster, "i", VectorMap("text", "v", "m")) == []
    assert without(cluster, "i", VectorMap("text", "v", "m", nested=True)) == []
    lacking = [query["bool"]["must_not"] for query in cluster.queries]
    assert lacking == [[{"exists": {"field": "v"}}], [{"nested": {"path": "v", "query": {"match_all": {}}}}]]


def test_vectors_are_read_by_a_script_where_the_mapping_keeps_them_out_of_source() -> None:
    vector = {"type": "knn_vector", "dimension": 2}
    for source, type, apart in (({}, vector, False), ({"excludes": ["v*"]}, vector, True)):
        mapping = {"_source": source, "properties": {"text": {"type": "text"}, "v": type}}
        assert VectorMap.of(Made("text", "v", "m"), mapping).apart == apart
    # Of lists nothing is compared, and weights of tokens are no vector.
    for other in ({"type": "nested", "properties": {"knn": vector}}, {"type": "rank_features"}):
        mapping = {"_source": {"excludes": ["v"]}, "properties": {"text": {"type": "text"}, "v": other}}
        assert not VectorMap.of(Made("text", "v", "m"), mapping).apart


def test_of_an_index_that_keeps_no_source_nothing_is_compared() -> None:
    cluster, which, hit = Asked(), VectorMap("text", "v", "m", apart=True), {"_id": "a", "sort": [0]}
    cluster.hits = [hit]
    assert without(cluster, "i", which) == []
    cluster.hits = [{**hit, "fields": {"v": [0.5, 0.5]}}]
    assert strange(cluster, "i", which, sample=5) == []

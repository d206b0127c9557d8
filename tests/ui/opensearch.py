"""Stands for an OpenSearch with one alias whose documents are pictures with descriptions, as a function of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.proxy import Answer, Call

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
DOCUMENTS = {
    "cat": {"image": "shots/cat.png", "text": "a cat on a sofa", "place": "home", "width": 800},
    "boat": {"image": "shots/2019/boat.png", "text": "a red boat at sea", "place": "coast", "width": 1200},
    'evil"><b>': {"image": "../../etc/passwd", "text": EVIL, "place": EVIL, "width": 1},
}
MAPPING = {
    "properties": {
        "image": {"type": "keyword"}, "place": {"type": "keyword"}, "width": {"type": "long"},
        "text": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        "vector": {"type": "knn_vector", "dimension": 4},
    }
}  # fmt: skip
EMBEDS = {"processors": [{"text_embedding": {"model_id": "m1", "field_map": {"text": "vector"}}}]}
_WORDS_ONLY = {"properties": {"text": {"type": "text"}}}


@dataclass
class OpenSearch:
    """Answers calls. ``away`` is what it says of a search by meaning; with no ``vectors``, its index has only words.

    With ``pictures``, the index has vectors of pictures too, and nothing says which model made them.
    """

    vectors: bool = True
    pictures: bool = False
    away: str = ""
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: DOCUMENTS)
    searches: list[Any] = field(default_factory=list)

    def __call__(self, call: Call) -> Answer:
        if call.path == "/_alias":
            return Answer(200, {"pics-v1": {"aliases": {"pics": {}}}, ".hidden": {"aliases": {}}})
        if call.path.endswith("/_search"):
            return self.search(call)
        if call.path == "/pics":
            mapping = MAPPING if self.vectors else _WORDS_ONLY
            settings = {"index.default_pipeline": "p"} if self.vectors else {}
            if self.pictures:
                mapping = {"properties": MAPPING["properties"] | {"seen": {"type": "knn_vector"}}}
                settings = settings | {"index.search.default_pipeline": "s"}
            return Answer(200, {"pics-v1": {"aliases": {"pics": {}}, "settings": settings, "mappings": mapping}})
        if call.path.startswith("/_ingest/pipeline"):
            return Answer(200, {"p": EMBEDS})
        if call.path.startswith("/_search/pipeline"):
            enricher = {"neural_query_enricher": {"neural_field_default_id": {"seen": "m2"}}}
            return Answer(200, {"s": {"request_processors": [enricher]}})
        if call.path.startswith("/pics/_mapping"):
            return Answer(200, {})
        return self.cluster(call)

    def search(self, call: Call) -> Answer:
        self.searches.append(call.json)
        mode = next(iter(call.json["query"]))
        if mode in ("neural", "hybrid") and self.away:
            return Answer(400, {"error": {"type": "illegal_argument_exception", "reason": self.away}, "status": 400})
        home = "'place': 'home'" in str(call.json)
        found = [(id, body) for id, body in self.documents.items() if not home or body.get("place") == "home"]
        found = found if mode != "neural" else found[::-1]
        hits = [{"_id": id, "_score": 1 / (n + 1), "_source": body} for n, (id, body) in enumerate(found)]
        return Answer(200, {"took": 7, "hits": {"hits": hits}})

    def cluster(self, call: Call) -> Answer:
        node = {"name": "data-1", "roles": ["data"], "version": "3.6.0", "plugins": [], "attributes": {}}
        match call.path:
            case "/":
                about = {"number": "3.6.0", "distribution": "opensearch"}
                return Answer(200, {"cluster_name": "tests", "version": about})
            case "/_cluster/health":
                return Answer(200, {"status": "green"})
            case "/_cluster/settings":
                return Answer(200, {})
            case path if path.startswith("/_nodes"):
                return Answer(200, {"nodes": {"n1": node}})
        missing = {
            "error": {"type": "index_not_found_exception", "reason": f"no such thing {call.path}"},
            "status": 404,
        }
        return Answer(404, missing)

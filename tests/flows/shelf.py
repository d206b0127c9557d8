"""An alias with its index in memory, as far as an ingest asks of one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import RequestFailed
from osform.flows.ingesting import Ingested, Pace, ingest

Json = dict[str, Any]
ALIAS = "pics"


@dataclass(frozen=True)
class Doc:
    """A document and the number of the operation that wrote it."""

    source: Json
    seq_no: int


@dataclass
class Shelf(Cluster):
    """Stands for a cluster with one index: a search sees what was there at the last refresh, ``_mget`` what is there.

    Its pipeline makes a vector of ``text``, which says what it is of: the model and the letters, and sets what ``also``
    says. ``before`` and ``after`` are called around each bulk request with its number, from 1; what they raise becomes
    of it. ``wrong`` is the id of a document that is refused whatever is in it.
    """

    index: str = f"{ALIAS}-v1"
    model: str = "m1"
    also: Json = field(default_factory=dict)
    wrong: str = ""
    docs: dict[str, Doc] = field(default_factory=dict)
    before: Callable[[int], None] = lambda _number: None
    after: Callable[[int], None] = lambda _number: None

    def __post_init__(self) -> None:
        self.url, self.timeout = "memory", 1.0
        self.shown: dict[str, Doc] = {}
        self.bulks = self.operations = self.embedded = 0
        self._one_at_a_time = threading.RLock()

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        with self._one_at_a_time:
            what = request.path.rpartition("/")[2]
            if request.path == f"/{ALIAS}":
                return {self.index: {"aliases": {ALIAS: {}}, "settings": self.settings, "mappings": self.mappings}}
            if "_ingest/pipeline" in request.path:
                embed = {"model_id": self.model, "field_map": {"text": "vector"}}
                more = [{"set": {"field": key, "value": value}} for key, value in self.also.items()]
                return {"p": {"processors": [{"text_embedding": embed}, *more]}}
            answer: dict[str, Callable[[Any], Any]] = {
                "_mapping": lambda _: {self.index: {}}, "_refresh": self._refresh, "_count": self._count,
                "_search": self._search, "_mget": self._mget, "_bulk": self._bulk,
            }  # fmt: skip
            if what not in answer:
                raise RequestFailed(str(request), 403, "security_exception", "no permissions")
            return json.loads(json.dumps(answer[what](request.body)))

    @property
    def settings(self) -> Json:
        return {"index.default_pipeline": "p", "index.uuid": f"uuid of {self.index}"}

    @property
    def mappings(self) -> Json:
        return {"properties": {"text": {"type": "text"}, "vector": {"type": "knn_vector"}}}

    def put(self, id: str, source: Json, *, made: bool = True) -> Doc:
        """Write a document, through the pipeline or past it. No search sees it yet."""
        if made and isinstance(text := source.get("text"), str):
            self.embedded += 1
            source = {**source, **self.also, "vector": f"{self.model}: {text}"}
        self.operations += 1
        self.docs[id] = Doc(source, self.operations)
        return self.docs[id]

    def swap(self, index: str, model: str) -> None:
        """What osform apply does: another index with the same documents, and the vectors of another model."""
        self.index, self.model = index, model
        for id, doc in list(self.docs.items()):
            self.put(id, doc.source)
        self._refresh(None)

    def _refresh(self, _body: Any) -> Json:
        self.shown = dict(self.docs)
        return {}

    def _count(self, body: Any) -> Json:
        lacking = [each for each in self.shown.values() if each.source.get("text") and "vector" not in each.source]
        return {"count": len(lacking if body else self.shown)}

    def _search(self, body: Json) -> Json:
        ids = body["query"]["bool"]["filter"][0]["ids"]["values"]
        found = {id: self.shown[id] for id in ids if id in self.shown}
        vectors = sum("vector" in each.source for each in found.values())
        hits = [
            {
                "_id": id, "_seq_no": each.seq_no, "_primary_term": 1,
                "_source": {key: value for key, value in each.source.items() if key != "vector"},
                "matched_queries": ["vector"] if "vector" in each.source else [],
            }
            for id, each in found.items()
        ]  # fmt: skip
        total = {"total": {"value": len(found)}}
        return {"hits": {**total, "hits": hits}, "aggregations": {"vector": {"doc_count": vectors}}}

    def _mget(self, body: Json) -> Json:
        found = {id: self.docs.get(id) for id in body["ids"]}
        return {"docs": [{"_id": id, "found": bool(doc), "_source": doc and doc.source} for id, doc in found.items()]}

    def _bulk(self, body: str) -> Json:
        self.bulks += 1
        number = self.bulks
        self.before(number)
        lines = [json.loads(line) for line in body.splitlines()]
        items = [self._written(action, source) for action, source in zip(lines[::2], lines[1::2], strict=True)]
        self.after(number)
        return {"items": [{"index": item} for item in items]}

    def _written(self, action: Json, source: Json) -> Json:
        ((kind, header),) = action.items()
        before = self.docs.get(header["_id"])
        if header["_id"] == self.wrong:
            return {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no number"}}
        if "if_seq_no" in header and (before is None or before.seq_no != header["if_seq_no"]):
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "another one"}}
        if kind == "update":
            assert before is not None, "the ingest updates what it found"
            doc = self.put(header["_id"], {**before.source, **source["doc"]}, made=False)
        else:
            doc = self.put(header["_id"], source, made=header.get("pipeline") != "_none")
        place = {"_index": self.index, "_seq_no": doc.seq_no, "_primary_term": 1}
        return {**place, "status": 200 if before else 201, "result": "updated" if before else "created"}


def rows(path: Path, content: Sequence[Json]) -> str:
    """A file with these rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return str(path)


def send(
    shelf: Shelf, folder: Path, content: Sequence[Json] | None, *, batch: int | None = None, **options: Any
) -> Ingested:
    """Ingest rows as `osform ingest rows.jsonl` does, one request at a time."""
    file = rows(folder / "rows.jsonl", content) if content is not None else str(folder / "rows.jsonl")
    dead = folder / f"dead{len(list(folder.iterdir()))}.jsonl"
    pace = Pace(count=batch, clients=1, patience=options.pop("patience", 5))
    return ingest(shelf, ALIAS, [file], dead_letter=dead, pace=pace, state=folder / "state", **options)

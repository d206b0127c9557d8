"""Two indices and the tasks that copy between them, on a clock of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable

Json = dict[str, Any]


@dataclass
class Shard:
    """Numbers its operations; ``documents`` are ids with the number of their last write."""

    documents: dict[str, int] = field(default_factory=dict)
    last: int = -1

    def write(self, id: str) -> None:
        self.last += 1
        self.documents[id] = self.last

    def delete(self, id: str) -> None:
        if id in self.documents:
            self.last += 1
            del self.documents[id]


class Copying(Cluster):
    """Stands for a cluster as far as a copy of ``old`` into ``new`` asks it, shard by shard, as tests/live shows.

    A request takes ``latency`` seconds of ``now``, and a copied document ``pace``. ``meanwhile`` is called with the
    seconds that have passed, for whoever writes to the old index. A request that would take longer than its timeout
    meets nobody. ``moved`` are the actions on aliases, ``ledger`` the entries written, the newest first.
    ``lose`` is by how many seconds a task is late whose start is not answered; ``texts`` and ``copies`` are by id.
    ``busy`` are ids of which a deletion is refused once, ``settings`` and ``mapping`` those of either index.
    """

    def __init__(self, shards: int = 1, *, latency: float = 0.1, pace: float = 0.0) -> None:
        self.url, self.timeout = "memory", 60.0
        self.indices = {name: [Shard() for _ in range(shards)] for name in ("old", "new")}
        self.latency, self.pace, self.now = latency, pace, 0.0
        self.meanwhile: Callable[[float], None] = lambda _: None
        self.failures: list[Json] = []
        self.settings: Json = {}
        self.mapping: Json = {}
        self.asked: set[str] = set()
        self.busy: set[str] = set()
        self.texts: dict[str, str] = {}
        self.copies: dict[str, str] = {}
        self.lose = 0.0
        self.late: tuple[float, dict[str, str]] | None = None
        self.moved: list[Json] = []
        self.ledger: list[Json] = []
        self.tasks: dict[str, float] = {}
        self.blocked = False
        self.copied = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._write_late()
        if not self.blocked:
            self.meanwhile(seconds)

    def write(self, id: str, index: str = "old") -> None:
        self._shard(index, id).write(id)

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if timeout is not None and timeout < self.latency:
            raise Unreachable(f"{request}: no answer within {timeout} s", why="timed out")
        self.sleep(self.latency)
        self.asked.add(f"{request.method} {request.path}")
        name, *rest = request.path.strip("/").split("/")
        return self._answer(request, name, rest, request.body)

    def _answer(self, request: Request, name: str, rest: list[str], body: Any) -> Any:
        match request.method, [name, *rest]:
            case "GET", [_, "_stats", "docs"]:
                return {"indices": {name: {"shards": dict(self._stats(name))}}}
            case "POST", [_, "_count"]:
                return {"count": sum(len(each.documents) for each in self.indices[name])}
            case "POST", [_, "_search"]:
                return self._search(self._asked(request, name), body)
            case "POST", ["_reindex"]:
                return self._started(request, body["source"]["query"]["ids"]["values"])
            case "GET", ["_tasks", "node:late"]:
                return {"completed": not self.late}
            case "GET", ["_tasks", task]:
                failures, self.failures = self.failures, []
                return {"completed": self.now >= self.tasks[task], "response": {"failures": failures}}
            case "GET", ["_tasks"]:
                return {"tasks": [{"node": "node", "id": "late", "description": "to [new]"}] if self.late else []}
            case "POST", ["osform-ledger", "_bulk"]:
                lines = [json.loads(line) for line in body.splitlines()]
                self.ledger = [line for line in lines if "kind" in line] + self.ledger
                return {"items": [{"index": {"status": 200}} for line in lines if line.keys() <= {"index", "delete"}]}
            case "POST", [_, "_bulk"]:
                return {"items": list(self._deleted(name, body))}
            case "PUT", [_, "_block", "write"]:
                self.blocked = True
                return {"shards_acknowledged": True}
            case "GET", [_, "_settings", *_]:
                return {name: {"settings": self.settings}}
            case "GET", [_, "_mapping"]:
                return {name: {"mappings": self.mapping}}
            case "GET", [_, "_alias"]:
                return {name: {"aliases": {}}}
            case "POST", ["_aliases"]:
                self.moved += body["actions"]
                return {}
            case (
                ("HEAD", [_])
                | ("POST", [_, "_refresh"])
                | ("PUT", [_, "_settings"])
                | ("GET", ["_cluster", "health", _])
            ):
                return {}
        raise RequestFailed(str(request), 404, "not_found", "not found")

    def _shard(self, index: str, id: str) -> Shard:
        shards = self.indices[index]
        return shards[sum(id.encode()) % len(shards)]

    def _stats(self, name: str) -> Iterator[tuple[str, list[Json]]]:
        for number, shard in enumerate(self.indices[name]):
            reached = {"global_checkpoint": shard.last, "max_seq_no": shard.last}
            yield str(number), [{"routing": {"primary": True}, "seq_no": reached}]

    def _asked(self, request: Request, name: str) -> list[Shard]:
        preference = request.params.get("preference", "")
        shards = self.indices[name]
        return [shards[int(preference.split("|")[0].removeprefix("_shards:"))]] if preference else shards

    def _search(self, shards: list[Shard], body: Json) -> Json:
        query = body["query"]
        there = [(id, number) for shard in shards for id, number in shard.documents.items()]
        if "ids" in query:
            hits = [{"_id": id} for id, _ in there if id in set(query["ids"]["values"])]
            return {"hits": {"hits": hits}}
        limits = query["range"]["_seq_no"]
        found = sorted((n, id) for id, n in there if limits.get("gt", -1) < n <= limits["lte"])
        if "aggs" in body:
            width = body["aggs"]["n"]["histogram"]["interval"]
            counts: dict[int, int] = {}
            for number, _ in found:
                counts[number // width * width] = counts.get(number // width * width, 0) + 1
            return {"aggregations": {"n": {"buckets": [{"key": k, "doc_count": c} for k, c in counts.items()]}}}
        return {"hits": {"hits": [{"_id": id, "sort": [number]} for number, id in found[: body["size"]]]}}

    def _started(self, request: Request, ids: list[str]) -> Json:
        """A task; with ``lose`` the answer does not come, and the task writes what it read only at that time."""
        if self.lose:
            read = {id: self.texts[id] for id in ids if id in self.texts}
            self.late, self.lose = (self.lose, read), 0.0
            raise Unreachable(f"{request}: reset", why="reset")
        return {"task": self._reindex(ids)}

    def _write_late(self) -> None:
        if self.late and self.now >= self.late[0]:
            self.copies |= self.late[1]
            self.late = None

    def _reindex(self, ids: list[str]) -> str:
        if not self.failures:
            for id in ids:
                if id in self._shard("old", id).documents:
                    self.write(id, "new")
                    self.copies[id] = self.texts.get(id, "")
                    self.copied += 1
        # One after the other: what is under way already comes first.
        task = f"node:{len(self.tasks)}"
        self.tasks[task] = max([self.now, *self.tasks.values()]) + self.pace * len(ids)
        return task

    def _deleted(self, name: str, body: str) -> Iterator[Json]:
        for line in body.splitlines():
            id = json.loads(line)["delete"]["_id"]
            if id in self.busy:
                self.busy.remove(id)
                error = {"type": "rejected_execution_exception", "reason": "rejected execution of primary operation"}
                yield {"delete": {"_id": id, "status": 429, "error": error}}
                continue
            self._shard(name, id).delete(id)
            yield {"delete": {"_id": id, "status": 200}}

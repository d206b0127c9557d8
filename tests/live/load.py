"""Searches and writes at a steady rate, each of them written down, while something else happens to the index.

What was acknowledged is compared with what the index holds at the end: nothing lost, and nothing that was deleted back
again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from osform.cluster.answers import model_is_away
from osform.cluster.client import Cluster
from osform.cluster.queries import of_another_dimension
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable

WRITERS, SEARCHERS = 16, 16
"""So many that a second of waiting for each answer still lets twenty a second through."""
MADE_UP = 5.0
"""Seconds behind its rate that a load makes up for, as users do who ask again; what is older, they have forgotten."""
# What a writer waits out, as osform's own does: a write block, a node that is busy or on its way back.
_PASSING = (403, 408, 429, 502, 503, 504)


@dataclass
class Load:
    """``searches`` and ``writes`` a second through an alias; ``held`` is what the index held at the beginning.

    ``outage`` says whether the only node may be down for a while: then searches may fail for lack of an answer.
    ``embedded_before`` has the moments of searches that were asked once more: the server embeds a text with the model
    of the index that the alias is on, and looks the alias up again afterwards. Where it has moved meanwhile to an index
    of another dimension, it answers 400. ``refused`` has those of writes that met a write block.
    """

    url: str
    alias: str
    held: Mapping[str, Mapping[str, Any]]
    texts: tuple[str, ...]
    text_field: str = "text"
    vector_field: str = "vector"
    searches: float = 20.0
    writes: float = 20.0
    outage: bool = False
    require_alias: bool = True
    expected: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed_searches: list[str] = field(default_factory=list)
    failed_writes: list[str] = field(default_factory=list)
    searched: int = 0
    written: int = 0
    longest_write: float = 0.0
    refused: list[float] = field(default_factory=list)
    embedded_before: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.expected = dict(self.held)
        about = Cluster(self.url)
        # OpenSearch 2 refuses a document whose text to embed is blank; null is no text on both.
        self._blank = None if str(about.send(Request("GET", "/"))["version"]["number"]).startswith("2.") else ""
        about.close()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(WRITERS)]
        self._threads += [threading.Thread(target=self._search, args=(n,)) for n in range(SEARCHERS)]

    @property
    def done(self) -> int:
        """Searches and writes so far."""
        return self.searched + self.written

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._seconds = time.monotonic() - self._began

    @property
    def rates(self) -> tuple[float, float]:
        """Searches and writes a second that there were, from the first to the last."""
        return self.searched / self._seconds, self.written / self._seconds

    @property
    def blocked(self) -> float:
        """Seconds from the first write that was refused by a block to the last one."""
        return max(self.refused) - min(self.refused) if self.refused else 0.0

    def _turns(self, chance: random.Random, every: float) -> Iterator[None]:
        """When one thread is to do something, ``every`` so many seconds on average, until the load ends.

        Answers that take long make no difference to how much is asked: else a slow server would be asked less.
        """
        due = time.monotonic()
        while True:
            due = max(due + every * 2 * chance.random(), time.monotonic() - MADE_UP)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            yield

    def _search(self, number: int) -> None:
        cluster, chance = Cluster(self.url), random.Random(number)
        for _ in self._turns(chance, SEARCHERS / self.searches):
            query = {"neural": {self.vector_field: {"query_text": chance.choice(self.texts), "k": 10}}}
            body = {"size": 10, "query": query, "_source": False}
            try:
                if not self._hits(cluster, body):
                    self._fail(self.failed_searches, "no hit")
            except (RequestFailed, Unreachable) as error:
                if not (self.outage and (_passing(error) or self._comes_back(cluster, error))):
                    self._fail(self.failed_searches, str(error))
            with self._lock:
                self.searched += 1
        cluster.close()

    def _comes_back(self, cluster: Cluster, error: RequestFailed | Unreachable) -> bool:
        """Whether it is the node that has not read yet what it has, and not the index that is gone.

        It embeds a search's text before it looks whether it knows of any index, and answers 404 until it does, or 400
        where it knows of no pipeline yet. Asked for the alias itself, it says 503 then.
        """
        said = str(error)
        if not ("no such index" in said or "is not defined" in said):
            return False
        try:
            return bool(cluster.send(Request("GET", f"/_alias/{quote(self.alias)}")))
        except (RequestFailed, Unreachable) as answer:
            return _passing(answer)

    def _hits(self, cluster: Cluster, body: dict[str, Any]) -> list[Any]:
        request = Request("POST", f"/{quote(self.alias)}/_search", body)
        try:
            return list(cluster.send(request)["hits"]["hits"])
        except RequestFailed as error:
            if not of_another_dimension(error):
                raise
            with self._lock:
                self.embedded_before.append(time.monotonic())
            return list(cluster.send(request)["hits"]["hits"])

    def _write(self, number: int) -> None:
        cluster, chance = Cluster(self.url), random.Random(100 + number)
        # Each id belongs to one writer, so that what is said last of it is well known.
        mine = sorted(id for id in self.held if hash_of(id) % WRITERS == number)
        for count, _ in enumerate(self._turns(chance, WRITERS / self.writes), 1):
            what = chance.random()
            if what < 0.5 or not mine:
                id = f"new-{number}-{count}"
                mine.append(id)
                self._put(cluster, id, self._document(chance, id))
            elif what < 0.8:
                id = chance.choice(mine)
                self._put(cluster, id, self._document(chance, id))
            else:
                id = mine.pop(chance.randrange(len(mine)))
                self._send(cluster, Request("DELETE", self._path(id)), id, None)
                if chance.random() < 0.3:
                    mine.append(id)  # and it may come back, with its versions begun anew
        cluster.close()

    def _document(self, chance: random.Random, id: str) -> dict[str, Any]:
        text = self._blank if chance.random() < 0.02 else f"{chance.choice(self.texts)} {chance.randrange(1000)}"
        return {self.text_field: text, "stamp": chance.randrange(10**9), "of": id}

    def _path(self, id: str) -> str:
        return f"/{quote(self.alias)}/_doc/{quote(id)}"

    def _put(self, cluster: Cluster, id: str, document: dict[str, Any]) -> None:
        request = Request("PUT", self._path(id), document, {"require_alias": "true"} if self.require_alias else {})
        self._send(cluster, request, id, document)

    def _send(self, cluster: Cluster, request: Request, id: str, then: dict[str, Any] | None) -> None:
        began = time.monotonic()
        while True:
            try:
                cluster.send(request)
            except (RequestFailed, Unreachable) as error:
                if isinstance(error, RequestFailed) and error.status == 404 and then is None:
                    break  # a lost answer's second try
                if isinstance(error, RequestFailed) and error.status == 403:
                    self.refused.append(time.monotonic())
                if _passing(error):
                    time.sleep(0.1)
                    continue
                self._fail(self.failed_writes, str(error))
                return
            break
        with self._lock:
            self.written += 1
            self.longest_write = max(self.longest_write, time.monotonic() - began)
            if then is None:
                self.expected.pop(id, None)
            else:
                self.expected[id] = then

    def _fail(self, where: list[str], words: str) -> None:
        with self._lock:
            where.append(words)

    def differences(self, cluster: Cluster, dimension: int) -> list[str]:
        """What is not as it was acknowledged: documents lost, back again, otherwise, or without their vector."""
        cluster.send(Request("POST", f"/{quote(self.alias)}/_refresh"))
        found = everything(cluster, self.alias)
        wrong = [f"lost: {id}" for id in self.expected.keys() - found.keys()]
        wrong += [f"back again: {id}" for id in found.keys() - self.expected.keys()]
        for id in self.expected.keys() & found.keys():
            source = dict(found[id])
            vector = source.pop(self.vector_field, None)
            if source != self.expected[id]:
                wrong.append(f"otherwise: {id}: {source} and not {self.expected[id]}")
            has_text = bool(str(source.get(self.text_field) or "").strip())
            if has_text != (vector is not None) or (vector is not None and len(vector) != dimension):
                wrong.append(f"vector: {id}: {len(vector or [])} numbers for {source.get(self.text_field)!r}")
        return wrong


def _passing(error: RequestFailed | Unreachable) -> bool:
    """Whether a node that is busy, or on its way back, says so; of a shard it does with a 500."""
    if isinstance(error, Unreachable) or error.status in _PASSING:
        return True
    return model_is_away(error.reason) or "No shard available" in error.reason


def hash_of(text: str) -> int:
    """The same number for the same text in every process."""
    return sum(text.encode())


def everything(cluster: Cluster, alias: str) -> dict[str, dict[str, Any]]:
    """All documents of an index, by id."""
    found: dict[str, dict[str, Any]] = {}
    index = next(iter(cluster.send(Request("GET", f"/{quote(alias)}/_alias"))))
    shards = cluster.send(Request("GET", f"/{quote(index)}/_stats/docs", params={"level": "shards"}))
    for shard in shards["indices"][index]["shards"]:
        body: dict[str, Any] = {"size": 1000, "sort": ["_seq_no"], "query": {"match_all": {}}}
        while True:
            request = Request("POST", f"/{quote(index)}/_search", body, {"preference": f"_shards:{shard}"})
            hits = cluster.send(request)["hits"]["hits"]
            if not hits:
                break
            found |= {hit["_id"]: hit["_source"] for hit in hits}
            body["search_after"] = hits[-1]["sort"]
    return found

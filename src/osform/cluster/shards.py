"""Documents of one index in the order in which they were written, shard by shard.

Each shard numbers its operations, and an update or a deletion has a higher number than what it replaces. What has a
number up to the shard's global checkpoint is on every copy of the shard, and a search sees it after the next refresh;
one number for the whole index would miss what another shard has numbered lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Each, Patience, persist
from osform.core.request import Request

PAGE = 5000
"""Documents listed by one request; the server allows 10,000."""
_LONGEST = 60.0


@dataclass(frozen=True)
class Written:
    """One document as its shard knows it."""

    id: str
    number: int
    routing: str | None = None


@dataclass(frozen=True)
class Index:
    """One physical index, read through ``cluster``."""

    cluster: Cluster
    name: str

    @property
    def path(self) -> str:
        """The index in a URL."""
        return f"/{quote(self.name)}"

    def checkpoints(self, patience: Patience, *, settled: bool = False) -> dict[int, int]:
        """For each shard the number up to which every copy has every operation; -1 for one that is empty.

        ``settled`` waits until that is the last operation of each shard, which it will be once nobody writes.
        """
        attempt = 0
        while True:
            found = self._numbers(patience)
            if not settled or all(most == reached for reached, most in found.values()) or patience.over:
                return {shard: reached for shard, (reached, _) in found.items()}
            patience.pause(attempt, first=0.02, longest=0.5)
            attempt += 1

    def _numbers(self, patience: Patience) -> dict[int, tuple[int, int]]:
        request = Request("GET", f"{self.path}/_stats/docs", params={"level": "shards"})
        answer = persist(self.cluster, request, patience)
        found: dict[int, tuple[int, int]] = {}
        for number, copies in answer["indices"][self.name]["shards"].items():
            primary = next(copy for copy in copies if copy["routing"]["primary"])
            found[int(number)] = int(primary["seq_no"]["global_checkpoint"]), int(primary["seq_no"]["max_seq_no"])
        return found

    def refresh(self, patience: Patience) -> None:
        """Let searches see everything that is written."""
        persist(self.cluster, Request("POST", f"{self.path}/_refresh"), patience, longest=_LONGEST)

    def count(self, patience: Patience, query: Mapping[str, Any] | None = None) -> int:
        """Documents that a search sees."""
        body = {"query": query} if query else None
        return int(
            persist(self.cluster, Request("POST", f"{self.path}/_count", body), patience, longest=_LONGEST)["count"]
        )

    def written(self, shard: int, after: int, upto: int, each: Each) -> Iterator[list[Written]]:
        """The documents of a shard whose last operation has a number above ``after``, up to ``upto``, in pages.

        Whoever takes a page may work on it for hours before the next one is asked for, so each has its own deadline.
        """
        while after < upto:
            query = {"range": {"_seq_no": {"gt": after, "lte": upto}}}
            body = {"size": PAGE, "_source": False, "sort": [{"_seq_no": "asc"}], "query": query}
            hits = self._search(body | {"track_total_hits": False}, each(), shard)["hits"]["hits"]
            if not hits:
                return
            yield [Written(hit["_id"], int(hit["sort"][0]), hit.get("_routing")) for hit in hits]
            after = int(hits[-1]["sort"][0])

    def there(self, ids: Sequence[str], patience: Patience) -> set[str]:
        """Which of these ids a search finds."""
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            some = list(ids[start : start + PAGE])
            body = {"size": len(some), "_source": False, "query": {"ids": {"values": some}}, "track_total_hits": False}
            found |= {hit["_id"] for hit in self._search(body, patience)["hits"]["hits"]}
        return found

    def matching(
        self,
        query: Mapping[str, Any],
        fields: Sequence[str],
        each: Each,
        since: Mapping[int, int] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """What a query finds, with these fields of each source; only documents with numbers beyond ``since``.

        ``more`` is what else is asked of each search.
        """
        for shard in self.checkpoints(each()):
            later = {"range": {"_seq_no": {"gt": (since or {}).get(shard, -1)}}}
            wanted = {"bool": {"filter": [dict(query), later]}}
            body: dict[str, Any] = {"size": 500, "_source": list(fields), "query": wanted, "sort": ["_seq_no"]}
            body |= more or {}
            while hits := self._search(body, each(), shard)["hits"]["hits"]:
                yield from hits
                body["search_after"] = hits[-1]["sort"]

    def histogram(self, shard: int, width: int, upto: int, patience: Patience) -> dict[int, int]:
        """How many documents of a shard have a number in ``[n * width, (n + 1) * width)``, by n, up to ``upto``."""
        body = {
            "size": 0,
            "query": {"range": {"_seq_no": {"lte": upto}}},
            "aggs": {"n": {"histogram": {"field": "_seq_no", "interval": width, "min_doc_count": 1}}},
        }
        buckets = self._search(body, patience, shard)["aggregations"]["n"]["buckets"]
        return {int(bucket["key"]) // width: int(bucket["doc_count"]) for bucket in buckets}

    def _search(self, body: Mapping[str, Any], patience: Patience, shard: int | None = None) -> Any:
        params = {} if shard is None else {"preference": f"_shards:{shard}|_primary"}
        request = Request(
            "POST", f"{self.path}/_search", dict(body), params | {"allow_partial_search_results": "false"}
        )
        return persist(self.cluster, request, patience, longest=_LONGEST)

"""What an index holds under some ids, and which of it lacks what it should have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination
from osform.cluster.retry import Patience, persist
from osform.cluster.shards import Index
from osform.core.comparing import Stored
from osform.core.request import Request
from osform.core.rows import Row
from osform.core.writes import Version

IDS_A_SEARCH = 1_000
_WHAT = ("_id", "_source", "_seq_no", "_primary_term", "matched_queries")


def look_up(cluster: Cluster, where: Destination, ids: Sequence[str], patience: Patience) -> dict[str, Stored]:
    """The documents that a search finds under these ids: what was written since the last refresh is not among them.

    A search and not ``_mget``, since a search says which documents have a vector without fetching it, and was five
    times as quick. Raises RequestFailed and Unreachable.
    """
    vectors = [one.vector for one in where.embeddings]
    body = {
        "size": len(ids),
        "query": {
            "bool": {
                "filter": [{"ids": {"values": list(ids)}}],
                "should": [{"exists": {"field": vector, "_name": vector}} for vector in vectors],
            }
        },
        "_source": {"excludes": vectors},
        "seq_no_primary_term": True,
        "track_total_hits": False,
        "sort": ["_doc"],
    }
    params = {
        "allow_partial_search_results": "false",
        "filter_path": ",".join(f"hits.hits.{each}" for each in _WHAT),
    }
    request = Request("POST", f"/{quote(where.index, safe='')}/_search", body, params)
    answer = persist(cluster, request, patience, longest=60)
    digests = [one.digest for one in where.embeddings if one.digest]
    return {hit["_id"]: _stored(hit, digests) for hit in answer.get("hits", {}).get("hits", ())}


def all_there(cluster: Cluster, where: Destination, rows: Sequence[Row], patience: Patience) -> bool:
    """Whether the index has a document for each of these rows, and a vector for each text that they hold.

    What else the documents hold is not looked at. Raises RequestFailed and Unreachable.
    """
    vectors = {one.vector: {"filter": {"exists": {"field": one.vector}}} for one in where.embeddings}
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": [{"ids": {"values": [row.id for row in rows]}}]}},
        **({"aggs": vectors} if vectors else {}),
    }
    request = Request(
        "POST", f"/{quote(where.index, safe='')}/_search", body, {"allow_partial_search_results": "false"}
    )
    answer = persist(cluster, request, patience, longest=60)
    wanted = {one.vector: sum(one.text_of(row.source) is not None for row in rows) for one in where.embeddings}
    found = {name: each["doc_count"] for name, each in answer.get("aggregations", {}).items()}
    return bool(answer["hits"]["total"]["value"] == len(rows) and found == wanted)


def textful(cluster: Cluster, where: Destination, patience: Patience, most: int) -> Iterator[str]:
    """The ids of documents that have a text and not its vector; ``most`` documents without a vector are looked at.

    Blank texts get none, and only a look at each document tells them from others.
    """
    index = Index(cluster, where.index)
    for one in where.embeddings:
        lacking = {"bool": {"filter": [_has(one.text)], "must_not": [_has(one.vector)]}}
        if not index.count(patience, lacking):
            continue
        for hit in islice(index.matching(lacking, [one.text], lambda: patience), most):
            if one.text_of(hit["_source"]) is not None:
                yield str(hit["_id"])


def _has(field: str) -> dict[str, Any]:
    return {"exists": {"field": field}}


def ready_made(cluster: Cluster, where: Destination, ids: Sequence[str], patience: Patience) -> dict[str, Any]:
    """What the pipeline made of these documents and the texts that it made it of, as they are at this moment."""
    fields = [*where.made, *(one.text for one in where.embeddings)]
    return {id: each["_source"] for id, each in stored(cluster, where.index, ids, patience, fields=fields).items()}


def stored(
    cluster: Cluster, index: str, ids: Sequence[str], patience: Patience, *, fields: Sequence[str] | None = None
) -> dict[str, Mapping[str, Any]]:
    """The documents with these ids as they are at this moment, unrefreshed ones too; of ``fields``, or whole."""
    params = {"_source_includes": ",".join(fields)} if fields is not None else {}
    request = Request("POST", f"/{quote(index, safe='')}/_mget", {"ids": list(ids)}, params)
    answer = persist(cluster, request, patience, longest=60)
    return {each["_id"]: each for each in answer["docs"] if each.get("found")}


def version_of(hit: Mapping[str, Any]) -> Version:
    """The version of a document that was found."""
    return Version(hit["_seq_no"], hit["_primary_term"])


def _stored(hit: Mapping[str, Any], digests: Sequence[str]) -> Stored:
    source = dict(hit["_source"])
    made = {digest: source.pop(digest) for digest in digests if digest in source}
    return Stored(source, version_of(hit), frozenset(hit.get("matched_queries", ())), made)

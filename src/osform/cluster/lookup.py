"""What an index holds under some ids, and which of it lacks what it should have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.destinations import Destination
from osform.cluster.retry import Patience, persist
from osform.core.comparing import Stored
from osform.core.request import Request
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


def ready_made(cluster: Cluster, where: Destination, ids: Sequence[str], patience: Patience) -> dict[str, Any]:
    """What the pipeline made of these documents and the texts that it made it of, as they are at this moment."""
    fields = ",".join([*where.made, *(one.text for one in where.embeddings)])
    path = f"/{quote(where.index, safe='')}/_mget"
    answer = persist(
        cluster, Request("POST", path, {"ids": list(ids)}, {"_source_includes": fields}), patience, longest=60
    )
    return {each["_id"]: each["_source"] for each in answer["docs"] if each.get("found")}


def _stored(hit: Mapping[str, Any], digests: Sequence[str]) -> Stored:
    source = dict(hit["_source"])
    made = {digest: source.pop(digest) for digest in digests if digest in source}
    version = Version(hit["_seq_no"], hit["_primary_term"])
    return Stored(source, version, frozenset(hit.get("matched_queries", ())), made)

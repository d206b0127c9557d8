"""What a watch has to know again after it was killed, in the ledger's index: one document for each target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.lock import INDEX
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.request import Request
from osform.core.watching import Standing

_SECONDS = 20.0


def read(cluster: Cluster, watch: str) -> dict[str, Standing]:
    """The standings of a watch, by target."""
    wanted: list[Mapping[str, Any]] = [{"term": {"type": "watch"}}, {"term": {"name": watch}}]
    body = {"query": {"bool": {"filter": wanted}}, "size": 1000}
    request = Request("POST", f"/{INDEX}/_search", body, {"ignore_unavailable": "true"})
    answer = persist_if_there(cluster, request, Patience.of(_SECONDS))
    hits = answer["hits"]["hits"] if answer else []
    found = [Standing.of(hit["_source"]["journal"]) for hit in hits if hit["_source"].get("type") == "watch"]
    return {standing.target: standing for standing in found}


def write(cluster: Cluster, watch: str, standing: Standing) -> None:
    """Store one in place of what was there."""
    document = {
        "type": "watch",
        "name": watch,
        "stack": standing.stack,
        "environment": standing.environment,
        "status": standing.state,
        "commit": standing.good,
        "journal": standing.to_json(),
    }
    path = f"/{INDEX}/_doc/{quote(_id(watch, standing.target), safe='')}"
    persist(cluster, Request("PUT", path, document, {"refresh": "true"}), Patience.of(_SECONDS))


def _id(watch: str, target: str) -> str:
    """A bare slash is what no quoted name holds: ``team`` and ``a-b`` are not ``team-a`` and ``b``."""
    return f"watch/{quote(watch, safe='')}/{target}"

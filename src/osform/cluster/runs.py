"""The history: records of runs in the ledger's index, one document each, beside the entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.lock import INDEX
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.history import Run
from osform.core.request import Request

MOST = 1000
"""Runs that one look returns at most."""


def write(cluster: Cluster, run: Run, patience: Patience) -> None:
    """Store a run in place of what was known of it. The ledger must be there."""
    document = {
        "type": "run",
        "stack": run.stack,
        "environment": run.environment,
        "name": run.id,
        "applied_by": run.by,
        "applied_at": run.started_at,
        "commit": run.commit,
        "status": run.status,
        # Stored without being indexed, as everything whose keys are not the ledger's own.
        "journal": asdict(run),
    }
    persist(cluster, Request("PUT", f"/{INDEX}/_doc/run-{run.id}", document, {"refresh": "true"}), patience)


def read(
    cluster: Cluster,
    patience: Patience,
    *,
    stack: str | None = None,
    environment: str | None = None,
    prefix: str = "",
    most: int = 20,
    whole: bool = False,
) -> tuple[Run, ...]:
    """The newest runs first; of all stacks where none is named. ``whole`` has their changes as well."""
    wanted: list[Mapping[str, Any]] = [{"term": {"type": "run"}}]
    wanted += [{"term": {"stack": stack}}] if stack else []
    wanted += [{"term": {"environment": environment}}] if environment else []
    wanted += [{"prefix": {"name": prefix}}] if prefix else []
    body = {
        "query": {"bool": {"filter": wanted}},
        "size": min(most, MOST),
        "sort": [{"applied_at": "desc"}, {"name": "desc"}],
        "_source": {"includes": ["type", "journal"], "excludes": [] if whole else ["journal.changes"]},
    }
    request = Request("POST", f"/{INDEX}/_search", body, {"ignore_unavailable": "true"})
    answer = persist_if_there(cluster, request, patience)
    hits = answer["hits"]["hits"] if answer else []
    return tuple(_run(hit["_source"]["journal"]) for hit in hits if hit["_source"]["type"] == "run")


def forget(cluster: Cluster, stack: str, environment: str, before: str, patience: Patience) -> None:
    """Delete the runs of a stack and environment that began before then (ISO 8601)."""
    wanted = [
        {"term": {"type": "run"}},
        {"term": {"stack": stack}},
        {"term": {"environment": environment}},
        {"range": {"applied_at": {"lt": before}}},
    ]
    body = {"query": {"bool": {"filter": wanted}}}
    persist(cluster, Request("POST", f"/{INDEX}/_delete_by_query", body, {"conflicts": "proceed"}), patience)


def _run(stored: Mapping[str, Any]) -> Run:
    known = {key: value for key, value in stored.items() if key in Run.__dataclass_fields__}
    return Run(**{**known, "changes": tuple(stored.get("changes") or ())})

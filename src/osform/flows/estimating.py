"""What copying an index will take, for whoever reviews the plan: documents, disk, and about how long."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import quote

from osform.cluster import nodes, predict
from osform.cluster.client import Cluster
from osform.cluster.retry import Clock
from osform.core.address import Address
from osform.core.plan import Estimate, Plan
from osform.core.request import Request
from osform.errors import ClusterError
from osform.flows.looking import Eyes
from osform.flows.resolving import pipelines_of
from osform.flows.survey import Survey
from osform.kinds import consistency

_TEXTS = ("an ordinary description of a photo, neither short nor long, as most are",) * 3
_SECONDS = 10.0


def estimated(plan: Plan, survey: Survey, cluster: Cluster, clock: Clock = time.monotonic) -> Plan:
    """The plan with an estimate at each index that is copied. One request for all, and one for each model's pace."""
    if not survey.moves:
        return plan
    names = ",".join(quote(move.source) for move in survey.moves.values())
    found = Eyes(cluster).get(Request("GET", f"/{names}/_stats/docs,store")) or {"indices": {}}
    paces: dict[str, float | None] = {}
    estimates: dict[Address, Estimate] = {}
    for address, move in survey.moves.items():
        stats = found["indices"].get(move.source, {})
        documents = int(stats.get("primaries", {}).get("docs", {}).get("count", 0))
        size = int(stats.get("total", {}).get("store", {}).get("size_in_bytes", 0))
        seconds = _seconds(survey, address, documents, cluster, paces, clock)
        estimates[address] = Estimate(documents, size, seconds)
    changes = (replace(change, estimate=estimates.get(change.address)) for change in plan.changes)
    return replace(plan, changes=tuple(changes))


def _seconds(
    survey: Survey, address: Address, documents: int, cluster: Cluster, paces: dict[str, float | None], clock: Clock
) -> float | None:
    """By the model that is there, as if each ML node embedded one text at a time: rather too long than too short."""
    total = 0.0
    for pipeline in pipelines_of(survey.spec).get(address, ()):
        body = survey.spec.resources[pipeline].body
        for options in consistency.embeddings(body):
            model = consistency.model_of(options)
            live = survey.live.get(survey.renewed.get(model, model)) if model else None
            if live is None or live.body.get("deployed") is not True or "model_id" not in live.ids:
                return None
            model_id = live.ids["model_id"]
            if model_id not in paces:
                paces[model_id] = _pace(cluster, model_id, clock)
            pace = paces[model_id]
            if pace is None:
                return None
            total += documents * pace
    return round(total, 1) if total else None


def _pace(cluster: Cluster, model_id: str, clock: Clock) -> float | None:
    """Seconds a text takes, all processors of the ML nodes at work."""
    try:
        predict.predict(cluster, model_id, _TEXTS[:1], deadline_seconds=_SECONDS)
        began = clock()
        predict.predict(cluster, model_id, _TEXTS, deadline_seconds=_SECONDS)
        took = (clock() - began) / len(_TEXTS)
        found = nodes.ml_nodes(cluster, deadline_seconds=_SECONDS)
        workers = nodes.processors(cluster, [node.id for node in found], deadline_seconds=_SECONDS)
    except ClusterError:
        return None
    return took / max(1, workers)

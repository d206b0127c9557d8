"""Connectors: made once, changed while the models that use them are undeployed, taken away once no model is left.

What is under way is remembered beforehand, so that a run that was killed is taken up again: which connectors of the
same name were there before, and which models are to be deployed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from osform.cluster import models
from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.retry import Clock, Patience, Sleep, passes, persist, persist_if_there
from osform.core.events import Note, Report
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable
from osform.kinds import ml

OTHERS = "others"
"""Under this key it is remembered which connectors of the same name are not ours."""
WAITING = "waiting"
"""Under this key it is remembered which models are to be deployed again."""

_IN_USE = "still using this connector"
# A search sees a connector after the next refresh of the server's index.
_VISIBLE_SECONDS = 2.0
# After a POST without an answer: how long the server may take to finish it before it is sent again.
_SETTLE_SECONDS = 5.0
_DEPLOYED = {"DEPLOYED", "PARTIALLY_DEPLOYED", "DEPLOYING"}


def create(
    cluster: Cluster,
    request: Request,
    *,
    ids: Mapping[str, str],
    remember: Callable[[str, str], None],
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Make a connector and remember its ``connector_id``; one that an earlier try has made is taken, not made twice.

    Names are not unique, so what is new since ``ids`` were remembered is ours. Raises RequestFailed and Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    name = str(request.body["name"])
    if OTHERS in ids:
        others = set(ids[OTHERS].split(","))
        made = _named_soon(cluster, name, others, patience.within(_VISIBLE_SECONDS))
    else:
        others, made = set(_named(cluster, name, patience)), []
        remember(OTHERS, ",".join(sorted(others)))
    attempt = 0
    while not (new := sorted(set(made) - others)):
        try:
            new = [str(cluster.send(request, timeout=patience.timeout(60))["connector_id"])]
            break
        except (Unreachable, RequestFailed) as error:
            if not passes(error) or patience.over:
                raise
        made = _named_soon(cluster, name, others, patience.within(_SETTLE_SECONDS))
        patience.pause(attempt)
        attempt += 1
    remember("connector_id", new[0])


def update(
    cluster: Cluster,
    request: Request,
    connector_id: str,
    *,
    ids: Mapping[str, str],
    remember: Callable[[str, str], None],
    report: Report,
    deadline_seconds: float = 300.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Undeploy the models that use a connector, change it, and deploy them again, whoever's they are.

    A question that comes in between may have the server deploy a model by itself: then it is undeployed once more.
    Raises RequestFailed, Unreachable, and TaskFailed where a model can't be undeployed or deployed.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    waiting = {model_id for model_id in ids.get(WAITING, "").split(",") if model_id}
    attempt = 0
    while True:
        users = _deployed_behind(cluster, connector_id, patience)
        if not users <= waiting:
            waiting |= users
            remember(WAITING, ",".join(sorted(waiting)))
        for model_id in sorted(users):
            report(Note(f"undeploying model {model_id}, which uses the connector"))
            models.undeploy(cluster, model_id, clock=clock, sleep=sleep)
        try:
            persist(cluster, request, patience)
            break
        except RequestFailed as error:
            if _IN_USE not in error.reason or patience.over:
                raise
        patience.pause(attempt, longest=1)
        attempt += 1
    for model_id in sorted(waiting):
        if models.document(cluster, model_id, patience) is not None:
            deploy(cluster, model_id, report=report, clock=clock, sleep=sleep)
    if waiting:
        remember(WAITING, "")


def delete(
    cluster: Cluster,
    connector_id: str,
    *,
    deadline_seconds: float = 30.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Delete a connector. For a moment after its last model is gone the server still sees it there, and refuses.

    A connector that isn't there is fine. Raises RequestFailed, also where models are left that use it.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    attempt = 0
    while True:
        try:
            persist_if_there(cluster, ml.delete_connector(connector_id), patience)
            return
        except RequestFailed as error:
            if error.status != 409 or patience.over:
                hint = "delete these models first" if error.status == 409 else None
                raise RequestFailed(error.request, error.status, error.type, error.reason, hint=hint) from error
        patience.pause(attempt, longest=1)
        attempt += 1


def _named(cluster: Cluster, name: str, patience: Patience) -> list[str]:
    found = models.hits(cluster, ml.all_connectors(size=10_000), patience)
    return [hit["_id"] for hit in found if hit["_source"].get("name") == name]


def _named_soon(cluster: Cluster, name: str, others: Iterable[str], patience: Patience) -> list[str]:
    """What a POST without an answer has made, if it shows within some seconds."""
    attempt, known = 0, set(others)
    while not set(made := _named(cluster, name, patience)) - known and not patience.over:
        patience.pause(attempt, longest=1)
        attempt += 1
    return made


def _deployed_behind(cluster: Cluster, connector_id: str, patience: Patience) -> set[str]:
    found: list[dict[str, Any]] = models.hits(cluster, ml.models_behind(connector_id), patience)
    return {hit["_id"] for hit in found if hit["_source"].get("model_state") in _DEPLOYED}

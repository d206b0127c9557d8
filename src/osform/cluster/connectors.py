"""Connectors: made once, changed while the models that use them are undeployed, taken away once no model is left.

What is under way is remembered beforehand, so that a run that was killed is taken up again: the tag by which a new
connector is known from others of its name, and which models are to be deployed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from osform.cluster import models
from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.once import once
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.core.events import Note, Report
from osform.core.request import Request
from osform.errors import RequestFailed
from osform.kinds import ml

WAITING = "waiting"
"""Under this key it is remembered which models are to be deployed again."""

_IN_USE = "still using this connector"
_DEPLOYED = {"DEPLOYED", "PARTIALLY_DEPLOYED", "DEPLOYING"}


def create(
    cluster: Cluster,
    request: Request,
    *,
    tag: str,
    remember: Callable[[str, str], None],
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Make a connector and remember its ``connector_id``; one that an earlier try has made is taken, not made twice.

    Until that is known it has the ``tag`` as its description. Raises RequestFailed and Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    tagged = ml.create_connector({**request.body, "description": tag})

    def post() -> str:
        return str(cluster.send(tagged, timeout=patience.timeout(60))["connector_id"])

    def made() -> str | None:
        found = models.hits(cluster, ml.all_connectors(size=10_000), patience)
        return next((str(hit["_id"]) for hit in found if hit["_source"].get("description") == tag), None)

    connector_id = made() or once(post, made, patience)
    remember("connector_id", connector_id)
    own = {"description": request.body.get("description", "")}
    persist(cluster, ml.put_connector(connector_id, own), patience)


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
                raise error.hinted(hint) from error
        patience.pause(attempt, longest=1)
        attempt += 1


def _deployed_behind(cluster: Cluster, connector_id: str, patience: Patience) -> set[str]:
    found: list[dict[str, Any]] = models.hits(cluster, ml.models_behind(connector_id), patience)
    return {hit["_id"] for hit in found if hit["_source"].get("model_state") in _DEPLOYED}

"""Models on the cluster: find them, and take one away."""

from __future__ import annotations

import time
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.nodes import serving
from osform.cluster.retry import Clock, Patience, Sleep, persist_if_there
from osform.cluster.upload import stored_chunks
from osform.core.request import Request
from osform.errors import RequestFailed, TaskFailed
from osform.kinds import ml

Model = dict[str, Any]

# States in which the server refuses to delete a model.
_HELD = {"DEPLOYING", "DEPLOYED", "PARTIALLY_DEPLOYED"}


def find_models(
    cluster: Cluster,
    *,
    page: int = 1000,
    deadline_seconds: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> dict[str, Model]:
    """All models of the cluster by id, half-registered ones too, without their chunks and bytes.

    One search for every ``page`` models. A cluster that never saw a model has none. Raises RequestFailed and
    Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    models: dict[str, Model] = {}
    after: list[Any] | None = None
    while True:
        found = hits(cluster, ml.all_models(size=page, after=after), patience)
        models |= {hit["_id"]: hit["_source"] for hit in found}
        if len(found) < page:
            return models
        after = found[-1]["sort"]


def find_model(
    cluster: Cluster,
    model_id: str,
    *,
    deadline_seconds: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Model | None:
    """A model's document as it is stored now, or None. Raises RequestFailed and Unreachable."""
    return document(cluster, model_id, Patience.of(deadline_seconds, clock, sleep))


def undeploy(
    cluster: Cluster,
    model_id: str,
    *,
    deadline_seconds: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Take a model off all nodes, and wait until none has it and its document says so.

    A model that isn't there or isn't deployed is left as it is. Raises TaskFailed where it stays, RequestFailed and
    Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    attempt = 0
    while True:
        model = document(cluster, model_id, patience)
        held = serving(cluster, [model_id], deadline_seconds=patience.left, clock=clock, sleep=sleep)[model_id]
        if not held and (model is None or model.get("model_state") not in _HELD):
            return
        if patience.over:
            raise TaskFailed(
                f"model {model_id} is still on {len(held)} nodes, in state {(model or {}).get('model_state')}",
                hint=f"look at GET /_plugins/_ml/profile/models/{model_id}, then run the command again",
            )
        if attempt % 10 == 0:  # what is asked once can get lost with a node; asked all the time, it never settles
            persist_if_there(cluster, ml.undeploy(model_id), patience)
        patience.pause(attempt, longest=1)
        attempt += 1


def delete(
    cluster: Cluster,
    model_id: str,
    *,
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Undeploy and delete a model with its chunks, and wait until a search finds nothing of it.

    A model that isn't there is fine. Raises TaskFailed where something stays, RequestFailed and Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    attempt = 0
    while True:
        undeploy(cluster, model_id, deadline_seconds=patience.left, clock=clock, sleep=sleep)
        model = document(cluster, model_id, patience)
        if model is None and not stored_chunks(cluster, model_id, 1, patience):
            return
        if patience.over:
            raise TaskFailed(f"model {model_id} is still there after it was deleted", hint="run the command again")
        if model is not None or attempt % 10 == 9:
            _try_delete(cluster, model_id, patience)
        patience.pause(attempt, longest=1)
        attempt += 1


def delete_group(
    cluster: Cluster,
    group_id: str,
    *,
    deadline_seconds: float = 30.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Delete a model group. For a moment after its last model is gone the server still sees it there, and refuses.

    A group that isn't there is fine. Raises RequestFailed, also where models are left in it, and Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    attempt = 0
    while True:
        try:
            persist_if_there(cluster, ml.delete_group(group_id), patience)
            return
        except RequestFailed as error:
            if error.status != 409 or patience.over:
                hint = "delete the models in it first" if error.status == 409 else None
                raise error.hinted(hint) from error
        patience.pause(attempt, longest=1)
        attempt += 1


def document(cluster: Cluster, model_id: str, patience: Patience) -> Model | None:
    """A model's document with its ``model_id``, or None."""
    model = persist_if_there(cluster, ml.get_model(model_id), patience)
    return None if model is None else {**model, "model_id": model_id}


def hits(cluster: Cluster, request: Request, patience: Patience) -> list[dict[str, Any]]:
    """What a search finds; nothing where the index itself is missing."""
    answer = persist_if_there(cluster, request, patience)  # 404: there is no index for models yet
    return list(answer["hits"]["hits"]) if answer else []


def _try_delete(cluster: Cluster, model_id: str, patience: Patience) -> None:
    try:
        persist_if_there(cluster, ml.delete(model_id), patience)
    except RequestFailed as error:
        if "undeploy model first" not in error.reason.lower():
            raise  # a deployment that was under way has ended in the meantime: the caller undeploys and comes again

"""Models whose bytes never pass through osform: those that the server fetches, and remote ones behind a connector.

Registering is safe to repeat: the task and the model are remembered as soon as they are known, and one name in one
group with the same hash, connector and configuration is one model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from typing import Any

from osform.cluster import models
from osform.cluster.client import Cluster
from osform.cluster.deploy import plain_error
from osform.cluster.models import Model, document
from osform.cluster.once import NOBODY_ELSE, Turn, once
from osform.cluster.readback import lacking
from osform.cluster.register import restore
from osform.cluster.retry import Clock, Patience, Sleep, persist_if_there
from osform.core.events import Begun, Ended, Report
from osform.errors import RequestFailed, TaskFailed
from osform.kinds import ml

TASK = "task_id"
"""Under this key the server's task is remembered."""

_UNFINISHED = {"CREATED", "RUNNING"}
_FIXED = ("name", "model_group_id", "model_format", "model_content_hash_value", "connector_id")
_AGAIN = "run osform apply again"
# A server that has begun with a registration says soon which model it is.
_NAMED_SECONDS = 60.0
_HINTS = (
    ("trusted", "allow the address: plugins.ml_commons.trusted_url_regex"),
    ("allow_registering_model_via_url", "set plugins.ml_commons.allow_registering_model_via_url: true"),
    ("content changed", "compare model_content_hash_value with sha256sum of the file behind the url"),
)


def register_there(
    cluster: Cluster,
    body: Mapping[str, Any],
    *,
    tag: str,
    ids: Mapping[str, str],
    remember: Callable[[str, str], None],
    report: Report,
    turn: Turn = NOBODY_ELSE,
    others: Container[str] = (),
    deadline_seconds: float = 1800.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> str:
    """Have the server register a model, follow its task to the end, and return the model's id.

    ``ids`` are what a journal says of an interrupted run: ``model_id`` and ``task_id``. Until all is done the model has
    the ``tag`` as its description. ``turn`` is held while it is numbered. Models whose ids are in ``others`` belong to
    somebody else, and are never taken for this one. Raises TaskFailed with the server's reason, RequestFailed and
    Unreachable.
    Source: https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    task = f"registering {body['name']}"
    report(Begun(task))
    found = _journalled(cluster, body, ids, patience) or _twin(cluster, body, others, patience)
    task_id = ids.get(TASK)
    if found is None and task_id:
        found = _followed(cluster, task_id, patience.within(_NAMED_SECONDS), strict=False)
    if found is None:
        with turn:
            found, task_id = _numbered(cluster, {**body, "description": tag}, others, remember, patience)
    remember("model_id", found)
    _wait(cluster, found, task_id, patience)
    restore(cluster, found, body, patience)
    report(Ended(task))
    return found


def _journalled(cluster: Cluster, body: Mapping[str, Any], ids: Mapping[str, str], patience: Patience) -> str | None:
    model_id = ids.get("model_id")
    model = document(cluster, model_id, patience) if model_id else None
    return model_id if model is not None and _same(model, body) else None


def _twin(cluster: Cluster, body: Mapping[str, Any], others: Container[str], patience: Patience) -> str | None:
    found = models.hits(cluster, ml.models_named(str(body["name"])), patience)
    return next((hit["_id"] for hit in found if hit["_id"] not in others and _same(hit["_source"], body)), None)


def _same(model: Model, body: Mapping[str, Any]) -> bool:
    """Whether a stored model is what ``body`` asks for, in all that its registration fixes, and didn't fail."""
    fixed = {key: body[key] for key in _FIXED if key in body}
    config = {key: value for key, value in body.get("model_config", {}).items() if value is not False}
    if config:
        fixed["model_config"] = config
    if "function_name" in body:
        fixed["algorithm"] = body["function_name"]
    return model.get("model_state") != "REGISTER_FAILED" and not lacking(fixed, model)


def _numbered(
    cluster: Cluster,
    body: Mapping[str, Any],
    others: Container[str],
    remember: Callable[[str, str], None],
    patience: Patience,
) -> tuple[str, str | None]:
    """Register the model, once more where somebody else's got the same number: its id, and the task that brings it."""
    attempt = 0
    while True:
        found, task_id = _registered(cluster, body, others, patience)
        try:
            if task_id:
                remember(TASK, task_id)
                found = _followed(cluster, task_id, patience, strict=True) or found
            if found:
                return found, task_id
            raise TaskFailed(f"task {task_id} is gone, and named no model", hint=_AGAIN)
        except TaskFailed as error:
            if "version conflict" not in error.message or patience.over:
                raise
        patience.pause(attempt)
        attempt += 1


def _registered(
    cluster: Cluster, body: Mapping[str, Any], others: Container[str], patience: Patience
) -> tuple[str | None, str | None]:
    """Send the registration once: the model's and the task's id, as far as the answer or a search tells them."""

    def post() -> tuple[str | None, str | None]:
        answer = cluster.send(ml.register(body), timeout=patience.timeout(60))
        return answer.get("model_id"), answer.get("task_id")

    def find() -> tuple[str | None, str | None] | None:
        twin = _twin(cluster, body, others, patience)
        return (twin, None) if twin is not None else None

    try:
        return once(post, find, patience)
    except RequestFailed as error:
        raise _with_hint(error) from error


def _followed(cluster: Cluster, task_id: str, patience: Patience, *, strict: bool) -> str | None:
    """The model of a task, once it has one; None where the task is gone or, unless ``strict``, comes to nothing."""
    attempt = 0
    while not patience.over:
        task = persist_if_there(cluster, ml.task(task_id), patience)
        if task is None or (task.get("state") not in {*_UNFINISHED, "COMPLETED"} and not strict):
            return None
        if task.get("state") not in {*_UNFINISHED, "COMPLETED"}:
            raise _failed(task)
        if task.get("model_id"):
            return str(task["model_id"])
        patience.pause(attempt, longest=1)
        attempt += 1
    if not strict:
        return None
    raise TaskFailed(f"task {task_id} names no model, and the time is up", hint=_AGAIN)


def _wait(cluster: Cluster, model_id: str, task_id: str | None, patience: Patience) -> None:
    """Wait until the server has the whole model. One that does not get whole is taken away: nobody goes on with it."""
    attempt = 0
    while True:
        task = (persist_if_there(cluster, ml.task(task_id), patience) if task_id else None) or {}
        if task.get("state") not in {None, *_UNFINISHED, "COMPLETED"}:
            raise _failed(task)
        model = document(cluster, model_id, patience)
        state = model.get("model_state") if model else None
        if state not in (None, "REGISTERING", "REGISTER_FAILED"):
            return
        if state == "REGISTER_FAILED" or patience.over:
            models.delete(cluster, model_id, clock=patience.clock, sleep=patience.sleep)
            raise TaskFailed(f"model {model_id} is {state or 'gone'} and was taken away", hint=_AGAIN)
        patience.pause(attempt, longest=1)
        attempt += 1


def _failed(task: Mapping[str, Any]) -> TaskFailed:
    reason = plain_error(task.get("error") or f"its task is {task.get('state')}", {})
    return TaskFailed(f"the server could not register the model: {reason}", hint=_hint(reason))


def _with_hint(error: RequestFailed) -> RequestFailed:
    return error.hinted(_hint(error.reason))


def _hint(reason: str) -> str | None:
    words = reason.lower()
    return next((hint for part, hint in _HINTS if part in words), None)

"""Deploying a model: the task is followed to its end, and what the nodes say is the result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.models import document, undeploy
from osform.cluster.nodes import Node, nodes, require_ml_node, serving
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.core.events import Begun, Ended, Report, Warned, silent
from osform.errors import NotReady, RequestFailed, TaskFailed
from osform.kinds import ml

# Part of the server's message, in lower case -> what to do about it.
_HINTS = (
    (
        "exceed max local model per node limit",
        "undeploy a model that nothing uses any more, add an ML node, or raise plugins.ml_commons.max_model_on_node",
    ),
    (
        "model content changed",
        "the chunks on the cluster are not the bundle's bytes: delete the model (DELETE /_plugins/_ml/models/{model}) "
        "and run the command again",
    ),
    (
        "fail to find model chunk",
        "a chunk of the model is missing: run the command again, it sends what is missing",
    ),
    (
        "disk circuit breaker",
        "free disk space on the ML node (at least plugins.ml_commons.disk_free_space_threshold, 5 GB by default)",
    ),
    (
        "memory circuit breaker",
        "give the ML node a bigger heap, undeploy a model, or raise plugins.ml_commons.jvm_heap_memory_threshold",
    ),
    (
        "unknownhostexception",
        "the node tried to download libtorch: start it with PYTORCH_LIBRARY_PATH (osform cluster up does)",
    ),
    ("failed to save pytorch index", "the node can't download libtorch: start it with PYTORCH_LIBRARY_PATH"),
    ("unknown builtin op", "the cluster's PyTorch is older than the export's: export with eager attention, or as onnx"),
    ("unsupported model ir version", "the ONNX file is too new for the cluster: make it with osform model export"),
    ("input mismatch", "the graph's inputs don't fit model_config.model_type: make it with osform model export"),
)

_WAITS = (5.0, 10.0, 20.0, 40.0)
"""Seconds before each further try where a node's heap was full; any other failure is tried once more, at once."""


def deploy(
    cluster: Cluster,
    model_id: str,
    *,
    task_id: str | None = None,
    remember: Callable[[str], None] = lambda _task_id: None,
    report: Report = silent,
    deadline_seconds: float = 600.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> tuple[Node, ...]:
    """Load a model on every node that may run it, and return those nodes.

    A model that all of them hold already is a success at once. A deployment that failed on some nodes or got stuck is
    undone and tried once more. ``task_id`` is what a journal says of an interrupted run's deployment, which is waited
    for; ``remember`` is called with the id of a new one as soon as it is known.

    Raises NotReady where there is no node to run it, also when the last one vanishes on the way; TaskFailed with each
    node's reason; RequestFailed and Unreachable.
    Source: https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/deploy-model/
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    task = f"deploying model {model_id}"
    report(Begun(task))
    load = _Load(cluster, model_id, _is_remote(cluster, model_id, patience))
    load.nodes(patience)
    if task_id and persist_if_there(cluster, ml.task(task_id), patience) is not None:
        _follow(load, task_id, patience.within(deadline_seconds / 4))
    _let_finish(load, patience, deadline_seconds / 4)
    done = _everywhere(load, patience)
    if not done:
        reason = _attempt(load, remember, patience.within(patience.left / 2))
        for wait in _WAITS if _breaker(reason) else _WAITS[:1]:
            if not reason or not _worth_another(reason) or patience.over:
                break
            report(Warned(f"model {model_id}: {reason}; undeploying it and trying once more"))
            undeploy(cluster, model_id, deadline_seconds=min(60.0, patience.left), clock=clock, sleep=sleep)
            sleep(min(wait, patience.left) if _breaker(reason) else 0)
            reason = _attempt(load, remember, patience)
        if reason:
            raise TaskFailed(f"model {model_id} could not be deployed: {reason}", hint=_hint(reason, model_id))
        done = _everywhere(load, patience)
    report(Ended(task))
    return done


@dataclass(frozen=True)
class _Load:
    """A model that is to be loaded; a ``remote`` one needs other nodes than those that run here."""

    cluster: Cluster
    model_id: str
    remote: bool

    def nodes(self, patience: Patience) -> tuple[Node, ...]:
        """Those that are to have it, at least one. Raises NotReady."""
        seconds = min(20.0, max(patience.left, 1.0))
        return require_ml_node(
            self.cluster, remote=self.remote, deadline_seconds=seconds, clock=patience.clock, sleep=patience.sleep
        )


def _is_remote(cluster: Cluster, model_id: str, patience: Patience) -> bool:
    model = document(cluster, model_id, patience)
    if model is None:
        raise NotReady(f"model {model_id} is not on the cluster", hint="run osform plan, then osform apply")
    return model.get("algorithm") == "REMOTE"


def plain_error(error: Any, names: dict[str, str]) -> str:
    """A task's ``error`` in words: JSON by node id becomes ``name: reason``, the same reason is said once."""
    try:
        by_node = json.loads(error) if isinstance(error, str) else error
    except json.JSONDecodeError:
        return str(error)
    if not isinstance(by_node, dict):
        return str(error)
    reasons: dict[str, list[str]] = {}
    for node_id, reason in by_node.items():
        reasons.setdefault(str(reason), []).append(names.get(node_id) or node_id)
    return "; ".join(f"{', '.join(sorted(where))}: {reason}" for reason, where in reasons.items())


def _let_finish(load: _Load, patience: Patience, seconds: float) -> None:
    """Wait so long for a deployment that is under way already; asking for a second one beside it would fail both.

    A look at it has the whole patience: the last one would be cut off before a busy node can answer.
    """
    attempt, settling = 0, patience.within(seconds)
    while (document(load.cluster, load.model_id, patience) or {}).get("model_state") == "DEPLOYING":
        if settling.over:
            undeploy(load.cluster, load.model_id, clock=patience.clock, sleep=patience.sleep)
            return
        settling.pause(attempt, longest=1)
        attempt += 1


def _everywhere(load: _Load, patience: Patience) -> tuple[Node, ...]:
    """The eligible nodes if all of them hold the model and its document says so, else none."""
    eligible = load.nodes(patience)
    held = serving(load.cluster, [load.model_id], deadline_seconds=10, clock=patience.clock, sleep=patience.sleep)
    if not {node.id for node in eligible} <= held[load.model_id]:
        return ()
    model = document(load.cluster, load.model_id, patience)
    return eligible if model and model.get("model_state") == "DEPLOYED" else ()


def _attempt(load: _Load, remember: Callable[[str], None], patience: Patience) -> str:
    """One deployment, followed to its end; returns why it failed, or nothing where every node has the model."""
    try:
        started = persist(load.cluster, ml.deploy(load.model_id), patience)
    except RequestFailed as error:
        if "no eligible node" in error.reason.lower():
            load.nodes(patience)
        raise RequestFailed(
            error.request, error.status, error.type, error.reason, hint=_hint(error.reason, load.model_id)
        ) from error
    remember(str(started["task_id"]))
    task = _follow(load, str(started["task_id"]), patience)
    return task if isinstance(task, str) else _outcome(load, task, patience)


def _follow(load: _Load, task_id: str, patience: Patience) -> dict[str, Any] | str:
    """A deployment's task at its end, or as it is when the time is up; words where its nodes have left the cluster."""
    task: dict[str, Any] = {}
    attempt = 0
    while not patience.over:
        task = persist_if_there(load.cluster, ml.task(task_id), patience) or {}
        if task.get("state") not in (None, "CREATED", "RUNNING"):
            break
        if attempt % 5 == 4:
            if gone := _vanished(load, task.get("worker_node", ()), patience):
                return gone
            if _everywhere(load, patience):
                # The server writes RUNNING and COMPLETED at the same time, and sometimes RUNNING last.
                return {**task, "state": "COMPLETED"}
        patience.pause(attempt, longest=1)
        attempt += 1
    return task


def _outcome(load: _Load, task: dict[str, Any], patience: Patience) -> str:
    """Why a task that has ended was no success. The nodes' own word counts, not the task's state."""
    state = task.get("state")
    if task.get("error"):
        return plain_error(task["error"], _names(load.cluster, patience))
    if state in (None, "CREATED", "RUNNING"):
        return f"its task is still {state or 'unknown'} and the time is up"
    soon, attempt = patience.within(15), 0
    while True:
        if _everywhere(load, patience):
            return ""
        if soon.over:
            return f"its task says {state}, but not every node that is to have it has the model"
        soon.pause(attempt, longest=1)
        attempt += 1


def _vanished(load: _Load, workers: Iterable[str], patience: Patience) -> str:
    """Whether nodes that the server waits for have left the cluster. Raises NotReady where no other is left."""
    there = {node.id for node in nodes(load.cluster, clock=patience.clock, sleep=patience.sleep)}
    gone = [node_id for node_id in workers if node_id not in there]
    if gone:
        load.nodes(patience)
        return f"{len(gone)} of its nodes left the cluster meanwhile"
    return ""


def _names(cluster: Cluster, patience: Patience) -> dict[str, str]:
    return {node.id: node.name for node in nodes(cluster, clock=patience.clock, sleep=patience.sleep)}


def _breaker(reason: str) -> bool:
    """Whether a node's heap was too full at that moment; most of that is often garbage that is about to be freed."""
    return "memory circuit breaker" in reason.lower()


def _worth_another(reason: str) -> bool:
    """Whether the same deployment may end differently next time: not when the graph or the node's limits forbid it.

    "model content changed" is: the node that joins the chunks does not wait for slow ones (ml-commons#2819).
    """
    hopeless = ("exceed max local model", "unknown builtin op", "ir version", "input mismatch", "unknownhost")
    return not any(words in reason.lower() for words in hopeless)


def _hint(reason: str, model_id: str) -> str | None:
    words = reason.lower()
    return next((hint.format(model=model_id) for part, hint in _HINTS if part in words), None)

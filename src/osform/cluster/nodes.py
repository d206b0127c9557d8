"""Which nodes may run models, and which models they really hold."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist
from osform.errors import NotReady
from osform.kinds import ml


@dataclass(frozen=True, order=True)
class Node:
    """A node of the cluster, with the roles that it has."""

    name: str
    id: str
    roles: tuple[str, ...]
    attributes: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.roles) or 'no role'})"


@dataclass(frozen=True)
class Placement:
    """Where ML Commons puts models: the settings that decide, as they are now.

    ``remote`` is for models behind a connector, which ``only_run_on_ml_node`` does not concern.
    """

    only_ml: bool
    roles: tuple[str, ...]
    excluded: tuple[str, ...]
    remote: bool = False

    def takes(self, node: Node) -> bool:
        """Whether such a model is put on this node."""
        if node.name in self.excluded:
            return False
        if self.only_ml:
            return "ml" in node.roles
        hot = node.attributes.get("box_type", "hot") == "hot"
        return any(role in node.roles and (role != "data" or hot) for role in self.roles)


def nodes(
    cluster: Cluster, *, deadline_seconds: float = 20.0, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
) -> tuple[Node, ...]:
    """All nodes that are in the cluster now, by name. Raises Unreachable and RequestFailed."""
    answer = persist(cluster, ml.nodes(), Patience.of(deadline_seconds, clock, sleep), longest=10)
    return tuple(
        sorted(
            Node(entry["name"], id, tuple(sorted(entry.get("roles", ()))), entry.get("attributes", {}))
            for id, entry in answer["nodes"].items()
        )
    )


def ml_nodes(
    cluster: Cluster, *, deadline_seconds: float = 20.0, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
) -> tuple[Node, ...]:
    """The nodes that a local model is deployed on, by name; none is an empty tuple.

    Raises Unreachable and RequestFailed.
    """
    every = nodes(cluster, deadline_seconds=deadline_seconds, clock=clock, sleep=sleep)
    placement = _placement(cluster, Patience.of(deadline_seconds, clock, sleep))
    return tuple(node for node in every if placement.takes(node))


def require_ml_node(
    cluster: Cluster,
    *,
    remote: bool = False,
    deadline_seconds: float = 20.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> tuple[Node, ...]:
    """The nodes that a local model, or a ``remote`` one, is deployed on: at least one.

    Raises NotReady, which says what is missing and what to do, and Unreachable and RequestFailed.
    """
    every = nodes(cluster, deadline_seconds=deadline_seconds, clock=clock, sleep=sleep)
    placement = _placement(cluster, Patience.of(deadline_seconds, clock, sleep), remote=remote)
    eligible = tuple(node for node in every if placement.takes(node))
    if not eligible:
        raise NotReady(
            f"no node can run a model: {what_is_asked(placement)}; there is only {', '.join(map(str, every))}",
            hint=remedy(placement),
        )
    return eligible


def serving(
    cluster: Cluster,
    model_ids: Iterable[str],
    *,
    deadline_seconds: float = 20.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> dict[str, frozenset[str]]:
    """For each model, the ids of the nodes that have it in memory right now, by their own word.

    This is the truth at run time; ``model_state`` in the model's document is a record of the last known deployment.
    Raises Unreachable and RequestFailed.
    """
    wanted = tuple(model_ids)
    if not wanted:
        return {}
    answer = persist(cluster, ml.profile(wanted), Patience.of(deadline_seconds, clock, sleep), longest=10)
    held: dict[str, set[str]] = {model_id: set() for model_id in wanted}
    for node_id, entry in answer.get("nodes", {}).items():
        for model_id, profile in entry.get("models", {}).items():
            if model_id in held and profile.get("model_state") == "DEPLOYED":
                held[model_id].add(node_id)
    return {model_id: frozenset(ids) for model_id, ids in held.items()}


def processors(
    cluster: Cluster,
    node_ids: Iterable[str],
    *,
    deadline_seconds: float = 20.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> int:
    """The processors that these nodes may use, all together. Raises Unreachable and RequestFailed."""
    ids = sorted(node_ids)
    if not ids:
        return 0
    answer = persist(cluster, ml.processors(ids), Patience.of(deadline_seconds, clock, sleep), longest=10)
    return sum(int(entry["os"]["allocated_processors"]) for entry in answer.get("nodes", {}).values())


def _placement(cluster: Cluster, patience: Patience, *, remote: bool = False) -> Placement:
    answer = persist(cluster, ml.settings(), patience, longest=10)

    def value(*path: str) -> Any:
        for layer in ("transient", "persistent", "defaults"):
            inner: Any = answer.get(layer, {}).get("plugins", {}).get("ml_commons", {})
            for key in path:
                inner = inner.get(key) if isinstance(inner, dict) else None
            if inner is not None:
                return inner
        return None

    only = value("only_run_on_ml_node")
    roles = value("task_dispatcher", "eligible_node_role", "remote_model" if remote else "local_model")
    return Placement(
        only_ml=not remote and (only is None or str(only).lower() == "true"),
        roles=tuple(roles) if roles else ("data", "ml"),
        excluded=tuple(filter(None, str(value("exclude_nodes", "_name") or "").split(","))),
        remote=remote,
    )


def what_is_asked(placement: Placement) -> str:
    """The settings that leave no node for models, as a sentence."""
    if placement.only_ml:
        asked = "plugins.ml_commons.only_run_on_ml_node is true and no node has the role ml"
    else:
        key = f"eligible_node_role.{'remote' if placement.remote else 'local'}_model"
        asked = f"plugins.ml_commons.task_dispatcher.{key} is [{', '.join(placement.roles)}]"
    out = ", ".join(placement.excluded)
    return f"{asked}, and plugins.ml_commons.exclude_nodes._name leaves out {out}" if out else asked


def remedy(placement: Placement) -> str:
    """What to do where no node can run a model."""
    start = "start the ML node (on this machine: osform cluster up) and run the command again"
    if placement.only_ml:
        return f"{start}, or let data nodes run models: plugins.ml_commons.only_run_on_ml_node: false"
    return f"{start}, or widen that setting"

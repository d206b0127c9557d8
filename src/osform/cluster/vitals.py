"""How a cluster is: version, plugins, memory, disk, settings, and which models each node holds, in six requests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.nodes import Node
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there, ping
from osform.core.request import Request
from osform.errors import RequestFailed
from osform.kinds import ml


@dataclass(frozen=True)
class NodeVitals:
    """One node. Percentages are of what the node has; sizes are in bytes, None where the node doesn't tell."""

    node: Node
    version: str
    plugins: frozenset[str]
    heap_percent: int | None = None
    memory_percent: int | None = None
    memory_beside_heap: int | None = None
    disk_free: int | None = None
    models: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Vitals:
    """A cluster as it is now. ``settings`` are flat: what is set over what is the default."""

    name: str
    version: str
    distribution: str
    health: str
    nodes: tuple[NodeVitals, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def vitals(
    cluster: Cluster, *, deadline_seconds: float = 30.0, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
) -> Vitals:
    """Look at a cluster; changes nothing. Raises Unreachable and RequestFailed."""
    about = ping(cluster, clock=clock, sleep=sleep)
    patience = Patience.of(deadline_seconds, clock, sleep)
    listed = persist(cluster, Request("GET", "/_nodes/plugins"), patience)["nodes"]
    stats = persist(cluster, Request("GET", "/_nodes/stats/jvm,fs,os"), patience)["nodes"]
    every = {"include_defaults": "true", "flat_settings": "true"}
    settings = persist(cluster, Request("GET", "/_cluster/settings", params=every), patience)
    health = persist(cluster, Request("GET", "/_cluster/health"), patience)
    held = _held(cluster, patience)
    return Vitals(
        name=str(about.get("cluster_name", "")),
        version=str(about["version"]["number"]),
        distribution=str(about["version"].get("distribution", "")),
        health=str(health["status"]),
        nodes=tuple(
            sorted(
                (_node(id, entry, stats.get(id, {}), held.get(id, frozenset())) for id, entry in listed.items()),
                key=lambda each: each.node,
            )
        ),
        settings={
            key: value
            for layer in ("defaults", "persistent", "transient")
            for key, value in settings.get(layer, {}).items()
        },
    )


def _held(cluster: Cluster, patience: Patience) -> dict[str, frozenset[str]]:
    try:
        answer = persist_if_there(cluster, ml.profile(), patience)
    except RequestFailed as error:
        if error.status != 400:  # without the plugin, the server knows no such path
            raise
        answer = None
    nodes = (answer or {}).get("nodes") or {}
    # A node that only passes questions on has an entry for the model as well, without a state.
    return {
        id: frozenset(model for model, seen in (entry.get("models") or {}).items() if seen.get("model_state"))
        for id, entry in nodes.items()
    }


def _node(id: str, entry: Mapping[str, Any], stats: Mapping[str, Any], models: frozenset[str]) -> NodeVitals:
    heap = stats.get("jvm", {}).get("mem", {})
    memory = stats.get("os", {}).get("mem", {})
    total, most = memory.get("total_in_bytes"), heap.get("heap_max_in_bytes")
    return NodeVitals(
        node=Node(entry["name"], id, tuple(sorted(entry.get("roles", ()))), entry.get("attributes", {})),
        version=str(entry.get("version", "")),
        plugins=frozenset(plugin["name"] for plugin in entry.get("plugins", ())),
        heap_percent=heap.get("heap_used_percent"),
        memory_percent=memory.get("used_percent"),
        memory_beside_heap=total - most if total and most else None,
        disk_free=stats.get("fs", {}).get("total", {}).get("available_in_bytes"),
        models=models,
    )

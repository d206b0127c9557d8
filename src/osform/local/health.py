"""Is it well? The only HTTP requests of this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class NodeHealth:
    """What a node says of itself; heap in bytes."""

    name: str
    roles: tuple[str, ...]
    heap_used: int
    heap_max: int


@dataclass(frozen=True)
class Health:
    """What a cluster answers about itself."""

    cluster: str
    status: str
    nodes: tuple[NodeHealth, ...]
    initializing: int
    delayed: int
    ml_ready: bool
    """Whether ML Commons has its configuration index, which it makes some seconds after the first start."""

    def serves(self, expected: set[str]) -> bool:
        """Whether these nodes are in, the ML role among them, and every primary shard is at work (green or yellow)."""
        return (
            self.status in ("green", "yellow")
            and self.initializing == 0
            and self.delayed == 0
            and self.ml_ready
            and expected <= {node.name for node in self.nodes}
            and any("ml" in node.roles for node in self.nodes)
        )


def probe(url: str, secrets: Path | None = None, *, timeout: float = 5.0) -> Health | None:
    """The health of the cluster at a URL, or None where it gives no answer, or none that makes sense yet.

    A secured one is asked with its owner's certificate, from ``secrets``.
    """
    import requests

    with requests.Session() as session:
        session.trust_env = False  # a proxy has no business with 127.0.0.1
        if secrets is not None:
            session.verify = str(secrets / "ca.pem")
            session.cert = (str(secrets / "owner.pem"), str(secrets / "owner.key"))

        def get(path: str) -> Any:
            response = session.get(url + path, timeout=timeout)
            response.raise_for_status()
            return response.json()

        try:
            # ML Commons' index first: what is asked after it counts its shard in. No such index yet is an error here.
            ml = session.get(f"{url}/_cluster/health/.plugins-ml-config?timeout=2s", timeout=timeout)
            health = get("/_cluster/health?timeout=2s")
            stats = get("/_nodes/stats/jvm?filter_path=nodes.*.name,nodes.*.roles,nodes.*.jvm.mem.heap_*_in_bytes")
            return read(health, stats, ml_ready=ml.ok and ml.json()["active_primary_shards"] > 0)
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return None


def read(health: Any, stats: Any, *, ml_ready: bool) -> Health:
    """The answers as one value."""
    nodes = [
        NodeHealth(
            node["name"],
            tuple(node["roles"]),
            node["jvm"]["mem"]["heap_used_in_bytes"],
            node["jvm"]["mem"]["heap_max_in_bytes"],
        )
        for node in stats["nodes"].values()
    ]
    return Health(
        cluster=health["cluster_name"],
        status=health["status"],
        nodes=tuple(sorted(nodes, key=lambda node: node.name)),
        initializing=health["initializing_shards"],
        delayed=health["delayed_unassigned_shards"],
        ml_ready=ml_ready,
    )

"""What a local cluster is asked to be: how many nodes, on which ports, with how much heap."""

from __future__ import annotations

import re
from dataclasses import dataclass

from osform.errors import LocalClusterError
from osform.local.releases import DEFAULT_VERSION, SECURE_VERSION, release

TRANSPORT_OFFSET = 100
"""Distance from a node's HTTP port to its transport port; OpenSearch's own defaults, 9200 and 9300, have it too."""

HEAP = re.compile(r"([1-9][0-9]*)([mg])")
SMALLEST_HEAP = 256 << 20
MOST_ML_NODES = 9


@dataclass(frozen=True)
class Node:
    """One process of the cluster. The name is the folder's, the node's own, and the word after ``--node``."""

    name: str
    roles: tuple[str, ...]
    http_port: int
    secure: bool = False

    @property
    def transport_port(self) -> int:
        return self.http_port + TRANSPORT_OFFSET

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.http_port}"


@dataclass(frozen=True)
class Spec:
    """A cluster as it was asked for."""

    name: str = "default"
    version: str = DEFAULT_VERSION
    port: int = 9200
    single: bool = False
    heap: str = "1g"
    ml_nodes: int = 1
    secure: bool = False

    def __post_init__(self) -> None:
        last = 65535 - TRANSPORT_OFFSET - self.ml_nodes
        if not 1024 <= self.port <= last:
            raise LocalClusterError(f"port {self.port} can't be used", hint=f"choose one from 1024 to {last}")
        if not 1 <= self.ml_nodes <= MOST_ML_NODES:
            raise LocalClusterError(f"{self.ml_nodes} ML nodes can't be had", hint=f"from 1 to {MOST_ML_NODES}")
        if self.single and self.ml_nodes > 1:
            raise LocalClusterError(
                f"a single node that does all, and {self.ml_nodes} ML nodes beside it, are not to be had together",
                hint=f"--two-nodes --ml-nodes {self.ml_nodes}",
            )
        if self.secure and not release(self.version).securable:
            raise LocalClusterError(
                f"for OpenSearch {self.version} no security plugin is published", hint=f"--version {SECURE_VERSION}"
            )
        if self.heap_bytes < SMALLEST_HEAP:
            raise LocalClusterError(f"a heap of {self.heap} is too small for a node", hint="give at least 256m")

    @property
    def cluster_name(self) -> str:
        """``cluster.name`` of OpenSearch."""
        return f"osform-{self.name}"

    @property
    def heap_bytes(self) -> int:
        match = HEAP.fullmatch(self.heap)
        if match is None:
            raise LocalClusterError(f"{self.heap!r} is no heap size", hint="write it like 1g or 768m")
        return int(match[1]) << {"m": 20, "g": 30}[match[2]]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The data node first: the cluster's URL is its own."""
        if self.single:
            return (Node("data", ("cluster_manager", "data", "ingest", "ml"), self.port, self.secure),)
        return (
            Node("data", ("cluster_manager", "data", "ingest"), self.port, self.secure),
            *(
                Node("ml" if number == 1 else f"ml-{number}", ("ml",), self.port + number, self.secure)
                for number in range(1, self.ml_nodes + 1)
            ),
        )

    @property
    def url(self) -> str:
        return self.nodes[0].url

"""A clone is what an index leaves behind under its plain name: it has to be there before the index is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.blocking import clone_index
from osform.cluster.client import Cluster
from osform.cluster.retry import Patience
from osform.core.request import Request
from osform.errors import NotReady, RequestFailed


class Cloning(Cluster):
    """Stands for a server that clones, and acknowledges that before any shard has found a place.

    ``now`` moves by what is slept; the clone's primaries are there from ``placed`` on.
    """

    def __init__(self, placed: float) -> None:
        self.url, self.timeout = "memory", 60.0
        self.placed, self.now = placed, 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.method == "PUT":
            return {"acknowledged": True, "shards_acknowledged": False}
        if self.now >= self.placed:
            return {"status": "yellow", "timed_out": False}
        self.now += 30
        raise RequestFailed(str(request), 408, "error", "timed_out")


def clone(cluster: Cloning) -> None:
    clone_index(cluster, "images", "images-v1", {}, Patience.of(60, lambda: cluster.now, cluster.sleep))


def test_a_clone_is_waited_for() -> None:
    cluster = Cloning(placed=20.0)
    clone(cluster)
    assert cluster.now >= 20.0


def test_a_clone_that_no_node_takes_is_none() -> None:
    with pytest.raises(NotReady, match="images-v1, the clone of images that is to be kept, has shards that no node"):
        clone(Cloning(placed=1e9))

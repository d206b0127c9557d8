"""A local cluster of bench's own, with a copy of this repository's stack applied to it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from bench.harness import Say
from bench.texts import ROOT
from osform.cluster import deploy, register
from osform.cluster.client import Cluster
from osform.cluster.retry import ping
from osform.core.events import Event, Note, Warned, silent
from osform.flows import local_cluster
from osform.flows.stack import Stack
from osform.kinds import ml

NAME = "bench"
PARTS = ("provision", "models", "templates")
WORK = "indices:data/write/bulk*,cluster:admin/opensearch/ml/predict*"


@dataclass(frozen=True)
class Stage:
    """Where the tracks play: a cluster, its processes, and ``folder``, which holds the copy of the stack."""

    url: str
    pids: tuple[int, ...]
    version: str
    folder: Path

    @property
    def provision(self) -> Path:
        return self.folder / "provision"

    @contextmanager
    def index(self, like: str, pipeline: str | None = None) -> Iterator[str]:
        """A fresh alias with an empty index behind it, whose mapping and settings are those of another one.

        Documents go through that one's pipeline, or the one that is named; "_none" is none.
        """
        client = self.client()
        [found] = client.indices.get(index=like, params={"flat_settings": "true"}).values()
        index, alias = f"bench-v{time.time_ns()}", f"bench-{time.time_ns()}"
        own = ("knn", "number_of_shards", "number_of_replicas", "default_pipeline", "search.default_pipeline")
        settings = {f"index.{key}": found["settings"][f"index.{key}"] for key in own}
        settings |= {"index.default_pipeline": pipeline} if pipeline else {}
        body = {"settings": settings, "mappings": found["mappings"], "aliases": {alias: {}}}
        client.indices.create(index=index, body=body)
        try:
            yield alias
        finally:
            self.settle()
            client.indices.delete(index=index)
            client.close()

    def compact(self, alias: str) -> None:
        """One segment a shard, as an index comes to be that is written seldom."""
        client = self.client(timeout=300)
        client.indices.forcemerge(index=alias, params={"max_num_segments": 1})
        client.indices.refresh(index=alias)
        client.close()

    def serve(self, bundle: Path, config: Mapping[str, Any]) -> str:
        """Have the ML node serve a model that osform didn't make, TorchScript; returns its id."""
        cluster = Cluster(self.url)
        group = cluster.send(ml.register_group({"name": f"bench-{time.time_ns()}"}))["model_group_id"]
        meta = {
            "name": bundle.stem,
            "version": "1",
            "model_format": "TORCH_SCRIPT",
            "model_group_id": group,
            "model_config": config,
        }
        model_id = register.register(cluster, meta, bundle, model_id=None, remember=lambda _: None, report=silent)
        deploy.deploy(cluster, model_id, task_id=None, remember=lambda _: None, report=silent)
        cluster.close()
        return model_id

    def settle(self, seconds: float = 300.0) -> None:
        """Wait until the cluster does nothing more: a client that gave up waiting leaves it with work to do."""
        client, deadline = self.client(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            nodes = client.tasks.list(params={"actions": WORK})["nodes"]
            if not any(node["tasks"] for node in nodes.values()):
                break
            time.sleep(0.2)
        client.close()

    def client(self, **options: Any) -> OpenSearch:
        """An opensearch-py client, with its own defaults where ``options`` say nothing."""
        return OpenSearch(hosts=[self.url], **options)


@contextmanager
def staged(port: int, *, keep: bool, say: Say) -> Iterator[Stage]:
    """A cluster with the stack on it; purged afterwards, even after an error, unless it is to be kept."""

    def report(event: Event) -> None:
        if isinstance(event, Note | Warned):
            say(event.text)

    try:
        status = local_cluster.up(NAME, local_cluster.Asked(port=port, single=False), report=report)
        assert status.spec is not None
        with tempfile.TemporaryDirectory(prefix="osform-bench-") as place:
            for part in PARTS:
                shutil.copytree(ROOT / part, Path(place) / part)
            cluster = Cluster(status.spec.url)
            Stack.load(Path(place) / "provision").apply(cluster, report=report).check()
            version = str(ping(cluster)["version"]["number"])
            cluster.close()
            pids = tuple(node.pid for node in status.nodes if node.pid)
            yield Stage(status.spec.url, pids, version, Path(place))
    finally:
        if keep:
            say(f"the cluster stays: osform cluster down --purge --name {NAME} takes it away")
        else:
            local_cluster.down(NAME, purge=True, report=report)

"""A model on two ML nodes, taken off one of them by hand: on a cluster of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.cluster.models import find_models
from osform.cluster.nodes import ml_nodes, serving
from osform.core.request import Request
from osform.flows import local_cluster
from osform.kinds import ml
from tests import tiny
from tests.live.stacks import Project, lay_out

MEASURED = logging.getLogger("measured")  # make soak shows it
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def name(live_name: str, live_port: int, live_version: str) -> Iterator[str]:
    name = f"{live_name}-two"
    local_cluster.down(name, purge=True)
    local_cluster.up(name, local_cluster.Asked(port=live_port + 4, heap="640m", version=live_version, ml_nodes=2))
    yield name
    local_cluster.down(name, purge=True)


@pytest.fixture
def cluster(name: str) -> Iterator[Cluster]:
    spec = local_cluster.status(name).spec
    assert spec is not None
    cluster = Cluster(spec.url)
    yield cluster
    cluster.close()


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> Iterator[Project]:
    """A stack with a model, applied."""
    project = lay_out(tmp_path, cluster.url, tiny.build(tmp_path))
    applied = project.apply()
    assert applied.status == 0, applied.err
    yield project
    gone = project.run("destroy", "--yes", "--force")
    assert gone.status == 0, gone.err


def model_of(cluster: Cluster) -> str:
    (model_id,) = find_models(cluster)
    return model_id


def drifted(project: Project) -> list[tuple[str, str, str]]:
    ran = project.run("drift", "--format", "json")
    assert ran.status == (2 if ran.json["drift"] else 0), ran.err
    return [
        (each["address"].replace(project.name, "NAME"), each["drift"], each["detail"]) for each in ran.json["drift"]
    ]


def mended(project: Project, cluster: Cluster) -> bool:
    """Whether an apply, with its plan, brings the model back to every node that runs models."""
    planned = project.plan()
    assert [change["reason"] for change in planned.json["changes"]] == ["drifted"], planned.out
    applied = project.apply()
    assert applied.status == 0, applied.err
    assert project.plan().status == 0
    assert drifted(project) == []
    model_id = model_of(cluster)
    return serving(cluster, [model_id])[model_id] == {node.id for node in ml_nodes(cluster)}


def test_a_model_is_deployed_on_both_ml_nodes(project: Project, cluster: Cluster) -> None:
    assert [node.name for node in ml_nodes(cluster)] == ["ml", "ml-2"]
    assert len(serving(cluster, [model_of(cluster)])[model_of(cluster)]) == 2
    assert "served by 2 nodes" in project.run("status").out


def predictions(cluster: Cluster) -> dict[str, int]:
    """Calls of the model that each ML node has answered, by the node's name."""
    model_id = model_of(cluster)
    found = cluster.send(Request("GET", f"{ml.BASE}/profile/models/{model_id}"))["nodes"]
    stats = {node.name: found[node.id]["models"][model_id] for node in ml_nodes(cluster) if node.id in found}
    return {name: int(each.get("predict_request_stats", {}).get("count", 0)) for name, each in stats.items()}


def test_a_load_is_embedded_by_both_ml_nodes(project: Project, cluster: Cluster) -> None:
    rows = project.root / "rows.jsonl"
    rows.write_text("".join(f'{{"id": "r{n}", "text": "a lamp beside door {n}"}}\n' for n in range(2_000)))
    done = project.run("ingest", str(rows), "--into", project.name, "--cluster", cluster.url, "--format", "json")
    assert (done.status, done.json["created"], done.json["without_vector"]) == (0, 2_000, 0), done.err
    shares = predictions(cluster)
    MEASURED.info("calls of the model: %s; %s documents a second", shares, done.json["docs_per_second"])
    assert set(shares) == {"ml", "ml-2"}
    assert min(shares.values()) >= 0.3 * sum(shares.values())


def test_a_model_that_is_taken_off_one_of_two_nodes_is_drift_and_apply_mends_it(
    project: Project, cluster: Cluster
) -> None:
    setting = {"plugins.ml_commons.allow_custom_deployment_plan": True}
    cluster.send(Request("PUT", "/_cluster/settings", {"transient": setting}))
    model_id, (first, _) = model_of(cluster), ml_nodes(cluster)
    cluster.send(Request("POST", f"{ml.BASE}/models/{model_id}/_undeploy", {"node_ids": [first.id]}))
    assert drifted(project) == [("model/NAME", "partly deployed", "on 1 of 2 nodes")]
    time.sleep(12)  # ML Commons looks at its nodes every ten seconds, and writes down what it finds
    ((address, what, _),) = drifted(project)
    assert (address, what) == ("model/NAME", "partly deployed")
    assert mended(project, cluster)


def test_a_node_that_comes_back_without_its_models_is_drift_until_it_has_them(
    project: Project, cluster: Cluster, name: str
) -> None:
    setting = {"plugins.ml_commons.model_auto_redeploy.enable": False}
    cluster.send(Request("PUT", "/_cluster/settings", {"transient": setting}))
    local_cluster.down(name, node="ml-2")
    local_cluster.up(name)
    assert [(address, what) for address, what, _ in drifted(project)] == [("model/NAME", "partly deployed")]
    assert mended(project, cluster)

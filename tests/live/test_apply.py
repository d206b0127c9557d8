"""Plan and apply on a real cluster: what is asked is what is there, and only what was edited changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows import local_cluster
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.proxy import Proxy, dropping


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def project(live_url: str, model: tiny.Tiny, tmp_path: Path) -> Iterator[Project]:
    """A stack that is in files only; whatever a test made of it is taken away at the end."""
    project = lay_out(tmp_path, live_url, model)
    yield project
    assert project.take_away().status == 0


def get(cluster: Cluster, path: str, **params: str) -> Any:
    return cluster.send(Request("GET", path, params=params))


@pytest.mark.parametrize("environment", ["default", "other"])
def test_after_an_apply_nothing_is_left_to_change_and_one_edit_is_one_change(
    project: Project, environment: str
) -> None:
    applied = project.apply("--env", environment)
    assert applied.status == 0, applied.err
    assert project.plan("--env", environment).status == 0
    project.edit("ingest_pipeline/NAME-pipeline", "batch_size: 4", "batch_size: 8")
    plan = project.plan("--env", environment)
    assert plan.status == 2
    (change,) = plan.json["changes"]
    file = f"provision/ingest_pipeline/{project.name}-pipeline.yaml"
    assert (change["address"], change["action"], change["file"]) == (
        f"ingest_pipeline/{project.name}-pipeline", "update", file,
    )  # fmt: skip
    expected = {"path": "processors[0].text_embedding.batch_size", "before": 4, "after": 8, "file": file, "line": 6}
    assert change["differences"] == [expected]
    assert project.apply("--env", environment).status == 0
    assert project.plan("--env", environment).status == 0
    assert project.take_away("--env", environment).status == 0


def test_the_cluster_holds_what_the_files_say(project: Project, cluster: Cluster) -> None:
    assert project.apply("--env", "other").status == 0
    rendered = json.loads(project.run("render", "--env", "other", "--format", "json").out)
    name, pipeline = project.name, f"{project.name}-pipeline"
    index = get(cluster, f"/{name}", flat_settings="true")[f"{name}-v1"]
    asked = rendered[f"index/{name}"]
    assert index["settings"].items() >= asked["settings"].items()
    assert index["mappings"] == asked["mappings"]
    assert index["settings"]["index.number_of_replicas"] == "1"
    stored = get(cluster, "/_ingest/pipeline")
    (processor,) = stored[pipeline]["processors"]
    model = get(cluster, f"/_plugins/_ml/models/{processor['text_embedding']['model_id']}")
    assert model["model_state"] == "DEPLOYED"
    assert model["description"] == "a bag of words"
    assert stored[f"{pipeline}-v1"] == stored[pipeline]
    assert project.take_away("--env", "other").status == 0


@pytest.mark.parametrize(
    ("path", "keys", "named"),
    [
        ("_ingest/pipeline", ("processors", "0", "text_embedding", "batch_size"), "text_embedding.batch_size: asked 4"),
        ("-v1", ("mappings", "properties", "text", "fields"), "text.fields.keyword.type: asked 'keyword'"),
        ("-v1", ("settings", "index.default_pipeline"), "index.default_pipeline: asked"),
    ],
)
def test_a_field_dropped_in_passing_fails_the_apply_by_name(
    project: Project, path: str, keys: tuple[str, ...], named: str
) -> None:
    with Proxy(project.url, dropping(*keys, path=path)) as proxy:
        failed = project.apply(url=proxy.url)
    assert failed.status == 1
    assert named in failed.err
    assert "Traceback" not in failed.err
    assert project.plan().status == 2
    again = project.apply()
    assert again.status == 0, again.err
    assert project.plan().status == 0


def test_a_setting_taken_out_of_the_files_goes_back_to_the_default(project: Project, cluster: Cluster) -> None:
    project.edit("index/NAME", "knn: true", "knn: true\n    refresh_interval: 7s")
    assert project.apply().status == 0
    project.edit("index/NAME", "\n    refresh_interval: 7s", "")
    (change,) = project.plan().json["changes"]
    assert [d["path"] for d in change["differences"]] == ["settings.index.refresh_interval"]
    assert project.apply().status == 0
    settings = get(cluster, f"/{project.name}/_settings", flat_settings="true")[f"{project.name}-v1"]["settings"]
    assert "index.refresh_interval" not in settings


def test_a_new_field_is_added_in_place_beside_documents(project: Project, cluster: Cluster) -> None:
    assert project.apply().status == 0
    cluster.send(Request("POST", f"/{project.name}/_doc", {"text": "snow"}, {"refresh": "true"}))
    project.edit("index/NAME", "  properties:\n", "  properties:\n    place: {type: keyword}\n")
    (change,) = project.plan().json["changes"]
    assert (change["action"], change["differences"][0]["path"]) == ("update", "mappings.properties.place.type")
    assert project.apply().status == 0
    assert get(cluster, f"/{project.name}/_count")["count"] == 1


def test_a_pipeline_edited_by_hand_is_drift_and_apply_mends_it(project: Project, cluster: Cluster) -> None:
    assert project.apply().status == 0
    path = f"/_ingest/pipeline/{project.name}-pipeline-v1"
    cluster.send(Request("PUT", path, {"processors": []}))
    (change,) = project.plan().json["changes"]
    assert change["reason"] == "drifted"
    assert project.apply().status == 0
    assert get(cluster, path)[f"{project.name}-pipeline-v1"]["processors"] != []


def test_a_model_undeployed_by_hand_is_drift_and_apply_deploys_it(project: Project, cluster: Cluster) -> None:
    assert project.apply().status == 0
    (processor,) = get(cluster, f"/_ingest/pipeline/{project.name}-pipeline")[f"{project.name}-pipeline"]["processors"]
    model = f"/_plugins/_ml/models/{processor['text_embedding']['model_id']}"
    cluster.send(Request("POST", f"{model}/_undeploy"))
    (change,) = project.plan().json["changes"]
    assert (change["address"], change["reason"]) == (f"model/{project.name}", "drifted")
    assert project.apply().status == 0
    assert get(cluster, model)["model_state"] == "DEPLOYED"
    assert project.plan().status == 0


def test_what_somebody_else_made_is_not_touched(project: Project, cluster: Cluster) -> None:
    path = f"/_ingest/pipeline/{project.name}-pipeline"
    cluster.send(Request("PUT", path, {"description": "not yours", "processors": []}))
    refused = project.apply()
    assert refused.status == 1
    assert f"ingest_pipeline/{project.name}-pipeline is on the cluster already" in refused.err
    assert get(cluster, path)[f"{project.name}-pipeline"]["description"] == "not yours"
    cluster.send(Request("DELETE", path))


def test_an_index_with_documents_is_not_deleted_without_saying_so(project: Project, cluster: Cluster) -> None:
    assert project.apply().status == 0
    cluster.send(Request("POST", f"/{project.name}/_doc", {"text": "a cat on a sofa"}))
    project.path("index/NAME").unlink()
    refused = project.apply()
    assert refused.status == 1
    assert "has 1 documents" in refused.err
    assert get(cluster, f"/{project.name}/_count")["count"] == 1


def test_a_field_type_changes_freely_while_the_index_is_empty_and_by_a_copy_afterwards(
    project: Project, cluster: Cluster
) -> None:
    assert project.apply().status == 0
    project.edit("index/NAME", "ignore_above: 256", "ignore_above: 512")
    (change,) = project.plan().json["changes"]
    assert change["action"] == "replace"
    assert project.apply().status == 0
    assert project.plan().status == 0
    cluster.send(Request("POST", f"/{project.name}/_doc", {"text": "snow"}, {"refresh": "true"}))
    project.edit("index/NAME", "ignore_above: 512", "ignore_above: 128")
    (change,) = project.plan().json["changes"]
    assert "ignore_above of the field text.keyword is fixed once the field exists" in change["notes"][0]
    assert change["estimate"]["documents"] == 1


def test_without_an_ml_node_apply_says_so_and_with_it_goes_on(project: Project, live_name: str) -> None:
    local_cluster.down(live_name, node="ml")
    try:
        failed = project.apply()
    finally:
        local_cluster.up(live_name)
    assert failed.status == 1
    assert "no node" in failed.err
    assert project.apply().status == 0
    assert project.plan().status == 0

"""A cluster set up by hand, as a published walk-through does it: imported, and made once more on an empty cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.cluster.client import Cluster
from osform.cluster.models import find_models
from osform.core.events import silent
from osform.core.request import Request
from osform.files.bundles import cache_folder
from osform.files.models import load_model
from osform.flows import local_cluster
from osform.flows.exporting import obtain_bundle
from osform.kinds import ml
from tests.live.every_kind import CONNECTOR
from tests.live.loopback import Loopback
from tests.live.stacks import Project

pytestmark = [pytest.mark.soak, pytest.mark.export, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
MODEL = "huggingface/sentence-transformers/all-MiniLM-L6-v2"
HERE = r"^http://127\.0\.0\.1:.*$"
SETTINGS = {
    "plugins.ml_commons.only_run_on_ml_node": False,
    "plugins.ml_commons.native_memory_threshold": 99,
    "plugins.ml_commons.allow_registering_model_via_url": True,
    "plugins.ml_commons.allow_registering_model_via_local_file": True,
    "plugins.ml_commons.trusted_url_regex": HERE,
    "plugins.ml_commons.trusted_connector_endpoints_regex": [HERE],
    "plugins.ml_commons.connector.private_ip_enabled": True,
}
TEXTS = ("a cup of coffee and a newspaper", "two dogs in the snow", "the harbour at night")
VOLATILE = ("uuid", "creation_date", "provided_name", "version.created")


class ByHand:
    """A person with curl."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return self.cluster.send(Request(method, path, body))

    def finished(self, task: str) -> str:
        """The model of a task, once that has ended."""
        while (found := self("GET", f"{ml.BASE}/tasks/{task}"))["state"] in ("CREATED", "RUNNING"):
            time.sleep(0.5)
        assert found["state"] == "COMPLETED", found
        return str(found["model_id"])

    def deployed(self, model_id: str, word: str = "_deploy") -> None:
        """Deploy a model; its document tells the end, which a task sometimes doesn't."""
        self("POST", f"{ml.BASE}/models/{model_id}/{word}")
        while self("GET", f"{ml.BASE}/models/{model_id}")["model_state"] != "DEPLOYED":
            time.sleep(0.2)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture(scope="module")
def clusters(live_name: str, live_port: int, live_version: str) -> Iterator[tuple[Cluster, Cluster]]:
    """Two clusters of one node that does all: one to be set up by hand, and an empty one."""
    names = [f"{live_name}-{word}" for word in ("byhand", "empty")]
    opened = []
    for number, name in enumerate(names):
        local_cluster.down(name, purge=True)
        asked = local_cluster.Asked(port=live_port + 4 + number, single=True, version=live_version)
        spec = local_cluster.up(name, asked).spec
        assert spec is not None
        opened.append(Cluster(spec.url))
    yield opened[0], opened[1]
    for name, cluster in zip(names, opened, strict=True):
        cluster.close()
        local_cluster.down(name, purge=True)


@pytest.fixture(scope="module")
def bundle() -> Path:
    """The real MiniLM as TorchScript."""
    packaged, cache = load_model(ROOT / "models" / "all-MiniLM-L6-v2"), cache_folder(os.environ)
    return obtain_bundle(
        packaged, "torch_script", "fp32", cache=cache, place=None, report=silent, environment=os.environ
    )


def walk_through(send: ByHand, elsewhere: Loopback, bundle: Path) -> None:
    """Its steps: the model through the old API, a pipeline, an index with a vector field, documents."""
    lock = load_model(ROOT / "models" / "all-MiniLM-L6-v2").lock
    assert lock is not None
    promised = lock.bundle("torch_script", "fp32")
    assert promised is not None
    elsewhere.files["/minilm.zip"] = bundle.read_bytes()
    send("PUT", "/_cluster/settings", {"persistent": SETTINGS})
    upload = {
        "name": MODEL, "version": "1.0.1", "model_format": "TORCH_SCRIPT", "function_name": "TEXT_EMBEDDING",
        "model_content_hash_value": promised.sha256, "url": f"{elsewhere.url}/minilm.zip",
        "model_config": dict(promised.model_config),
    }  # fmt: skip
    model_id = send.finished(send("POST", f"{ml.BASE}/models/_upload", upload)["task_id"])
    send.deployed(model_id, "_load")
    embed = {"model_id": model_id, "field_map": {"image_description": "image_description_vector"}}
    pipeline = {"description": "An NLP ingest pipeline", "processors": [{"text_embedding": embed}]}
    send("PUT", "/_ingest/pipeline/nlp-pipeline", pipeline)
    method = {"name": "hnsw", "space_type": "l2", "engine": "lucene", "parameters": {"ef_construction": 100, "m": 16}}
    fields = {
        "image": {"type": "keyword"},
        "image_description": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
        "image_description_vector": {"type": "knn_vector", "dimension": 384, "method": method},
    }
    settings = {"index.knn": True, "default_pipeline": "nlp-pipeline", "number_of_replicas": 0}
    send("PUT", "/photos", {"settings": settings, "mappings": {"properties": fields}})
    for number, text in enumerate(TEXTS):
        send("PUT", f"/photos/_doc/{number}?refresh=true", {"image": f"{number}.jpg", "image_description": text})


def far_away(send: ByHand, elsewhere: Loopback) -> None:
    """A remote model behind a connector, and a search pipeline that asks it."""
    body = CONNECTOR.replace("http://127.0.0.1:9", elsewhere.url).replace("NAME", "Far away")
    connector = yaml.safe_load(body.replace("${env.KEY}", "sesame"))
    connector_id = send("POST", f"{ml.BASE}/connectors/_create", connector)["connector_id"]
    group = send("POST", f"{ml.BASE}/model_groups/_register", {"name": "far", "description": "not here"})
    register = {
        "function_name": "REMOTE", "name": "far-away", "model_group_id": group["model_group_id"],
        "connector_id": connector_id, "description": "four numbers",
    }  # fmt: skip
    model_id = send.finished(send("POST", f"{ml.BASE}/models/_register", register)["task_id"])
    send.deployed(model_id)
    send("PUT", "/_search/pipeline/far", {"request_processors": [{"neural_query_enricher": {
        "default_model_id": model_id}}]})  # fmt: skip


def everything(send: ByHand) -> dict[str, Any]:
    """What is on a cluster, by name, as far as two clusters can have it alike: names in place of ids."""
    models = find_models(send.cluster)
    groups, connectors = (
        {
            hit["_id"]: hit["_source"]
            for hit in send("POST", path, {"query": {"match_all": {}}, "size": 99})["hits"]["hits"]
        }
        for path in (f"{ml.BASE}/model_groups/_search", f"{ml.BASE}/connectors/_search")
    )
    names = {key: each["name"] for key, each in [*models.items(), *groups.items(), *connectors.items()]}
    settings = send("GET", "/_cluster/settings?flat_settings=true")["persistent"]
    kept = {"algorithm", "model_format", "model_content_hash_value", "model_config", "model_state", "description"}
    found = {
        "settings": {key: value for key, value in settings.items() if "template_migration" not in key},
        "groups": {each["name"]: each.get("description", "") for each in groups.values()},
        "connectors": {
            each["name"]: {key: value for key, value in each.items() if not key.endswith("_time")}
            for each in connectors.values()
        },
        "models": {
            each["name"]: {key: value for key, value in each.items() if key in kept}
            | {key: each[key] for key in ("model_group_id", "connector_id") if key in each}
            for each in models.values()
        },
        "ingest": {k: v for k, v in send("GET", "/_ingest/pipeline").items() if not re.search(r"-v\d+$", k)},
        "search": send("GET", "/_search/pipeline"),
        "indices": dict(_index(*item) for item in send("GET", "/_all?flat_settings=true").items() if item[0][0] != "."),
    }
    text = json.dumps(found, sort_keys=True)
    for key, name in names.items():
        text = text.replace(key, f"<{name}>")
    return dict(json.loads(text))


def _index(name: str, body: Any) -> tuple[str, Any]:
    plain = re.sub(r"-v1$", "", name)
    settings = {
        key: re.sub(r"-v1$", "", value) if key == "index.default_pipeline" else value
        for key, value in body["settings"].items()
        if not key.endswith(VOLATILE)
    }
    aliases = {key: value for key, value in body["aliases"].items() if key != plain}
    mappings = {key: value for key, value in body["mappings"].items() if key != "_meta"}  # osform's mark of the model
    return plain, {"settings": settings, "mappings": mappings, "aliases": aliases}


def meant(send: ByHand, index: str, model: str) -> list[str]:
    """What is found for a question with no word in common."""
    model_id = next(key for key, each in find_models(send.cluster).items() if each["name"] == model)
    neural = {"query_text": "something hot to drink", "model_id": model_id, "k": 3}
    body = {"query": {"neural": {"image_description_vector": neural}}, "size": 1}
    return [hit["_id"] for hit in send("POST", f"/{index}/_search", body)["hits"]["hits"]]


def test_a_walk_through_s_cluster_is_imported_and_its_files_make_the_same_one_whose_ledger_can_be_lost(
    clusters: tuple[Cluster, Cluster], elsewhere: Loopback, bundle: Path, tmp_path: Path
) -> None:
    first, second = (ByHand(cluster) for cluster in clusters)
    walk_through(first, elsewhere, bundle)
    far_away(first, elsewhere)
    before = everything(first)
    project = Project(tmp_path, first.cluster.url, "imported", own_cache=False)
    (tmp_path / "provision").mkdir()
    (tmp_path / "provision" / "stack.yaml").write_text("name: imported\n")
    shutil.copytree(ROOT / "models" / "all-MiniLM-L6-v2", tmp_path / "models" / "all-MiniLM-L6-v2")

    refused = project.run("import", "--all")
    assert "FAR_AWAY_KEY is not set" in refused.err
    project.environ["FAR_AWAY_KEY"] = "sesame"
    imported = project.run("import", "--all", "--format", "json")
    assert imported.status == 0, imported.err
    assert imported.json["skipped"] == []
    plan = project.plan()
    assert plan.status == 0, plan.out
    assert everything(first) == before

    project.url = second.cluster.url
    elsewhere.keys.clear()
    applied = project.apply()
    assert applied.status == 0, applied.err
    assert everything(second) == before
    assert project.plan().status == 0

    for number, text in enumerate(TEXTS):
        second("PUT", f"/photos/_doc/{number}?refresh=true", {"image": f"{number}.jpg", "image_description": text})
    assert meant(second, "photos", MODEL) == meant(first, "photos", MODEL) == ["0"]
    model_id = next(key for key, each in find_models(second.cluster).items() if each["name"] == "far-away")
    asked = second("POST", f"{ml.BASE}/models/{model_id}/_predict", {"parameters": {"input": ["a"]}})
    assert asked["inference_results"]
    assert elsewhere.keys == ["Bearer sesame"]
    assert "sesame" not in "".join(path.read_text() for path in (tmp_path / "provision").rglob("*.yaml"))

    there = everything(second)
    second("DELETE", "/osform-ledger")
    assert "is on the cluster already" in project.plan().err
    adopted = project.apply("--adopt-all")
    assert adopted.status == 0, adopted.err
    assert (project.plan().status, everything(second) == there) == (0, True)

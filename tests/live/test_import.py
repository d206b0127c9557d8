"""A cluster set up by hand, as in a published walk-through: imported, unchanged, and made once more elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.kinds import ml
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.proxy import Proxy

ML = "/_plugins/_ml"


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A project with models/ and no files but stack.yaml."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    for folder in (project.root / "provision").iterdir():
        shutil.rmtree(folder) if folder.is_dir() else None
    yield project
    gone = project.run("destroy", "--yes", "--force")
    assert gone.status == 0, gone.err


def by_hand(cluster: Cluster, name: str, model: tiny.Tiny) -> str:
    """What somebody did with curl: group, model, pipelines, template, index with documents. Returns the model's id."""

    def send(method: str, path: str, body: Any = None) -> Any:
        return cluster.send(Request(method, path, body))

    setting = "plugins.ml_commons.allow_registering_model_via_local_file"
    send("PUT", "/_cluster/settings", {"persistent": {setting: True}})
    group = send("POST", f"{ML}/model_groups/_register", {"name": name, "description": "by hand"})["model_group_id"]
    content = model.bundle.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    meta = model.meta(f"hand/{name}", group, model_content_hash_value=sha256, total_chunks=1)
    meta["model_content_size_in_bytes"] = len(content)
    meta["model_config"] = meta.pop("model_config")  # last: it is parsed by what stands before it
    model_id = str(send("POST", f"{ML}/models/_register_meta", meta)["model_id"])
    send("POST", f"{ML}/models/{model_id}/upload_chunk/0", content)
    time.sleep(2)
    send("POST", f"{ML}/models/{model_id}/_deploy")
    embedding = {"model_id": model_id, "field_map": {"image_description": "image_description_vector"}}
    pipeline = {"description": "costs $ {5} or ${more}", "processors": [{"text_embedding": embedding}]}
    send("PUT", f"/_ingest/pipeline/{name}-nlp", pipeline)
    enricher = {"neural_query_enricher": {"default_model_id": model_id}}
    send("PUT", f"/_search/pipeline/{name}-search", {"request_processors": [enricher]})
    template = {"index_patterns": [f"{name}-x*"], "template": {"settings": {"default_pipeline": f"{name}-nlp"}}}
    send("PUT", f"/_index_template/{name}-template", template)
    text = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    vector = {"type": "knn_vector", "dimension": tiny.DIMENSION, "method": method}
    fields = {"image_description": text, "image_description_vector": vector}
    settings = {"knn": True, "default_pipeline": f"{name}-nlp", "number_of_replicas": 0}
    settings["search.default_pipeline"] = f"{name}-search"
    body = {"settings": {"index": settings}, "mappings": {"properties": fields}, "aliases": {f"{name}-all": {}}}
    send("PUT", f"/{name}", body)
    while cluster.send(Request("GET", f"{ML}/models/{model_id}"))["model_state"] != "DEPLOYED":
        time.sleep(0.2)
    send("POST", f"/{name}/_doc?refresh=true", {"image_description": "a cat on a sofa"})
    return model_id


def test_a_set_up_by_hand_is_imported_and_the_plan_is_empty(project: Project, cluster: Cluster) -> None:
    name = f"h{uuid.uuid4().hex[:8]}"
    model_id = by_hand(cluster, name, tiny.build(project.root))
    with Proxy(project.url) as proxy:
        imported = project.run("import", "--all", "--format", "json", url=proxy.url)
        assert imported.status == 0, imported.err
        changed = [seen.path for seen in proxy.seen("/") if seen.method in ("PUT", "DELETE")]
        # The mapping's note of which model made the vectors, and nothing else.
        assert [path for path in changed if "osform-ledger" not in path] == [f"/{name}/_mapping"]
    assert len(imported.json["adopted"]) >= 6
    plan = project.plan()
    assert (plan.status, plan.json["changes"]) == (0, []), plan.err
    written = {path.stem: path.read_text() for path in (project.root / "provision").rglob("*.yaml")}
    assert not [text for text in written.values() if model_id in text]
    assert f"${{ingest_pipeline/{name}-nlp.name}}" in written[name]
    assert f"${{model/{name}.dimension}}" in (project.root / f"provision/index/{name}.yaml").read_text()
    assert "index.version" not in "".join(written.values())
    drift = project.run("drift")
    assert drift.status == 0, drift.out
    assert cluster.send(Request("GET", f"/{name}/_count"))["count"] == 1


def test_the_imported_files_make_the_same_set_up_on_an_empty_cluster(project: Project, cluster: Cluster) -> None:
    name = f"h{uuid.uuid4().hex[:8]}"
    by_hand(cluster, name, tiny.build(project.root))
    assert project.run("import", "--all").status == 0
    before = cluster.send(Request("GET", f"/{name}", params={"flat_settings": "true"}))[name]
    assert project.run("destroy", "--yes", "--force").status == 0  # that is as good as another cluster
    applied = project.apply()
    assert applied.status == 0, applied.err
    after = cluster.send(Request("GET", f"/{name}", params={"flat_settings": "true"}))[f"{name}-v1"]
    assert after["mappings"] == before["mappings"]
    assert after["aliases"] == {name: {}, f"{name}-all": {}}
    ours = {"index.default_pipeline": f"{name}-nlp-v1", "index.search.default_pipeline": f"{name}-search-v1"}
    volatile = ("index.uuid", "index.creation_date", "index.provided_name")
    kept = {key: value for key, value in before["settings"].items() if key not in volatile}
    assert {key: after["settings"][key] for key in kept} == kept | ours
    pipeline = cluster.send(Request("GET", f"/_ingest/pipeline/{name}-nlp"))[f"{name}-nlp"]
    assert pipeline["description"] == "costs $ {5} or ${more}"
    assert project.plan().status == 0


def test_one_resource_is_imported_by_its_address_and_a_wrong_one_has_a_hint(project: Project, cluster: Cluster) -> None:
    name = f"h{uuid.uuid4().hex[:8]}"
    cluster.send(Request("PUT", f"/_search/pipeline/{name}", {"description": "by hand"}))
    wrong = project.run("import", f"search_pipeline/{name}x")
    assert wrong.status == 1
    assert f"did you mean search_pipeline/{name}?" in wrong.err
    imported = project.run("import", f"search_pipeline/{name}")
    assert imported.status == 0, imported.err
    assert project.plan().status == 0
    assert json.loads(json.dumps(list((project.root / "provision" / "search_pipeline").iterdir()), default=str))


def test_a_model_without_its_bytes_is_left_out_and_said(project: Project, cluster: Cluster, tmp_path: Path) -> None:
    name = f"h{uuid.uuid4().hex[:8]}"
    model_id = by_hand(cluster, name, tiny.build(tmp_path, seed=7))
    imported = project.run("import", "--all")
    assert imported.status == 0, imported.err
    assert f"model/{name} is left out: its bytes can't be read back" in imported.err
    assert model_id in (project.root / f"provision/ingest_pipeline/{name}-nlp.yaml").read_text()
    assert project.plan().status == 0
    for path in (f"/{name}", f"/_ingest/pipeline/{name}-nlp"):
        assert cluster.send(Request("GET", path))
    refused = project.run("destroy", "--yes", "--force")
    assert f"model_group/{name} is still used by model/{model_id}" in refused.err
    cluster.send(Request("POST", f"{ML}/models/{model_id}/_undeploy"))
    time.sleep(2)
    cluster.send(Request("DELETE", f"{ML}/models/{model_id}"))
    time.sleep(2)


def test_a_connector_is_imported_with_its_credential_from_the_environment(project: Project, cluster: Cluster) -> None:
    name = f"h{uuid.uuid4().hex[:8]}"
    action = {
        "action_type": "predict", "method": "POST", "url": "https://api.openai.com/v1/embeddings",
        "headers": {"Authorization": "Bearer ${credential.key}"}, "request_body": '{"input": ${parameters.input}}',
    }  # fmt: skip
    body = {"name": name, "version": 1, "protocol": "http", "credential": {"key": "s3cret"}, "actions": [action]}
    connector_id = cluster.send(Request("POST", f"{ML}/connectors/_create", body))["connector_id"]
    refused = project.run("import", f"connector/{name}")
    variable = f"{name}_key".upper()
    assert (refused.status, f"{variable} is not set" in refused.err) == (1, True)
    assert not project.path(f"connector/{name}").exists()
    project.environ[variable] = "s3cret"
    imported = project.run("import", f"connector/{name}")
    assert imported.status == 0, imported.err
    text = project.path(f"connector/{name}").read_text()
    assert f"${{env.{variable}}}" in text
    assert "Bearer ${credential.key}" in text
    assert "s3cret" not in text
    assert project.plan().status == 0
    assert cluster.send(Request("GET", f"{ML}/connectors/{connector_id}"))["name"] == name


KEYS = {"user": "Sesame-user", "password": "Sesame%2Bpass", "api_key": "Sesame%2Bkey%3D", "token": "Sesame-body",
        "x-functions-key": "Sesame-header", "key": "Sesame-credential", "key_2": "Sesame-parameter"}  # fmt: skip
"""What an address, a body, a header, the credential and a parameter hold, by the word that it goes by."""


@pytest.fixture
def by_hand_connector(cluster: Cluster) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A connector with keys in all places, which somebody made with curl: its name, its id and its action."""

    def trust(*addresses: str) -> None:
        setting = {"plugins.ml_commons.trusted_connector_endpoints_regex": [*addresses] or None}
        cluster.send(Request("PUT", "/_cluster/settings", {"persistent": setting}))

    name = f"h{uuid.uuid4().hex[:8]}"
    action = {
        "action_type": "predict", "method": "POST",
        "headers": {"Authorization": "Bearer ${credential.key}", "X-Functions-Key": KEYS["x-functions-key"]},
        "url": f"https://{KEYS['user']}:{KEYS['password']}@embed.example.org/e?v=1&api_key={KEYS['api_key']}",
        "request_body": f'{{"input": ${{parameters.input}}, "token": "{KEYS["token"]}"}}',
    }  # fmt: skip
    body = {"name": name, "version": 1, "protocol": "http", "actions": [action]}
    body |= {"parameters": {"key": KEYS["key_2"]}, "credential": {"key": KEYS["key"]}}
    trust("^https://.*embed\\.example\\.org/.*$")
    connector_id = str(cluster.send(Request("POST", f"{ML}/connectors/_create", body))["connector_id"])
    yield name, connector_id, action
    cluster.send(Request("DELETE", f"{ML}/connectors/{connector_id}"))
    trust()


def test_keys_in_a_connector_s_addresses_headers_and_bodies_are_never_written_nor_shown(
    project: Project, cluster: Cluster, by_hand_connector: tuple[str, str, dict[str, Any]]
) -> None:
    name, connector_id, action = by_hand_connector
    path = f"{ML}/connectors/{connector_id}"
    said = [project.run("import", f"connector/{name}")]
    assert said[0].status == 1
    assert f"a credential in actions[0].url, which no file may hold: {name.upper()}_API_KEY is not set" in said[0].err
    given = {f"{name}_{word.replace('-', '_')}".upper(): value for word, value in KEYS.items()}
    project.environ |= given | {f"{name}_API_KEY".upper(): "another"}
    said.append(project.run("import", f"connector/{name}"))
    assert (said[1].status, "not taken over" in said[1].err) == (1, True), said[1].err
    project.environ |= given
    said += [project.apply("--adopt-all"), project.plan(), project.run("drift")]
    assert [each.status for each in said[2:]] == [0, 0, 0], [each.err for each in said]
    action["url"] = action["url"].replace("v=1", "v=2").replace(KEYS["api_key"], "Sesame-by-hand")
    cluster.send(Request("PUT", path, {"actions": [action]}))
    while "Sesame-by-hand" not in str(cluster.send(ml.all_connectors(size=1000))):  # a search is up to a second behind
        time.sleep(0.1)
    said += [project.run("drift"), project.plan(), project.run("plan"), project.apply()]
    assert [each.status for each in said[5:]] == [2, 2, 0, 0], [each.err for each in said]
    stored = cluster.send(Request("GET", path))
    assert f"v=1&api_key={KEYS['api_key']}" in stored["actions"][0]["url"]
    said += [project.run("drift"), project.plan()]
    assert [each.status for each in said[-2:]] == [0, 0]
    query = {"query": {"term": {"stack": project.name}}, "size": 1000}
    ledger = str(cluster.send(Request("GET", "/osform-ledger/_search", query)))
    assert f"connector/{name}" in ledger
    files = "".join(path.read_text() for path in (project.root / "provision").rglob("*.yaml"))
    assert "Sesame" not in "".join(each.out + each.err for each in said) + ledger + files

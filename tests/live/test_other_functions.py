"""A cross-encoder that reranks, and a sparse encoder that indexes and searches, from files alone: exported and applied.

The weights are tiny and random, so what is found first is what the model's own scores say, and no sense is looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.core.request import Request
from tests import families
from tests.live.stacks import Project

pytestmark = pytest.mark.export
DOCUMENTS = dict(enumerate(("two dogs on the beach", "the old harbour", "bread and coffee by the sea", "one old cat")))
RESOURCES = {
    "stack": "name: NAME\n",
    "cluster_settings/NAME": "persistent:\n  plugins.ml_commons.allow_registering_model_via_local_file: true\n",
    "model_group/NAME": "description: a test\n",
    "index/NAME": "settings: {index: {number_of_replicas: 0}}\nmappings: {properties: {text: {type: text}}}\n",
}
MODEL = "model: tiny\nformat: onnx\ngroup: ${model_group/NAME.model_group_id}\n"
RERANK = """\
response_processors:
  - rerank:
      ml_opensearch: {model_id: "${model/NAME.model_id}"}
      context: {document_fields: [text]}
"""
ENCODE = """\
processors:
  - sparse_encoding: {model_id: "${model/NAME.model_id}", field_map: {text: weights}}
"""
SPARSE_INDEX = """\
settings: {index: {number_of_replicas: 0, default_pipeline: "${ingest_pipeline/NAME.name}"}}
mappings: {properties: {text: {type: text}, weights: {type: rank_features}}}
"""


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path, live_url, f"f{tmp_path.stat().st_ino:x}"[:9])
    for address, text in RESOURCES.items():
        write(project, address, text)
    yield project
    taken = project.take_away()
    assert taken.status == 0, taken.err


def write(project: Project, address: str, text: str) -> None:
    project.path(address).parent.mkdir(parents=True, exist_ok=True)
    project.path(address).write_text(text.replace("NAME", project.name))


def export(project: Project, function_name: str, probes: list[Any]) -> None:
    folder = project.root / "models" / "tiny"
    folder.mkdir(parents=True)
    model = f"source: {{path: ../../weights}}\nfunction_name: {function_name}\nexports: {{onnx: [fp32]}}\n"
    (folder / "model.yaml").write_text(model)
    (folder / "probes.txt").write_text("".join(f"{json.dumps(probe)}\n" for probe in probes))
    done = project.run("model", "export", "tiny")
    assert done.status == 0, done.err


def applied(project: Project) -> None:
    done = project.apply()
    assert done.status == 0, done.err
    assert project.plan().status == 0


def fill(cluster: Any, index: str) -> None:
    lines: list[dict[str, Any]] = []
    for number, text in DOCUMENTS.items():
        lines += [{"index": {"_id": str(number)}}, {"text": text}]
    body = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    answer = cluster.send(Request("POST", f"/{index}/_bulk", body, {"refresh": "true"}))
    assert not answer["errors"], answer


def test_a_cross_encoder_puts_hits_in_the_order_of_its_scores(project: Project, cluster: Any) -> None:
    families.cross_encoder(project.root / "weights", "bert")
    export(project, "text_similarity", [["a cat", text] for text in DOCUMENTS.values()])
    write(project, "model/NAME", MODEL)
    write(project, "search_pipeline/NAME", RERANK)
    applied(project)
    fill(cluster, project.name)
    body = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": {"query_text": "a cat"}}}}
    params = {"search_pipeline": project.name}
    hits = cluster.send(Request("POST", f"/{project.name}/_search", body, params))["hits"]["hits"]
    lock = (project.root / "models" / "tiny" / "lock.yaml").read_text()
    scores = [float(line.split()[-1]) for line in lock.splitlines() if line.strip().startswith("score:")]
    best = sorted(range(len(scores)), key=lambda number: -scores[number])
    assert [int(hit["_id"]) for hit in hits] == best
    assert [hit["_score"] for hit in hits] == pytest.approx([scores[number] for number in best], abs=1e-4)


def test_a_sparse_encoder_fills_rank_features_and_finds_its_own_texts(project: Project, cluster: Any) -> None:
    families.sparse_encoder(project.root / "weights", "bert")
    export(project, "sparse_encoding", list(DOCUMENTS.values()))
    write(project, "model/NAME", MODEL)
    write(project, "ingest_pipeline/NAME", ENCODE)
    write(project, "index/NAME", SPARSE_INDEX)
    applied(project)
    fill(cluster, project.name)
    state = cluster.send(Request("GET", f"/{project.name}/_search", {"size": 10}))["hits"]["hits"]
    assert all(hit["_source"]["weights"] for hit in state)
    model_id = cluster.send(Request("POST", "/_plugins/_ml/models/_search", {
        "query": {"term": {"name.keyword": project.name}}, "size": 1,
    }))["hits"]["hits"][0]["_id"]  # fmt: skip
    ask = {"neural_sparse": {"weights": {"query_text": "the old harbour", "model_id": model_id}}}
    hits = cluster.send(Request("POST", f"/{project.name}/_search", {"query": ask}))["hits"]["hits"]
    assert len(hits) == len(DOCUMENTS)

"""Two stacks on one real cluster: one reads the other's model, and neither can harm the other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.stacks import Files, lay_out

PIPELINE = """processors:
  - text_embedding:
      model_id: ${stack.OTHER.model/OTHER.model_id}
      field_map: {text: vector}
"""
INDEX = """settings: {index: {knn: true, number_of_replicas: 0, default_pipeline: "${ingest_pipeline/NAME.name}"}}
mappings:
  properties:
    text: {type: text}
    vector:
      type: knn_vector
      dimension: ${stack.OTHER.model/OTHER.dimension}
      method: {name: hnsw, engine: lucene, space_type: cosinesimil}
"""


def test_a_stack_uses_the_model_of_another_which_can_then_not_be_taken_away(files: Files, tmp_path: Path) -> None:
    owner = lay_out(tmp_path / "owner", files.cluster.url, tiny.build(tmp_path))
    assert owner.apply().status == 0
    files.write("ingest_pipeline/NAME", PIPELINE.replace("OTHER", owner.name))
    files.write("index/NAME", INDEX.replace("OTHER", owner.name))
    files.apply()
    body = {"text": "a cat on a sofa"}
    files.cluster.send(Request("PUT", f"/{files.name}/_doc/1", body, {"refresh": "true"}))
    assert len(vector(files.cluster, files.name)) == tiny.DIMENSION
    refused = owner.take_away()
    assert refused.status == 1
    assert f"ingest_pipeline/{files.name}" in refused.err or files.name in refused.err
    assert len(vector(files.cluster, files.name)) == tiny.DIMENSION
    files.take_away()
    assert owner.take_away().status == 0


def vector(cluster: Cluster, index: str) -> list[float]:
    return list(cluster.send(Request("GET", f"/{index}/_doc/1"))["_source"]["vector"])


def test_a_plan_of_all_stacks_has_each_after_what_it_reads(files: Files, tmp_path: Path) -> None:
    name, folder = files.name, tmp_path / "all"
    write(folder / "b-owner", f"name: {name}b\n", **{f"ingest_pipeline/{name}": "processors: []\n"})
    reads = f"settings: {{default_pipeline: '${{stack.{name}b.ingest_pipeline/{name}.name}}'}}\nmappings: {{}}\n"
    write(folder / "a-reader", f"name: {name}a\n", **{f"index/{name}": reads})
    words = ["plan", "--all", "--provision", str(folder), "--format", "json", "--cluster", files.cluster.url]
    done = subprocess.run([sys.executable, "-m", "osform", *words], capture_output=True, text=True, check=False)
    shown = json.loads(done.stdout)
    assert [plan["stack"] for plan in shown["plans"]] == [f"{name}b"]
    assert shown["failed"] == [f"{folder / 'a-reader' / 'provision'} (default)"]
    assert done.returncode == 1
    assert f"ingest_pipeline/{name} of the stack {name}b (default) is not in the ledger" in done.stderr


def write(folder: Path, stack: str, **resources: str) -> None:
    for address, text in {"stack": stack, **resources}.items():
        path = folder / "provision" / f"{address}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

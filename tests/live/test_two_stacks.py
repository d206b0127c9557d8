"""Two stacks on one real cluster: one reads the other's model, and neither can harm the other."""

from __future__ import annotations

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

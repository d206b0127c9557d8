"""What one writes without osform to see what is there of the stack: opensearch-py, one call a resource, no comparison.

python -m bench.straight_line URL
"""

from __future__ import annotations

import json
import sys
from typing import Any

from opensearchpy import OpenSearch

PIPELINES = ("nlp-pipeline", "nlp-pipeline-v1", "stdlib-pipeline", "stdlib-pipeline-v1")
SEARCH_PIPELINE = "hybrid"
INDICES = ("images", "stdlib")


def read(client: OpenSearch) -> dict[str, Any]:
    """Everything of the stack that is live, by the call that read it."""
    found: dict[str, Any] = {"cluster": client.info(), "settings": client.cluster.get_settings(flat_settings=True)}
    for name in PIPELINES:
        found[f"pipeline {name}"] = client.ingest.get_pipeline(id=name)
    model = found[f"pipeline {PIPELINES[0]}"][PIPELINES[0]]["processors"][0]["text_embedding"]["model_id"]
    found["model"] = client.plugins.ml.get_model(model_id=model)
    found["profile"] = client.plugins.ml.get_profile_models(model_id=model)
    found["group"] = client.plugins.ml.get_model_group(model_group_id=found["model"]["model_group_id"])
    found["search pipeline"] = client.search_pipeline.get(id=SEARCH_PIPELINE)
    for name in INDICES:
        found[f"index {name}"] = client.indices.get(index=name)
        found[f"count {name}"] = client.count(index=name)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(read(OpenSearch(hosts=[sys.argv[1]]))) + "\n")

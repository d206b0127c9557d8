"""A stack with every kind in it, and each way to have a model that this machine can serve: for the sweeps."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests import tiny
from tests.live.every_kind import CONNECTOR, TRUST
from tests.live.loopback import Loopback
from tests.live.stacks import FILES, Project, lay_out

KEY = "sesame-one"
CONFIG = "{model_type: bert, embedding_dimension: 32, framework_type: sentence_transformers, pooling_mode: cls}"
MORE = {
    "cluster_settings/ml.yaml": (
        TRUST + FILES["cluster_settings/ml.yaml"].removeprefix("persistent:\n")
        + "  plugins.ml_commons.allow_registering_model_via_url: true\n"
        "  plugins.ml_commons.trusted_url_regex: '^http://127\\.0\\.0\\.1:.*$'\n"
    ),
    "connector/NAME.yaml": CONNECTOR.replace("http://127.0.0.1:9", "ELSEWHERE"),
    "model/NAME-remote.yaml": (
        "connector: ${connector/NAME.connector_id}\ngroup: ${model_group/NAME.model_group_id}\ndescription: far away\n"
        "probe: a cat\n"
        "model_config: {model_type: any, embedding_dimension: 4, framework_type: sentence_transformers}\n"
    ),
    "model/NAME-fetched.yaml": (
        "url: ELSEWHERE/tiny.zip\nmodel_content_hash_value: SHA256\nformat: onnx\n"
        f"model_config: {CONFIG}\ngroup: ${{model_group/NAME.model_group_id}}\nprobe: a cat\n"
    ),
    "component_template/NAME-part.yaml": "template: {settings: {number_of_replicas: 0}}\nversion: 1\n",
    "index_template/NAME-template.yaml": "index_patterns: [NAME-x-*]\ncomposed_of: [NAME-part]\npriority: 7\n",
    "alias/NAME-all.yaml": "indices:\n- {index: '${index/NAME.name}', filter: {term: {text.keyword: a}}}\n",
    "stored_script/NAME-script.yaml": "script: {lang: painless, source: doc.length}\n",
}  # fmt: skip
"""Over those of ``stacks.FILES``. The fetched model has no description: what it was made with must be gone again."""

EDITS = {
    "connector/NAME": ("description: one", "description: two"),
    "model/NAME": ("description: a bag of words", "description: words in a bag"),
    "model/NAME-remote": ("description: far away", "description: far, far away"),
    "ingest_pipeline/NAME-pipeline": ("batch_size: 4", "batch_size: 8"),
    "search_pipeline/NAME-hybrid": ("min_max", "l2"),
    "component_template/NAME-part": ("version: 1", "version: 2"),
    "index_template/NAME-template": ("priority: 7", "priority: 8"),
    "alias/NAME-all": ("text.keyword: a", "text.keyword: b"),
    "stored_script/NAME-script": ("doc.length", "doc.size"),
    "index/NAME": ("number_of_replicas: ${var.replicas}", "number_of_replicas: 1"),
}
"""Changes that can be made in place, there and back; and beside them, the connector's credential."""


def lay_out_all(root: Path, url: str, model: tiny.Tiny, elsewhere: Loopback) -> Project:
    """Write the stack; ``elsewhere`` serves its remote model, and the bytes of the fetched one."""
    content = elsewhere.files.setdefault("/tiny.zip", model.bundle.read_bytes())
    project = lay_out(root, url, model)
    for name, text in MORE.items():
        path = root / "provision" / name.replace("NAME", project.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("ELSEWHERE", elsewhere.url).replace("SHA256", hashlib.sha256(content).hexdigest())
        path.write_text(text.replace("NAME", project.name))
    project.environ["KEY"] = KEY
    return project


def edit_all(project: Project) -> None:
    """Make every change, or take it back where it was made before."""
    changed = project.environ["KEY"] != KEY
    project.environ["KEY"] = KEY if changed else "sesame-two"
    for address, (old, new) in EDITS.items():
        project.edit(address, *((new, old) if changed else (old, new)))

"""Several models of one group in one apply."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from osform.core.models import Bundle, ModelLock, ModelSpec, PackagedModel, PathSource
from osform.core.request import Request
from osform.core.resource import StackSpec
from osform.errors import RequestFailed
from tests.cluster.ml_commons import MLCommons, Refused
from tests.flows.memory import MemoryCluster
from tests.flows.stacks import apply, plan, spec

ELSEWHERE = ("/models", "/tasks", "/profile", "/_nodes", "/_predict")


class NumberingCluster(MemoryCluster):
    """A cluster in memory that takes models, too. Of two registered in one group at the same time it refuses one.

    So does ML Commons: it writes the group's latest version, and the second writer meets a version conflict.
    ``refused`` counts them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.models, self.numbering, self.refused = MLCommons(), threading.Lock(), 0

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if not any(part in request.path.removeprefix("/_plugins/_ml") for part in ELSEWHERE) or "group" in request.path:
            return super().send(request, timeout=timeout)
        body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
        try:
            if request.path.endswith("_register_meta"):
                return self.number(request, body)
            return self.models.answer(request.method, request.path, body)
        except Refused as refused:
            raise RequestFailed(str(request), refused.status, "status_exception", str(refused.body)) from refused

    def number(self, request: Request, body: bytes) -> Any:
        if not self.numbering.acquire(blocking=False):
            self.refused += 1
            raise Refused(409, "version conflict, document already exists")
        try:
            time.sleep(0.05)  # long enough for another to come in between
            return self.models.answer(request.method, request.path, body)
        finally:
            self.numbering.release()


def three_models(bundle: Path) -> StackSpec:
    """A group, and three models in it that need nothing of each other."""
    content = bundle.read_bytes()
    config = {"model_type": "bert", "embedding_dimension": 2}
    made = Bundle(
        "onnx", "fp32", hashlib.sha256(content).hexdigest(), len(content), "TEXT_EMBEDDING", config, 1.0, 1.0, {}
    )
    lock = ModelLock("tiny", "0" * 64, 2, 9, "cosinesimil", (made,), ())
    body = {"model": "tiny", "format": "onnx", "group": "${model_group/encoders.model_group_id}"}
    stack = spec({"model_group/encoders": {"description": "d"}} | {f"model/{name}": body for name in "abc"})
    packaged = PackagedModel(ModelSpec("tiny", "models/tiny", PathSource("weights"), (), {}, ()), lock)
    return replace(stack, models={"tiny": packaged})


def test_models_of_one_group_are_registered_one_after_the_other(tmp_path: Path) -> None:
    bundle = tmp_path / "tiny.zip"
    bundle.write_bytes(b"weights")
    cluster, stack = NumberingCluster(), three_models(bundle)
    apply(cluster, stack, bundle=lambda model, sha256: bundle)[0].check()
    assert sorted(model["name"] for model in cluster.models.models.values()) == ["a", "b", "c"]
    assert cluster.refused == 0
    assert plan(cluster, stack).empty

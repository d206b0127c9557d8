"""A stand-in for ML Commons 3.6, in memory behind a real HTTP port, with the traps of the real one.

It calls a model registered when the last-numbered chunk arrives, answers before it has rewritten the document, forgets
the description on the way, and looks at the hash at deployment only. Tests put a ``Proxy`` in front to break the wire.
What it says is kept true by tests/live/test_registration.py, which sees the same behaviour on a real cluster.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from tests.serving import Quiet, listening

Json = dict[str, Any]
KEPT = ("name", "algorithm", "model_version", "model_group_id", "model_format", "model_config", "total_chunks")
DATA = {"name": "data-1", "roles": ["cluster_manager", "data", "ingest"], "attributes": {}}
ML = {"name": "ml-1", "roles": ["ml"], "attributes": {}}


class Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, reason: str, type: str = "status_exception") -> None:
        self.status = status
        self.body = {"error": {"type": type, "reason": reason, "root_cause": []}, "status": status}


@dataclass
class MLCommons:
    """The server's whole state, open to tests; ``troubles`` are errors that the next deployments end with, by node."""

    nodes: dict[str, Json] = field(default_factory=lambda: {"d1": DATA, "m1": ML})
    settings: Json = field(default_factory=dict)
    models: dict[str, Json] = field(default_factory=dict)
    chunks: dict[str, dict[int, bytes]] = field(default_factory=dict)
    tasks: dict[str, Json] = field(default_factory=dict)
    loaded: dict[str, set[str]] = field(default_factory=dict)
    troubles: list[dict[str, str]] = field(default_factory=list)
    vectors: dict[str, list[Any]] = field(default_factory=dict)
    stuck: bool = False
    forgetful: bool = False
    rewrite_seconds: float = 0.02
    versions: int = 0
    _lock: threading.RLock = field(init=False, default_factory=threading.RLock)

    def __enter__(self) -> MLCommons:
        self._until = ExitStack()
        self.url = self._until.enter_context(listening(_handler(self)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._until.close()

    def answer(self, method: str, path: str, body: bytes) -> Json:
        with self._lock:
            match method, path.removeprefix("/_plugins/_ml").strip("/").split("/"):
                case "GET", [""]:
                    return {"cluster_name": "ml", "version": {"number": "3.6.0"}}
                case "GET", ["_nodes", *_]:
                    return {"nodes": self.nodes}
                case "GET", ["_cluster", "settings"]:
                    return {"persistent": {"plugins": {"ml_commons": self.settings}}}
                case "POST", ["models", "_register_meta"]:
                    return self.register(json.loads(body))
                case "POST", ["models", "_search"]:
                    return self.search(json.loads(body))
                case "POST", ["models", model_id, "upload_chunk", number]:
                    return self.take_chunk(model_id, int(number), body)
                case "POST", ["models", model_id, "_deploy"]:
                    return self.deploy(self.model(model_id), model_id)
                case "POST", ["models", model_id, "_undeploy"]:
                    self.loaded.pop(model_id, None)
                    self.model(model_id)["model_state"] = "UNDEPLOYED"
                    return {}
                case "GET", ["models", model_id]:
                    return self.model(model_id)
                case "PUT", ["models", model_id]:
                    if not self.forgetful:
                        self.model(model_id).update(json.loads(body))
                    return {"result": "updated"}
                case "DELETE", ["models", model_id]:
                    return self.delete(model_id)
                case "GET", ["tasks", task_id]:
                    return self.tasks[task_id]
                case "GET", ["profile", "models"]:
                    return self.profile(list(self.models))
                case "GET", ["profile", "models", ids]:
                    return self.profile(ids.split(","))
                case "POST", ["_predict", "text_embedding", model_id]:
                    return self.predict(model_id, json.loads(body)["text_docs"])
        raise Refused(405, f"{method} {path}")

    def model(self, model_id: str) -> Json:
        if model_id not in self.models:
            raise Refused(404, "Failed to find model with the provided model id")
        return self.models[model_id]

    def register(self, meta: Json) -> Json:
        self.versions += 1
        model_id = f"model{self.versions}"
        algorithm = {"algorithm": meta.pop("function_name")}
        self.models[model_id] = {
            **algorithm, **meta, "model_version": str(self.versions), "model_state": "REGISTERING"
        }  # fmt: skip
        return {"model_id": model_id, "status": "CREATED"}

    def take_chunk(self, model_id: str, number: int, content: bytes) -> Json:
        model = self.model(model_id)
        if not 0 < len(content) <= 10_000_000:
            raise Refused(500, "Chunk size exceeds 10MB", "exception")
        self.chunks.setdefault(model_id, {})[number] = content
        if number == model["total_chunks"] - 1:
            threading.Timer(self.rewrite_seconds, self.rewrite, [model_id]).start()
        return {"status": "Uploaded"}

    def rewrite(self, model_id: str) -> None:
        with self._lock:
            model = self.model(model_id)
            kept = {key: value for key, value in model.items() if key in KEPT or key.startswith("model_content")}
            self.models[model_id] = {**kept, "model_state": "REGISTERED"}

    def search(self, body: Json) -> Json:
        clauses = {key: value for clause in body["query"]["bool"].get("filter", ()) for key, value in clause.items()}
        if "exists" in clauses:
            numbers = self.chunks.get(clauses["term"]["model_id"], {})
            hits: list[Json] = [{"_id": str(number), "_source": {"chunk_number": number}} for number in numbers]
        else:
            wanted = clauses.get("term", {}).get("model_content_hash_value")
            hits = [
                {"_id": model_id, "_source": model, "sort": [position]}
                for position, (model_id, model) in enumerate(self.models.items())
                if wanted in (None, model.get("model_content_hash_value"))
                and position > body.get("search_after", [-1])[0]
            ]
        return {"hits": {"total": {"value": len(hits)}, "hits": hits[: body["size"]]}}

    def deploy(self, model: Json, model_id: str) -> Json:
        remote = model.get("algorithm") == "REMOTE"
        workers = [node_id for node_id, node in self.nodes.items() if "ml" in node["roles"] or remote]
        if not workers:
            raise Refused(400, "no eligible node found", "illegal_argument_exception")
        content = b"".join(self.chunks.get(model_id, {})[number] for number in range(model.get("total_chunks", 0)))
        errors = self.troubles.pop(0) if self.troubles else {}
        if not remote and hashlib.sha256(content).hexdigest() != model["model_content_hash_value"]:
            errors = dict.fromkeys(workers, "model content changed")
        task_id = f"task{len(self.tasks) + 1}"
        self.tasks[task_id] = {"state": "RUNNING", "worker_node": workers}
        model["model_state"] = "DEPLOYING"
        if not self.stuck:
            self.loaded[model_id] = {worker for worker in workers if worker not in errors}
            bad = {"error": json.dumps(errors)} if errors else {}
            state = "COMPLETED" if not errors else "COMPLETED_WITH_ERROR" if self.loaded[model_id] else "FAILED"
            self.tasks[task_id] |= {"state": state, **bad}
            model["model_state"] = "DEPLOYED" if not errors else "DEPLOY_FAILED"
        return {"task_id": task_id, "status": "CREATED"}

    def delete(self, model_id: str) -> Json:
        if self.model(model_id)["model_state"] in ("DEPLOYED", "DEPLOYING", "PARTIALLY_DEPLOYED"):
            raise Refused(400, "Model cannot be deleted in deploying or deployed state. Try undeploy model first")
        self.chunks.pop(model_id, None)
        self.models.pop(model_id)
        return {"result": "deleted"}

    def profile(self, ids: list[str]) -> Json:
        nodes: dict[str, Json] = {}
        for model_id in ids:
            for node_id in self.loaded.get(model_id, ()):
                if node_id in self.nodes:
                    nodes.setdefault(node_id, {"models": {}})["models"][model_id] = {"model_state": "DEPLOYED"}
        return {"nodes": nodes} if nodes else {}

    def predict(self, model_id: str, texts: list[str]) -> Json:
        if model_id not in self.loaded:
            raise Refused(400, "Model not ready yet. Please deploy the model first.", "illegal_argument_exception")
        outputs = [{"name": "sentence_embedding", "data": self.vectors[text]} for text in texts]
        return {"inference_results": [{"output": [output]} for output in outputs]}


def _handler(server: MLCommons) -> type[BaseHTTPRequestHandler]:
    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                status, answer = 200, server.answer(self.command, self.path.partition("?")[0], body)
            except Refused as refused:
                status, answer = refused.status, refused.body
            content = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = serve

    return Handler

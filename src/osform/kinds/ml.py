"""The ML Commons API as values: models, their chunks, deployment, prediction, model groups. No I/O.

Paths are those of OpenSearch 2.7 and later; see https://docs.opensearch.org/latest/ml-commons-plugin/api/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.core.request import Request

BASE = "/_plugins/_ml"

TAG = "tag"
"""Under this key of a resource's ids is the mark that it carries until the server's id for it is known."""
_MARK = "osform is setting this up: "

BLANK: Mapping[str, Any] = {"description": "", "is_enabled": True}
"""Fields that can be as if nobody had ever set them."""

# The server parses model_config by the function_name that it has already seen, so the order is part of the request.
_META_ORDER = (
    "name",
    "function_name",
    "model_group_id",
    "model_format",
    "model_content_hash_value",
    "model_content_size_in_bytes",
    "total_chunks",
)


def tag(token: str) -> str:
    """The description that a model or connector is made with, in place of its own, which follows.

    Names are not unique, and an id is known from the answer alone. By the tag what was made is found where no answer
    came, and where the request is carried out only after it was given up and sent again.
    """
    return _MARK + token


def tagged(description: Any) -> bool:
    """Whether a description is a tag still."""
    return isinstance(description, str) and description.startswith(_MARK)


def made_by(ids: Mapping[str, str], stored: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The ids of those that were made under the tag which ``ids`` remember, and that still carry it."""
    mark = ids.get(TAG)
    return [key for key, source in stored.items() if mark is not None and source.get("description") == mark]


def register_meta(meta: Mapping[str, Any]) -> Request:
    """Announce a model whose bytes will come in chunks; ``meta`` is the body, in any order."""
    first = {key: meta[key] for key in _META_ORDER if key in meta}
    rest = {key: value for key, value in meta.items() if key not in first and key != "model_config"}
    last = {"model_config": meta["model_config"]} if "model_config" in meta else {}
    return Request("POST", f"{BASE}/models/_register_meta", {**first, **rest, **last})


def chunk(model_id: str, number: int, content: bytes) -> Request:
    """One piece of a model's zip, at most 10,000,000 bytes; numbers start at 0. Sending it again is harmless.

    The chunk numbered ``total_chunks - 1`` makes the server call the model registered, whatever else is missing, and
    rewrite the model's document with less in it than ``register_meta`` said.
    """
    return Request("POST", f"{BASE}/models/{_quoted(model_id)}/upload_chunk/{number}", content)


def chunks(model_id: str, total: int) -> Request:
    """Search which chunks of a model are stored: their numbers, without the bytes."""
    query = {"bool": {"filter": [{"term": {"model_id": model_id}}, {"exists": {"field": "chunk_number"}}]}}
    return _model_search({"query": query, "_source": ["chunk_number"], "size": total})


def models_by_hash(sha256: str) -> Request:
    """Search the models, whole or half-registered, whose zip has this SHA-256 (hexadecimal)."""
    query = {"bool": {"filter": [{"term": {"model_content_hash_value": sha256}}], "must_not": [_IS_CHUNK]}}
    return _model_search({"query": query, "_source": {"excludes": _CONTENT}, "size": 1000})


def all_models(*, size: int, after: Sequence[Any] | None = None) -> Request:
    """Search all models, a page of ``size`` at a time; ``after`` is the last hit's ``sort``.

    The order is that of the last change, so a model that changes between two pages is met again, never missed.
    """
    body: dict[str, Any] = {
        "query": {"bool": {"must_not": [_IS_CHUNK]}},
        "_source": {"excludes": _CONTENT},
        "sort": [{"_seq_no": "asc"}],
        "size": size,
    }
    return _model_search(body if after is None else {**body, "search_after": list(after)})


def get_model(model_id: str) -> Request:
    """Read a model's document, without its bytes. This sees every write at once, which a search does not."""
    return Request("GET", f"{BASE}/models/{_quoted(model_id)}")


def get_now(kind: str, ids: Mapping[str, str]) -> Request | None:
    """Read one resource past the search, which sees a write a moment later; None where its id is not known."""
    found = ids.get(f"{kind}_id")
    return Request("GET", f"{BASE}/{kind}s/{_quoted(found)}") if found else None


def put_model(model_id: str, fields: Mapping[str, Any]) -> Request:
    """Change fields of a model in place: description, rate_limiter, is_enabled, interface ..., not its bytes."""
    return Request("PUT", f"{BASE}/models/{_quoted(model_id)}", dict(fields))


def deploy(model_id: str) -> Request:
    """Load a model on every eligible node; the answer names the task to follow."""
    return Request("POST", f"{BASE}/models/{_quoted(model_id)}/_deploy")


def undeploy(model_id: str) -> Request:
    """Take a model off every node."""
    return Request("POST", f"{BASE}/models/{_quoted(model_id)}/_undeploy")


def delete(model_id: str) -> Request:
    """Delete a model and its chunks; the server refuses while the model is deployed."""
    return Request("DELETE", f"{BASE}/models/{_quoted(model_id)}")


def task(task_id: str) -> Request:
    """Read a task's state; ``error`` is JSON text by node id, or plain text."""
    return Request("GET", f"{BASE}/tasks/{_quoted(task_id)}")


def profile(model_ids: Iterable[str] = ()) -> Request:
    """Ask the nodes themselves which models they hold; all models where none is named."""
    ids = ",".join(_quoted(model_id) for model_id in model_ids)
    return Request("GET", f"{BASE}/profile/models/{ids}" if ids else f"{BASE}/profile/models")


def predict(model_id: str, texts: Sequence[str]) -> Request:
    """Embed texts with a deployed text embedding model; the answer holds the pooled vectors only."""
    body = {"text_docs": list(texts), "return_number": True, "target_response": ["sentence_embedding"]}
    return Request("POST", f"{BASE}/_predict/text_embedding/{_quoted(model_id)}", body)


def score(model_id: str, question: str, text: str) -> Request:
    """How well a text answers a question, by a deployed cross-encoder."""
    body = {"query_text": question, "text_docs": [text]}
    return Request("POST", f"{BASE}/_predict/text_similarity/{_quoted(model_id)}", body)


def weigh(model_id: str, texts: Sequence[str]) -> Request:
    """The weights of tokens that a deployed sparse encoder gives to texts."""
    return Request("POST", f"{BASE}/_predict/sparse_encoding/{_quoted(model_id)}", {"text_docs": list(texts)})


def register_group(body: Mapping[str, Any]) -> Request:
    """Make a model group; ``name`` is the one mandatory field, and must be new on the cluster."""
    return Request("POST", f"{BASE}/model_groups/_register", dict(body))


def get_group(group_id: str) -> Request:
    """Read a model group."""
    return Request("GET", f"{BASE}/model_groups/{_quoted(group_id)}")


def put_group(group_id: str, fields: Mapping[str, Any]) -> Request:
    """Change a model group in place."""
    return Request("PUT", f"{BASE}/model_groups/{_quoted(group_id)}", dict(fields))


def groups_named(name: str) -> Request:
    """Search the model group of this name; names are unique on a cluster."""
    return Request("POST", f"{BASE}/model_groups/_search", {"query": {"term": {"name.keyword": name}}, "size": 10})


def all_groups(*, size: int, after: Sequence[Any] | None = None) -> Request:
    """Search all model groups, a page of ``size`` at a time; ``after`` is the last hit's ``sort``."""
    body: dict[str, Any] = {"query": {"match_all": {}}, "sort": [{"_seq_no": "asc"}], "size": size}
    return Request(
        "POST", f"{BASE}/model_groups/_search", body if after is None else {**body, "search_after": list(after)}
    )


def delete_group(group_id: str) -> Request:
    """Delete a model group; the server refuses (409) while a search still finds a model in it."""
    return Request("DELETE", f"{BASE}/model_groups/{_quoted(group_id)}")


def register(body: Mapping[str, Any]) -> Request:
    """Register a model that the server fetches, or one behind a connector; the answer names a task.

    ``function_name`` comes first, for the reason that ``register_meta`` has.
    """
    first = {key: body[key] for key in _META_ORDER if key in body}
    return Request("POST", f"{BASE}/models/_register", {**first, **body})


def models_named(name: str) -> Request:
    """Search the models of this name, which is not unique."""
    query = {"bool": {"filter": [{"term": {"name.keyword": name}}], "must_not": [_IS_CHUNK]}}
    return _model_search({"query": query, "_source": {"excludes": _CONTENT}, "size": 1000})


def models_behind(connector_id: str) -> Request:
    """Search the models that use a connector. Versions differ in how they index the id, so both ways are asked."""
    either = [{"term": {field: connector_id}} for field in ("connector_id", "connector_id.keyword")]
    return _model_search({"query": {"bool": {"should": either, "minimum_should_match": 1}}, "size": 1000})


def ask(model_id: str, parameters: Mapping[str, Any]) -> Request:
    """Ask a remote model, in the words of its connector."""
    return Request("POST", f"{BASE}/models/{_quoted(model_id)}/_predict", {"parameters": dict(parameters)})


def create_connector(body: Mapping[str, Any]) -> Request:
    """Make a connector; the answer holds its ``connector_id``."""
    return Request("POST", f"{BASE}/connectors/_create", dict(body))


def put_connector(connector_id: str, fields: Mapping[str, Any]) -> Request:
    """Change a connector in place; refused while a model that uses it is deployed. Nothing is ever taken out of it."""
    return Request("PUT", f"{BASE}/connectors/{_quoted(connector_id)}", dict(fields))


def all_connectors(*, size: int) -> Request:
    """Search all connectors; the server leaves their credentials out."""
    return Request("POST", f"{BASE}/connectors/_search", {"query": {"match_all": {}}, "size": size})


def delete_connector(connector_id: str) -> Request:
    """Delete a connector; the server refuses (409) while a model uses it."""
    return Request("DELETE", f"{BASE}/connectors/{_quoted(connector_id)}")


def nodes() -> Request:
    """List the nodes with their names, roles and attributes, and nothing that has to be measured."""
    return Request("GET", "/_nodes/_all/_none", params={"timeout": "5s"})


def processors(node_ids: Iterable[str]) -> Request:
    """How many processors each of these nodes may use."""
    path = f"/_nodes/{','.join(map(_quoted, node_ids))}/os"
    return Request("GET", path, params={"filter_path": "nodes.*.os.allocated_processors", "timeout": "5s"})


def settings() -> Request:
    """Read the cluster settings of ML Commons, with the defaults of those that nobody set."""
    return Request(
        "GET", "/_cluster/settings", params={"include_defaults": "true", "filter_path": "*.plugins.ml_commons"}
    )


_IS_CHUNK = {"exists": {"field": "chunk_number"}}
_CONTENT = ["model_content", "content"]


def _model_search(body: dict[str, Any]) -> Request:
    return Request("POST", f"{BASE}/models/_search", body)


def _quoted(identifier: str) -> str:
    return quote(identifier, safe="")

"""What a cluster itself says of an object, read past osform: to hold it against the files, or another object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request

# What differs between any two objects that were made from the same file.
OWN = {
    "created_time", "last_updated_time", "last_registered_time", "last_deployed_time", "last_undeployed_time",
    "model_version", "latest_version", "model_group_id", "model_id", "connector_id", "creation_date", "uuid",
    "provided_name",
    "created", "planning_worker_nodes", "auto_redeploy_retry_times", "current_worker_node_count",
    "planning_worker_node_count", "model_state", "deploy_to_all_nodes",
}  # fmt: skip
# What stands for none where a server takes no field away.
NONE = {
    "description": "", "is_enabled": True, "_meta": {}, "dynamic": "true", "dynamic_templates": [],
    "date_detection": True, "numeric_detection": False,
}  # fmt: skip


def get(cluster: Cluster, path: str) -> Any:
    """What stands there, or None."""
    return persist_if_there(cluster, Request("GET", path), Patience.of(30))


def stored(cluster: Cluster, kind: str, name: str) -> Any:
    """An object as it is stored, None where there is none."""
    if kind in _ML:
        hit = _hit(cluster, kind, name)
        return hit["_source"] if hit else None
    path, inner = _PATHS[kind]
    found = get(cluster, path.format(name))
    return None if found is None or found.get("found") is False else inner(found, name)


def with_defaults(cluster: Cluster, name: str, found: Any) -> Any:
    """An index with the defaults of its fields, which the server gives back only where it is asked for them."""
    found = json.loads(json.dumps(found))
    for told in get(cluster, f"/{name}/_mapping/field/*?include_defaults=true").values():
        for path, field in told["mappings"].items():
            _fill(found["mappings"].get("properties", {}), path.split("."), field["mapping"])
    return found


def _fill(fields: Any, path: list[str], mapping: Any) -> None:
    inner = fields.get(path[0])
    if inner is not None and len(path) == 1:
        fields[path[0]] = {**mapping[path[0]], **inner}
    elif inner is not None:
        _fill(inner.get("properties") or inner.get("fields", {}), path[1:], mapping)


def identity(cluster: Cluster, kind: str, name: str) -> Any:
    """What tells an object from another one that is made under its name, where there is such a thing."""
    if kind in _ML:
        hit = _hit(cluster, kind, name)
        return hit["_id"] if hit else None
    return stored(cluster, kind, name)["settings"]["index"]["uuid"] if kind == "index" else kind


def _hit(cluster: Cluster, kind: str, name: str) -> Any:
    query = {"query": {"term": {"name.keyword": name}}, "size": 10}
    found = persist_if_there(cluster, Request("POST", f"/_plugins/_ml/{_ML[kind]}/_search", query), Patience.of(30))
    # A model's chunks have its name too.
    hits = [hit for hit in found["hits"]["hits"] if "chunk_number" not in hit["_source"]] if found else []
    assert len(hits) < 2, f"{len(hits)} of {kind}/{name}"
    return hits[0] if hits else None


def alike(found: Any, name: str) -> Any:
    """An object without its name and what differs between any two, to be compared with another one."""
    return _plain(json.loads(json.dumps(found).replace(name, "NAME")))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _plain(each) for key, each in value.items() if key not in OWN}
        return {key: each for key, each in kept.items() if key not in NONE or each != NONE[key]}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def unlike(kind: str, found: Any, body: Any) -> tuple[dict[str, tuple[Any, Any]], list[str]]:
    """Leaves of a file that are otherwise on the cluster, by path: asked and stored; and the paths of those beyond."""
    there, wanted = dict(_leaves(_shown(kind, found))), dict(_leaves(_normal(kind, body)))
    lacking = {path: (each, there.get(path)) for path, each in wanted.items() if there.get(path) != each}
    return lacking, sorted(there.keys() - wanted.keys())


def _shown(kind: str, found: Any) -> Any:
    """What is stored, in the shape of a file."""
    if kind.endswith("_template"):
        return found[kind]
    if kind == "alias":
        return {"indices": sorted(json.dumps(next(iter(each["aliases"].values()))) for each in found.values())}
    return {"script": found} if kind == "stored_script" else found


def _normal(kind: str, body: Any) -> Any:
    """A file's body as the server has it: settings nested and as text, of a model only what it shows."""
    if kind == "model":
        return {key: body[key] for key in ("description", "is_enabled") if key in body}
    if kind == "alias":
        return {
            "indices": sorted(json.dumps({k: v for k, v in each.items() if k != "index"}) for each in body["indices"])
        }
    if kind.endswith("_template") and "template" in body:
        return {**body, "template": _normal("index", body["template"])}
    if kind == "index" and "settings" in body:
        settings = {
            key.removeprefix("index."): _as_text(each)
            for key, each in body["settings"].get("index", body["settings"]).items()
        }
        body = {**body, "settings": {"index": settings}}
    if kind == "index" and "dynamic" in body.get("mappings", {}):
        body = {**body, "mappings": {**body["mappings"], "dynamic": _as_text(body["mappings"]["dynamic"])}}
    return body


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; JSON doesn't know 1 from 1.0."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value.replace("$${", "${") if "$${" in value else value
    else:
        yield path, float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_ML = {"model_group": "model_groups", "connector": "connectors", "model": "models"}
_PATHS: Mapping[str, tuple[str, Callable[[Any, str], Any]]] = {
    "ingest_pipeline": ("/_ingest/pipeline/{}", lambda found, name: found[name]),
    "search_pipeline": ("/_search/pipeline/{}", lambda found, name: found[name]),
    "stored_script": ("/_scripts/{}", lambda found, name: found["script"]),
    "component_template": ("/_component_template/{}", lambda found, name: found["component_templates"][0]),
    "index_template": ("/_index_template/{}", lambda found, name: found["index_templates"][0]),
    "index": ("/{}", lambda found, name: next(iter(found.values()))),
    "alias": ("/_alias/{}", lambda found, name: found),
}

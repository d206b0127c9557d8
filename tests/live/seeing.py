"""What a cluster itself says of an object, read past osform: to hold it against the files, or another object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
        query = {"query": {"term": {"name.keyword": name}}, "size": 10}
        found = persist_if_there(cluster, Request("POST", f"/_plugins/_ml/{_ML[kind]}/_search", query), Patience.of(30))
        hits = [hit["_source"] for hit in found["hits"]["hits"]] if found else []
        assert len(hits) < 2, f"{len(hits)} of {kind}/{name}"
        return hits[0] if hits else None
    path, inner = _PATHS[kind]
    found = get(cluster, path.format(name))
    return None if found is None or found.get("found") is False else inner(found, name)


def alike(found: Any, name: str) -> Any:
    """An object without its name and what differs between any two, to be compared with another one."""
    return _plain(json.loads(json.dumps(found).replace(name, "NAME")))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _plain(each) for key, each in value.items() if key not in OWN}
        return {key: each for key, each in kept.items() if key not in NONE or each != NONE[key]}
    return [_plain(each) for each in value] if isinstance(value, list) else value


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

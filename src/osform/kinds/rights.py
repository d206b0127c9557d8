"""Which rights a stack takes, in the words of the security plugin: the least that a plan needs, and an apply.

Found by trying: a user with none of them was given, one by one, what the server said was missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from osform.core.address import Address

Verb = Literal["plan", "status", "apply"]
LEDGER = "osform-ledger"
_ML = "cluster:admin/opensearch/ml/"

_PLAN_ALWAYS = ("cluster:monitor/main", "cluster:monitor/state", "cluster:monitor/nodes/info")
_APPLY_ALWAYS = ("indices:data/write/bulk", "indices:data/read/mget", "indices:data/read/scroll/clear")
_MODELS_PLAN = (f"{_ML}model_groups/search", f"{_ML}models/search", f"{_ML}profile/nodes", f"{_ML}predict")
_MODELS_APPLY = (
    f"{_ML}register_model", f"{_ML}register_model_meta", f"{_ML}upload_model_chunk", f"{_ML}models/get",
    f"{_ML}models/update", f"{_ML}models/delete", f"{_ML}deploy_model", f"{_ML}deploy_model_on_nodes",
    f"{_ML}undeploy_model", f"{_ML}undeploy_models", f"{_ML}tasks/get",
)  # fmt: skip
_USES = ("cluster:admin/ingest/pipeline/get", "cluster:admin/search/pipeline/get", "indices:admin/template/get")
"""Before anything is deleted, whatever might still use it is looked at."""

_PLAN: Mapping[str, tuple[str, ...]] = {
    "model_group": (f"{_ML}model_groups/search",),
    "connector": (f"{_ML}connectors/search",),
    "model": _MODELS_PLAN,
    "ingest_pipeline": ("cluster:admin/ingest/pipeline/get",),
    "search_pipeline": ("cluster:admin/search/pipeline/get",),
    "component_template": ("cluster:admin/component_template/get",),
    "index_template": ("indices:admin/index_template/get",),
}
_APPLY: Mapping[str, tuple[str, ...]] = {
    "cluster_settings": ("cluster:admin/settings/update",),
    "model_group": (
        f"{_ML}register_model_group", f"{_ML}update_model_group", f"{_ML}model_groups/get", f"{_ML}model_groups/delete",
    ),
    "connector": (
        f"{_ML}create_connector", f"{_ML}connectors/get", f"{_ML}connectors/update", f"{_ML}connectors/delete",
        *_MODELS_PLAN, *_MODELS_APPLY,
    ),
    "model": (*_MODELS_APPLY, f"{_ML}model_groups/get"),
    "ingest_pipeline": ("cluster:admin/ingest/pipeline/put", "cluster:admin/ingest/pipeline/delete"),
    "search_pipeline": ("cluster:admin/search/pipeline/put", "cluster:admin/search/pipeline/delete"),
    "stored_script": ("cluster:admin/script/put", "cluster:admin/script/delete"),
    "component_template": ("cluster:admin/component_template/put", "cluster:admin/component_template/delete"),
    "index_template": ("indices:admin/index_template/put", "indices:admin/index_template/delete"),
    "index": (
        "indices:data/write/reindex", "indices:data/read/scroll", "cluster:monitor/health",
        "cluster:monitor/task/get", "cluster:monitor/tasks/lists",
    ),
}  # fmt: skip

_LEDGER_PLAN = ("indices:data/read/search",)
_LEDGER_STATUS = ("indices:data/read/get",)
"""Who holds the lock: what ``osform history`` says of a run that is under way, and ``osform unlock``."""
_LEDGER_APPLY = (
    *_LEDGER_STATUS, "indices:admin/create", "indices:admin/mapping/put",
    "indices:data/write/index", "indices:data/write/update", "indices:data/write/delete", "indices:data/write/bulk[s]",
    "indices:data/write/delete/byquery",
)  # fmt: skip
_INDEX_PLAN = (
    "indices:admin/get", "indices:data/read/search", "indices:monitor/stats",
    "indices:admin/mappings/fields/get", "indices:admin/refresh", "indices:admin/refresh[s]",
)  # fmt: skip
"""A deletion's documents are counted, those included that no search sees yet; a copy's are estimated, and it is found
out whether a field would do without one."""
_INDEX_APPLY = (
    "indices:admin/create", "indices:admin/delete", "indices:admin/mapping/put", "indices:admin/settings/update",
    "indices:admin/aliases", "indices:admin/open", "indices:admin/close", "indices:admin/close[s]",
    "indices:data/read/get", "indices:data/write/index", "indices:data/write/delete", "indices:data/write/bulk[s]",
    "indices:admin/resize", "indices:admin/block/add", "indices:admin/block/add[s]",
)  # fmt: skip
_EVERY_PLAN = ("indices:admin/aliases/get",)
_EVERY_STATUS = ("indices:monitor/settings/get", "indices:monitor/stats")
_EVERY_APPLY = ("indices:monitor/settings/get", "indices:admin/mappings/get")
_SECURITY_KINDS = frozenset({"role", "role_mapping", "internal_user", "action_group", "tenant"})


def role(stack: Iterable[Address], verb: Verb, patterns: Iterable[str] = ()) -> dict[str, Any]:
    """The body of a role that is just enough. ``patterns`` take the place of the names of the stack's own indices."""
    addresses = sorted(set(stack))
    kinds = {address.kind for address in addresses}
    apply = verb == "apply"
    cluster = {*_PLAN_ALWAYS, *(right for kind in kinds for right in _PLAN.get(kind, ()))}
    if verb == "status":
        cluster.add("cluster:monitor/health")
    if apply:
        cluster |= {*_APPLY_ALWAYS, *_USES, *(right for kind in kinds for right in _APPLY.get(kind, ()))}
    own = list(patterns) or [
        pattern for each in addresses if each.kind in ("index", "alias") for pattern in (each.name, f"{each.name}-v*")
    ]
    on_ledger = _LEDGER_APPLY if apply else _LEDGER_STATUS if verb == "status" else ()
    permissions = [_on([LEDGER], _LEDGER_PLAN, on_ledger)]
    if own:
        permissions.append(_on(own, _INDEX_PLAN, _INDEX_APPLY if apply else ()))
    permissions.append(_on(["*"], _EVERY_PLAN, _EVERY_APPLY if apply else _EVERY_STATUS if verb == "status" else ()))
    return {"cluster_permissions": sorted(cluster), "index_permissions": permissions}


def admin_of_users(stack: Iterable[Address]) -> bool:
    """Whether the stack has users or roles: for these the plugin wants a role of its own choice, not a right."""
    return any(address.kind in _SECURITY_KINDS for address in stack)


def _on(patterns: list[str], *rights: tuple[str, ...]) -> dict[str, list[str]]:
    return {"index_patterns": patterns, "allowed_actions": sorted({each for some in rights for each in some})}

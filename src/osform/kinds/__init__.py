"""What each kind of resource means, as values: bodies in, requests out. No I/O.

A new kind is a module that satisfies ``base.Kind``, one line in ``KINDS``, its test and its changelog line.
"""

from collections.abc import Mapping

from osform.kinds import (
    action_group,
    alias,
    cluster_settings,
    component_template,
    connector,
    index,
    index_template,
    ingest_pipeline,
    internal_user,
    model,
    model_group,
    role,
    role_mapping,
    search_pipeline,
    stored_script,
    tenant,
)
from osform.kinds.base import Kind

# In the order in which kinds are made where no reference says otherwise: settings come before what they allow.
KINDS: Mapping[str, Kind] = {
    "cluster_settings": cluster_settings,
    "action_group": action_group,
    "tenant": tenant,
    "role": role,
    "internal_user": internal_user,
    "role_mapping": role_mapping,
    "model_group": model_group,
    "connector": connector,
    "model": model,
    "ingest_pipeline": ingest_pipeline,
    "search_pipeline": search_pipeline,
    "stored_script": stored_script,
    "component_template": component_template,
    "index_template": index_template,
    "index": index,
    "alias": alias,
}

__all__ = ["KINDS", "Kind"]

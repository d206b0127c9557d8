"""Stacks made by hand, and how tests look at a cluster with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.core.address import Address
from osform.core.document import Document
from osform.core.events import Event
from osform.core.plan import Plan
from osform.core.resource import Resource, StackSpec
from osform.core.state import Entry
from osform.core.values import leaves
from osform.flows.applying import Applier, Outcome
from osform.flows.looking import Eyes
from osform.flows.planning import make_plan
from osform.flows.survey import Survey

Bodies = Mapping[str, Any]
BODIES: Bodies = {
    "cluster_settings/ml": {"persistent": {"plugins.ml_commons.only_run_on_ml_node": True}},
    "model_group/encoders": {"description": "d"},
    "ingest_pipeline/clean": {"processors": [{"set": {"field": "a", "value": "b"}}]},
    "search_pipeline/hybrid": {"description": "both"},
    "index/images": {
        "settings": {
            "number_of_replicas": 0,
            "default_pipeline": "${ingest_pipeline/clean.name}",
            "index": {"search.default_pipeline": "${search_pipeline/hybrid.name}"},
        },
        "mappings": {"properties": {"title": {"type": "text"}}},
    },
}


def spec(bodies: Bodies, *, protect: frozenset[str] = frozenset(), name: str = "photos") -> StackSpec:
    """A stack of these bodies, each as if it stood in a file of its own."""
    resources = {}
    for text, body in bodies.items():
        file = f"provision/{text}.yaml"
        address = Address.parse(text)
        lines = {path[:n]: 1 for path, _ in leaves(body) for n in range(len(path) + 1)}
        resources[address] = Resource(address, body, Document(file, body, lines), file, text in protect)
    return StackSpec(name, "default", {}, resources, {})


def look(cluster: Cluster, stack: StackSpec, environ: Mapping[str, str] | None = None) -> Survey:
    state = Ledger(cluster, stack.name, stack.environment).read()
    return Survey.take(stack, state, environ or {}, Eyes(cluster))


def plan(cluster: Cluster, stack: StackSpec, environ: Mapping[str, str] | None = None) -> Plan:
    return make_plan(look(cluster, stack, environ))


def _no_bundle(model: str, sha256: str) -> Path:
    raise AssertionError("these stacks have no models")


def apply(
    cluster: Cluster,
    stack: StackSpec,
    environ: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    bundle: Callable[[str, str], Path] = _no_bundle,
) -> tuple[Outcome, list[Event]]:
    """Plan and carry out that plan, without ever waiting; what happened on the way is the second value."""
    survey = look(cluster, stack, environ)
    events: list[Event] = []
    ledger = Ledger(cluster, stack.name, stack.environment)
    applier = Applier(cluster, ledger, bundle, _stamp, events.append, sleep=lambda _: None)
    return applier.apply(make_plan(survey), survey, force=force), events


def _stamp(entry: Entry) -> Entry:
    return replace(entry, applied_by="somebody")


def shown(plan: Plan) -> list[tuple[str, str, str]]:
    """Each change as (address, action, reason)."""
    return [(str(change.address), change.action, change.reason) for change in plan.changes]

"""Can this cluster do this stack? Each finding comes with the one command or setting that helps. Nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from osform.cluster import nodes
from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.nodes import Placement
from osform.cluster.vitals import NodeVitals, Vitals, vitals
from osform.core.address import Address
from osform.flows import endpoints
from osform.flows.stack import Stack
from osform.kinds import mappings, pipelines
from osform.kinds.base import Body
from osform.kinds.rights import admin_of_users

Level = Literal["ok", "warning", "problem"]
ML = "plugins.ml_commons."
OLDEST = (2, 19)
"""The oldest OpenSearch that osform is tested on."""
_PLUGINS = {"ml": "opensearch-ml", "knn": "opensearch-knn", "neural": "opensearch-neural-search"}
_SECURITY = "opensearch-security"
_OF_NEURAL = frozenset({
    "text_chunking", "neural_query_enricher", "neural_sparse_two_phase_processor", "agentic_query_translator",
    "agentic_context", "rerank", "hybrid_score_explanation",
})  # fmt: skip
"""Processors of the neural-search plugin, besides those that embed documents or put scores together."""
_OF_ML = frozenset({"ml_inference", "question_rewrite", "retrieval_augmented_generation"})
"""Processors of ML Commons."""
_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
_ROOM = 3  # times its size: a model is stored in the index, put together on the node, and unpacked there


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at: what was found, and what to do where it isn't well."""

    topic: str
    level: Level
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """The diagnosis for programs."""
        return {"topic": self.topic, "level": self.level, "found": self.found, "remedy": self.remedy}


@dataclass(frozen=True)
class Patient:
    """A stack's bodies as they would be sent, the cluster they are meant for, and which models there are the stack's.

    ``asked`` are the cluster settings that the stack itself makes.
    """

    bodies: Mapping[Address, Body]
    vitals: Vitals
    owned: frozenset[str] = frozenset()

    @property
    def asked(self) -> dict[str, Any]:
        """The cluster settings of the stack, transient ones over persistent ones."""
        made = [body for address, body in self.bodies.items() if address.kind == "cluster_settings"]
        return {
            key: value
            for part in ("persistent", "transient")
            for body in made
            for key, value in body.get(part, {}).items()
        }

    def setting(self, key: str, default: Any = None) -> Any:
        """The value that a cluster setting will have once the stack is applied."""
        return self.asked.get(key, self.vitals.settings.get(key, default))

    def of(self, kind: str) -> dict[Address, Body]:
        """The bodies of one kind."""
        return {address: body for address, body in self.bodies.items() if address.kind == kind}

    @property
    def local_models(self) -> dict[Address, Body]:
        """The models that run on the cluster's own nodes."""
        return {each: body for each, body in self.of("model").items() if body.get("function_name") != "REMOTE"}

    @property
    def placement(self) -> Placement:
        """Where local models will be put."""
        roles = self.setting(f"{ML}task_dispatcher.eligible_node_role.local_model") or ("data", "ml")
        excluded = str(self.setting(f"{ML}exclude_nodes._name") or "")
        only = str(self.setting(f"{ML}only_run_on_ml_node", "true")) == "true"
        return Placement(only, tuple(roles), tuple(filter(None, excluded.split(","))))

    @property
    def runners(self) -> tuple[NodeVitals, ...]:
        """The nodes that local models will be put on."""
        return tuple(each for each in self.vitals.nodes if self.placement.takes(each.node))


def doctor(stack: Stack, cluster: Cluster) -> tuple[Diagnosis, ...]:
    """Look at a cluster with a stack in mind. Raises Unreachable and RequestFailed."""
    seen = vitals(cluster)  # first, since this is where a cluster that is not there is told of at once
    entries = Ledger(cluster, stack.spec.name, stack.spec.environment).read().entries.values()
    owned = frozenset(entry.ids["model_id"] for entry in entries if "model_id" in entry.ids)
    return diagnose(Patient(stack.render(), seen, owned))


def diagnose(patient: Patient) -> tuple[Diagnosis, ...]:
    """Everything that can be said, in the order in which it would stop an apply."""
    looks = (_version, _health, _plugins, _settings, _runners, _memory, _disk, _many, _vectors, _replicas)
    found = [each for look in looks for each in look(patient)]
    return (
        *found,
        *(Diagnosis("connectors", *each) for each in endpoints.look(patient.of("connector"), patient.setting)),
    )


def _version(patient: Patient) -> Iterator[Diagnosis]:
    seen = patient.vitals
    number = tuple(int(part) for part in re.findall(r"\d+", seen.version)[:2])
    if seen.distribution != "opensearch":
        yield Diagnosis(
            "version", "problem", f"{seen.version}, which is no OpenSearch", "--cluster URL of an OpenSearch"
        )
    elif number < OLDEST:
        found = f"OpenSearch {seen.version}, older than any that osform is tested on"
        yield Diagnosis("version", "warning", found, "2.19 or later")
    else:
        yield Diagnosis("version", "ok", f"OpenSearch {seen.version}")
    versions = sorted({each.version for each in seen.nodes})
    if len(versions) > 1:
        found = f"nodes of different versions: {', '.join(versions)}"
        yield Diagnosis("version", "warning", found, "finish the upgrade before you apply")


def _health(patient: Patient) -> Iterator[Diagnosis]:
    health = patient.vitals.health
    if health == "red":
        yield Diagnosis("health", "problem", "red: shards are missing", "GET _cluster/allocation/explain says why")
    else:
        yield Diagnosis("health", "ok", health)


def _plugins(patient: Patient) -> Iterator[Diagnosis]:
    needed = sorted(_needed(patient))
    missing = [
        (plugin, each.node.name) for plugin in needed for each in patient.vitals.nodes if plugin not in each.plugins
    ]
    for plugin, node in missing:
        remedy = f"on {node}: bin/opensearch-plugin install {plugin}, then restart the node"
        yield Diagnosis("plugins", "problem", f"{plugin} is not on {node}", remedy)
    if needed and not missing:
        yield Diagnosis("plugins", "ok", ", ".join(needed))


def _needed(patient: Patient) -> set[str]:
    needed = {_PLUGINS["ml"]} if any(patient.of(kind) for kind in ("model_group", "model", "connector")) else set()
    if any(True for _ in _vector_fields(patient)):
        needed.add(_PLUGINS["knn"])
    hybrid = any("phase_results_processors" in body for body in patient.of("search_pipeline").values())
    if hybrid or any(pipelines.embeds(body) for body in patient.of("ingest_pipeline").values()):
        needed |= set(_PLUGINS.values())
    bodies = [body for kind in ("ingest_pipeline", "search_pipeline") for body in patient.of(kind).values()]
    used = {each for body in bodies for each in pipelines.processors(body)}
    if used & _OF_NEURAL:
        needed |= {_PLUGINS["neural"], _PLUGINS["knn"]}  # the one is built on the other
    if used & _OF_ML:
        needed.add(_PLUGINS["ml"])
    return needed | ({_SECURITY} if admin_of_users(patient.bodies) else set())


def _settings(patient: Patient) -> Iterator[Diagnosis]:
    for key, why in _must_be_on(patient):
        now, then = patient.vitals.settings.get(key), patient.setting(key)
        if now is None and key not in patient.asked:
            continue  # this version has no such setting
        if str(then).lower() == "true":
            by = "" if str(now).lower() == "true" else ", by the stack's own cluster_settings"
            yield Diagnosis("settings", "ok", f"{key}: true{by}")
        else:
            where = "the stack itself sets" if key in patient.asked else "the cluster has"
            remedy = f"in a file of provision/cluster_settings/: persistent: {{{key}: true}}"
            yield Diagnosis("settings", "problem", f"{where} {key}: {then}, and {why}", remedy)


def _must_be_on(patient: Patient) -> Iterator[tuple[str, str]]:
    models = patient.of("model").values()
    if any(body.get("model") for body in models):
        yield f"{ML}allow_registering_model_via_local_file", "packaged models are uploaded in chunks"
    if any(body.get("url") for body in models):
        yield f"{ML}allow_registering_model_via_url", "a model is to be fetched by its URL"
    if patient.local_models:
        yield f"{ML}local_model.enabled", "models are to run on the cluster's own nodes"
    if patient.of("connector"):
        yield f"{ML}remote_inference.enabled", "connectors ask models elsewhere"


def _runners(patient: Patient) -> Iterator[Diagnosis]:
    if not patient.local_models:
        return
    if patient.runners:
        yield Diagnosis("ML nodes", "ok", ", ".join(str(each.node) for each in patient.runners))
        return
    placement = patient.placement
    there = ", ".join(str(each.node) for each in patient.vitals.nodes)
    found = f"no node can run a model: {nodes.what_is_asked(placement)}; there is only {there}"
    yield Diagnosis("ML nodes", "problem", found, nodes.remedy(placement))


def _memory(patient: Patient) -> Iterator[Diagnosis]:
    most = int(float(patient.setting(f"{ML}jvm_heap_memory_threshold", 85)))
    native = int(float(patient.setting(f"{ML}native_memory_threshold", 90)))
    size = sum(body.get("model_content_size_in_bytes") or 0 for body in patient.local_models.values())
    for each in patient.runners if patient.local_models else ():
        name = each.node.name
        if each.heap_percent is not None and each.heap_percent >= most < 100:
            found = f"{name}: {each.heap_percent} % of the heap is in use, and ML Commons refuses work from {most} % on"
            yield Diagnosis("memory", "problem", found, f"give {name} more heap (-Xmx in jvm.options)")
        elif each.memory_beside_heap is not None and size > each.memory_beside_heap:
            found = f"{name}: {_size(size)} of models, and {_size(each.memory_beside_heap)} of memory beside the heap"
            yield Diagnosis("memory", "problem", found, "nodes with more memory, or smaller models")
        elif each.memory_percent is not None and each.memory_percent >= native < 100:
            found = f"{name}: {each.memory_percent} % of memory is in use, page cache included; the limit is {native} %"
            yield Diagnosis("memory", "warning", found, f"persistent: {{{ML}native_memory_threshold: 100}}")
        else:
            yield Diagnosis(
                "memory", "ok", f"{name}: {each.heap_percent} % of the heap in use, {_size(size)} of models"
            )


def _disk(patient: Patient) -> Iterator[Diagnosis]:
    key = f"{ML}disk_free_space_threshold"
    least = _bytes(patient.setting(key, "5gb"))
    largest = max((b.get("model_content_size_in_bytes") or 0 for b in patient.local_models.values()), default=0)
    for each in patient.runners if patient.local_models else ():
        name, free = each.node.name, each.disk_free
        if free is None:
            continue
        if least is not None and free < least:
            found = f"{name}: {_size(free)} free on disk, and ML Commons refuses work below {_size(least)}"
            yield Diagnosis("disk", "problem", found, f"make room on {name}, or persistent: {{{key}: 1gb}}")
        elif free < _ROOM * largest:
            found = (
                f"{name}: {_size(free)} free on disk, and deploying the largest model takes {_size(_ROOM * largest)}"
            )
            yield Diagnosis("disk", "problem", found, f"make room on {name}")
        else:
            yield Diagnosis("disk", "ok", f"{name}: {_size(free)} free")


def _many(patient: Patient) -> Iterator[Diagnosis]:
    key = f"{ML}max_model_on_node"
    most, wanted = int(patient.setting(key, 10)), len(patient.local_models)
    for each in patient.runners if wanted else ():
        others = len(each.models - patient.owned)
        if others + wanted > most:
            found = f"{each.node.name}: {wanted} models of this stack beside {others} others, and at most {most} a node"
            yield Diagnosis("models", "problem", found, f"persistent: {{{key}: {others + wanted}}}")
        else:
            yield Diagnosis("models", "ok", f"{each.node.name}: {others + wanted} of at most {most} models")


def _vector_fields(patient: Patient) -> Iterator[tuple[Address, str, str]]:
    """Each vector field of indices and templates, with its engine."""
    for address, body in patient.bodies.items():
        for path, field in mappings.vectors_of(body):
            yield address, ".".join(map(str, path[path.index("mappings") + 2 :: 2])), mappings.engine(field)


def _vectors(patient: Patient) -> Iterator[Diagnosis]:
    local = any(each.node.attributes.get("osform_local") for each in patient.vitals.nodes)
    remedy = "write method: {name: hnsw, engine: lucene}"
    for address, field, engine in _vector_fields(patient):
        if local and engine != "lucene":
            found = f"{address} {field}: engine {engine}, and the local cluster's k-NN plugin can only do lucene"
            yield Diagnosis("vectors", "problem", found, remedy)
        elif engine == "nmslib" and not patient.vitals.version.startswith(("1.", "2.")):
            yield Diagnosis("vectors", "problem", f"{address} {field}: engine nmslib, gone since OpenSearch 3", remedy)


def _replicas(patient: Patient) -> Iterator[Diagnosis]:
    holders = sum("data" in each.node.roles for each in patient.vitals.nodes)
    for address, body in patient.of("index").items():
        settings = body.get("settings", {})
        replicas = str(settings.get("index.number_of_replicas", 1))
        if str(settings.get("index.auto_expand_replicas", "false")).lower() != "false":
            continue  # the cluster makes as many as there are nodes for
        if replicas.isdigit() and int(replicas) >= holders:
            found = f"{address}: {replicas} replicas and {holders} data nodes, so the index stays yellow"
            yield Diagnosis(
                "replicas", "warning", found, f"number_of_replicas: {max(0, holders - 1)}, or more data nodes"
            )


def _bytes(text: Any) -> int | None:
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([kmgt]?b)", str(text).lower())
    return int(float(match[1]) * _UNITS[match[2]]) if match else None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"

"""What is live on a cluster and belongs to no stack: every resource that a file could ask for, as that file's body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.ledger import INDEX
from osform.core.address import Address
from osform.core.document import Path
from osform.core.refs import EnvRef, escaped, resolve
from osform.core.request import Request
from osform.core.resource import StackSpec
from osform.core.state import Entry, State
from osform.core.values import Unknown, replaced
from osform.flows.finding_connectors import Mixed, connector, variables
from osform.flows.looking import Eyes
from osform.flows.resolving import context_of
from osform.kinds import KINDS, consistency, mappings, ml, pipelines
from osform.kinds.index import BY_THE_SERVER, VOLATILE, expands
from osform.kinds.model import KEPT
from osform.kinds.settings import PIPELINES
from osform.kinds.vectors import unmarked

_MOST = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Kinds whose names on the server are free to choose, since an id says which is meant.
_BY_ID = frozenset({"model", "model_group", "connector"})
# Set by plugins themselves, on every cluster.
_NOBODYS = ("plugins.index_state_management.template_migration.",)


@dataclass(frozen=True)
class Found:
    """One resource that is live: the body of its file, ids still in it, and what the server calls it."""

    body: Mapping[str, Any]
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Inventory:
    """Everything that may be imported, by the address that its file would have; a sentence for what can't be.

    ``ids`` says which resource an id stands for, those of this stack's own too.
    """

    spec: StackSpec
    state: State
    found: dict[Address, Found] = field(default_factory=dict)
    ids: dict[str, Address] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def body(self, address: Address, there: set[Address]) -> dict[str, Any]:
        """The body with references in place of ids and names, to what will be ``there``."""
        # The server's name is the file's, where nothing else is said.
        own = ("name", address.name if address.kind in _BY_ID else None)
        body = escaped({key: value for key, value in self.found[address].body.items() if (key, value) != own})
        body = _replaced(body, lambda path, leaf: self._reference(address.kind, path, leaf, there), ())
        if address.kind == "index":
            self._refer_dimensions(address, body, there)
        assert isinstance(body, dict)
        return body

    def secrets(self, address: Address) -> dict[str, Path]:
        """The variables of the environment that a resource's file asks for, each with a place where it does."""
        return dict(variables(self.found[address].body))

    def _reference(self, kind: str, path: Path, leaf: str, there: set[Address]) -> str:
        for word in KINDS[kind].PASSED:
            leaf = leaf.replace(f"$${{{word}.", f"${{{word}.")
        target = self.ids.get(leaf)
        if target in there and target is not None:
            return f"${{{target}.{target.kind}_id}}"
        named = _named(kind, path)
        if named and Address(named, leaf) in there:
            return f"${{{named}/{leaf}.name}}"
        return leaf

    def _refer_dimensions(self, address: Address, body: dict[str, Any], there: set[Address]) -> None:
        """Take the dimension of each vector that a pipeline fills from the model that fills it."""
        name = self.found[address].body.get("settings", {}).get("index", {}).get("default_pipeline")
        pipeline = self.found.get(Address("ingest_pipeline", str(name)))
        vectors = dict(mappings.vectors(body.get("mappings", {})))
        for options in consistency.embeddings(pipeline.body) if pipeline else ():
            model = self.ids.get(str(options.get("model_id")))
            for _, target in pipelines.pairs(options.get("field_map")):
                field_ = vectors.get(mappings.field_path(target))
                if model in there and isinstance(field_, dict) and field_.get("dimension") == self._dimension(model):
                    field_["dimension"] = f"${{{model}.dimension}}"

    def _dimension(self, model: Address | None) -> int | None:
        body = self.found[model].body if model in self.found else {}
        packaged = self.spec.models.get(str(body.get("model")))
        return packaged.lock.dimension if packaged and packaged.lock else None


def take_inventory(eyes: Eyes, spec: StackSpec, state: State) -> Inventory:
    """Look at everything on the cluster that belongs to nobody; raises Unreachable and RequestFailed."""
    inventory = Inventory(spec, state)
    owned = _Owned.of(state)
    for entry in state.entries.values():
        inventory.ids |= {value: entry.address for key, value in entry.ids.items() if key == f"{entry.address.kind}_id"}
    for kind, look in _LOOKS.items():
        if kind not in KINDS:
            continue
        for name, found in look(eyes, inventory):
            address = _free(Address(kind, name), inventory)
            if (kind != "cluster_settings" and owned.has(kind, name, found.ids)) or name.startswith("."):
                continue
            if sentence := _unfit(address, found, spec):
                inventory.skipped.append(sentence)
                continue
            inventory.found[address] = found
            inventory.ids |= {value: address for key, value in found.ids.items() if key == f"{kind}_id"}
    return inventory


@dataclass(frozen=True)
class _Owned:
    """What ledgers say that somebody has: by address, by what the server calls it, and copies of pipelines."""

    names: frozenset[Address]
    ids: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, state: State) -> _Owned:
        entries: list[Entry] = [*state.entries.values(), *(entry for _, entry in state.others)]
        copies = {
            Address(entry.address.kind, copy)
            for entry in entries
            for copy in entry.ids.get("copies", "").split(",")
            if copy
        }
        ids = {(entry.address.kind, value) for entry in entries for value in entry.ids.values()}
        named = {entry.address for entry in entries if entry.address.kind not in _BY_ID}
        return cls(frozenset(named | copies), frozenset(ids))

    def has(self, kind: str, name: str, ids: Mapping[str, str]) -> bool:
        return Address(kind, name) in self.names or any((kind, value) in self.ids for value in ids.values())


def _free(address: Address, inventory: Inventory) -> Address:
    """The address, with a number behind it where two resources of the server have one name."""
    number, name = 1, address.name
    taken = inventory.spec.resources if address.kind in _BY_ID or address.kind == "cluster_settings" else {}
    while (free := Address(address.kind, name)) in inventory.found or free in taken:
        number += 1
        name = f"{address.name}-{number}"
    return free


def _unfit(address: Address, found: Found, spec: StackSpec) -> str | None:
    """Why there can be no file of it."""
    if not _NAME.fullmatch(address.name):
        return f"{address} is left out: a file can't have this name"
    if alien := sorted(found.body.keys() - KINDS[address.kind].KEYS):
        return f"{address} is left out: osform doesn't know its {', '.join(alien)}"
    body = resolve(escaped(dict(found.body)), lambda ref: Unknown(str(ref)), KINDS[address.kind].PASSED)
    body = replaced(body, lambda leaf: Unknown(str(leaf)) if isinstance(leaf, EnvRef | Mixed) else leaf)
    for finding in KINDS[address.kind].check(address.name, body, context_of(spec, {})):
        return f"{address} is left out: {'.'.join(map(str, finding.path))}: {finding.message}"
    return None


def _named(kind: str, path: Path) -> str | None:
    """The kind of what a text names by its place: a pipeline in an index's settings, a template's component."""
    words = ".".join(map(str, path))
    if kind in ("index", "index_template", "component_template") and "settings" in path:
        if words.endswith("search.default_pipeline"):
            return "search_pipeline"
        return "ingest_pipeline" if words.endswith((".default_pipeline", ".final_pipeline")) else None
    if kind == "index_template" and path[:1] == ("composed_of",):
        return "component_template"
    return "ingest_pipeline" if kind == "ingest_pipeline" and path[-2:] == ("pipeline", "name") else None


def _replaced(value: Any, leaf: Callable[[Path, str], str], path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, leaf, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, leaf, (*path, number)) for number, item in enumerate(value)]
    if isinstance(value, Mixed):
        return "".join(_replaced(escaped(piece), leaf, path) for piece in value.pieces)
    if isinstance(value, EnvRef):
        return str(value)
    return leaf(path, value) if isinstance(value, str) else value


def _slug(name: str) -> str:
    """A name of the server as a file's: ``sentence-transformers/all-MiniLM-L6-v2`` is ``all-minilm-l6-v2``."""
    return re.sub(r"[^a-z0-9_.-]+", "-", name.rpartition("/")[2].lower()).strip("-.") or "unnamed"


def _settings(eyes: Eyes, inventory: Inventory) -> Iterator[tuple[str, Found]]:
    answer = eyes.get(Request("GET", "/_cluster/settings", params={"flat_settings": "true"})) or {}
    entries = [*inventory.state.entries.values(), *(entry for _, entry in inventory.state.others)]
    settings = [entry.asked for entry in entries if entry.address.kind == "cluster_settings"]
    body = {
        part: {
            key: plain(value)
            for key, value in answer.get(part, {}).items()
            if not key.startswith(_NOBODYS) and not any(key in asked.get(part, {}) for asked in settings)
        }
        for part in ("persistent", "transient")
    }
    if kept := {part: keys for part, keys in body.items() if keys}:
        yield "cluster", Found(kept)


def _groups(eyes: Eyes, _: Inventory) -> Iterator[tuple[str, Found]]:
    for hit in _hits(eyes.get(ml.all_groups(size=1000))):
        source = hit["_source"]
        name = _slug(source["name"])
        body = {key: source[key] for key in ("name", "description", "backend_roles") if source.get(key)}
        if source.get("access") not in (None, "public"):
            body["access_mode"] = source["access"]
        yield name, Found(body, {"model_group_id": hit["_id"]})


def _models(eyes: Eyes, inventory: Inventory) -> Iterator[tuple[str, Found]]:
    for hit in _hits(eyes.get(ml.all_models(size=_MOST))):
        source, name = hit["_source"], _slug(hit["_source"].get("name", ""))
        if source.get("is_hidden") or source.get("model_state") == "REGISTERING":
            continue
        came = _origin(source, inventory.spec)
        if came is None:
            hash_ = str(source.get("model_content_hash_value"))[:12]
            inventory.skipped.append(
                f"model/{name} is left out: its bytes can't be read back from a cluster, and no lock.yaml of models/ "
                f"has the hash {hash_}; what uses it names its id {hit['_id']}"
            )
            continue
        kept = {key: source[key] for key in sorted(KEPT) if source.get(key) not in (None, {}, "")}
        kept = {key: value for key, value in kept.items() if (key, value) != ("is_enabled", True)}
        body = {**came, "group": source.get("model_group_id"), **kept}
        yield name, Found(body, {"model_id": hit["_id"]})


def _origin(source: Mapping[str, Any], spec: StackSpec) -> dict[str, Any] | None:
    """Where a model comes from, as its file says it."""
    if source.get("connector_id") and "connector" in KINDS:
        return {"connector": source["connector_id"]}
    for packaged in spec.models.values():
        for bundle in packaged.lock.bundles if packaged.lock else ():
            if bundle.sha256 == source.get("model_content_hash_value"):
                return {"model": packaged.name, "format": bundle.format, "precision": bundle.precision}
    return None


def _connectors(eyes: Eyes, _: Inventory) -> Iterator[tuple[str, Found]]:
    taken: dict[str, str | None] = {}
    for hit in _hits(eyes.get(ml.all_connectors(size=_MOST))):
        body = connector(hit["_source"], taken)
        yield _slug(hit["_source"].get("name", "")), Found(body, {"connector_id": hit["_id"]})


def _pipelines(path: str) -> Callable[[Eyes, Inventory], Iterator[tuple[str, Found]]]:
    def look(eyes: Eyes, _: Inventory) -> Iterator[tuple[str, Found]]:
        stored = eyes.get(Request("GET", path)) or {}
        for name, body in stored.items():
            copied = re.fullmatch(r"(.+)-v[1-9][0-9]*", name)
            if copied is None or stored.get(copied[1]) != body:
                yield name, Found(body)

    return look


def _templates(kind: str) -> Callable[[Eyes, Inventory], Iterator[tuple[str, Found]]]:
    def look(eyes: Eyes, _: Inventory) -> Iterator[tuple[str, Found]]:
        for each in (eyes.get(Request("GET", f"/_{kind}")) or {}).get(f"{kind}s", []):
            body = {key: value for key, value in each[kind].items() if value not in ([], {})}
            yield each["name"], Found(body)

    return look


def _scripts(eyes: Eyes, _: Inventory) -> Iterator[tuple[str, Found]]:
    request = Request("GET", "/_cluster/state/metadata", params={"filter_path": "metadata.stored_scripts"})
    stored = (eyes.get(request) or {}).get("metadata", {}).get("stored_scripts", {})
    for name, script in stored.items():
        options = {key: value for key, value in script.get("options", {}).items() if key != "content_type"}
        kept = {key: value for key, value in script.items() if key != "options"}
        yield name, Found({"script": kept | ({"options": options} if options else {})})


def _indices(eyes: Eyes, inventory: Inventory) -> Iterator[tuple[str, Found]]:
    params = {"flat_settings": "true", "expand_wildcards": "open"}
    for index, stored in (eyes.get(Request("GET", "/_all", params=params)) or {}).items():
        if index == INDEX or stored["settings"].get("index.hidden") == "true" or stored.get("data_stream"):
            continue
        aliases = dict(stored.get("aliases", {}))
        behind = re.fullmatch(r"(.+)-v[1-9][0-9]*", index)
        alone = behind and Address("index", behind[1]) not in inventory.found
        name = behind[1] if behind and alone and behind[1] in aliases else index
        aliases.pop(name, None)
        settings = {
            key.removeprefix("index."): plain(value)
            for key, value in stored["settings"].items()
            if BY_THE_SERVER.get(key) != value and not key.startswith(VOLATILE)
        }
        if expands(stored["settings"]):
            settings.pop("number_of_replicas", None)
        for setting, kind in PIPELINES:
            # osform's own copy of a pipeline, made for this index before the ledger was lost.
            key = setting.removeprefix("index.")
            copied = re.fullmatch(r"(.+)-v[1-9][0-9]*", str(settings.get(key, "")))
            alike = copied and Address(kind, copied[0]) not in inventory.found
            if copied and alike and Address(kind, copied[1]) in inventory.found:
                settings[key] = copied[1]
        body: dict[str, Any] = {"settings": {"index": settings}} if settings else {}
        body |= {"aliases": aliases} if aliases else {}
        yield name, Found(body | {"mappings": unmarked(stored.get("mappings", {}))}, {"index": index})


def plain(value: Any) -> Any:
    """A setting as a person would write it: the server gives numbers and switches back as text."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", value) else value


def _hits(answer: Any) -> list[Any]:
    return list((answer or {}).get("hits", {}).get("hits", []))


# In the order in which references need them: an id is known before what names it is looked at.
_LOOKS: Mapping[str, Callable[[Eyes, Inventory], Iterator[tuple[str, Found]]]] = {
    "cluster_settings": _settings,
    "model_group": _groups,
    "connector": _connectors,
    "model": _models,
    "ingest_pipeline": _pipelines("/_ingest/pipeline"),
    "search_pipeline": _pipelines("/_search/pipeline"),
    "stored_script": _scripts,
    "component_template": _templates("component_template"),
    "index_template": _templates("index_template"),
    "index": _indices,
}

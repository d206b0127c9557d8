"""What resources must agree on: a model's dimension and space along pipelines, field map and mapping; and names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

from osform.core.address import Address
from osform.core.globs import overlap
from osform.core.refs import OutputRef, parse
from osform.core.values import Unknown, leaves
from osform.kinds import index_template, mappings, pipelines
from osform.kinds.base import Body, Finding
from osform.kinds.settings import flat

# What fills a knn_vector named in its field map, and what weights of tokens; others name the target elsewhere.
_DENSE = frozenset({"text_embedding"})
_SPARSE = frozenset({"sparse_encoding"})
_OF_WEIGHTS = ("rank_features", "sparse_vector")
# The function that a processor asks of its model.
_FUNCTIONS = {"text_embedding": "TEXT_EMBEDDING", "sparse_encoding": "SPARSE_ENCODING"}
_PROMISES = frozenset({"dimension", "max_length", "space_type", "sha256"})


def check(
    bodies: Mapping[Address, Body], known: Mapping[Address, Mapping[str, Any]]
) -> Iterator[tuple[Address, Finding]]:
    """Every disagreement, with the resource whose file shows it. ``known`` are the outputs known without a cluster."""
    yield from _rivals(bodies)
    for address, body in bodies.items():
        yield from ((address, finding) for finding in _clash(address, bodies))
        yield from ((address, finding) for finding in _never_known(body, bodies, known))
        yield from ((address, finding) for finding in _functions(address, body, known))
        if address.kind == "index" and isinstance(body.get("settings"), dict):
            settings = flat(body["settings"], "index.")
            name = settings.get("index.default_pipeline")
            pipeline = bodies.get(Address("ingest_pipeline", str(name)))
            if pipeline is not None and isinstance(body.get("mappings"), dict):
                for finding in _index(body["mappings"], pipeline, str(name), known):
                    yield address, finding
            search = Address("search_pipeline", str(settings.get("index.search.default_pipeline")))
            if pipeline is not None and search in bodies:
                yield from ((search, finding) for finding in _question(bodies[search], pipeline, address))


def _rivals(bodies: Mapping[Address, Body]) -> Iterator[tuple[Address, Finding]]:
    """Index templates of one priority that an index could match both of: the server refuses the second."""
    templates = sorted(address for address in bodies if address.kind == "index_template")
    for one, other in combinations(templates, 2):
        priority = bodies[other].get("priority", 0)
        if bodies[one].get("priority", 0) == priority:
            for here, there in product(index_template.patterns(bodies[one]), index_template.patterns(bodies[other])):
                if isinstance(here, str) and isinstance(there, str) and overlap(here, there):
                    message = f"{there!r} and {here!r} of {one} are of one priority, {priority}"
                    yield other, Finding(("index_patterns",), message, "give one of the two another priority")
                    break


def _never_known(
    body: Body, bodies: Mapping[Address, Body], known: Mapping[Address, Mapping[str, Any]]
) -> Iterator[Finding]:
    """References to what a model that osform doesn't package could promise and doesn't: no apply would ever tell."""
    for path, value in leaves(body):
        for piece in parse(value.text) if isinstance(value, Unknown) else ():
            if not isinstance(piece, OutputRef) or piece.address.kind != "model" or piece.address not in bodies:
                continue
            promised = known.get(piece.address, {})
            if piece.output not in _PROMISES - promised.keys():
                continue
            if "model" not in bodies[piece.address]:
                hint = f"write it out, or add model_config to provision/{piece.address}.yaml"
                yield Finding(path, f"{piece}: the model doesn't say its {piece.output}", hint)
            elif promised:  # else it was never exported, which is said elsewhere
                message = f"{piece}: a {promised['function_name']} model has no {piece.output}"
                yield Finding(path, message, "vectors for k-NN are made by a TEXT_EMBEDDING model")


def _functions(address: Address, body: Body, known: Mapping[Address, Mapping[str, Any]]) -> Iterator[Finding]:
    """Processors with a model that does something else than they ask of it."""
    asked: list[tuple[tuple[str | int, ...], Any, str]] = []
    if address.kind == "ingest_pipeline":
        for number, processor in enumerate(_listed(body, "processors")):
            for kind, function in _FUNCTIONS.items():
                asked.append((("processors", number, kind), processor.get(kind), function))
    if address.kind == "search_pipeline":
        for number, processor in enumerate(_listed(body, "response_processors")):
            rerank = processor.get("rerank")
            options = rerank.get("ml_opensearch") if isinstance(rerank, dict) else None
            asked.append((("response_processors", number, "rerank", "ml_opensearch"), options, "TEXT_SIMILARITY"))
    for path, options, function in asked:
        model = model_of(options) if isinstance(options, dict) else None
        found = known.get(model, {}).get("function_name") if model else None
        if found is not None and found != function:
            message = f"{model} is a {found} model, expected {function}"
            yield Finding((*path, "model_id"), message, f"name a model whose function_name is {function.lower()}")


def _listed(body: Body, key: str) -> list[Mapping[str, Any]]:
    listed = body.get(key, [])
    return [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []


def _clash(address: Address, bodies: Mapping[Address, Body]) -> Iterator[Finding]:
    # images-v1 is what osform itself calls the index behind the alias images, and a pipeline's copy likewise.
    name = re.fullmatch(r"(.+)-v[0-9]+", address.name)
    versioned = {"index": "index", "alias": "index", "ingest_pipeline": "ingest_pipeline"}.get(address.kind)
    other = Address(versioned, name[1]) if name and versioned else None
    if other in bodies:
        yield Finding((), f"{address.name!r} is a name that osform gives to a version of {other}", "rename the file")
    if address.kind == "alias" and Address("index", address.name) in bodies:
        yield Finding((), f"index/{address.name} is an alias of this name itself", "rename one of the two files")
    aliases = bodies[address].get("aliases") if address.kind == "index" else None
    for alias in aliases if isinstance(aliases, dict) else ():
        if Address("alias", alias) in bodies:
            hint = f"leave it out here: alias/{alias} says which indices it is on"
            yield Finding(("aliases", alias), f"alias/{alias} is a resource of its own", hint)


def _index(mapping: Body, pipeline: Body, name: str, known: Mapping[Address, Mapping[str, Any]]) -> Iterator[Finding]:
    vectors = dict(mappings.vectors(mapping))
    for options in embeddings(pipeline, _DENSE):
        model = model_of(options)
        for _, target in pipelines.pairs(options.get("field_map")):
            path = mappings.field_path(target)
            if path in vectors:
                promised = known.get(model, {}) if model else {}
                for finding in _vector(vectors[path], model, promised):
                    yield Finding(("mappings", *path, *finding.path), finding.message, finding.hint)
                continue
            hint = f"add {target}: {{type: knn_vector, dimension: {_reference(model)}}}"
            yield Finding(("mappings", *path), f"no knn_vector {target!r}, which ingest_pipeline/{name} fills", hint)
    for options in embeddings(pipeline, _SPARSE):
        for _, target in pipelines.pairs(options.get("field_map")):
            path = mappings.field_path(target)
            if _type(mapping, path) not in _OF_WEIGHTS:
                message = f"no rank_features {target!r}, which ingest_pipeline/{name} fills"
                yield Finding(("mappings", *path), message, f"add {target}: {{type: rank_features}}")


def _type(mapping: Body, path: tuple[str | int, ...]) -> Any:
    found: Any = mapping
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found.get("type") if isinstance(found, dict) else None


def _vector(field: Body, model: Address | None, promised: Mapping[str, Any]) -> Iterator[Finding]:
    found, dimension = field.get("dimension"), promised.get("dimension")
    if isinstance(found, int) and dimension is not None and found != dimension:
        yield Finding(("dimension",), f"{found}, but {model} gives {dimension}", f"write {_reference(model)}")
    wanted = promised.get("space_type")
    method = field.get("method")
    path = ("method", "space_type") if isinstance(method, dict) and "space_type" in method else ("space_type",)
    space = method["space_type"] if isinstance(method, dict) and "space_type" in method else field.get("space_type")
    if wanted is not None and isinstance(space, str) and space not in promised.get("spaces", {wanted}):
        message = f"{space!r}, but the vectors of {model} are compared by {wanted}"
        yield Finding(path, message, f"write space_type: ${{{model}.space_type}}")


def _question(search: Body, pipeline: Body, index: Address) -> Iterator[Finding]:
    """A search pipeline that embeds questions with another model than the index's documents."""
    documents = {model_of(options) for options in embeddings(pipeline)} - {None}
    processors = search.get("request_processors", [])
    for number, processor in enumerate(processors if isinstance(processors, list) else ()):
        options = processor.get("neural_query_enricher") if isinstance(processor, dict) else None
        model = model_of({"model_id": options.get("default_model_id")}) if isinstance(options, dict) else None
        if model is not None and documents and model not in documents:
            message = f"{model}, but {index} has vectors of {', '.join(sorted(map(str, documents)))}"
            path = ("request_processors", number, "neural_query_enricher", "default_model_id")
            yield Finding(path, message, "ask with the model that embedded the documents")


def embeddings(pipeline: Body, kinds: frozenset[str] = pipelines.EMBEDDING) -> Iterator[Mapping[str, Any]]:
    """The options of each processor that makes vectors, or of those of some kinds."""
    for processor in pipeline.get("processors", []):
        for kind in sorted(kinds & processor.keys()) if isinstance(processor, dict) else ():
            if isinstance(processor[kind], dict):
                yield processor[kind]


def model_of(options: Mapping[str, Any]) -> Address | None:
    """The model of this stack that a processor refers to, or None where the id is written out."""
    return reference(options.get("model_id"))


def reference(value: Any) -> Address | None:
    """The resource that a value refers to, where it is nothing but a reference to an output."""
    text = value.text if isinstance(value, Unknown) else value
    pieces = parse(text) if isinstance(text, str) else []
    return pieces[0].address if len(pieces) == 1 and isinstance(pieces[0], OutputRef) else None


def _reference(model: Address | None) -> str:
    return f"${{{model}.dimension}}" if model else "${model/NAME.dimension}"

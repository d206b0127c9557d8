"""What resources must agree on: a model's dimension and space along pipelines, field map and mapping; and names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

from osform.core.address import Address
from osform.core.diff import ABSENT, value_at
from osform.core.document import Path
from osform.core.globs import overlap
from osform.core.refs import OutputRef, parse
from osform.core.values import Unknown, leaves
from osform.kinds import index_template, mappings, pipelines
from osform.kinds.base import Body, Finding
from osform.kinds.settings import flat

_SPARSE = frozenset({"sparse_encoding"})
_CHUNKING = frozenset({"text_chunking"})
_OF_WEIGHTS = ("rank_features", "sparse_vector")
# Of a list of texts a processor makes a list of objects, each with its vector under this key.
_IN_LISTS = {"text_embedding": "knn", "sparse_encoding": "sparse_encoding"}
# The function that a processor asks of its model.
_FUNCTIONS = {"text_embedding": "TEXT_EMBEDDING", "sparse_encoding": "SPARSE_ENCODING"}
_PROMISES = frozenset({"dimension", "max_length", "space_type", "sha256"})
_SAME = "ask with the model that embedded the documents"


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
                mapping = mappings.unfolded(body["mappings"])
                found = _index(mapping, pipeline, str(name), known)
                if _templated(address, bodies):  # what is missing here may be in the template, or in a part of it
                    found = (each for each in found if value_at({"mappings": mapping}, each.path) is not ABSENT)
                yield from ((address, finding) for finding in found)
            search = Address("search_pipeline", str(settings.get("index.search.default_pipeline")))
            if search in bodies:
                yield from _question(search, address, bodies, pipeline or {}, known)


def _templated(index: Address, bodies: Mapping[Address, Body]) -> bool:
    """Whether a template of the stack is for this index, and may add to its mapping."""
    templates = (body for address, body in bodies.items() if address.kind == "index_template")
    patterns = (each for body in templates for each in index_template.patterns(body) if isinstance(each, str))
    return any(overlap(f"{index.name}-v*", each) for each in patterns)


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
    for model, target, path in _filled(mapping, pipeline, "text_embedding"):
        if path in vectors:
            promised = known.get(model, {}) if model else {}
            for finding in _vector(vectors[path], model, promised):
                yield Finding(("mappings", *path, *finding.path), finding.message, finding.hint)
            continue
        message = f"no knn_vector {mappings.field(path)!r}, which ingest_pipeline/{name} fills"
        field = f"{{type: knn_vector, dimension: {_reference(model)}}}"
        yield Finding(("mappings", *path), message, _to_add(target, path, field))
    for _, target, path in _filled(mapping, pipeline, "sparse_encoding"):
        if mappings.type_at(mapping, path) not in _OF_WEIGHTS:
            message = f"no rank_features {mappings.field(path)!r}, which ingest_pipeline/{name} fills"
            yield Finding(("mappings", *path), message, _to_add(target, path, "{type: rank_features}"))


def _filled(mapping: Body, pipeline: Body, kind: str) -> Iterator[tuple[Address | None, str, Path]]:
    """What processors of a kind fill: the model, the target of the field map, and where below the mapping that is."""
    chunks = {
        target for options in embeddings(pipeline, _CHUNKING) for _, target in pipelines.pairs(options.get("field_map"))
    }
    for options in embeddings(pipeline, frozenset({kind})):
        for source, target in pipelines.pairs(options.get("field_map")):
            path = mappings.field_path(target)
            if source in chunks or mappings.type_at(mapping, path) == "nested":
                path = (*path, "properties", _IN_LISTS[kind])
            yield model_of(options), target, path


def _to_add(target: str, path: Path, field: str) -> str:
    if path == mappings.field_path(target):
        return f"add {target}: {field}"
    return f"add {target}: {{type: nested, properties: {{{path[-1]}: {field}}}}}"


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


def _question(
    search: Address,
    index: Address,
    bodies: Mapping[Address, Body],
    pipeline: Body,
    known: Mapping[Address, Mapping[str, Any]],
) -> Iterator[tuple[Address, Finding]]:
    """A search pipeline that embeds questions with another model than the index's documents, or than its mapping has.

    Where no pipeline fills a field, as with vectors of pictures, the mapping is all that the model has to fit.
    """
    documents = {model for options in embeddings(pipeline) if (model := model_of(options))}
    sparse = any(True for _ in embeddings(pipeline, _SPARSE))

    def alike(asked: Address, made: set[Address]) -> bool:
        tokenizer = sparse and known.get(asked, {}).get("function_name") != "TEXT_EMBEDDING"
        return asked in made or tokenizer or _halves(asked, made, bodies, known)

    filled = {target: model_of(options) for options in embeddings(pipeline) for _, target in embedded(options)}
    mapping = bodies[index].get("mappings")
    fields = dict(mappings.vectors(mappings.unfolded(mapping))) if isinstance(mapping, dict) else {}
    for number, processor in enumerate(_listed(bodies[search], "request_processors")):
        found = processor.get("neural_query_enricher")
        options: Mapping[str, Any] = found if isinstance(found, dict) else {}
        path = ("request_processors", number, "neural_query_enricher")
        model = model_of({"model_id": options.get("default_model_id")})
        if model is not None and documents and not alike(model, documents):
            message = f"{model}, but {index} has vectors of {', '.join(sorted(map(str, documents)))}"
            yield search, Finding((*path, "default_model_id"), message, _SAME)
        named = options.get("neural_field_default_id")
        for field, model_id in named.items() if isinstance(named, dict) else ():
            model, there = model_of({"model_id": model_id}), mappings.field_path(str(field))
            if model is not None and (of := filled.get(field)) is not None and not alike(model, {of}):
                message = f"{model}, but {index} has vectors of {of} in {field}"
                yield search, Finding((*path, "neural_field_default_id", field), message, _SAME)
            elif model is not None and field not in filled:
                for finding in _vector(fields.get(there, {}), model, known.get(model, {})):
                    yield index, Finding(("mappings", *there, *finding.path), finding.message, finding.hint)


def _halves(
    model: Address,
    documents: set[Address],
    bodies: Mapping[Address, Body],
    known: Mapping[Address, Mapping[str, Any]],
) -> bool:
    """Whether these may be one model behind two connectors: some servers are told which texts are questions."""
    elsewhere = "connector" in bodies.get(model, {}) and any("connector" in bodies.get(each, {}) for each in documents)
    asked, made = known.get(model, {}).get("dimension"), {known.get(each, {}).get("dimension") for each in documents}
    return elsewhere and (asked is None or None in made or asked in made)


def embeddings(pipeline: Body, kinds: frozenset[str] = pipelines.EMBEDDING) -> Iterator[Mapping[str, Any]]:
    """The options of each processor that makes vectors, or of those of some kinds."""
    for processor in pipeline.get("processors", []):
        for kind in sorted(kinds & processor.keys()) if isinstance(processor, dict) else ():
            if isinstance(processor[kind], dict):
                yield processor[kind]


def embedded(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of one processor that makes vectors: from which field to which; where several make one vector, all of them."""
    target, field_map = options.get("embedding"), options.get("field_map")
    if isinstance(target, str) and isinstance(field_map, dict):  # text_image_embedding
        yield ",".join(str(field_map[key]) for key in sorted(field_map, key=str)), target
    else:
        yield from pipelines.pairs(field_map)


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

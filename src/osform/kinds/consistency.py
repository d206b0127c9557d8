"""What resources must agree on: the model's dimension along pipeline, field map and mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from osform.core.address import Address
from osform.core.refs import OutputRef, parse
from osform.core.values import Unknown
from osform.kinds import mappings, pipelines
from osform.kinds.base import Body, Finding
from osform.kinds.settings import flat


def check(
    bodies: Mapping[Address, Body], known: Mapping[Address, Mapping[str, Any]]
) -> Iterator[tuple[Address, Finding]]:
    """Every disagreement, with the resource whose file shows it. ``known`` are the outputs known without a cluster."""
    for address, body in bodies.items():
        yield from ((address, finding) for finding in _clash(address, bodies))
        if address.kind == "index" and isinstance(body.get("settings"), dict):
            name = flat(body["settings"], "index.").get("index.default_pipeline")
            pipeline = bodies.get(Address("ingest_pipeline", str(name)))
            if pipeline is not None and isinstance(body.get("mappings"), dict):
                for finding in _index(body["mappings"], pipeline, str(name), known):
                    yield address, finding


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
    for options in embeddings(pipeline):
        model = model_of(options)
        dimension = known.get(model, {}).get("dimension") if model else None
        for target in targets(options.get("field_map")):
            path = mappings.field_path(target)
            if path not in vectors:
                hint = f"add {target}: {{type: knn_vector, dimension: {_reference(model)}}}"
                yield Finding(
                    ("mappings", *path), f"no knn_vector {target!r}, which ingest_pipeline/{name} fills", hint
                )
                continue
            found = vectors[path].get("dimension")
            if isinstance(found, int) and dimension is not None and found != dimension:
                message = f"{found}, but {model} gives {dimension}"
                yield Finding(("mappings", *path, "dimension"), message, f"write {_reference(model)}")


def embeddings(pipeline: Body) -> Iterator[Mapping[str, Any]]:
    """The options of each processor that makes vectors from text."""
    for processor in pipeline.get("processors", []):
        for kind in sorted(pipelines.EMBEDDING & processor.keys()) if isinstance(processor, dict) else ():
            if isinstance(processor[kind], dict):
                yield processor[kind]


def model_of(options: Mapping[str, Any]) -> Address | None:
    """The model of this stack that a processor refers to, or None where the id is written out."""
    model_id = options.get("model_id")
    text = model_id.text if isinstance(model_id, Unknown) else model_id
    pieces = parse(text) if isinstance(text, str) else []
    return pieces[0].address if len(pieces) == 1 and isinstance(pieces[0], OutputRef) else None


def targets(field_map: Any, prefix: str = "") -> Iterator[str]:
    """The fields that a processor's field map fills, ``outer.inner`` for one inside an object."""
    for source, target in field_map.items() if isinstance(field_map, dict) else ():
        if isinstance(target, dict):
            yield from targets(target, f"{prefix}{source}.")
        elif isinstance(target, str):
            yield prefix + target


def _reference(model: Address | None) -> str:
    return f"${{{model}.dimension}}" if model else "${model/NAME.dimension}"

"""Picture vectors in an index: which field, which model on the cluster embeds texts for it, and what was noted of it.

No ingest pipeline fills such a field; the picture tower works elsewhere. The model for texts is that which the index's
own search pipeline names for the field (``neural_query_enricher``, ``neural_field_default_id``), so that any client may
ask a plain ``neural`` query. What no mapping has room for, the picture model and the middle of its vectors, is
in a hidden index of osform's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.cluster.targets import Target
from osform.core.request import Request
from osform.core.rows import value_at
from osform.errors import InputError, NotReady, RequestFailed

INDEX = "osform-pictures"
_SETTINGS = {"index.hidden": "true", "index.number_of_shards": "1", "index.auto_expand_replicas": "0-1"}
_MAPPING = {"dynamic": "false", "_meta": {"osform": "what made the picture vectors of indices; do not edit"}}
_SECONDS = 60.0
_EXISTS = "resource_already_exists_exception"


@dataclass(frozen=True)
class PictureField:
    """A field with picture vectors; ``model_id`` embeds texts for it, None where no search pipeline names a model."""

    vector: str
    dimension: int
    model_id: str | None


@dataclass(frozen=True)
class Made:
    """What made the picture vectors of an index. ``middle`` is their mean, ``some`` are a few of them."""

    model: str
    revision: str
    dimension: int
    middle: Sequence[float] = ()
    some: Sequence[Sequence[float]] = ()
    source: str = ""
    """Where the picture model was read from: a folder, or its name on the Hub."""


def picture_field(cluster: Cluster, target: Target, field: str | None = None) -> PictureField | None:
    """The picture vectors behind a name, ``field`` where there are several; None where there are none.

    Raises InputError where there are several and none is named.
    """
    made = {one.vector for one in target.embeddings}
    vectors = [each for each in target.vector_fields if each not in made and field in (None, each)]
    models = _models(cluster, target) if vectors else {}
    named = [each for each in vectors if each in models] or vectors
    if not named:
        return None
    if len(named) > 1:
        raise InputError(f"{target.name} has several fields for picture vectors: {', '.join(named)}", hint="--field")
    return PictureField(named[0], _dimension(cluster, target, named[0]), models.get(named[0]))


def _models(cluster: Cluster, target: Target) -> Mapping[str, str]:
    """The model for texts of each field, as the search pipeline says."""
    if target.search_pipeline is None:
        return {}
    path = f"/_search/pipeline/{quote(target.search_pipeline, safe='')}"
    found = persist_if_there(cluster, Request("GET", path), Patience.of(_SECONDS)) or {}
    models: dict[str, str] = {}
    for body in found.values():
        for processor in body.get("request_processors", ()):
            models |= processor.get("neural_query_enricher", {}).get("neural_field_default_id", {})
    return models


def _dimension(cluster: Cluster, target: Target, field: str) -> int:
    path = f"/{quote(target.name, safe='')}/_mapping/field/{quote(field, safe='')}"
    answer = persist(cluster, Request("GET", path), Patience.of(_SECONDS))
    for index in answer.values():
        for leaf in index["mappings"].get(field, {}).get("mapping", {}).values():
            return int(leaf.get("dimension", 0))
    return 0


def made(cluster: Cluster, target: Target, field: str) -> Made | None:
    """What was noted of a field's vectors."""
    request = Request("GET", f"/{INDEX}/_doc/{quote(_id(target, field), safe='')}")
    found = persist_if_there(cluster, request, Patience.of(_SECONDS))
    return Made(**found["_source"]) if found else None


def note(cluster: Cluster, target: Target, field: str, value: Made) -> None:
    """Note it, in place of what was there."""
    patience = Patience.of(_SECONDS)
    try:
        persist(cluster, Request("PUT", f"/{INDEX}", {"settings": _SETTINGS, "mappings": _MAPPING}), patience)
    except RequestFailed as error:
        if error.type != _EXISTS:
            raise
    path = f"/{INDEX}/_doc/{quote(_id(target, field), safe='')}"
    persist(cluster, Request("PUT", path, asdict(value), {"refresh": "true"}), patience)


def _id(target: Target, field: str) -> str:
    """One for all versions of an index: ``images-v2`` has the pictures of ``images-v1``."""
    index = target.write_index or target.indices[0]
    return f"{re.sub(r'-v[0-9]+$', '', index)}/{field}"


def sampled(cluster: Cluster, target: Target, field: str, count: int) -> list[Mapping[str, Any]]:
    """Some documents with the field, the same ones each time, whole."""
    chosen = {"query": {"exists": {"field": field}}, "random_score": {"seed": 7, "field": "_seq_no"}}
    body = {"size": count, "query": {"function_score": chosen}}
    request = Request("POST", f"/{quote(target.name, safe='')}/_search", body, {"search_pipeline": "_none"})
    answer = persist(cluster, request, Patience.of(_SECONDS), longest=60)
    return [hit["_source"] for hit in answer["hits"]["hits"] if value_at(hit["_source"], field)]


def text_model(field: PictureField) -> str:
    """The model that embeds texts. Raises NotReady where none is named."""
    if field.model_id is None:
        raise NotReady(
            f"no search pipeline says which model embeds texts for {field.vector}",
            hint="a neural_query_enricher with neural_field_default_id in the index's search.default_pipeline does",
        )
    return field.model_id

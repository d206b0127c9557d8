"""Whether the vectors of an index are those that its model gives its texts.

A bulk partial update leaves the vector of the old text, a pipeline that was changed leaves a mixture, and a retry of
the server may lose the pipeline (OpenSearch issue 14337): none of them is an error that anybody sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.predict import predict
from osform.cluster.retry import Each, Patience, persist
from osform.cluster.shards import Index
from osform.core.closeness import cosine
from osform.core.request import Request
from osform.core.rows import value_at
from osform.errors import VectorsAstray
from osform.kinds import mappings
from osform.kinds.vectors import Made

_PAGE = 500
_SECONDS = 600.0  # for one page of an index, however many there are
_SHOWN = 5


@dataclass(frozen=True)
class VectorMap:
    """A text field, the field that holds its vectors, the model that makes them, and how near is the same.

    ``nested`` is a field of objects, one with a vector for each text of a list. ``apart`` are vectors that the mapping
    keeps out of ``_source``: only a script can read them.
    """

    text_field: str
    vector_field: str
    model_id: str
    least_cosine: float = 0.999
    nested: bool = False
    apart: bool = False

    @classmethod
    def of(cls, made: Made, mapping: Mapping[str, Any]) -> VectorMap:
        """What a processor fills, as the index with this mapping has it."""
        type = mappings.type_at(mapping, mappings.field_path(made.target))
        apart = type == "knn_vector" and not mappings.kept(mapping, made.target)
        return cls(made.source, made.target, str(made.model_id), nested=type == "nested", apart=apart)


@dataclass(frozen=True)
class Astray:
    """One document whose vector is missing (cosine None) or not that of its text."""

    id: str
    vector_field: str
    cosine: float | None = None

    def __str__(self) -> str:
        said = "has text and no vector" if self.cosine is None else f"cosine {self.cosine:.4f} to what the model says"
        return f"{self.id}: {self.vector_field}: {said}"


def verify(
    cluster: Cluster,
    index: str,
    maps: Sequence[VectorMap],
    *,
    sample: int | None = 50,
    seed: int = 0,
) -> None:
    """See that every document with text has its vector, and that those of a sample are the model's (None: of all).

    Raises VectorsAstray with the first few that are not so, and what asking the cluster raises.
    """
    if wrong := astray(cluster, index, maps, sample=sample, seed=seed):
        shown = "\n".join(f"  {each}" for each in wrong[:_SHOWN])
        more = f"\n  and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise VectorsAstray(
            f"{index}: vectors that do not fit their texts:\n{shown}{more}",
            hint="is the model deployed, and its pipeline the index's default_pipeline? osform drift says",
        )


def astray(
    cluster: Cluster, index: str, maps: Sequence[VectorMap], *, sample: int | None = 50, seed: int = 0
) -> list[Astray]:
    """Documents that have text and no vector, and of a sample (None: of all) those with another than the model's."""
    found: list[Astray] = []
    for each in maps:
        found += without(cluster, index, each)
        found += strange(cluster, index, each, sample=sample, seed=seed)
    return found


def without(
    cluster: Cluster,
    index: str,
    which: VectorMap,
    since: Mapping[int, int] | None = None,
    each: Each = lambda: Patience.of(_SECONDS),
) -> list[Astray]:
    """Documents that have text, more than blanks, and no vector; of those written ``since``, by shard, or of all."""
    there: dict[str, Any] = {"exists": {"field": which.vector_field}}
    if which.nested:  # such objects are documents of their own, which the one around them knows nothing of
        there = {"nested": {"path": which.vector_field, "query": {"match_all": {}}}}
    query = {"bool": {"must": [{"exists": {"field": which.text_field}}], "must_not": [there]}}
    return [
        Astray(hit["_id"], which.vector_field)
        for hit in Index(cluster, index).matching(query, [which.text_field], each, since)
        if any(text.strip() for text in _texts(_source(hit), which.text_field))
    ]


def strange(cluster: Cluster, index: str, which: VectorMap, *, sample: int | None = 50, seed: int = 0) -> list[Astray]:
    """Documents of a sample, or all, whose vector is another than the model makes of their text."""
    query: dict[str, Any] = {"exists": {"field": which.vector_field}}
    fields = [which.text_field, which.vector_field]
    more = {"script_fields": {which.vector_field: {"script": _read(which.vector_field)}}} if which.apart else {}
    if sample is None:
        hits = Index(cluster, index).matching(query, fields, lambda: Patience.of(_SECONDS), more=more)
    else:
        # By the documents' numbers, so that the same seed finds the same ones however the cluster is made up.
        chosen = {"function_score": {"query": query, "random_score": {"seed": seed, "field": "_seq_no"}}}
        body = {"size": sample, "query": chosen, "_source": fields, **more}
        request = Request("POST", f"/{quote(index)}/_search", body)
        hits = iter(persist(cluster, request, Patience.of(120))["hits"]["hits"])
    found: list[Astray] = []
    batch: list[tuple[str, str, Sequence[float]]] = []
    for hit in hits:
        text, vector = value_at(_source(hit), which.text_field), value_at(_source(hit), which.vector_field)
        if which.apart:
            vector = hit["fields"][which.vector_field]
        if isinstance(text, str) and text.strip() and isinstance(vector, list) and vector:
            batch.append((hit["_id"], text, vector))
        if len(batch) == _PAGE:
            found += _compared(cluster, which, batch)
            batch = []
    return found + _compared(cluster, which, batch)


def _read(field: str) -> dict[str, Any]:
    """The script that reads a vector from where searches have it: ``docvalue_fields`` and ``fields`` know none.

    Number by number: the server has one array for all documents, which in the end holds the vector of the last.
    """
    source = "def all = []; for (number in doc[params.field].value) { all.add(number) } return all"
    return {"lang": "painless", "source": source, "params": {"field": field}}


def _compared(cluster: Cluster, which: VectorMap, batch: Sequence[tuple[str, str, Sequence[float]]]) -> list[Astray]:
    said = predict(cluster, which.model_id, [text for _, text, _ in batch])
    near = ((id, cosine(vector, fresh)) for (id, _, vector), fresh in zip(batch, said, strict=True))
    # "not >=", so that NaN is astray; vectors of different lengths have no cosine.
    return [Astray(id, which.vector_field, value) for id, value in near if not value >= which.least_cosine]


def _source(hit: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of a document; nothing where the mapping switches ``_source`` off."""
    found: Mapping[str, Any] = hit.get("_source", {})
    return found


def _texts(source: Mapping[str, Any], field: str) -> list[str]:
    value = value_at(source, field)
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]

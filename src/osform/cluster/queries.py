"""Search requests as values: by words, by meaning, or both put together; and the one call that sends them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.answers import model_is_away
from osform.cluster.client import Cluster, without_password
from osform.cluster.retry import Patience, persist
from osform.cluster.targets import Target
from osform.core.checks import Mode
from osform.core.embeddings import Embedding
from osform.core.request import Request
from osform.errors import InputError, NotReady, RequestFailed

CANDIDATES = 100
"""Neighbours looked for on each shard at least: Lucene's HNSW search is only as wide as ``k``, and misses more."""

# What OpenSearch's documentation of hybrid search begins with; used where neither the index nor the user names one.
NORMALIZATION = {
    "phase_results_processors": [
        {
            "normalization-processor": {
                "normalization": {"technique": "min_max"},
                "combination": {"technique": "arithmetic_mean"},
            }
        }
    ]
}


@dataclass(frozen=True)
class Hit:
    """A document found. Scores of different modes can't be compared with each other."""

    id: str
    score: float
    source: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """The answer to a search; ``took_ms`` is the server's own count, in milliseconds."""

    took_ms: int
    hits: tuple[Hit, ...]


def default_mode(target: Target, pipeline: str | None) -> Mode:
    """Semantic where vectors are made from a text, else lexical; hybrid where a search pipeline is asked for.

    Not hybrid by itself: normalisation gives the best match by words a full score, even where it shares no more than
    "in" and "the" with the question.
    """
    if not target.embeddings:
        return "lexical"
    return "hybrid" if pipeline else "semantic"


def embedding_of(target: Target, field: str | None) -> Embedding:
    """The embedding to search with; ``field`` is its text or vector field. Raises InputError where that's not one."""
    known = ", ".join(f"{one.vector} (from {one.text})" for one in target.embeddings)
    if not target.vector_fields:
        raise InputError(f"{target.name} has no vector field", hint="--mode lexical searches its words")
    if not target.embeddings:
        raise InputError(
            f"no ingest pipeline of {target.name} makes {', '.join(target.vector_fields)} from a text, "
            "so there is no model to ask for the query's vector",
            hint="--mode lexical searches its words; a text_embedding processor in its default_pipeline makes vectors",
        )
    chosen = [one for one in target.embeddings if field is None or field in (one.text, one.vector)]
    if not chosen:
        raise InputError(f"{target.name} has no vectors for {field!r}", hint=f"--field is one of: {known}")
    if len(chosen) > 1:
        raise InputError(f"{target.name} has several vector fields: {known}", hint="say which: --field FIELD")
    return chosen[0]


def words_of(target: Target, field: str | None) -> tuple[str, ...]:
    """The text fields to search by words: the given one, else those that are embedded, else all of them."""
    if field is not None:
        texts = {one.text for one in target.embeddings if field in (one.text, one.vector)} or {field}
        if not texts & {*target.text_fields}:
            hint = f"--field is one of: {', '.join(target.text_fields)}" if target.text_fields else None
            raise InputError(f"{target.name} has no text field {field!r}", hint=hint)
        return tuple(sorted(texts))
    embedded = {one.text for one in target.embeddings} & {*target.text_fields}
    fields = tuple(sorted(embedded)) or target.text_fields
    if not fields:
        raise InputError(f"{target.name} has no text field to search")
    return fields


Filter = Mapping[str, Any]


def lexical(fields: Sequence[str], text: str, only: Filter | None = None) -> dict[str, Any]:
    """Documents that share words with the text, of those that the query ``only`` lets through."""
    query: dict[str, Any] = {"multi_match": {"query": text, "fields": list(fields)}}
    if len(fields) == 1:
        query = {"match": {fields[0]: {"query": text}}}
    return query if only is None else {"bool": {"must": [query], "filter": [only]}}


def semantic(embedding: Embedding, text: str, size: int, only: Filter | None = None) -> dict[str, Any]:
    """Documents whose vectors are nearest to the text's; the model on the cluster makes that one too."""
    asked = {"query_text": text, "model_id": embedding.model_id, "k": max(size, CANDIDATES)}
    return {"neural": {embedding.vector: asked if only is None else asked | {"filter": only}}}


def search_request(
    target: Target,
    text: str,
    mode: Mode,
    *,
    field: str | None,
    size: int,
    pipeline: str | None,
    only: Filter | None = None,
) -> Request:
    """The search for ``text`` among the documents that the query ``only`` lets through, without vectors in the answer.

    Raises InputError where the mode or field can't be.
    """
    query: dict[str, Any]
    body: dict[str, Any] = {"size": size, "_source": {"excludes": list(target.made)}}
    pipeline = pipeline or target.search_pipeline
    if mode == "lexical":
        query = lexical(words_of(target, field), text, only)
    else:
        embedding = embedding_of(target, field)
        query = semantic(embedding, text, size, only)
        if mode == "hybrid":
            query = {"hybrid": {"queries": [lexical(words_of(target, embedding.text), text, only), query]}}
            if pipeline is None:
                body["search_pipeline"] = NORMALIZATION
    params = {"search_pipeline": pipeline} if pipeline else {}
    return Request("POST", f"/{quote(target.name, safe='')}/_search", {"query": query, **body}, params)


def of_another_dimension(error: RequestFailed) -> bool:
    """Whether a query met an index of another dimension: its alias moved after the text had been embedded."""
    return error.status == 400 and "invalid dimension" in error.reason


def run(cluster: Cluster, request: Request, patience: Patience | None = None) -> Found:
    """Send a search, with ``patience`` again where it fails in passing.

    Raises NotReady where the model or a plugin that it needs is not at work.
    """
    try:
        answer = cluster.send(request) if patience is None else persist(cluster, request, patience)
    except RequestFailed as error:
        if model_is_away(error.reason):
            raise NotReady(
                f"the model that makes the query's vector is not deployed: {error.reason}",
                hint="osform apply deploys it; --mode lexical needs no model",
            ) from error
        if "unknown query [" in error.reason:
            raise NotReady(
                f"{without_password(cluster.url)} can't search by meaning: {error.reason}",
                hint="the plugin neural-search is missing there; --mode lexical needs no plugin",
            ) from error
        if missing := re.search(r"Pipeline (\S+) is not defined", error.reason):
            raise NotReady(
                f"there is no search pipeline {missing[1]!r} on {without_password(cluster.url)}",
                hint="osform apply makes what the files ask for",
            ) from error
        raise
    hits = answer["hits"]["hits"]
    found = (Hit(hit["_id"], float(hit.get("_score") or 0.0), hit.get("_source", {})) for hit in hits)
    return Found(int(answer["took"]), tuple(found))

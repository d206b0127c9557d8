"""Pictures found by a text, by a picture, or by both."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.filtering import filter_query
from osform.cluster.guard import refuse_mixing
from osform.cluster.picture_fields import Made, PictureField, made, picture_field, text_model
from osform.cluster.predict import predict
from osform.cluster.queries import CANDIDATES, Found, embedding_of, lexical, run, semantic, words_of
from osform.cluster.targets import Target, describe
from osform.core.filters import Filter
from osform.core.request import Request
from osform.errors import InputError, NotReady, VectorsAstray
from osform.images.decoding import decode
from osform.pictures import towers
from osform.pictures.blending import Blend, Crowd, centred, mean, scaled
from osform.pictures.towers import Tower

Only = Mapping[str, Any]
_REMEMBERED = 1_000  # pictures that were searched with


class Seer:
    """Picture towers that were loaded, each once. Several threads may ask."""

    def __init__(self, device: str | None = None, model: str | None = None) -> None:
        """``model`` is a folder or a name on the Hub that takes the place of what an index says."""
        self._device, self._model = device, model
        self._lock = threading.Lock()
        self._towers: dict[tuple[str, str], Tower] = {}
        self._seen: dict[str, list[float]] = {}

    def vector(self, picture: bytes, by: Made) -> list[float]:
        """The vector of a picture, by the model that made those of the index.

        Raises InputError for bytes that are no picture, VectorsAstray where the model is another one by now.
        """
        tower = self._tower(by)
        key = by.revision + hashlib.sha256(picture).hexdigest()
        if key in self._seen:
            return self._seen[key]
        decoded = decode(picture, tower.decoding)
        if decoded.pixels is None:
            raise InputError(f"not a picture that can be searched with: {decoded.reason}")
        with self._lock:
            if len(self._seen) > _REMEMBERED:
                self._seen.clear()
            self._seen[key] = [float(value) for value in tower.see(decoded.pixels[None])[0]]
            return self._seen[key]

    def _tower(self, by: Made) -> Tower:
        with self._lock:
            key = (by.source, by.revision)
            if key not in self._towers:
                self._towers[key] = self._load(by)
            return self._towers[key]

    def _load(self, by: Made) -> Tower:
        if self._model is not None:
            found = towers.locate(self._model)
        elif "/" in by.model and by.source == by.model:
            found = towers.locate(by.model, by.revision)
        else:
            found = towers.locate(by.source)
        if found.revision != by.revision:
            raise VectorsAstray(
                f"the index's pictures were seen by {by.model} at {by.revision[:12]}, and {found.folder} is "
                f"{found.revision[:12]}: their vectors can't be compared",
                hint="name the model that made them, or index the pictures with this one elsewhere: "
                "osform pictures ingest --into ANOTHER",
            )
        return towers.load(found.folder, self._device)


@dataclass(frozen=True)
class Pictured:
    """What was found, and the request that found it. ``mode`` says by what, and how two were put together."""

    found: Found
    request: Request
    mode: str
    target: Target


@dataclass(frozen=True)
class Wish:
    """What is looked for. ``weight`` is the text's share where there is a picture as well.

    ``descriptions`` has the text looked for in the pictures' descriptions, too, by words and by meaning.
    """

    text: str = ""
    picture: bytes | None = None
    weight: float = 0.5
    blend: Blend = "centred"
    descriptions: bool = False


def search(
    cluster: Cluster,
    alias: str,
    *,
    text: str | None = None,
    picture: bytes | None = None,
    size: int = 10,
    only: Only | None = None,
    filters: Sequence[Filter] = (),
    field: str | None = None,
    weight: float = 0.5,
    blend: Blend = "centred",
    descriptions: bool = False,
    seer: Seer | None = None,
) -> Pictured:
    """Find ``size`` pictures. A text alone needs no model here: the cluster embeds it.

    Raises InputError for a question that can't be asked of this alias, NotReady where something is missing on the
    cluster, MissingExtra where a picture is searched with and torch isn't installed.
    """
    wish = Wish((text or "").strip(), picture, weight, blend, descriptions)
    if not wish.text and picture is None:
        raise InputError("there is nothing to search for: neither a text nor a picture")
    target = describe(cluster, alias)
    asked = asked_of(cluster, target, field)
    only = only if only is not None else filter_query(target, filters)
    request, mode = request_for(cluster, target, asked, wish, size=size, only=only, seer=seer or Seer())
    return Pictured(run(cluster, request), request, mode, target)


def asked_of(cluster: Cluster, target: Target, field: str | None) -> PictureField:
    """The field with picture vectors. Raises InputError where there is none."""
    found = picture_field(cluster, target, field)
    if found is None:
        hint = "a knn_vector that no ingest pipeline fills, and osform pictures ingest: docs/pictures.md"
        raise InputError(f"{target.name} has no picture vectors", hint=hint)
    return found


def request_for(
    cluster: Cluster,
    target: Target,
    field: PictureField,
    wish: Wish,
    *,
    size: int,
    only: Only | None,
    seer: Seer,
) -> tuple[Request, str]:
    """The search, and in words what it goes by."""
    query, mode = _query(cluster, target, field, wish, size, only, seer)
    queries = [query]
    if wish.descriptions and wish.text:
        queries += _of_descriptions(cluster, target, wish.text, size, only)
        mode = f"{mode}, with descriptions"
    body: dict[str, Any] = {"size": size, "query": query}
    body["_source"] = {"excludes": sorted({*target.made, field.vector})}
    params = {}
    if len(queries) > 1:
        # Of each question the server puts together as many documents as the request asks for, and no more.
        body |= {"size": max(size, CANDIDATES), "query": {"hybrid": {"queries": queries}}}
        body["search_pipeline"] = _together(size)
    elif "neural" not in query:
        params = {"search_pipeline": "_none"}  # nothing there has to be enriched or put together
    return Request("POST", f"/{quote(target.name, safe='')}/_search", body, params), mode


def _query(
    cluster: Cluster, target: Target, field: PictureField, wish: Wish, size: int, only: Only | None, seer: Seer
) -> tuple[dict[str, Any], str]:
    deep = max(size, CANDIDATES)
    if wish.picture is None:
        asked = {"query_text": wish.text, "model_id": text_model(field), "k": deep}
        return {"neural": {field.vector: asked if only is None else asked | {"filter": only}}}, "text"
    by = made(cluster, target, field.vector)
    if by is None:
        raise NotReady(
            f"nothing says which model made the picture vectors of {target.name}",
            hint="osform pictures ingest notes it; vectors from elsewhere can be searched by text alone",
        )
    seen = seer.vector(wish.picture, by)
    if not wish.text:
        return near(field, seen, deep, only), "picture"
    said = predict(cluster, text_model(field), [wish.text])[0]
    vector, how = _blended(seen, said, wish, by)
    return near(field, vector, deep, only), f"both, text {wish.weight:g}, {how}"


def _blended(seen: Sequence[float], said: Sequence[float], wish: Wish, by: Made) -> tuple[list[float], str]:
    """One vector for both, and what it is. Without pictures to measure by, it is the mean."""
    crowd = Crowd(by.middle, by.some)
    if wish.blend == "mean" or not by.some:
        return mean(seen, said, wish.weight), "mean"
    if wish.blend == "scores":
        return scaled(seen, said, wish.weight, crowd), "scores put together"
    return centred(seen, said, wish.weight, crowd), "centred"


def near(field: PictureField, vector: Sequence[float], count: int, only: Only | None) -> dict[str, Any]:
    """The query for what is nearest to a vector, of what ``only`` lets through, as deep as ``count``."""
    asked: dict[str, Any] = {"vector": list(vector), "k": count}
    return {"knn": {field.vector: asked if only is None else asked | {"filter": only}}}


def _of_descriptions(cluster: Cluster, target: Target, text: str, size: int, only: Only | None) -> list[dict[str, Any]]:
    queries = [lexical(words_of(target, None), text, only)]
    if target.embeddings:
        refuse_mixing(cluster, target.name, target.embeddings)
        queries.append(semantic(embedding_of(target, None), text, size, only))
    return queries


def _together(size: int) -> dict[str, Any]:
    """A search pipeline of the request's own: the index's has weights for its own number of questions."""
    how = {"normalization": {"technique": "min_max"}, "combination": {"technique": "arithmetic_mean"}}
    return {
        "phase_results_processors": [{"normalization-processor": how}],
        "response_processors": [{"truncate_hits": {"target_size": size}}],
    }

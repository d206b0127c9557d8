"""What stands behind a name that users write to and search: read from the cluster itself, in two requests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster, without_password
from osform.core.embeddings import DIGEST_SCRIPT, Embedding
from osform.core.request import Request
from osform.errors import InputError, NotReady, RequestFailed
from osform.kinds import mappings
from osform.kinds.pipelines import pairs
from osform.kinds.vectors import as_mapped


@dataclass(frozen=True)
class Target:
    """An alias, or an index, as searches and writes need to know it. Fields inside objects are named ``outer.inner``.

    ``write_index`` is None where the name is not an alias, or an alias of several indices without a write index.
    ``types`` are those of all fields, such as are a field's other form (``title.keyword``) among them.
    """

    name: str
    indices: tuple[str, ...]
    write_index: str | None
    text_fields: tuple[str, ...]
    vector_fields: tuple[str, ...]
    embeddings: tuple[Embedding, ...]
    search_pipeline: str | None
    types: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_alias(self) -> bool:
        """Whether the name stands for an index of another name."""
        return self.name not in self.indices

    @property
    def made(self) -> tuple[str, ...]:
        """Fields that nobody wrote: vectors, and what says of which text they are."""
        return tuple(sorted({*self.vector_fields, *(one.digest for one in self.embeddings if one.digest)}))


def describe(cluster: Cluster, name: str) -> Target:
    """Read what is behind an alias or index: its fields, how its vectors are made, its search pipeline.

    Raises InputError for what can't be one name, NotReady where nothing of that name is there.
    """
    if not name or name.startswith(("_", "-", "+")) or any(letter in name for letter in '*?,/\\<>|# "'):
        raise InputError(f"{name!r} is not the name of an alias or index")
    try:
        found = cluster.send(Request("GET", f"/{quote(name, safe='')}", params={"flat_settings": "true"}))
    except RequestFailed as error:
        if error.status != 404:
            raise
        raise NotReady(
            f"there is no alias {name!r} on {without_password(cluster.url)}",
            hint="osform apply makes what the files ask for; is it the right cluster?",
        ) from error
    settings = {index: body.get("settings", {}) for index, body in found.items()}
    pipelines = {
        value for each in settings.values() if (value := each.get("index.default_pipeline", "_none")) != "_none"
    }
    fields = {path: body for each in found.values() for path, body in mappings.fields_of(each.get("mappings", {}))}
    vectors = tuple(sorted(path for path, body in fields.items() if body.get("type") == "knn_vector"))
    searches = {each.get("index.search.default_pipeline", "_none") for each in settings.values()} - {"_none"}
    return Target(
        name=name,
        indices=tuple(sorted(found)),
        write_index=write_index(name, found),
        text_fields=tuple(sorted(path for path, body in fields.items() if body.get("type") == "text")),
        vector_fields=vectors,
        embeddings=_embeddings(cluster, sorted(pipelines), vectors),
        search_pipeline=searches.pop() if len(searches) == 1 else None,
        types=dict(_types(fields)),
    )


def names(cluster: Cluster) -> tuple[str, ...]:
    """What there is to search, aliases first, then indices without any; hidden ones and those of plugins left out.

    Raises Unreachable and RequestFailed.
    """
    found = cluster.send(Request("GET", "/_alias", params={"expand_wildcards": "open"}))
    shown = {index: body.get("aliases", {}) for index, body in found.items() if not index.startswith(".")}
    aliases = {name for each in shown.values() for name, body in each.items() if not body.get("is_hidden")}
    return (*sorted(aliases), *sorted(index for index, each in shown.items() if not each))


def write_index(name: str, found: Mapping[str, Any]) -> str | None:
    """The index that writes to a name go to; None where that is not decided, or the name is no alias."""
    if name in found:
        return None
    if len(found) == 1:
        return next(iter(found))
    return next((index for index, body in found.items() if body["aliases"].get(name, {}).get("is_write_index")), None)


def _types(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for path, body in fields.items():
        yield path, str(body.get("type", "object"))
        for name, form in body.get("fields", {}).items():
            yield f"{path}.{name}", str(form.get("type", ""))


def _embeddings(cluster: Cluster, pipelines: list[str], vectors: tuple[str, ...]) -> tuple[Embedding, ...]:
    if not pipelines:
        return ()
    try:
        names = ",".join(quote(name, safe="") for name in pipelines)
        bodies = cluster.send(Request("GET", f"/_ingest/pipeline/{names}"))
    except RequestFailed as error:
        if error.status != 404:
            raise
        return ()
    found = {one for body in bodies.values() for one in embeddings_of(body.get("processors", ()), vectors)}
    return tuple(sorted(found, key=lambda one: (one.vector, one.text, one.model_id)))


def embeddings_of(processors: Sequence[Mapping[str, Any]], vectors: Collection[str]) -> Iterator[Embedding]:
    """What the processors of a pipeline embed, ``vectors`` being the fields of the mapping that hold vectors."""
    digests = dict(filter(None, map(digested, processors)))
    for each in processors:
        options = each.get("text_embedding", {})
        model = str(options.get("model_id", ""))
        for text, vector in pairs(options.get("field_map")):
            yield Embedding(text, as_mapped(text, vector, vectors), model, digests.get((text, model)))


def digested(processor: Mapping[str, Any]) -> tuple[tuple[str, str], str] | None:
    """What a script processor makes a digest of, (text field, model), and the digest's field; None for any other."""
    options = processor.get("script", {})
    params = options.get("params") or {}
    known = " ".join(str(options.get("source", "")).split()) == DIGEST_SCRIPT
    if not known or not {"text", "model", "digest"} <= set(params):
        return None
    return (str(params["text"]), str(params["model"])), str(params["digest"])

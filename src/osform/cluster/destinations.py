"""Where an alias writes to: the index, what its ingest pipeline does to a document, and settings that loads change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster, without_password
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.cluster.targets import digested, embeddings_of, write_index
from osform.core.embeddings import Embedding
from osform.core.request import Request
from osform.errors import InputError, NotReady, RequestFailed
from osform.kinds import mappings

_NONE = "_none"


@dataclass(frozen=True)
class Destination:
    """The write index of an alias.

    ``plain`` says that its pipeline does nothing to a document but add vectors and digests, which its ``_source`` has:
    then what is stored can be foretold, and a document that brings both along, or has them and is given other fields,
    may go past the pipeline. ``group`` documents are embedded one after the other (batch_size). ``settings`` are flat.
    """

    alias: str
    index: str
    uuid: str
    embeddings: tuple[Embedding, ...] = ()
    plain: bool = True
    group: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> tuple[str, ...]:
        """Fields that the pipeline makes."""
        return tuple(sorted({each for one in self.embeddings for each in (one.vector, one.digest) if each}))

    @property
    def model_ids(self) -> tuple[str, ...]:
        """The models that it takes to write here."""
        return tuple(sorted({one.model_id for one in self.embeddings}))


def destination(cluster: Cluster, alias: str, patience: Patience) -> Destination:
    """What an alias writes to. Raises InputError for what is no alias' name, NotReady where nothing can be written."""
    if not alias or alias.startswith(("_", "-", "+")) or any(letter in alias for letter in '*?,/\\<>|# "'):
        raise InputError(f"{alias!r} is not the name of an alias")
    path = f"/{quote(alias, safe='')}"
    found = persist_if_there(cluster, Request("GET", path, params={"flat_settings": "true"}), patience)
    if found is None:
        raise NotReady(
            f"there is no alias {alias!r} on {without_password(cluster.url)}",
            hint="osform apply makes what the files ask for; is it the right cluster?",
        )
    if alias in found:
        raise NotReady(
            f"{alias!r} is an index, and osform writes through aliases only",
            hint="a write to an index that is gone would make a new one, without mapping or pipeline",
        )
    index = write_index(alias, found)
    if index is None:
        raise NotReady(
            f"the alias {alias!r} stands for {', '.join(sorted(found))}, and none of them is its write index",
            hint="set is_write_index for one of them",
        )
    return _described(cluster, alias, index, found[index], patience)


def _described(cluster: Cluster, alias: str, index: str, body: Mapping[str, Any], patience: Patience) -> Destination:
    settings = body.get("settings", {})
    names = [settings.get(f"index.{key}", _NONE) for key in ("default_pipeline", "final_pipeline")]
    bodies = _pipelines(cluster, [name for name in names if name != _NONE], patience)
    processors = [each for name in names for each in bodies.get(name, {}).get("processors", ())]
    mapping = body.get("mappings", {})
    vectors = {path for path, field in mappings.fields_of(mapping) if field.get("type") == "knn_vector"}
    embeddings = tuple(embeddings_of(processors, vectors))
    kept = all(mappings.kept(mapping, one.vector) for one in embeddings)
    groups = [int(each["text_embedding"].get("batch_size", 1)) for each in processors if "text_embedding" in each]
    return Destination(
        alias,
        index,
        str(settings.get("index.uuid", "")),
        embeddings,
        kept and names[1] == _NONE and all(_is_plain(each) for each in processors),
        max(1, min(groups, default=1)),
        settings,
    )


def _pipelines(cluster: Cluster, names: Sequence[str], patience: Patience) -> Mapping[str, Any]:
    if not names:
        return {}
    path = ",".join(quote(name, safe="") for name in names)
    return persist_if_there(cluster, Request("GET", f"/_ingest/pipeline/{path}"), patience) or {}


def _is_plain(processor: Mapping[str, Any]) -> bool:
    ((kind, options),) = processor.items()
    if {"if", "on_failure", "ignore_failure"} & set(options):
        return False
    if kind == "text_embedding":
        return all(isinstance(target, str) and "." not in text for text, target in options.get("field_map", {}).items())
    return digested(processor) is not None


def count(cluster: Cluster, index: str, patience: Patience, query: Mapping[str, Any] | None = None) -> int:
    """The documents of an index, those included that no search sees yet. Raises RequestFailed and Unreachable."""
    refresh(cluster, index, patience)
    body = {"query": query} if query else None
    answer = persist(cluster, Request("POST", f"/{quote(index, safe='')}/_count", body), patience, longest=60)
    return int(answer["count"])


def refresh(cluster: Cluster, name: str, patience: Patience) -> None:
    """Make what was written visible to searches. Raises RequestFailed and Unreachable."""
    try:
        persist(cluster, Request("POST", f"/{quote(name, safe='')}/_refresh"), patience, longest=60)
    except RequestFailed as error:
        if error.status != 404:  # an index that was replaced meanwhile has nothing to show
            raise

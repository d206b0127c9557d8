"""Against mixed vectors: an index says in its mapping which model made its vectors; is that the one at work now?

A pipeline that somebody changed makes other vectors from then on, and a question embedded by another model finds
nothing sensible, both without any error (see ``osform.kinds.vectors`` for the mark).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.embeddings import Embedding
from osform.core.request import Request
from osform.errors import VectorsAstray
from osform.kinds import ml
from osform.kinds.vectors import mark_of

_HASH = re.compile(r"[0-9a-f]{64}")


def refuse_mixing(cluster: Cluster, name: str, embeddings: Sequence[Embedding]) -> None:
    """Raise VectorsAstray where the pipeline behind a name has another model than made the vectors of its index."""
    patience = Patience.of(30)
    request = Request("GET", f"/{quote(name)}/_mapping", params={"filter_path": "*.mappings._meta.osform"})
    marks = [mark_of(each.get("mappings")) for each in persist(cluster, request, patience).values()]
    hashes: dict[str, str | None] = {}
    for embedding in embeddings:
        for mark in (str(each[embedding.vector]["model"]) for each in marks if embedding.vector in each):
            if embedding.model_id not in hashes:
                model = persist_if_there(cluster, ml.get_model(embedding.model_id), patience)
                hashes[embedding.model_id] = _hash(model)
            if _another(mark, embedding.model_id, hashes[embedding.model_id]):
                now = f"{embedding.model_id} ({_short(hashes[embedding.model_id] or 'gone')})"
                raise VectorsAstray(
                    f"{name}: the vectors in {embedding.vector} were made by the model {_short(mark)}, and its "
                    f"pipeline has {now} by now: they can't be compared",
                    hint="osform drift shows what was changed, and osform apply puts it back",
                )


def _hash(model: Mapping[str, Any] | None) -> str | None:
    return str(model.get("model_content_hash_value") or "") if model else None


def _another(mark: str, model_id: str, found: str | None) -> bool:
    if mark.startswith("id "):
        return mark != f"id {model_id}"
    # A remote model has no bytes on the cluster that could be compared.
    return bool(_HASH.fullmatch(mark)) and bool(found) and mark != found


def _short(mark: str) -> str:
    return mark[:12] if _HASH.fullmatch(mark) else mark

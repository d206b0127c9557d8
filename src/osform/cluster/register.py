"""Bringing a model to the cluster: its metadata, its bytes, and the fields that the server forgets on the way.

Registering is safe to repeat after any failure, kill -9 included: what is on the cluster is found again by its hash,
and one bundle in one model group is one model, whatever happened on the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.models import Model, document, hits
from osform.cluster.once import NOBODY_ELSE, Turn, once
from osform.cluster.readback import lacking
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.cluster.upload import CHUNK_BYTES, Bundle, stored_chunks, upload
from osform.core.events import Note, Report, Warned
from osform.errors import InputError, ReadBackMismatch
from osform.kinds import ml

# What the server forgets when the last chunk arrives, and takes in a PUT.
RESTORED = ("description", "rate_limiter", "is_enabled", "interface", "guardrails", "deploy_setting")


def register(
    cluster: Cluster,
    meta: Mapping[str, Any],
    bundle: Path,
    *,
    model_id: str | None,
    remember: Callable[[str], None],
    report: Report,
    tag: str | None = None,
    turn: Turn = NOBODY_ELSE,
    others: Container[str] = (),
    deadline_seconds: float = 1800.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
    chunk_bytes: int = CHUNK_BYTES,
    parallel: int = 4,
) -> str:
    """Bring a bundle to the cluster as a model in state REGISTERED, and return its id.

    ``meta`` is the body of ``_register_meta`` but for the size, hash and number of chunks, which come from the file:
    name, model_format and model_group_id are mandatory; function_name is TEXT_EMBEDDING where it isn't given.
    ``model_id`` is what a journal says of an interrupted run. ``remember`` is called with the model's id as soon as it
    is known, before any chunk is sent. Where a ``tag`` is given, the model has it as its description until its bytes
    are there. ``turn`` is held while the model is numbered. Of a model that is there already, whole or in part, only
    the missing chunks are sent; the fields that the server forgets on the way are set again and read back. Models whose
    ids are in ``others`` belong to somebody else, and are none of these.

    Raises InputError for a bundle that can't be read, a missing field, or a hash in ``meta`` that isn't the bundle's;
    ReadBackMismatch, RequestFailed and Unreachable; TaskFailed where the server does not register the model in time.
    Source: https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    source = Bundle.read(bundle)
    body = _complete(meta, source, chunk_bytes)
    model = _journalled(cluster, model_id, body, report, patience) or _twin(cluster, body, others, patience)
    found = _identity(model) if model else _create(cluster, body | _tagged(tag), others, turn, patience)
    remember(found)
    if model is None:
        model = _checked_new(cluster, found, body, patience)
    total = int(model["total_chunks"])
    whole = model.get("model_state") != "REGISTERING"
    if whole and len(stored_chunks(cluster, found, total, patience)) >= total:
        report(Note(f"{body['name']}: the same bytes are on the cluster already, as model {found}"))
    else:
        upload(cluster, found, source, total, report=report, patience=patience, parallel=parallel)
    restore(cluster, found, body, patience)
    return found


def restore(cluster: Cluster, model_id: str, wanted: Mapping[str, Any], patience: Patience) -> None:
    """Set the fields again that the server forgot while it took the chunks, and see that they are kept.

    Raises ReadBackMismatch, which names what the server acknowledged and did not store.
    """
    fields = {key: wanted[key] for key in RESTORED if key in wanted}
    for attempt in range(4):
        model = persist(cluster, ml.get_model(model_id), patience)
        bare = {"description": ""} if ml.tagged(model.get("description")) else {}
        missing = lacking({**bare, **fields}, model)
        if not missing:
            return
        if attempt == 3:
            break
        if attempt:
            patience.pause(attempt)  # a last chunk that came twice may have rewritten the document in between
        persist(cluster, ml.put_model(model_id, {**bare, **fields}), patience)
    raise ReadBackMismatch(
        f"model {model_id}: the cluster acknowledged {', '.join(missing)} and did not store it",
        hint="something between osform and the cluster, or the cluster's version, drops the field: leave it out, or "
        "look at GET /_plugins/_ml/models/" + model_id,
    )


def _complete(meta: Mapping[str, Any], source: Bundle, chunk_bytes: int) -> dict[str, Any]:
    absent = [key for key in ("name", "model_format", "model_group_id") if not meta.get(key)]
    if absent:  # without a group the server picks one by the model's name, which may be somebody else's
        raise InputError(f"{source.path}: {', '.join(absent)} must be given to register a model")
    stated = meta.get("model_content_hash_value", source.sha256)
    if stated != source.sha256:
        raise InputError(
            f"{source.path}: SHA-256 {source.sha256}, but {stated} is expected",
            hint="osform model export makes it anew; osform model verify compares",
        )
    return {
        "function_name": "TEXT_EMBEDDING",
        **meta,
        "model_content_hash_value": source.sha256,
        "model_content_size_in_bytes": source.size,
        "total_chunks": source.chunks(chunk_bytes),
    }


def _journalled(
    cluster: Cluster, model_id: str | None, body: Mapping[str, Any], report: Report, patience: Patience
) -> Model | None:
    if model_id is None:
        return None
    model = document(cluster, model_id, patience)
    if model is not None and not _same(model, body):
        report(Warned(f"model {model_id}, which an earlier run began, holds something else than {body['name']}"))
        return None
    return model


def _twin(cluster: Cluster, body: Mapping[str, Any], others: Container[str], patience: Patience) -> Model | None:
    """A model of the same bytes, name, group and configuration: a whole one if there is one, else the oldest."""
    found = [model for model in _by_hash(cluster, body, patience) if _identity(model) not in others]
    twins = [model for model in found if _same(model, body)]
    order = sorted(twins, key=lambda model: (model.get("model_state") == "REGISTERING", _version(model)))
    return order[0] if order else None


def _by_hash(cluster: Cluster, body: Mapping[str, Any], patience: Patience) -> list[Model]:
    found = hits(cluster, ml.models_by_hash(body["model_content_hash_value"]), patience)
    return [{**hit["_source"], "model_id": hit["_id"]} for hit in found]


def _same(model: Model, body: Mapping[str, Any]) -> bool:
    """Whether a stored model is what ``body`` asks for, in all that can't be changed after its registration."""
    asked = {"model_content_hash_value": body["model_content_hash_value"], **_fixed(body)}
    return not lacking(asked, model)


def _fixed(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the registration fixes for good. A switch of model_config that is off is not stored: absent means false."""
    fixed = {key: body[key] for key in ("name", "model_format", "model_group_id")}
    config = {key: value for key, value in body.get("model_config", {}).items() if value is not False}
    # A sparse encoder has no model_config, and then none is stored.
    return {**fixed, "algorithm": body["function_name"], **({"model_config": config} if config else {})}


def _tagged(tag: str | None) -> dict[str, str]:
    return {"description": tag} if tag else {}


def _create(cluster: Cluster, body: Mapping[str, Any], others: Container[str], turn: Turn, patience: Patience) -> str:
    """POST the metadata once. Where it may have been acted on without an answer, the cluster is searched first."""

    def post() -> str:
        return str(cluster.send(ml.register_meta(body), timeout=patience.timeout(60))["model_id"])

    def find() -> str | None:
        twin = _twin(cluster, body, others, patience)
        return _identity(twin) if twin else None

    with turn:
        return once(post, find, patience)


def _checked_new(cluster: Cluster, model_id: str, body: Mapping[str, Any], patience: Patience) -> Model:
    """Read a new model back before its bytes are sent; one that lacks what was asked is taken away again."""
    model = persist(cluster, ml.get_model(model_id), patience)
    missing = lacking(_fixed(body), model)
    if missing:
        persist_if_there(cluster, ml.delete(model_id), patience)
        raise ReadBackMismatch(
            f"{body['name']}: the cluster acknowledged {', '.join(missing)} and did not store it",
            hint="something between osform and the cluster, or the cluster's version, drops the field",
        )
    return {**model, "model_id": model_id}


def _identity(model: Mapping[str, Any]) -> str:
    return str(model["model_id"])


def _version(model: Mapping[str, Any]) -> int:
    text = str(model.get("model_version", model.get("version", "")))
    return int(text) if text.isdigit() else 0

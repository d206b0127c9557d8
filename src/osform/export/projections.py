"""Fewer dimensions: a Dense layer after the source's own, made of the directions in which its vectors differ most.

The layer is fitted once and its weights are kept beside model.yaml, in fp32. Fitted again on another processor, the
last bits would differ, and so would every bundle made of them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osform import atomic
from osform.errors import ExportError
from osform.export import vocabulary
from osform.export.jobs import Layer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WEIGHT = "linear.weight"  # as sentence-transformers calls it in the file of a Dense module
COUNT, WORDS = 5000, 6  # of the texts that are made up where model.yaml names none


def fit(model: SentenceTransformer, layer: Layer, source_sha256: str) -> None:
    """Write the layer's file: float32 of shape (``layer.dimension``, dimension of the source).

    The rows are the first eigenvectors of the vectors' second moments, as in a principal component analysis without
    centring: cosines are taken from the origin, not from the mean.

    Raises ExportError where there are too few texts, or no fewer dimensions are asked than the source has.
    """
    import numpy
    from safetensors.numpy import save

    texts = layer.texts or vocabulary.texts(
        model.tokenizer, COUNT, words=(WORDS,), needed_for="a projection without texts"
    )
    vectors = model.encode(list(texts), batch_size=64, show_progress_bar=False).astype(numpy.float64)
    if not layer.dimension < vectors.shape[1]:
        raise ExportError(
            f"model.yaml says projection.dimension: {layer.dimension}, the source gives {vectors.shape[1]} numbers",
            hint="a projection has fewer dimensions than its source",
        )
    if len(set(texts)) < 2 * layer.dimension:
        raise ExportError(
            f"the projection's texts are {len(set(texts))}, expected at least {2 * layer.dimension}",
            hint="twice as many as dimensions; or leave projection.texts out, to fit on the source's vocabulary",
        )
    directions = numpy.linalg.eigh(vectors.T @ vectors).eigenvectors.T[::-1][: layer.dimension]
    # An eigenvector's sign is chance: the largest number of each is made positive.
    largest = numpy.take_along_axis(directions, numpy.abs(directions).argmax(axis=1)[:, None], axis=1)
    weights = numpy.ascontiguousarray(directions * numpy.sign(largest), dtype=numpy.float32)
    # One key, since the order of several is chance in the file.
    origin = {"osform": json.dumps(_origin(layer, source_sha256), sort_keys=True)}
    # What an interrupt or a full disk cuts off could not be read, and would never be fitted again.
    atomic.write(Path(layer.path), save({WEIGHT: weights}, origin))


def append(model: SentenceTransformer, layer: Layer, source_sha256: str) -> None:
    """Put the layer of the file behind the model's own, and its normalisation again where it has one.

    Raises ExportError where the file is missing, or was fitted on something else than is asked now.
    """
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize
    from torch.nn import Identity

    weights = _read(layer, _origin(layer, source_sha256))
    rows, columns = weights.shape
    if columns != model.get_embedding_dimension():
        raise ExportError(
            f"{layer.path}: weights for {columns} numbers, the source gives {model.get_embedding_dimension()}"
        )
    normalizes = any(isinstance(module, Normalize) for module in model)
    dense = Dense(columns, rows, bias=False, activation_function=Identity(), init_weight=weights)
    model.append(dense.eval().requires_grad_(False))
    if normalizes:
        model.append(Normalize())


def _read(layer: Layer, origin: dict[str, Any]) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(layer.path, framework="pt") as file:
            told = json.loads((file.metadata() or {}).get("osform", "{}"))
            weights = file.get_tensor(WEIGHT)
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"{layer.path} can't be read: {error}",
            hint="take it back from Git; or delete it and export the model, which fits it anew",
        ) from error
    other = [
        f"{key} {str(told.get(key))[:12]}, now {str(origin[key])[:12]}"
        for key in origin
        if told.get(key) != origin[key]
    ]
    if other:
        raise ExportError(
            f"{layer.path} was fitted on something else: {'; '.join(other)}",
            hint="delete it and export with --update-lock to fit it anew; old vectors do not go with new ones",
        )
    return weights


def _origin(layer: Layer, source_sha256: str) -> dict[str, Any]:
    texts = hashlib.sha256("\0".join(layer.texts).encode()).hexdigest() if layer.texts else "vocabulary"
    return {"source_sha256": source_sha256, "texts": texts, "dimension": layer.dimension}

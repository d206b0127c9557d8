"""Asking a deployed model for vectors, and comparing them with what its export promised."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist
from osform.core.closeness import Answer, closeness, pair_of
from osform.core.request import Request
from osform.errors import ClusterError, PredictionMismatch, RequestFailed
from osform.kinds import ml

# A local model embeds one text after the other, so a request's time grows with the number of its texts.
_TEXTS_A_REQUEST = 16


def predict(
    cluster: Cluster,
    model_id: str,
    texts: Sequence[str],
    *,
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> list[list[float]]:
    """Embed texts with a deployed model: one vector a text, in the same order, each of the model's dimension.

    Raises RequestFailed and Unreachable, and ClusterError where the answer holds something else than vectors.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    vectors: list[list[float]] = []
    for start in range(0, len(texts), _TEXTS_A_REQUEST):
        vectors += _embed(cluster, model_id, texts[start : start + _TEXTS_A_REQUEST], patience)
    return vectors


def probe(
    cluster: Cluster,
    model_id: str,
    probes: Sequence[tuple[str, Answer]],
    *,
    least_cosine: float,
    function_name: str = "TEXT_EMBEDDING",
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> float:
    """Compare a deployed model with the answers of its export; returns the least cosine that was found.

    ``probes`` are texts with the vectors that they must give; for other functions than TEXT_EMBEDDING, what stands for
    both is told by ``core.closeness``. Raises PredictionMismatch, which names the worst text, where a cosine is below
    ``least_cosine`` or is not a number, or where a vector has another dimension.
    """
    texts = [text for text, _ in probes]
    patience = Patience.of(deadline_seconds, clock, sleep)
    found: Sequence[Answer]
    match function_name:
        case "TEXT_SIMILARITY":
            found = [_score(cluster, model_id, text, patience) for text in texts]
        case "SPARSE_ENCODING":
            found = _weights(cluster, model_id, texts, patience)
        case _:
            found = predict(cluster, model_id, texts, deadline_seconds=deadline_seconds, clock=clock, sleep=sleep)
    compared = [
        (closeness(expected, vector), text, len(expected), len(vector))
        for (text, expected), vector in zip(probes, found, strict=True)
    ]
    bad = [entry for entry in compared if not entry[0] >= least_cosine]  # "not >=", so that NaN is bad
    if bad:
        worst, text, expected_size, size = min(bad, key=lambda entry: -2.0 if math.isnan(entry[0]) else entry[0])
        what = (
            f"a vector of dimension {size} instead of {expected_size}"
            if size != expected_size and function_name == "TEXT_EMBEDDING"
            else f"cosine {worst:.6f} to its export, below {least_cosine}"
        )
        raise PredictionMismatch(
            f"model {model_id} gives {what} for {_shown(text)} ({len(bad)} of {len(compared)} texts are wrong)",
            hint="the cluster runs other bytes or settings than were exported: check model_config's pooling_mode and "
            "normalize_result, and run osform model verify",
        )
    return min((value for value, *_ in compared), default=1.0)


def ask(
    cluster: Cluster,
    model_id: str,
    question: str | Mapping[str, Any],
    *,
    deadline_seconds: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Ask a deployed model something, only to see that it answers: a text to embed, or a connector's parameters.

    Raises ClusterError where nothing is in the answer, RequestFailed and Unreachable.
    """
    patience = Patience.of(deadline_seconds, clock, sleep)
    request = ml.predict(model_id, [question]) if isinstance(question, str) else ml.ask(model_id, question)
    results = _answer(cluster, request, patience).get("inference_results", ())
    if not any(result.get("output") for result in results):
        raise ClusterError(f"model {model_id} answers nothing to its probe", hint="ask it by hand: _predict")


def _embed(cluster: Cluster, model_id: str, texts: Sequence[str], patience: Patience) -> list[list[float]]:
    answer = _answer(cluster, ml.predict(model_id, texts), patience)
    vectors = [
        [float(value) for value in output["data"]]
        for result in answer.get("inference_results", ())
        for output in result.get("output", ())
        if output.get("name") == "sentence_embedding"
    ]
    if len(vectors) != len(texts):
        raise ClusterError(
            f"model {model_id} gave {len(vectors)} vectors named sentence_embedding for {len(texts)} texts",
            hint="the model must be a text_embedding model that pools; was it made by osform model export?",
        )
    return vectors


def _score(cluster: Cluster, model_id: str, text: str, patience: Patience) -> tuple[float, ...]:
    (tensor,) = _tensors(cluster, ml.score(model_id, *pair_of(text)), 1, patience)
    return tuple(float(value) for value in tensor["data"])


def _weights(cluster: Cluster, model_id: str, texts: Sequence[str], patience: Patience) -> list[dict[str, float]]:
    tensors = _tensors(cluster, ml.weigh(model_id, texts), len(texts), patience)
    return [{token: float(value) for token, value in each["dataAsMap"]["response"][0].items()} for each in tensors]


def _tensors(cluster: Cluster, request: Request, count: int, patience: Patience) -> list[Mapping[str, Any]]:
    """The first output for each text."""
    results = _answer(cluster, request, patience).get("inference_results", ())
    tensors = [result["output"][0] for result in results if result.get("output")]
    if len(tensors) != count:
        raise ClusterError(
            f"the model gave {len(tensors)} answers for {count} texts", hint="was it made by osform model export?"
        )
    return tensors


def _answer(cluster: Cluster, request: Request, patience: Patience) -> Any:
    attempt, routed = 0, patience.within(30)
    while True:
        try:
            return persist(cluster, request, patience, longest=60)
        except RequestFailed as error:
            # For a moment after a deployment, the node that was asked doesn't know where the model is.
            if "model not ready" not in error.reason.lower() or routed.over:
                raise
        routed.pause(attempt, longest=1)
        attempt += 1


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

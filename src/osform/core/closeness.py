"""How near two answers of a model are: vectors, weights of tokens, or the score of a pair."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

Answer = Sequence[float] | Mapping[str, float]
"""A vector; of a cross-encoder one number, the score; of a sparse encoder the weights of tokens."""


def closeness(expected: Answer, found: Answer) -> float:
    """1 where both are the same, NaN where they can't be compared or hold something that is not finite.

    Of vectors and of weights, which are vectors with a number for each token, it is the cosine. Of scores it is 1 less
    their difference, which is relative where the expected score is above 1.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        tokens = sorted({*expected, *found})
        if not tokens:
            return 1.0  # a text without tokens: both say so
        return cosine([expected.get(each, 0.0) for each in tokens], [found.get(each, 0.0) for each in tokens])
    if isinstance(expected, Mapping) or isinstance(found, Mapping):
        return math.nan
    if len(expected) == len(found) == 1:
        if not math.isfinite(expected[0]) or not math.isfinite(found[0]):
            return math.nan
        return 1 - abs(expected[0] - found[0]) / max(1.0, abs(expected[0]))
    return cosine(expected, found)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine of two vectors; NaN where the dimensions differ, a component is not finite, or one has no length."""
    if len(one) != len(other) or not all(map(math.isfinite, (*one, *other))):
        return math.nan
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    lengths = math.hypot(*one) * math.hypot(*other)
    return product / lengths if lengths else math.nan


def pair_of(text: str) -> tuple[str, str]:
    """The question and the text that a cross-encoder's probe holds, which is a JSON list. Raises ValueError."""
    match json.loads(text):
        case [str(question), str(passage)]:
            return question, passage
    raise ValueError("expected a list of two texts")

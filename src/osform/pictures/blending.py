"""A picture's and a text's vector become one that is searched with.

CLIP keeps pictures in one corner of its space and texts in another (the modality gap: Liang et al., arXiv 2203.02053).
Two pictures of whatever are nearer to each other than any text is to its picture, and their cosines lie further
apart, so in the plain mean of a picture and a text the text hardly counts. Each measured from the middle of the index's
pictures, and by how much those differ in it, they can be weighed against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Blend = Literal["centred", "mean", "scores"]
BLENDS: tuple[Blend, ...] = get_args(Blend)
"""``scores`` puts the scores of both together, each scaled to the span that the pictures' have."""

Vector = Sequence[float]


@dataclass(frozen=True)
class Crowd:
    """The middle of an index's picture vectors, and some of them, by which it is seen how far they lie apart."""

    middle: Vector
    some: Sequence[Vector]

    def spread(self, vector: Vector) -> float:
        """How much the pictures differ in what ``vector`` asks: the deviation of its scores from that of the middle."""
        base = _dot(vector, self.middle)
        squares = [(_dot(vector, each) - base) ** 2 for each in self.some]
        return math.sqrt(math.fsum(squares) / len(squares)) if squares else 0.0

    def span(self, vector: Vector) -> float:
        """From the least score that ``vector`` gives one of them to the highest."""
        scores = [_dot(vector, each) for each in self.some]
        return max(scores) - min(scores) if scores else 0.0


def centred(picture: Vector, text: Vector, weight: float, crowd: Crowd) -> list[float]:
    """The vector whose scores are those of both, each from the middle and by its own spread; ``weight`` is the text's.

    A standard score is linear in the picture that is scored, so one vector asks for the sum of both.
    """
    return _shared(picture, text, weight, crowd.spread)


def scaled(picture: Vector, text: Vector, weight: float, crowd: Crowd) -> list[float]:
    """The vector whose scores are those of both, each scaled to the span of its own (min-max), and put together.

    Linear as well: so all pictures are scored by both, and not only those that either has among its first hundred, of
    which hardly any would be the same where there are thousands.
    """
    return _shared(picture, text, weight, crowd.span)


def _shared(picture: Vector, text: Vector, weight: float, width: Callable[[Vector], float]) -> list[float]:
    one, other = unit(picture), unit(text)
    near, far = width(one), width(other)
    if not near or not far:
        return mean(picture, text, weight)
    return unit(_sum([value / near for value in one], [value / far for value in other], weight))


def mean(picture: Vector, text: Vector, weight: float) -> list[float]:
    """The same without middles; ``weight`` 0.5 is the plain mean."""
    return unit(_sum(unit(picture), unit(text), weight))


def middle(vectors: Sequence[Vector]) -> list[float]:
    """The mean of some vectors. Raises ValueError where there are none."""
    if not vectors:
        raise ValueError("a mean of no vectors")
    return [math.fsum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def unit(vector: Vector) -> list[float]:
    """The vector with the length 1; zeros stay what they are."""
    length = math.hypot(*vector)
    return [value / length for value in vector] if length else list(vector)


def _dot(one: Vector, other: Vector) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def _sum(one: Vector, other: Vector, weight: float) -> list[float]:
    return [(1.0 - weight) * a + weight * b for a, b in zip(one, other, strict=True)]

"""How good a ranking is, and how slow: measures of retrieval as pure functions.

A ranking is the ids that a search found, best first. Grades say how well a document answers: 0 not at all, more is
better; a document that nobody judged counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence


def ndcg(found: Sequence[str], grades: Mapping[str, int], at: int = 10) -> float:
    """Normalised discounted cumulative gain of the first ``at`` documents, between 0 and 1; 1 is the ideal order.

    The gain is 2^grade - 1 and the discount log2(rank + 1), as OpenSearch's own ``_rank_eval`` has them. The ideal is
    the best order of all judged documents, found or not. 0 where no document has a grade above 0.
    """
    ideal = _dcg(sorted(grades.values(), reverse=True)[:at])
    return min(1.0, _dcg([grades.get(each, 0) for each in _once(found[:at])]) / ideal) if ideal else 0.0


def recall(found: Sequence[str], relevant: Collection[str], at: int = 10) -> float:
    """The share of the relevant documents that are among the first ``at``; with more than ``at`` of them never 1.

    0 where nothing is relevant.
    """
    return len(set(found[:at]) & set(relevant)) / len(set(relevant)) if relevant else 0.0


def all_within(found: Sequence[str], expected: Collection[str], within: int) -> bool:
    """Whether each of the expected documents is among the first ``within``."""
    return set(expected) <= set(found[:within])


def percentile(values: Iterable[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of the values do not exceed, linear between neighbours; 0.5 is the median.

    Raises ValueError where there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of no values")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; raises ValueError where there are no values."""
    if not values:
        raise ValueError("a mean of no values")
    return math.fsum(values) / len(values)


def _dcg(grades: Iterable[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _once(found: Sequence[str]) -> list[str]:
    """Each id once, at its rank: behind an alias of several indices one may come twice, and must not gain twice."""
    return [each if each not in found[:rank] else "" for rank, each in enumerate(found)]

"""How near a bundle's vectors are to its source's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from osform.errors import ExportError

if TYPE_CHECKING:
    import numpy

    Vector = numpy.ndarray[Any, Any]

NEAREST = 10


def cosine(a: Vector, b: Vector) -> float:
    """The cosine of two vectors, in double precision. A shape that differs is an error, NaN stays NaN."""
    import numpy

    if a.shape != b.shape:
        raise ExportError(f"the bundle answers with shape {b.shape}, its source with {a.shape}")
    x, y = a.astype(numpy.float64), b.astype(numpy.float64)
    return float(x @ y / (numpy.linalg.norm(x) * numpy.linalg.norm(y)))


def recall(expected: Sequence[Vector], given: Sequence[Vector]) -> float:
    """Of each text's ten nearest others by its source's vectors, the share that are so by the bundle's; on average.

    Both the text that asks and those that are found have the bundle's vectors, as in an index. NaN finds nothing.
    """
    wanted, found = _neighbours(expected), _neighbours(given)
    shares = [len(set(one) & set(other)) / len(one) for one, other in zip(wanted, found, strict=True)]
    return float(sum(shares) / len(shares))


def _neighbours(vectors: Sequence[Vector]) -> list[list[int]]:
    import numpy

    matrix = numpy.stack(vectors).astype(numpy.float64)
    matrix /= numpy.maximum(numpy.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    near = matrix @ matrix.T
    numpy.fill_diagonal(near, -numpy.inf)
    count = min(NEAREST, len(matrix) - 1)
    rows = numpy.argsort(-near, axis=1, kind="stable")[:, :count]
    return [[int(each) for each in row if not numpy.isnan(near[number, each])] for number, row in enumerate(rows)]

"""What an index must answer: the questions of ``provision/checks/<index>.yaml``, and how good answers must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from osform.core.document import Document, Path
from osform.errors import Place

Mode = Literal["lexical", "semantic", "hybrid", "picture"]
MODES: tuple[Mode, ...] = ("lexical", "semantic", "hybrid")
"""Those that ask of texts."""

Metric = Literal["ndcg_at_10", "recall_at_10", "success", "median_ms", "p95_ms"]
METRICS: tuple[Metric, ...] = get_args(Metric)
LATENCIES: frozenset[Metric] = frozenset({"median_ms", "p95_ms"})
"""Of these less is better; of the others more."""

AT = 10
"""Hits that count for nDCG and recall."""


@dataclass(frozen=True)
class Query:
    """One question. ``grades`` says how well documents answer it, by id.

    ``within`` is given where documents are simply expected: each of them must be among so many first hits. ``path`` is
    where the question stands in its file. ``picture`` is a file or an address to find others like, with ``text`` or
    without.
    """

    text: str
    grades: Mapping[str, int]
    within: int | None = None
    mode: Mode | None = None
    field: str | None = None
    filter: Mapping[str, Any] | None = None
    path: Path = ()
    picture: str = ""

    @property
    def asked(self) -> str:
        """The question in words."""
        return " + ".join(each for each in (self.text, self.picture) if each)

    @property
    def relevant(self) -> tuple[str, ...]:
        """The documents that answer, best first."""
        return tuple(
            sorted((each for each, grade in self.grades.items() if grade > 0), key=lambda id: -self.grades[id])
        )

    @property
    def size(self) -> int:
        """Hits to look at."""
        return max(AT, self.within or 0)


@dataclass(frozen=True)
class Checks:
    """The checks of one index. ``thresholds`` are the least that a metric may be, the most for latencies.

    ``worse_by`` says how far a new index may lie behind the one that it replaces; milliseconds for latencies.
    """

    index: str
    queries: tuple[Query, ...]
    thresholds: Mapping[Metric, float]
    worse_by: Mapping[Metric, float]
    document: Document

    def place(self, query: Query) -> Place:
        """File and line of a question."""
        return self.document.place(query.path)

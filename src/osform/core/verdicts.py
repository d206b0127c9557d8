"""What an index answered to its checks, and whether that is good enough: by itself, and beside the index before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from osform.core import metrics
from osform.core.checks import AT, LATENCIES, METRICS, Checks, Metric, Mode, Query

# Below it a difference is a matter of floating-point numbers, not of answers.
_NOTHING = 1e-9
_DEFAULTS: Mapping[Metric, float] = {"success": 1.0}
# Means of all answers: where one of them is too low, any answer that is not perfect may be the reason.
_OF_ALL: frozenset[Metric] = frozenset({"ndcg_at_10", "recall_at_10"})


@dataclass(frozen=True)
class Answer:
    """What one question found in one index: ids, best first, and how long it took each time, in milliseconds.

    ``refused`` says why the question can't be asked of the index, where that is so.
    """

    query: Query
    found: tuple[str, ...] = ()
    took_ms: tuple[float, ...] = ()
    mode: Mode | None = None
    refused: str = ""

    @property
    def ndcg(self) -> float:
        """nDCG@10."""
        return metrics.ndcg(self.found, self.query.grades, AT)

    @property
    def recall(self) -> float:
        """recall@10."""
        return metrics.recall(self.found, self.query.relevant, AT)

    @property
    def met(self) -> bool | None:
        """Whether everything expected is where it is expected; None where documents are judged instead."""
        within = self.query.within
        return None if within is None else metrics.all_within(self.found, self.query.relevant, within)

    def to_json(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "mode": self.mode,
            "found": list(self.found),
            "ndcg_at_10": round(self.ndcg, 4),
            "recall_at_10": round(self.recall, 4),
            "met": self.met,
            "took_ms": list(self.took_ms),
            "refused": self.refused or None,
        }


_MEASURES: Mapping[Metric, Callable[[tuple[Answer, ...]], float | None]] = {
    "ndcg_at_10": lambda answers: _mean(each.ndcg for each in answers),
    "recall_at_10": lambda answers: _mean(each.recall for each in answers),
    "success": lambda answers: _mean(float(each.met) for each in answers if each.met is not None),
    "median_ms": lambda answers: _percentile(answers, 0.5),
    "p95_ms": lambda answers: _percentile(answers, 0.95),
}


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return metrics.mean(found) if found else None


def _percentile(answers: tuple[Answer, ...], share: float) -> float | None:
    took = [each for answer in answers for each in answer.took_ms]
    return metrics.percentile(took, share) if took else None


@dataclass(frozen=True)
class Evaluation:
    """The answers of one index, in the order of the questions; a question that it refused counts as one in vain."""

    index: str
    answers: tuple[Answer, ...]

    @cached_property
    def values(self) -> Mapping[Metric, float | None]:
        """Every metric; None for one that no question measures."""
        return {metric: measure(self.answers) for metric, measure in _MEASURES.items()}

    def of(self, queries: Iterable[Query]) -> Evaluation:
        """The same for some of the questions."""
        paths = {each.path for each in queries}
        return Evaluation(self.index, tuple(each for each in self.answers if each.query.path in paths))


@dataclass(frozen=True)
class Measured:
    """One metric: its value before and now, what is asked of it, and what is wrong with it, if anything.

    ``least`` is the threshold, the most for a latency; ``slack`` how much worse than before it may be.
    """

    metric: Metric
    old: float | None
    new: float | None
    least: float | None
    slack: float | None
    wrong: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The metric for programs."""
        bound = "at_most" if self.metric in LATENCIES else "at_least"
        values = {"metric": self.metric, "old": self.old, "new": self.new, bound: self.least, "worse_by": self.slack}
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
        return {**rounded, "passed": not self.wrong}


@dataclass(frozen=True)
class Worse:
    """A question to look at: not answered as expected, or worse than by the old index."""

    query: Query
    old: Answer | None
    new: Answer

    @property
    def gain(self) -> float:
        """nDCG@10 now less what it was, or less the best there is where there was nothing; below 0 is worse."""
        return self.new.ndcg - (self.old.ndcg if self.old else 1.0)

    def worth_a_look(self, *, poor: bool) -> bool:
        """Whether it explains anything; where the index is ``poor`` as a whole, every flaw does."""
        flawed = self.new.ndcg < 1 - _NOTHING if poor else self.old is not None and self.gain < -_NOTHING
        return flawed or self.new.met is False or bool(self.new.refused)


@dataclass(frozen=True)
class Verdict:
    """Whether an index may serve: the metrics, why not, and the questions to look at, the worst first."""

    checks: Checks
    old: Evaluation | None
    new: Evaluation
    measured: tuple[Measured, ...]
    worse: tuple[Worse, ...]
    unasked: tuple[Answer, ...] = ()
    """Questions that the old index refuses: nothing is compared there."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong, a sentence each; empty where nothing is."""
        refused = [
            f"{self.checks.place(each.query)} can't be asked of {self.new.index}: {each.refused}"
            for each in self.new.answers
            if each.refused
        ]
        return (*(reason for each in self.measured for reason in each.wrong), *refused)

    @property
    def only_slow(self) -> bool:
        """Whether latencies are all that is wrong, which whatever else the cluster did may have caused."""
        wrong = {each.metric for each in self.measured if each.wrong}
        return bool(wrong) and wrong <= LATENCIES and not any(each.refused for each in self.new.answers)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        before = {each.query.path: each for each in self.old.answers} if self.old else {}
        queries = [
            {
                "query": each.query.asked,
                "line": self.checks.place(each.query).line,
                "old": before[each.query.path].to_json() if before else None,
                "new": each.to_json(),
            }
            for each in self.new.answers
        ]
        return {
            "index": self.checks.index,
            "file": self.checks.document.file,
            "passed": self.passed,
            "old": self.old.index if self.old else None,
            "new": self.new.index,
            "metrics": [each.to_json() for each in self.measured],
            "reasons": list(self.reasons),
            "queries": queries,
        }


def compared(checks: Checks, new: Evaluation, old: Evaluation | None = None) -> Verdict:
    """Hold an index's answers to the thresholds and, where there is one, to the answers of the index before it.

    What the old index refuses to answer is left out of the comparison, and of nothing else.
    """
    both = [each.query for each in old.answers if not each.refused] if old else []
    pair = (old.of(both), new.of(both)) if old and both else None
    measured = tuple(_measured(checks, metric, new, pair) for metric in METRICS)
    before = {each.query.path: each for each in pair[0].answers} if pair else {}
    poor = any(each.wrong for each in measured if each.metric in _OF_ALL)
    pairs = [Worse(each.query, before.get(each.query.path), each) for each in new.answers]
    worse = sorted((each for each in pairs if each.worth_a_look(poor=poor)), key=lambda each: each.gain)
    unasked = tuple(each for each in old.answers if each.refused) if old else ()
    return Verdict(checks, old, new, measured, tuple(worse), unasked)


def _measured(checks: Checks, metric: Metric, new: Evaluation, pair: tuple[Evaluation, Evaluation] | None) -> Measured:
    value, least = new.values[metric], checks.thresholds.get(metric, _DEFAULTS.get(metric))
    if value is None:
        return Measured(metric, None, None, None, None)
    sign, word = (-1, "at most") if metric in LATENCIES else (1, "at least")
    wrong = []
    if least is not None and sign * (least - value) > _NOTHING:
        wrong.append(f"{title(metric)} is {shown(metric, value)}, expected {word} {shown(metric, least)}")
    before, after = (each.values[metric] for each in pair) if pair else (None, None)
    slack = checks.worse_by.get(metric) if before is not None else None
    if before is not None and after is not None and slack is not None and sign * (before - after) - slack > _NOTHING:
        bound = shown(metric, before - sign * slack)
        where = f"{shown(metric, before)} in {pair[0].index}" if pair else ""
        wrong.append(f"{title(metric)} is {shown(metric, after)} and was {where}, expected {word} {bound}")
    return Measured(metric, before, value, least, checks.worse_by.get(metric), tuple(wrong))


_TITLES: Mapping[Metric, str] = {
    "ndcg_at_10": "nDCG@10",
    "recall_at_10": "recall@10",
    "success": "success",
    "median_ms": "median latency",
    "p95_ms": "p95 latency",
}


def title(metric: Metric) -> str:
    """A metric's name as people know it."""
    return _TITLES[metric]


def shown(metric: Metric, value: float | None) -> str:
    """A metric's value as a person reads it; ``-`` where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f} ms" if metric in LATENCIES else f"{value:.3f}"

"""Whether an index is good enough: by its thresholds, and beside the index before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.checks import Checks, Metric, Query
from osform.core.document import Document
from osform.core.verdicts import Answer, Evaluation, compared

DOCUMENT = Document("provision/checks/pics.yaml", {"queries": [{}, {}]}, {("queries", 0): 2, ("queries", 1): 5})
JUDGED = Query("cats", {"a": 3, "b": 1}, path=("queries", 0))
EXPECTED = Query("dogs", {"c": 1}, within=1, path=("queries", 1))


def checks(thresholds: Mapping[Metric, float] = {}, worse_by: Mapping[Metric, float] = {}) -> Checks:
    return Checks("pics", (JUDGED, EXPECTED), thresholds, worse_by, DOCUMENT)


def answers(index: str, cats: str, dogs: str, *took: float) -> Evaluation:
    """Each letter is a document found."""
    return Evaluation(index, (Answer(JUDGED, tuple(cats), took), Answer(EXPECTED, tuple(dogs), took)))


GOOD = answers("pics-v1", "ab", "c", 10, 20)


def test_perfect_answers_pass_whatever_is_asked() -> None:
    verdict = compared(checks({"ndcg_at_10": 1, "recall_at_10": 1, "success": 1, "p95_ms": 20}), GOOD)
    assert verdict.passed
    assert verdict.worse == ()
    assert GOOD.values == {"ndcg_at_10": 1, "recall_at_10": 1, "success": 1, "median_ms": 15, "p95_ms": 20}


@pytest.mark.parametrize(
    ("thresholds", "reason"),
    [
        ({"ndcg_at_10": 0.99}, "nDCG@10 is 0.959, expected at least 0.990"),
        ({"recall_at_10": 0.99}, "recall@10 is 0.750, expected at least 0.990"),
        ({"median_ms": 14}, "median latency is 15.0 ms, expected at most 14.0 ms"),
        ({"p95_ms": 19.5}, "p95 latency is 20.0 ms, expected at most 19.5 ms"),
    ],
)
def test_a_threshold_that_is_missed_is_told_with_its_numbers(thresholds: dict[Metric, float], reason: str) -> None:
    verdict = compared(checks(thresholds), answers("pics-v1", "a", "c", 10, 20))
    assert verdict.reasons == (reason,)


def test_what_is_expected_must_be_there_unless_a_threshold_says_otherwise() -> None:
    missed = answers("pics-v1", "ab", "xc")
    assert compared(checks(), missed).reasons == ("success is 0.000, expected at least 1.000",)
    assert compared(checks({"success": 0}), missed).passed


def test_a_new_index_may_lie_behind_the_old_one_only_so_far() -> None:
    new = answers("pics-v2", "ba", "c", 12, 22)
    assert compared(checks(worse_by={"ndcg_at_10": 0.3, "median_ms": 2}), new, GOOD).passed
    (first, second) = compared(checks(worse_by={"ndcg_at_10": 0.1, "median_ms": 1}), new, GOOD).reasons
    assert first == "nDCG@10 is 0.855 and was 1.000 in pics-v1, expected at least 0.900"
    assert second == "median latency is 17.0 ms and was 15.0 ms in pics-v1, expected at most 16.0 ms"


def test_the_questions_that_got_worse_are_named_the_worst_first() -> None:
    verdict = compared(checks(), answers("pics-v2", "ba", "xc"), GOOD)
    assert [each.query.text for each in verdict.worse] == ["dogs", "cats"]
    assert [each.query.text for each in compared(checks(), GOOD, answers("pics-v0", "b", "xy")).worse] == []


def test_what_the_old_index_refuses_is_not_compared() -> None:
    refusing = replace(GOOD.answers[0], found=(), refused="it has no vector field")
    old = Evaluation("pics-v1", (refusing, GOOD.answers[1]))
    verdict = compared(checks(worse_by={"ndcg_at_10": 0.0}), answers("pics-v2", "ba", "c"), old)
    assert verdict.passed
    assert [each.query.text for each in verdict.unasked] == ["cats"]
    assert verdict.measured[0].old == 1.0


def test_what_the_new_index_refuses_fails_with_file_and_line() -> None:
    refusing = replace(GOOD.answers[1], found=(), refused="it has no vector field")
    verdict = compared(checks({"success": 0}), Evaluation("pics-v2", (GOOD.answers[0], refusing)))
    assert verdict.reasons == ("provision/checks/pics.yaml:5 can't be asked of pics-v2: it has no vector field",)


def test_only_slow_is_what_finds_everything_and_takes_too_long() -> None:
    slow: dict[Metric, float] = {"p95_ms": 5, "ndcg_at_10": 0.99}
    assert compared(checks(slow), GOOD).only_slow
    assert not compared(checks(), GOOD).only_slow
    assert not compared(checks(slow), answers("pics-v1", "ba", "c", 10)).only_slow
    refusing = replace(GOOD.answers[1], refused="it has no vector field")
    assert not compared(checks(slow), Evaluation("pics-v2", (GOOD.answers[0], refusing))).only_slow


RANKINGS = st.text("abcxy", max_size=6).map(lambda text: "".join(dict.fromkeys(text)))


@given(RANKINGS, RANKINGS, st.lists(st.floats(0, 100)))
def test_an_index_is_never_worse_than_itself(cats: str, dogs: str, took: list[float]) -> None:
    one = answers("pics-v1", cats, dogs, *took)
    none: dict[Metric, float] = dict.fromkeys(("ndcg_at_10", "recall_at_10", "success", "median_ms", "p95_ms"), 0.0)
    verdict = compared(checks({"success": 0}, none), replace(one, index="pics-v2"), one)
    assert verdict.passed
    assert all(each.old == each.new for each in verdict.measured)


@given(RANKINGS, RANKINGS, st.floats(0, 1), st.floats(0, 1))
def test_whoever_asks_for_less_passes_what_passes(cats: str, dogs: str, high: float, low: float) -> None:
    low, high = sorted([low, high])
    one = answers("pics-v1", cats, dogs)
    strict, lax = (compared(checks({"ndcg_at_10": bound, "success": 0}), one) for bound in (high, low))
    assert lax.passed or not strict.passed


def test_a_verdict_tells_programs_the_numbers_and_every_answer() -> None:
    told = compared(checks({"p95_ms": 5}), answers("pics-v2", "ba", "c", 7), GOOD).to_json()
    assert (told["index"], told["old"], told["new"], told["passed"]) == ("pics", "pics-v1", "pics-v2", False)
    assert told["metrics"][4] == {
        "metric": "p95_ms", "old": 20.0, "new": 7.0, "at_most": 5, "worse_by": None, "passed": False,
    }  # fmt: skip
    assert told["queries"][0]["new"]["found"] == ["b", "a"]
    assert [each["line"] for each in told["queries"]] == [2, 5]

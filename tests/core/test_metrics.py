"""Measures of retrieval: their laws, and the same numbers as other people's implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import dcg_score, ndcg_score

from osform.core.metrics import all_within, mean, ndcg, percentile, recall

IDS = st.sampled_from([f"d{n}" for n in range(30)])
RANKINGS = st.lists(IDS, unique=True, max_size=25)
GRADES = st.dictionaries(IDS, st.integers(0, 4), min_size=1).filter(lambda grades: any(grades.values()))
VALUES = st.lists(st.floats(0, 1e6), min_size=1)


@given(RANKINGS, GRADES, st.integers(1, 15))
def test_ndcg_is_that_of_scikit_learn(found: list[str], grades: dict[str, int], at: int) -> None:
    # There every document has a score: those found by rank, the rest below, worst first so that none of them gains.
    rest = sorted(grades.keys() - set(found), key=lambda each: grades[each])
    ranked = [*found, *["nobody"] * at, *rest]
    gains = [[2 ** grades.get(each, 0) - 1 for each in ranked]]
    scores = [[float(-place) for place in range(len(ranked))]]
    assert ndcg(found, grades, at) == pytest.approx(ndcg_score(gains, scores, k=at))
    assert dcg_score(gains, scores, k=at) >= 0


@given(VALUES, st.floats(0, 1))
def test_a_percentile_is_that_of_numpy(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.percentile(values, share * 100)), abs=1e-9)


@given(GRADES)
def test_the_ideal_order_has_an_ndcg_of_one(grades: dict[str, int]) -> None:
    ideal = sorted(grades, key=lambda each: -grades[each])
    assert ndcg(ideal, grades) == pytest.approx(1.0)


@given(RANKINGS, GRADES)
def test_every_measure_lies_between_nothing_and_one(found: list[str], grades: dict[str, int]) -> None:
    relevant = [each for each in grades if grades[each]]
    assert 0.0 <= ndcg(found, grades) <= 1.0
    assert 0.0 <= recall(found, relevant) <= 1.0


@given(RANKINGS, GRADES, st.data())
def test_a_better_document_earlier_never_lowers_ndcg(
    found: list[str], grades: dict[str, int], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, max(0, len(found) - 2)))
    swapped = list(found)
    if len(found) > 1 and grades.get(found[first + 1], 0) > grades.get(found[first], 0):
        swapped[first : first + 2] = swapped[first + 1], swapped[first]
    assert ndcg(swapped, grades) >= ndcg(found, grades) - 1e-12


@given(RANKINGS, GRADES)
def test_what_comes_after_the_tenth_counts_for_nothing(found: list[str], grades: dict[str, int]) -> None:
    relevant = [each for each in grades if grades[each]]
    assert ndcg(found, grades) == ndcg(found[:10], grades)
    assert recall(found, relevant) == recall(found[:10], relevant)


@given(RANKINGS, GRADES)
def test_documents_that_nobody_judged_count_as_no_answer(found: list[str], grades: dict[str, int]) -> None:
    judged = grades | {each: 0 for each in found if each not in grades}
    assert ndcg(found, judged) == pytest.approx(ndcg(found, grades))


@given(RANKINGS, st.sets(IDS, min_size=1), st.integers(1, 10))
def test_everything_is_within_exactly_where_recall_is_one(found: list[str], expected: set[str], within: int) -> None:
    assert all_within(found, expected, within) == (recall(found, expected, within) == 1.0)


def test_a_document_that_comes_twice_gains_once() -> None:
    assert ndcg(["a", "a"], {"a": 1, "b": 1}) == pytest.approx(ndcg(["a", "x"], {"a": 1, "b": 1}))
    assert recall(["a", "a"], ["a", "b"]) == 0.5


def test_a_ranking_worked_out_by_hand() -> None:
    # gains 1 and 7 of the best order 7, 3, 1: (1 / log2 2 + 7 / log2 4) / (7 + 3 / log2 3 + 1 / 2)
    assert ndcg(["c", "x", "a"], {"a": 3, "b": 2, "c": 1}) == pytest.approx((1 + 7 / 2) / (7 + 3 / 1.5849625 + 0.5))


def test_nothing_to_find_is_nothing_found() -> None:
    assert ndcg(["a"], {"a": 0}) == ndcg([], {"a": 1}) == recall(["a"], []) == 0.0


def test_there_is_no_percentile_and_no_mean_of_nothing() -> None:
    with pytest.raises(ValueError, match="a percentile of no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="a mean of no values"):
        mean([])
    assert (percentile([3, 1, 2], 0.5), percentile([5], 0.95), mean([1, 2])) == (2, 5, 1.5)

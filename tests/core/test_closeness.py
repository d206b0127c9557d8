"""How near two answers of a model are."""

from __future__ import annotations

import math

import pytest

from osform.core.closeness import closeness, pair_of


def test_vectors_and_weights_are_compared_by_their_angle() -> None:
    assert closeness((1.0, 0.0), (2.0, 0.0)) == pytest.approx(1)
    assert closeness((1.0, 0.0), (0.0, 1.0)) == pytest.approx(0)
    assert closeness({"a": 1.0, "b": 1.0}, {"a": 1.0}) == pytest.approx(math.sqrt(0.5))
    assert closeness({}, {}) == 1


def test_scores_are_compared_by_their_difference() -> None:
    assert closeness((0.2,), (0.1,)) == pytest.approx(0.9)
    assert closeness((-10.0,), (-9.0,)) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ((1.0, 0.0), (1.0,)),
        ((math.nan,), (1.0,)),
        ({"a": 1.0}, {}),
        ({"a": 1.0}, (1.0,)),
        ((1.0, math.inf), (1.0, 0.0)),
    ],
)
def test_what_cannot_be_compared_is_not_a_number(expected: object, found: object) -> None:
    assert math.isnan(closeness(expected, found))  # type: ignore[arg-type]  # what a server might say


@pytest.mark.parametrize("text", ["a text", '["one"]', '["one", 2]', '{"a": "b"}'])
def test_a_pair_is_a_list_of_two_texts(text: str) -> None:
    assert pair_of('["a", "b"]') == ("a", "b")
    with pytest.raises(ValueError, match=r"expected|Expecting"):
        pair_of(text)

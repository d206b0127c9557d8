"""A picture's and a text's vector put together."""

from __future__ import annotations

import math

import pytest

from osform.pictures.blending import Crowd, centred, mean, middle, scaled, unit

# Pictures differ much in the first number and little in the second, and all have much of the third: the gap.
PICTURES = [[math.cos(turn), 0.1 * math.sin(turn), 1.0] for turn in range(12)]
CROWD = Crowd(middle(PICTURES), PICTURES)
PICTURE, TEXT = [1.0, 0.0, 1.0], [0.0, 0.2, -1.0]


def test_the_mean_of_two_vectors_has_length_one() -> None:
    assert math.hypot(*mean(PICTURE, TEXT, 0.5)) == pytest.approx(1.0)


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.8])
def test_centred_both_count_as_much_as_their_weights_say(weight: float) -> None:
    asked = centred(PICTURE, TEXT, weight, CROWD)
    alone = [CROWD.spread(unit(each)) for each in (PICTURE, TEXT)]
    parts = [(1 - weight) / alone[0], weight / alone[1]]
    wanted = unit([parts[0] * a + parts[1] * b for a, b in zip(unit(PICTURE), unit(TEXT), strict=True)])
    assert asked == pytest.approx(wanted)


def test_in_the_plain_mean_a_text_in_which_pictures_hardly_differ_counts_for_little() -> None:
    like_the_text = [0.0, 0.1, 1.0]
    like_the_picture = [1.0, -0.1, 1.0]

    def first(vector: list[float]) -> list[float]:
        return max(
            (like_the_text, like_the_picture), key=lambda each: sum(map(math.prod, zip(each, vector, strict=True)))
        )

    assert first(mean(PICTURE, TEXT, 0.6)) == like_the_picture
    assert first(centred(PICTURE, TEXT, 0.6, CROWD)) == like_the_text


def test_scores_that_are_scaled_to_their_spans_are_put_together() -> None:
    asked = scaled(PICTURE, TEXT, 0.3, CROWD)
    scores = [
        [sum(map(math.prod, zip(unit(each), other, strict=True))) for other in PICTURES] for each in (PICTURE, TEXT)
    ]
    ways = [
        [(score - min(all_of_them)) / (max(all_of_them) - min(all_of_them)) for score in all_of_them]
        for all_of_them in scores
    ]
    together = [0.7 * a + 0.3 * b for a, b in zip(*ways, strict=True)]
    found = [sum(map(math.prod, zip(asked, other, strict=True))) for other in PICTURES]
    assert sorted(range(12), key=found.__getitem__) == sorted(range(12), key=together.__getitem__)


@pytest.mark.parametrize(("weight", "same"), [(0.0, PICTURE), (1.0, TEXT)])
def test_at_the_ends_one_of_the_two_is_all(weight: float, same: list[float]) -> None:
    assert centred(PICTURE, TEXT, weight, CROWD) == pytest.approx(unit(same))


def test_without_pictures_to_measure_by_it_is_the_mean() -> None:
    for blend in (centred, scaled):
        assert blend(PICTURE, TEXT, 0.5, Crowd([0.0] * 3, [])) == mean(PICTURE, TEXT, 0.5)


def test_there_is_no_middle_of_nothing() -> None:
    with pytest.raises(ValueError, match="no vectors"):
        middle([])

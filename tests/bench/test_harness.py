"""What is made of rounds: orders, medians, ratios. No test asks how fast anything is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.harness import Arm, DidNotFinish, Sample, Series, Settings, Table, measure, order, percentile, quartiles


def playing(*values: float | None, name: str = "arm", extra: float = 1.0) -> Arm:
    """An arm whose rounds give these figures; None is a round that does not finish."""
    left = list(values)

    def run() -> Sample:
        value = left.pop(0)
        if value is None:
            raise DidNotFinish("it took too long")
        return Sample(value, {"requests": extra})

    return Arm(name, run)


def measured(*arms: Arm, rounds: int, better: str = "more") -> Table:
    lines: list[str] = []
    return measure(
        arms,
        rounds,
        title="track",
        unit="documents/s",
        better="more" if better == "more" else "less",
        reference="peer",
        say=lines.append,
    )


def test_every_other_round_runs_backwards() -> None:
    arms = [playing(name=name) for name in "ABC"]
    orders = ["".join(arm.name for arm in order(arms, round)) for round in range(3)]
    assert orders == ["ABC", "CBA", "ABC"]


def test_arms_are_interleaved_in_that_order() -> None:
    seen: list[str] = []

    def noting(name: str) -> Callable[[], Sample]:
        def run() -> Sample:
            seen.append(name)
            return Sample(1.0)

        return run

    measured(Arm("mine", noting("mine")), Arm("peer", noting("peer")), rounds=2)
    assert seen == ["mine", "peer", "peer", "mine"]


def test_a_ratio_is_the_median_of_ratios_between_neighbours_in_time() -> None:
    table = measured(playing(10, 40, 90, name="mine"), playing(10, 20, 30, name="peer"), rounds=3)
    assert table.speeds("mine") == [1, 2, 3]
    assert table.speed("mine") == 2
    assert table.speed("peer") == 1


def test_where_less_is_better_the_one_that_takes_half_is_twice_as_fast() -> None:
    table = measured(playing(50, name="mine"), playing(100, name="peer"), rounds=1, better="less")
    assert table.speed("mine") == 2


def test_a_round_that_did_not_finish_has_no_figure_and_a_reason() -> None:
    table = measured(playing(10, None, 30, name="mine"), playing(10, 10, 10, name="peer"), rounds=3)
    mine = table.series[0]
    assert mine.values == [10, 30]
    assert mine.failures == ["it took too long"]
    assert table.speeds("mine") == [1, 3]


def test_an_arm_that_never_finishes_has_no_median() -> None:
    table = measured(playing(None, name="mine"), playing(10, name="peer"), rounds=1)
    assert table.series[0].median is None
    assert table.speed("mine") is None


def test_other_figures_are_medians_too() -> None:
    series = Series("arm", [Sample(1, {"requests": 2}), None, Sample(1, {"requests": 4})])
    assert series.extra == {"requests": 3}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([7.0], (7.0, 7.0)), ([1.0, 2.0, 3.0, 4.0, 5.0], (2.0, 4.0))],
)
def test_quartiles(values: list[float], expected: tuple[float, float] | None) -> None:
    assert quartiles(values) == expected


def test_a_quick_run_is_one_round_unless_more_are_asked() -> None:
    assert Settings().rounds_or(4) == 4
    assert Settings(quick=True).rounds_or(4) == 1
    assert Settings(rounds=6, quick=True).rounds_or(4) == 6


def test_a_table_remembers_what_else_the_machine_did() -> None:
    table = measure(
        [playing(1, name="peer")],
        1,
        title="track",
        unit="ms",
        better="less",
        reference="peer",
        say=lambda _line: None,
        elsewhere=lambda: lambda: 2.5,
    )
    assert table.elsewhere == 2.5


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 5), (90, 9), (99, 10), (100, 10)])
def test_a_percentile_is_one_of_the_figures(percent: float, value: float) -> None:
    assert percentile(range(10, 0, -1), percent) == value

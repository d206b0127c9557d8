"""Index templates that change places, on a cluster that takes no two of one priority."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.flows.memory import MemoryCluster
from tests.flows.stacks import Bodies, apply, plan, spec

NAMES = st.sampled_from("abcde")
STACKS = st.dictionaries(NAMES, st.integers(0, 4), max_size=5).filter(
    lambda drawn: len(set(drawn.values())) == len(drawn)
)


def templates(**priorities: int) -> Bodies:
    return {f"index_template/{name}": {"index_patterns": ["logs-*"], "priority": n} for name, n in priorities.items()}


def applied(*stacks: Bodies) -> MemoryCluster:
    """A cluster to which these stacks were applied, one after the other."""
    cluster = MemoryCluster()
    for bodies in stacks:
        apply(cluster, spec(bodies), force=True)[0].check()
    return cluster


@given(STACKS, STACKS)
def test_whatever_the_priorities_were_they_become_what_is_asked(one: dict[str, int], other: dict[str, int]) -> None:
    cluster = applied(templates(**one), templates(**other))
    assert {name: body["priority"] for name, body in cluster.templates.items()} == other
    assert plan(cluster, spec(templates(**other))).empty


def test_where_an_order_helps_each_is_put_once() -> None:
    cluster = applied(templates(a=1, b=2), templates(a=2, b=3))
    assert cluster.sent[-2:] == ["PUT /_index_template/b", "PUT /_index_template/a"]


def test_of_two_that_swap_one_is_put_aside_and_the_plan_says_so() -> None:
    cluster = applied(templates(a=1, b=2))
    first, _ = plan(cluster, spec(templates(a=2, b=1))).changes
    assert (str(first.address), first.notes) == (
        "index_template/a", ("index_template/b has its priority and gets 1,000,000,000 until its own turn",),
    )  # fmt: skip
    assert applied(templates(a=1, b=2), templates(a=2, b=1)).sent[-3:] == [
        f"PUT /_index_template/{name}" for name in "bab"
    ]


def test_one_that_is_stored_under_another_name_goes_when_the_new_one_is_there() -> None:
    cluster = applied(templates(a=1), templates(b=1))
    assert cluster.sent[-3:] == ["PUT /_index_template/a", "PUT /_index_template/b", "DELETE /_index_template/a"]

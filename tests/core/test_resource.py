"""In which order resources are made."""

from __future__ import annotations

from graphlib import CycleError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.address import Address
from osform.core.resource import in_order

ALL = [Address("index", name) for name in "abcdefgh"]


@st.composite
def acyclic(draw: st.DrawFn) -> dict[Address, list[Address]]:
    """Each address may need those before it in some order."""
    order = draw(st.permutations(ALL))
    return {each: draw(st.lists(st.sampled_from(order[:n]), max_size=3)) if n else [] for n, each in enumerate(order)}


@given(acyclic())
def test_each_comes_once_and_after_what_it_needs(needs: Any) -> None:
    order = in_order(needs)
    assert sorted(order) == ALL
    assert all(order.index(need) < order.index(each) for each in ALL for need in needs[each])


@given(acyclic(), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_files(needs: Any, random: Any) -> None:
    shuffled = random.sample(list(needs.items()), len(needs))
    assert in_order(needs) == in_order({each: random.sample(need, len(need)) for each, need in shuffled})


def test_a_cycle_is_named_from_one_address_back_to_it() -> None:
    a, b = ALL[:2]
    with pytest.raises(CycleError) as raised:
        in_order({a: [b], b: [a]})
    assert sorted(raised.value.args[1][:-1]) == [a, b]
    assert raised.value.args[1][0] == raised.value.args[1][-1]


@pytest.mark.parametrize("text", ["", "images", "/images", "index/", "index/a/b"])
def test_an_address_is_a_kind_and_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="expected <kind>/<name>"):
        Address.parse(text)
    assert str(Address.parse("index/images")) == "index/images"

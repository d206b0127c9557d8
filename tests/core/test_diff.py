"""How trees differ, and what one lacks of the other."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from osform.core.diff import ABSENT, Difference, differences, missing, same
from osform.core.values import Unknown, leaves
from tests.trees import LEAVES, mappings, put_at, trees, without


@given(trees())
def test_a_tree_does_not_differ_from_itself_and_lacks_nothing(tree: Any) -> None:
    assert differences(tree, tree) == ()
    assert missing(tree, tree) == ()


@given(mappings(), mappings())
def test_differences_turned_round_are_those_of_the_trees_turned_round(one: Any, other: Any) -> None:
    there = {(each.path, repr(each.before), repr(each.after)) for each in differences(one, other)}
    back = {(each.path, repr(each.after), repr(each.before)) for each in differences(other, one)}
    assert there == back


@given(mappings(), st.data())
def test_a_changed_leaf_is_the_one_difference(tree: Any, data: Any) -> None:
    assume(tree)
    path, old = data.draw(st.sampled_from(list(leaves(tree))))
    new = data.draw(LEAVES.filter(lambda leaf: not same(leaf, old)))
    changed = put_at(tree, path, new)
    assert [each.path for each in differences(tree, changed)] == [path]
    assert [each.path for each in missing(changed, tree)] == [path]


@given(mappings(), mappings(), st.data())
def test_what_is_found_may_hold_more_and_each_asked_leaf_is_looked_for(asked: Any, more: Any, data: Any) -> None:
    found = {**{f"other {key}": item for key, item in more.items()}, **asked}
    assert missing(asked, found) == ()
    paths = [p for p, leaf in leaves(asked) if p and isinstance(p[-1], str) and leaf != {}]
    assume(paths)
    path = data.draw(st.sampled_from(paths))
    assert path in [each.path for each in missing(asked, without(found, path))]


@given(trees())
def test_whatever_nothing_differs_from_has_only_leaves_that_are_new(tree: Any) -> None:
    assume(tree != {} and tree is not None)
    assert {each.before for each in differences({}, {"a": tree})} == {ABSENT}


def test_true_is_not_1_and_1_is_1_point_0() -> None:
    assert differences({"a": True, "b": 1}, {"a": 1, "b": 1.0}) == (Difference(("a",), True, 1),)


def test_null_is_not_nothing() -> None:
    assert differences({}, {"a": None}) == (Difference(("a",), ABSENT, None),)


def test_an_empty_mapping_that_is_filled_is_told_by_what_fills_it() -> None:
    assert differences({"m": {}}, {"m": {"a": {"b": 1}}}) == (Difference(("m", "a", "b"), ABSENT, 1),)


def test_an_empty_mapping_asks_for_nothing_and_a_shorter_list_is_another_list() -> None:
    assert missing({"m": {}, "n": {"o": {}}}, {}) == ()
    assert missing({"l": [1, 2]}, {"l": [1, 2, 3]}) == (Difference(("l",), [1, 2], [1, 2, 3]),)


def test_what_is_known_after_apply_equals_only_itself() -> None:
    assert differences({"a": Unknown("x")}, {"a": Unknown("x")}) == ()
    assert [each.path for each in differences({"a": "x"}, {"a": Unknown("x")})] == [("a",)]

"""Patterns of names: when two of them have a name in common."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.globs import overlap

PATTERN = st.text("ab*", max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [("a*", "*b", True), ("a*", "b*", False), ("a*c", "ab*", True), ("*a", "*b", False), ("ab", "abc", False)],
)
def test_two_patterns_overlap_where_a_name_is_of_both(one: str, other: str, common: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is common


@given(st.text("ab", max_size=6), PATTERN)
def test_a_name_overlaps_with_the_patterns_that_match_it(name: str, pattern: str) -> None:
    assert overlap(name, pattern) == fnmatchcase(name, pattern)


@given(st.text("ab", max_size=6), PATTERN, PATTERN)
def test_patterns_that_match_one_name_overlap(name: str, one: str, other: str) -> None:
    if fnmatchcase(name, one) and fnmatchcase(name, other):
        assert overlap(one, other)

"""Files that osform writes: whatever is written is read as the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.files.writing import dump
from osform.files.yaml import parse

# What the reader refuses is not written: see test_yaml.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\n\t"))
SCALAR = (
    TEXT | st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)


@given(st.dictionaries(TEXT, VALUE))
def test_a_body_that_is_written_is_read_as_the_same(body: dict[str, Any]) -> None:
    assert parse(dump(body), "a.yaml").value == body


@pytest.mark.parametrize(
    "text", ["1e5", "1E5", "0x1F", "010", "1_000", "yes", "no", "null", "", " a", "a ", "1.", ".5"]
)
def test_a_text_that_looks_like_something_else_stays_a_text(text: str) -> None:
    assert parse(dump({"a": text, text: "b"}), "a.yaml").value == {"a": text, text: "b"}

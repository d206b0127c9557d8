"""Files that osform writes: whatever is written is read as the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.files.writing import dump, write_new
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


def test_a_file_that_can_not_be_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_new(tmp_path / "a.yaml", "half a letter: \ud800")
    assert list(tmp_path.iterdir()) == []

"""Filters as they are written."""

from __future__ import annotations

import pytest

from osform.core.filters import Filter
from osform.errors import InputError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("place=home", ("place", "=", "home")),
        ("place != home", ("place", "!=", "home")),
        ("width>=1000", ("width", ">=", "1000")),
        ("taken < 2020-05-01", ("taken", "<", "2020-05-01")),
        ("exif.camera=a=b > c", ("exif.camera", "=", "a=b > c")),
    ],
)
def test_a_filter_is_a_field_a_sign_and_a_value(text: str, parts: tuple[str, str, str]) -> None:
    read = Filter.parse(text)
    assert (read.field, read.sign, read.value) == parts


def test_a_filter_written_and_read_again_is_itself() -> None:
    assert Filter.parse(str(Filter("place", "!=", "home"))) == Filter("place", "!=", "home")


@pytest.mark.parametrize("text", ["", "place", "place=", "=home", "  =  "])
def test_what_is_no_filter_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="is no filter") as caught:
        Filter.parse(text)
    assert "place=home" in (caught.value.hint or "")

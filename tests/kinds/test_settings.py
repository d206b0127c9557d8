"""Settings: nested or dotted, they mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.values import Secret, Unknown
from osform.kinds.settings import flat, text

KEYS = st.text("abc", min_size=1, max_size=3)
VALUES = st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
NESTED = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
)


@given(NESTED)
def test_flat_settings_are_flat_already(settings: Any) -> None:
    assert flat(flat(settings)) == flat(settings)
    assert not any(isinstance(value, dict) for value in flat(settings).values())


@given(KEYS, NESTED)
def test_a_key_with_dots_is_the_same_as_keys_in_keys(key: str, settings: Any) -> None:
    assert flat({key: settings}) == {f"{key}.{inner}": value for inner, value in flat(settings).items()}


@given(NESTED)
def test_the_prefix_may_be_written_or_left_out(settings: Any) -> None:
    assert flat({"index": settings}, "index.") == flat(flat(settings, "index."), "index.")
    assert flat(settings, "index.") == flat({"index": settings}, "index.") or "index" in settings


@pytest.mark.parametrize(
    ("value", "given_back"), [(True, "true"), (False, "false"), (3, "3"), (0.5, "0.5"), ("x", "x"), (None, None)]
)
def test_a_value_is_what_the_server_gives_back(value: Any, given_back: Any) -> None:
    assert text(value) == given_back


def test_what_is_secret_or_not_known_yet_stays_what_it_is() -> None:
    secret, unknown = Secret("${env.A}", "f", "v"), Unknown("${model/m.model_id}")
    assert flat({"a": {"b": secret, "c": [unknown]}}) == {"a.b": secret, "a.c": [unknown]}


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, {"a": {}}])
def test_what_is_empty_or_no_mapping_has_no_settings(value: Any) -> None:
    assert flat(value) == {}

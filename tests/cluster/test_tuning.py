"""Which settings an index is loaded with."""

from __future__ import annotations

import pytest

from osform.cluster.tuning import EXPAND, REFRESH, REPLICAS, for_load

ONE = {REPLICAS: "1"}


def test_an_empty_index_gets_neither_refreshes_nor_copies_until_it_is_full() -> None:
    assert for_load({**ONE, REFRESH: "1s"}, empty=True) == {REFRESH: "-1", REPLICAS: "0"}
    assert for_load(ONE, empty=True) == {REFRESH: "-1", REPLICAS: "0"}


def test_an_index_with_documents_keeps_its_copies_and_shows_what_is_new_now_and_then() -> None:
    assert for_load(ONE, empty=False) == {REFRESH: "30s"}


@pytest.mark.parametrize("interval", ["-1", "30s", "1m", "2h", "45000ms"])
def test_what_is_seldom_refreshed_is_left_alone(interval: str) -> None:
    assert for_load({**ONE, REFRESH: interval}, empty=False) == {}


def test_copies_that_the_server_counts_itself_are_left_to_it() -> None:
    assert for_load({**ONE, EXPAND: "0-1", REFRESH: "-1"}, empty=True) == {}

"""What a load notes of an index: enough to put everything back, and nothing that somebody chose meanwhile."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osform.core.loading import SILENT_SECONDS, LoadNote, meta_with, note_of, settled

SETTINGS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2", "3"]))
NOTE = LoadNote("me", 1000.0, {"a": None, "b": "1"}, {"a": "-1", "b": "0"})


@given(SETTINGS, SETTINGS)
def test_whatever_a_load_changes_comes_back_as_it_was(settings: dict[str, str], wanted: dict[str, str]) -> None:
    note = LoadNote("me", 0.0, {key: settings.get(key) for key in wanted}, wanted)
    assert settled({**settings, **wanted}, note) == settings


def test_what_somebody_chose_during_the_load_stays() -> None:
    assert NOTE.to_back({"a": "5s", "b": "0"}) == {"b": "1"}


def test_a_note_is_read_as_it_was_written_and_leaves_the_rest_of_a_mapping_alone() -> None:
    mapping = {"_meta": {"mine": 1, "osform": {"vectors": {"v": {}}}}, "properties": {}}
    noted = {**mapping, "_meta": meta_with(mapping, NOTE)}
    assert note_of(noted) == NOTE
    assert meta_with(noted, None) == mapping["_meta"]


def test_a_mapping_without_a_note_has_none_whatever_else_stands_there() -> None:
    others: list[dict[str, Any]] = [{}, {"osform": 3}, {"osform": {"load": []}}, {"osform": {"vectors": {}}}]
    for meta in others:
        assert note_of({"_meta": meta}) is None


def test_a_load_is_dead_when_it_was_not_heard_of_for_long() -> None:
    assert not NOTE.dead(1000.0 + SILENT_SECONDS)
    assert NOTE.dead(1001.0 + SILENT_SECONDS)

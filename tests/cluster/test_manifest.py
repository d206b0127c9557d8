"""What an index held at one moment: whatever was deleted since is found by counting, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.cluster import manifest as module
from osform.cluster.manifest import Manifest
from osform.cluster.retry import Each, Patience
from osform.cluster.shards import Index, Written
from osform.errors import NotReady

PATIENCE = Patience.of(1)


@dataclass
class Shard:
    """An index of one shard, as far as the manifest asks it: ids, each with the number of its last write."""

    documents: dict[str, int] = field(default_factory=dict)
    last: int = -1
    listed: int = 0

    def write(self, id: str) -> None:
        self.last += 1
        self.documents[id] = self.last

    def delete(self, id: str) -> None:
        self.last += 1
        self.documents.pop(id, None)

    def written(self, shard: int, after: int, upto: int, _: Each) -> Iterator[list[Written]]:
        self.listed += 1
        yield [Written(id, n) for id, n in sorted(self.documents.items(), key=lambda one: one[1]) if after < n <= upto]

    def histogram(self, shard: int, width: int, upto: int, _: Patience) -> dict[int, int]:
        counts: dict[int, int] = {}
        for number in self.documents.values():
            if number <= upto:
                counts[number // width] = counts.get(number // width, 0) + 1
        return counts


OPERATIONS = st.lists(st.tuples(st.sampled_from(["write", "delete"]), st.sampled_from("abcdefgh")), max_size=40)


@given(OPERATIONS, OPERATIONS)
def test_once_what_was_written_is_noted_what_is_gone_was_deleted(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    shard, manifest = Shard(), Manifest()
    for what, id in before:
        getattr(shard, what)(id)
    held, reached = dict(shard.documents), shard.last
    manifest.note(0, [Written(id, number) for id, number in held.items()])
    for what, id in after:
        getattr(shard, what)(id)
    for page in shard.written(0, reached, shard.last, lambda: PATIENCE):
        manifest.note(0, page)
    gone = {each.id for each in manifest.gone(cast("Index", shard), 0, shard.last, lambda: PATIENCE)}
    manifest.close()
    assert gone == held.keys() - shard.documents.keys()


def test_only_ranges_that_lost_something_are_listed_again() -> None:
    shard, manifest = Shard(), Manifest()
    for number in range(module._WIDTH * 5):
        shard.write(str(number))
    manifest.note(0, [Written(id, number) for id, number in shard.documents.items()])
    shard.delete("7")
    assert [each.id for each in manifest.gone(cast("Index", shard), 0, shard.last, lambda: PATIENCE)] == ["7"]
    assert shard.listed == 1
    manifest.forget([Written("7", 7)])
    assert list(manifest.gone(cast("Index", shard), 0, shard.last, lambda: PATIENCE)) == []
    assert shard.listed == 1
    manifest.close()


def test_ids_of_both_sides_are_compared_with_their_routing() -> None:
    manifest = Manifest()
    manifest.note(0, [Written("a", 1), Written("b", 2, "north"), Written("c", 3)])
    manifest.copied([Written("a", 9), Written("b", 8, "south"), Written("d", 7)])
    assert sorted(manifest.missing()) == ["b", "c"]
    assert sorted((each.id, each.routing) for each in manifest.extra()) == [("b", "south"), ("d", None)]
    manifest.close()


def test_a_temp_folder_that_is_full_is_said_in_a_sentence() -> None:
    manifest = Manifest()
    manifest._database.execute("PRAGMA max_page_count = 10")
    with pytest.raises(
        NotReady, match="no room for the ids of the documents that are copied: database or disk is full"
    ):
        manifest.note(0, [Written("x" * 500 + str(number), number) for number in range(1000)])
    manifest.close()


def test_a_temp_folder_that_is_missing_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(NotReady, match=r"no room for the ids of the documents that are copied: .*No such file"):
        Manifest()

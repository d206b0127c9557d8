"""A copy that takes hours, of an index that is written to: each step has a deadline, and nothing is done twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from osform.cluster.copying import Copier, Copy, Handed
from osform.core.events import silent
from osform.core.request import Request
from osform.errors import DocumentsRefused, RequestFailed
from tests.cluster.indices import Copying
from tests.cluster.test_tasks import Groups

Remember = Callable[[Mapping[str, Any]], None]


def fill(cluster: Copying, journal: dict[str, Any] | None = None, remember: Remember = lambda _: None) -> None:
    kept, copy = {} if journal is None else journal, Copy("old", "new", ())
    with Copier(cluster, copy, kept, remember, silent, cluster.clock, cluster.sleep) as copier:
        copier.fill()


def ids(cluster: Copying, index: str) -> set[str]:
    return {id for shard in cluster.indices[index] for id in shard.documents}


def test_a_copy_may_take_hours() -> None:
    cluster = Copying(pace=0.5)
    for number in range(20_000):
        cluster.write(str(number))
    fill(cluster)
    assert cluster.now > 2 * 3600
    assert ids(cluster, "new") == ids(cluster, "old")


def written_meanwhile(pace: float) -> Copying:
    """6,000 documents to copy, and 12,000 more that are written while the first of them are under way."""
    cluster = Copying(pace=pace)
    for number in range(6000):
        cluster.write(str(number))
    left = iter(range(12_000))

    def write(_: float) -> None:
        for number in left if cluster.copied else ():
            cluster.write(f"new {number}")

    cluster.meanwhile = write
    return cluster


def test_what_was_written_during_a_long_copy_may_take_hours_too() -> None:
    cluster = written_meanwhile(pace=0.5)
    fill(cluster)
    assert ids(cluster, "new") == ids(cluster, "old")


def test_catching_up_that_was_cut_off_goes_on_with_the_page_that_it_was_at() -> None:
    cluster, stored, journal = written_meanwhile(pace=0.01), dict[str, Any](), dict[str, Any]()
    write = cluster.meanwhile

    def killed(seconds: float) -> None:
        write(seconds)
        if cluster.copied >= 6000 + 7000:
            cluster.meanwhile = write
            raise KeyboardInterrupt

    cluster.meanwhile = killed
    with pytest.raises(KeyboardInterrupt):
        fill(cluster, journal, lambda _: stored.update(deepcopy(journal)))
    fill(cluster, stored)
    assert cluster.copied < 6000 + 12_000 + 5000  # a page and no more was copied twice
    assert ids(cluster, "new") == ids(cluster, "old")


def test_a_copy_that_was_killed_in_the_middle_goes_on_there() -> None:
    cluster, stored, journal = Copying(pace=0.01), dict[str, Any](), dict[str, Any]()
    for number in range(3000):
        cluster.write(str(number))

    def killed(_: float) -> None:
        if cluster.copied >= 1200:
            cluster.meanwhile = lambda _: None
            raise KeyboardInterrupt

    cluster.meanwhile = killed
    with pytest.raises(KeyboardInterrupt):
        fill(cluster, journal, lambda _: stored.update(deepcopy(journal)))
    assert 1200 <= cluster.copied < 3000
    fill(cluster, stored)
    assert cluster.copied == 3000  # none of them twice
    assert ids(cluster, "new") == ids(cluster, "old")


def test_what_a_copy_that_was_killed_had_met_is_told_with_all_the_others() -> None:
    cluster, stored, journal = Groups({"10", "2900"}), dict[str, Any](), dict[str, Any]()
    for number in range(3000):
        cluster.write(str(number))

    def killed(_: float) -> None:
        if cluster.sizes:
            cluster.meanwhile = lambda _: None
            raise KeyboardInterrupt

    cluster.meanwhile = killed
    with pytest.raises(KeyboardInterrupt):
        fill(cluster, journal, lambda _: stored.update(deepcopy(journal)))
    with pytest.raises(DocumentsRefused, match=r"(?s)  10: .*  2900: "):
        fill(cluster, stored, lambda _: stored.update(deepcopy(journal)))
    assert ids(cluster, "new") == ids(cluster, "old") - cluster.poison
    cluster.poison = set()
    fill(cluster, stored)
    assert ids(cluster, "new") == ids(cluster, "old")


class Restarted(Copying):
    """One whose node is restarted under the first tasks: they have written a part, and nobody knows them any more."""

    lost = 2

    def _reindex(self, ids: list[str]) -> str:
        if self.lost:
            self.lost -= 1
            super()._reindex(ids[: len(ids) // 2])
            return f"node:gone{self.lost}"
        return super()._reindex(ids)

    def _answer(self, request: Request, name: str, rest: list[str], body: Any) -> Any:
        if name == "_tasks" and rest and rest[0].startswith("node:gone"):
            raise RequestFailed(str(request), 404, "resource_not_found_exception", "task belongs to no node")
        return super()._answer(request, name, rest, body)


def test_what_a_task_was_to_copy_that_is_gone_with_its_node_is_copied_by_another() -> None:
    cluster = Restarted()
    for number in range(3000):
        cluster.write(str(number))
    fill(cluster)
    assert ids(cluster, "new") == ids(cluster, "old")
    assert cluster.copied < 3000 + 1000


def test_tasks_that_a_killed_copy_left_and_that_are_gone_by_now_leave_no_gap() -> None:
    cluster, stored, journal = Restarted(pace=0.01), dict[str, Any](), dict[str, Any]()
    for number in range(3000):
        cluster.write(str(number))

    def killed(_: float) -> None:
        if cluster.lost == 0:
            cluster.meanwhile = lambda _: None
            raise KeyboardInterrupt

    cluster.meanwhile = killed
    with pytest.raises(KeyboardInterrupt):
        fill(cluster, journal, lambda _: stored.update(deepcopy(journal)))
    fill(cluster, stored)
    assert ids(cluster, "new") == ids(cluster, "old")
    assert cluster.copied == 3000


def hand_over(cluster: Copying) -> Handed:
    copy = Copy("old", "new", ())
    with Copier(cluster, copy, {}, lambda _: None, silent, cluster.clock, cluster.sleep) as copier:
        copier.fill()
        return copier.hand_over(lambda: None)


def test_many_shards_far_away_are_handed_over() -> None:
    cluster = Copying(shards=20, latency=0.1)  # to ask each of them takes two seconds
    for number in range(100):
        cluster.write(str(number))
    assert hand_over(cluster).documents == 100


def test_writers_that_are_kept_up_with_are_no_reason_to_give_up() -> None:
    cluster, written = Copying(shards=5, latency=0.05, pace=0.001), itertools.count()

    def write(seconds: float) -> None:
        for _ in range(round(seconds * 400)):
            cluster.write(f"new {next(written)}")

    cluster.meanwhile = write
    hand_over(cluster)
    assert ids(cluster, "new") == ids(cluster, "old")


def test_a_task_whose_start_was_not_answered_writes_nothing_over_what_is_newer() -> None:
    cluster = Copying()
    cluster.write("a")
    cluster.texts["a"] = "old"
    cluster.lose = 30.0  # what it reads now it writes half a minute later

    def update(_: float) -> None:
        if cluster.copied == 1 and cluster.texts["a"] == "old":
            cluster.texts["a"] = "new"
            cluster.write("a")

    cluster.meanwhile = update
    hand_over(cluster)
    cluster.sleep(60.0)
    assert cluster.copies == {"a": "new"}


def test_a_deletion_that_a_busy_node_refuses_is_sent_again() -> None:
    cluster = Copying()
    for id in ("a", "b"):
        cluster.write(id, "new")
    cluster.busy = {"a"}
    fill(cluster)
    assert ids(cluster, "new") == set()

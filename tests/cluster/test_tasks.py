"""Tasks that end without having copied their documents: what is tried again, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.retry import Patience
from osform.cluster.tasks import Tasks
from osform.core.events import Event, Warned
from osform.core.request import Request
from osform.errors import DocumentsRefused, TaskFailed
from tests.cluster.indices import Copying, Json

AWAY = {"type": "search_context_missing_exception", "reason": "No search context found for id [7]"}
FULL = {
    "type": "cluster_block_exception",
    "reason": "index [new] blocked by: disk usage exceeded flood-stage watermark",
}
WRONG = {"type": "mapper_parsing_exception", "reason": "failed to parse field [n]"}


class Failing(Copying):
    """One whose tasks end with ``failure``, until ``mended``."""

    def __init__(self, failure: dict[str, Any], mended: float = 1e9) -> None:
        super().__init__()
        self.failure, self.mended = failure, mended
        self.told: list[Event] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        self.failures = [self.failure] if self.now < self.mended else []
        return super().send(request, timeout=timeout)


def copy(cluster: Failing) -> None:
    cluster.write("a")

    def request(ids: Any, size: int) -> Request:
        return Request("POST", "/_reindex", {"source": {"query": {"ids": {"values": ids}}}})

    patience = Patience.of(600, cluster.clock, cluster.sleep)
    Tasks(cluster, request, cluster.clock, cluster.sleep, cluster.told.append).copy(["a"], lambda: patience)


def test_a_shard_that_was_away_is_no_document_that_is_refused() -> None:
    cluster = Failing({"shard": 0, "index": "old", "node": "n1", "status": 404, "reason": AWAY}, mended=10)
    copy(cluster)
    assert cluster.copied == 1


def test_a_disk_that_is_full_is_said_while_it_is_waited_for_and_when_that_is_given_up() -> None:
    cluster = Failing({"index": "new", "id": "a", "cause": FULL, "status": 429})
    with pytest.raises(TaskFailed, match=r"without having copied its documents: .* exceeded flood-stage watermark"):
        copy(cluster)
    assert 10 < len(cluster.told) < 25
    assert all(isinstance(each, Warned) and "flood-stage" in each.text for each in cluster.told)


def test_a_document_that_the_new_index_does_not_take_is_named() -> None:
    with pytest.raises(DocumentsRefused, match=r"a: mapper_parsing_exception: failed to parse field \[n\]"):
        copy(Failing({"index": "new", "id": "a", "cause": WRONG, "status": 400}))


FAILED = {"type": "m_l_exception", "reason": "Failed to inference TEXT_EMBEDDING model"}


class Groups(Copying):
    """One whose pipeline fails all of 16 documents for one in ``poison``; a task ends with the first bulk that fails.

    ``sizes`` are the documents of each task.
    """

    def __init__(self, poison: set[str], *, latency: float = 0.1) -> None:
        super().__init__(latency=latency)
        self.poison, self.sizes = poison, list[int]()
        self.ended: dict[str, list[Json]] = {}
        self.told: list[Event] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        self.failures = self.ended.get(request.path.rpartition("/")[2], [])
        return super().send(request, timeout=timeout)

    def _reindex(self, ids: list[str]) -> str:
        self.sizes.append(len(ids))
        failures: list[Json] = []
        for first in range(0, len(ids), 32):
            for group in (ids[first : first + 16], ids[first + 16 : first + 32]):
                if not self.poison & set(group):
                    super()._reindex(group)
                else:
                    failures += [{"index": "new", "id": id, "cause": FAILED, "status": 500} for id in group]
            if failures:
                break
        task = super()._reindex([])
        self.ended[task] = failures
        return task

    def there(self) -> set[str]:
        return {id for shard in self.indices["new"] for id in shard.documents}


def copy_all(cluster: Groups, ids: list[str]) -> str:
    def request(some: Any, size: int) -> Request:
        return Request("POST", "/_reindex", {"source": {"query": {"ids": {"values": some}}}})

    tasks = Tasks(cluster, request, cluster.clock, cluster.sleep, cluster.told.append)
    with pytest.raises(DocumentsRefused) as refused:
        tasks.copy(ids, lambda: Patience.of(600, cluster.clock, cluster.sleep))
    return refused.value.message


def written(cluster: Copying, count: int) -> list[str]:
    ids = [f"d{number}" for number in range(count)]
    for id in ids:
        cluster.write(id)
    return ids


def test_of_a_group_that_fails_as_one_only_the_documents_at_fault_are_named_and_all_others_are_copied() -> None:
    poison = {"d3", "d4", "d99", "d1500", "d1515", "d1516", "d2999"}
    cluster = Groups(poison)
    ids = written(cluster, 3000)
    lines = copy_all(cluster, ids).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == ["d3", "d4", "d99", "d1500", "d1515"]
    assert lines[-1].strip() == "and 2 more"
    assert cluster.there() == set(ids) - poison
    assert (len(cluster.sizes) < 100, cluster.copied < 2 * 3000) == (True, True)


def test_the_first_document_that_is_refused_is_told_while_the_others_are_copied() -> None:
    cluster = Groups({"d3", "d99"})
    copy_all(cluster, written(cluster, 200))
    (warned,) = cluster.told
    assert isinstance(warned, Warned)
    assert warned.text.startswith("the new index does not take d3, and the others are copied meanwhile: m_l_exception")


def test_where_every_document_is_refused_it_ends_soon() -> None:
    cluster = Groups({f"d{number}" for number in range(3000)})
    assert copy_all(cluster, written(cluster, 3000)).endswith("and 45 more, and the rest was not tried")
    assert len(cluster.sizes) < 200


def test_a_cluster_that_answers_slowly_has_time_for_each_of_the_tasks_that_find_them() -> None:
    poison = {f"d{number}" for number in range(0, 320, 8)}
    cluster = Groups(poison, latency=2.0)
    ids = written(cluster, 1600)
    assert copy_all(cluster, ids).endswith("and 35 more")
    assert cluster.there() == set(ids) - poison
    assert cluster.now > 600


def test_a_document_that_the_pipeline_has_given_another_id_is_refused_once() -> None:
    with pytest.raises(DocumentsRefused, match="another: m_l_exception"):
        copy(Failing({"index": "new", "id": "another", "cause": FAILED, "status": 500}))


def test_a_pipeline_that_is_gone_is_nothing_that_a_document_did() -> None:
    gone = {"type": "illegal_argument_exception", "reason": "pipeline with id [p-v2] does not exist"}
    with pytest.raises(TaskFailed, match=r"no document can be copied: .* pipeline with id \[p-v2\] does not exist"):
        copy(Failing({"index": "new", "id": "a", "cause": gone, "status": 400}))


class Mended(Failing):
    """One of which the first three tasks fail."""

    left = 3

    def _reindex(self, ids: list[str]) -> str:
        self.left -= 1
        self.mended = 1e9 if self.left >= 0 else 0.0
        self.failures = [self.failure] if self.left >= 0 else []
        return super()._reindex(ids)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, {"type": "status_exception", "reason": "Error from remote service: Too many requests"}),
        (400, {"type": "illegal_argument_exception", "reason": "Model not ready yet. Please run this first: POST ..."}),
        (429, {"type": "circuit_breaking_exception", "reason": "Memory Circuit Breaker is open"}),
        (409, {"type": "version_conflict_engine_exception", "reason": "[a]: version conflict"}),
    ],
    ids=["a remote model's limit", "a model that is away", "a breaker", "a conflict"],
)
def test_what_a_document_is_refused_for_in_passing_is_copied_again(status: int, cause: Any) -> None:
    cluster = Mended({"index": "new", "id": "a", "cause": cause, "status": status})
    copy(cluster)
    assert cluster.copied == 1

"""Tasks that end without having copied their documents: what is tried again, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.retry import Patience
from osform.cluster.tasks import Tasks
from osform.core.events import Event, Warned
from osform.core.request import Request
from osform.errors import DocumentsRefused, TaskFailed
from tests.cluster.indices import Copying

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

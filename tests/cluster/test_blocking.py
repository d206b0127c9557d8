"""What is done while writes to an index are refused."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster import blocking
from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import RequestFailed


class Taken(Cluster):
    """Stands for a cluster on which the name of the clone is taken, by a clone of ``source`` or by another index."""

    def __init__(self, source: str | None) -> None:
        self.settings = {"index.resize.source.name": source} if source else {}

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.method == "GET":
            return {"a-v1": {"settings": self.settings}}
        raise RequestFailed(str(request), 400, "resource_already_exists_exception", "index [a-v1] already exists")


def test_a_clone_whose_answer_was_lost_is_there() -> None:
    blocking.clone_index(Taken("a"), "a", "a-v1", {})


@pytest.mark.parametrize("source", [None, "b"])
def test_an_index_of_somebody_else_is_not_taken_for_the_clone(source: str | None) -> None:
    with pytest.raises(RequestFailed, match="already exists"):
        blocking.clone_index(Taken(source), "a", "a-v1", {})

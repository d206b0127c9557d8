"""What the move from one physical index to the next does with aliases."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from osform.cluster.client import Cluster
from osform.core.events import silent
from osform.core.request import Request
from osform.flows.replacing import Replacing
from tests.flows.test_deciding import A, applied, planned, survey


class Aliases(Cluster):
    """Stands for a cluster whose index ``a-v1`` has these aliases; ``actions`` are what it is asked to do."""

    def __init__(self, *aliases: str) -> None:
        self.aliases: dict[str, Any] = {alias: {} for alias in aliases}
        self.actions: list[Any] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.method == "GET":
            return {"a-v1": {"aliases": self.aliases}}
        self.actions += request.body["actions"]
        return {"acknowledged": True}


def moved(cluster: Aliases, former: str) -> set[str]:
    """The aliases of the new index, where the one before was called ``former`` in the files."""
    found = survey("m2", applied("m1"))
    planned(found)
    found.moved = {A: replace(A, name=former)}
    Replacing(cluster, found, A, lambda _: None, lambda entry: entry, silent, time.monotonic, time.sleep)._move_aliases(
        {}
    )
    return {each["add"]["alias"] for each in cluster.actions if "add" in each}


def test_an_index_that_is_renamed_and_made_anew_at_once_loses_its_old_alias_and_no_other() -> None:
    assert moved(Aliases("old", "theirs"), "old") == {"a", "theirs"}

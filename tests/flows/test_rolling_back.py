"""Where a rollback goes, and what has been written since by what the ledger says of the switch."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from osform.cluster.ledger import Ledger
from osform.core.address import Address
from osform.core.events import silent
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.errors import PlanRefused
from osform.flows.rolling_back import Rollback, RolledBack, Writes
from tests.cluster.indices import Copying, Shard

IMAGES = Address("index", "images")


def kept(number: int, until: str) -> Entry:
    name = f"images-v{number}"
    return Entry(Address("index", name), "applied", {}, {}, {"index": name}, role="past", of=IMAGES, until=until)


def serving(number: int, after: int) -> Entry:
    """The index that serves, three documents of which came from the one before and none since."""
    journal = {"handed": {"0": 2}, "after": f"images-v{after}"}
    return Entry(IMAGES, "applied", {}, {}, {"index": f"images-v{number}"}, journal=journal)


@pytest.fixture
def cluster() -> Copying:
    cluster = Copying()
    cluster.indices = {f"images-v{number}": [Shard()] for number in (1, 2, 3)}
    for id in "abc":
        cluster.write(id, "images-v3")
    return cluster


def rollback(cluster: Copying, *entries: Entry, writes: Writes = "refuse") -> RolledBack:
    ledger = Ledger(cluster, "photos", "default", clock=cluster.clock, sleep=cluster.sleep)
    state = State({entry.address: entry for entry in entries})
    told = (cluster, ledger, state, IMAGES, timedelta(days=7), silent, cluster.clock, cluster.sleep)
    return Rollback(*told).run(writes)


def test_it_goes_to_the_index_that_was_replaced_although_an_older_one_is_kept_for_longer(cluster: Copying) -> None:
    done = rollback(cluster, serving(3, after=2), kept(1, "2030-02-01"), kept(2, "2030-01-01"))
    assert (done.before, done.now) == ("images-v3", "images-v2")
    current = next(each for each in cluster.ledger if each["name"] == "images")
    assert current["journal"] == {"handed": {"0": -1}, "after": "images-v3"}


def test_an_index_that_handed_over_to_another_one_lacks_everything_that_was_written_since(cluster: Copying) -> None:
    with pytest.raises(PlanRefused, match="3 documents were written to images-v3"):
        rollback(cluster, serving(3, after=2), kept(1, "2030-01-01"))


def test_documents_of_which_source_has_only_a_part_are_not_carried_over(cluster: Copying) -> None:
    cluster.mapping = {"_source": {"excludes": ["notes"]}, "properties": {"notes": {"type": "text"}}}
    cluster.write("d", "images-v3")
    entries = serving(3, after=2), kept(2, "2030-01-01")
    with pytest.raises(PlanRefused, match="images-v3 keeps notes out of _source"):
        rollback(cluster, *entries, writes="carry")
    assert rollback(cluster, *entries, writes="leave").now == "images-v2"


def test_a_ledger_that_does_not_say_which_one_handed_over_is_believed(cluster: Copying) -> None:
    older = replace(serving(3, after=2), journal={"handed": {"0": 2}})
    assert rollback(cluster, older, kept(2, "2030-01-01")).now == "images-v2"


def test_an_index_that_says_that_it_has_no_pipeline_lacks_none(cluster: Copying) -> None:
    cluster.settings = {"index.default_pipeline": "_none"}
    assert rollback(cluster, serving(3, after=2), kept(2, "2030-01-01")).now == "images-v2"


class Searched(Copying):
    """One with a search pipeline that embeds nothing; ``forgotten`` are the ids that the ledger lost."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: list[str] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.path == "/_search/pipeline/hybrid":
            return {"hybrid": {"description": "both"}}
        if request.path == "/osform-ledger/_bulk":
            lines = [json.loads(line) for line in str(request.body).splitlines()]
            self.forgotten += [line["delete"]["_id"] for line in lines if "delete" in line]
        return super().send(request, timeout=timeout)


def test_a_search_pipeline_that_both_indices_have_stays_the_stacks_own() -> None:
    cluster, hybrid = Searched(), Address("search_pipeline", "hybrid")
    cluster.indices = {"images-v2": [Shard()], "images-v3": [Shard()]}
    asked = {"settings": {"index.search.default_pipeline": "hybrid"}}
    own = Entry(hybrid, "applied", {"description": "both"}, {"description": "both"}, {"name": "hybrid"})
    rollback(cluster, serving(3, after=2), replace(kept(2, "2030-01-01"), recorded=asked), own)
    assert cluster.forgotten == ["photos/default/index/images-v2"]

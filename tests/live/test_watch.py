"""``osform watch`` on a bare repository and a real cluster: commits good and bad, drift, and a controller that dies."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.stack import Stack
from tests.proxy import Cut, Proxy
from tests.watched import Origin, Watcher, until, watching

PIPELINE = "description: {words}\nprocessors: [{{set: {{field: a, value: b}}}}]\n"


@dataclass
class Desk:
    """An origin with one stack in it, and where it is watched from."""

    origin: Origin
    cluster: Cluster
    root: Path
    name: str

    def watcher(self, folder: str = "one", **more: str) -> Watcher:
        lines = {"name": self.name, "repository": str(self.origin.bare), "every": "1s", "lease": "20s", **more}
        stacks = lines.pop("stacks", "[{provision: provision}]")
        file = self.root / f"{folder}.yaml"
        file.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()) + f"stacks: {stacks}\n")
        return Watcher(file, self.cluster.url, self.root / folder, {"OSFORM_CACHE": str(self.root / "cache")})

    def pipeline(self, words: str, number: int = 0) -> dict[str, str | None]:
        return {f"provision/ingest_pipeline/{self.name}-{number}.yaml": PIPELINE.format(words=words)}

    def live(self, number: int = 0) -> Any:
        """The description of a pipeline as it is on the cluster."""
        found = self.cluster.send(Request("GET", "/_ingest/pipeline"))
        return found.get(f"{self.name}-{number}", {}).get("description")

    def drift(self, words: str, number: int = 0) -> None:
        body = {"description": words, "processors": [{"set": {"field": "a", "value": "b"}}]}
        self.cluster.send(Request("PUT", f"/_ingest/pipeline/{self.name}-{number}", body))


@pytest.fixture
def desk(live_url: str, tmp_path: Path) -> Iterator[Desk]:
    cluster, name = Cluster(live_url), f"w{uuid.uuid4().hex[:8]}"
    origin = Origin(tmp_path / "git")
    desk = Desk(origin, cluster, tmp_path, name)
    origin.commit("first", {"provision/stack.yaml": f"name: {name}\n", **desk.pipeline("one")})
    yield desk
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "stack.yaml").write_text(f"name: {name}\n")
    Stack.load(tmp_path / "empty", environ={}).apply(cluster, force=True).check()
    cluster.close()


def test_what_the_server_refuses_midway_is_taken_back_and_not_tried_again(desk: Desk) -> None:
    watcher = desk.watcher()
    grok = "description: z\nprocessors: [{grok: {field: a, patterns: ['%{NOPE:x}']}}]\n"
    with watching(watcher):
        watcher.waits_for("in sync", desk.origin.head)
        good = desk.origin.head
        files = {**desk.pipeline("half"), f"provision/ingest_pipeline/{desk.name}-9.yaml": grok}
        standing = watcher.waits_for("refused", desk.origin.commit("half", files))
        assert (standing["good"], standing["rejected"]) == (good, desk.origin.head)
        assert "NOPE" in standing["message"]
        assert (desk.live(), desk.live(9)) == ("one", None)
        desk.origin.commit("whole", {f"provision/ingest_pipeline/{desk.name}-9.yaml": None})
        watcher.waits_for("in sync", desk.origin.head)
        assert desk.live() == "half"


def test_commits_drift_and_reverts_from_the_first_to_the_last(desk: Desk) -> None:
    watcher = desk.watcher()
    with watching(watcher):
        watcher.waits_for("in sync", desk.origin.head)
        assert desk.live() == "one"
        good = desk.origin.commit("good", desk.pipeline("two"))
        watcher.waits_for("in sync", good)
        assert desk.live() == "two"
        bad = desk.origin.commit("bad YAML", {"provision/ingest_pipeline/x.yaml": "description: [\n"})
        standing = watcher.waits_for("refused", bad)
        assert standing["good"] == good
        assert f"{bad}/provision/ingest_pipeline/x.yaml:" in standing["message"]
        desk.drift("by hand")
        watcher.start_of("repaired")
        assert desk.live() == "two"
        assert watcher.metric("osform_watch_in_sync") == 0
        desk.origin.git("revert", "--no-edit", "HEAD")
        desk.origin.push()
        watcher.waits_for("in sync", desk.origin.head)
        assert watcher.metric("osform_watch_in_sync") == 1
        assert watcher.end() == 0


def test_a_watch_with_nothing_to_do_writes_nothing_and_asks_little(desk: Desk) -> None:
    watcher = desk.watcher()
    counters = ("osform_watch_look_seconds_count", "osform_requests_total", "osform_git_commands_total")
    writes = 'osform_requests_total{method="PUT"}'
    with watching(watcher):
        watcher.waits_for("in sync", desk.origin.head)
        before, wrote = [watcher.metric(each) for each in counters], watcher.metric(writes)
        until(watcher.standing, lambda _: watcher.metric(counters[0]) >= before[0] + 4, 60, watcher)
        looks, requests, commands = (watcher.metric(each) - b for each, b in zip(counters, before, strict=True))
        assert watcher.metric(writes) == wrote
        assert requests <= 20 * (looks + 1)
        assert commands <= 2 * (looks + 1)


@pytest.mark.soak  # a lease and a pause have to go by
def test_a_cluster_that_is_away_is_told_once_and_what_was_missed_comes_after(desk: Desk) -> None:
    away = threading.Event()
    with Proxy(desk.cluster.url, lambda _: Cut() if away.is_set() else None) as proxy:
        watcher = replace(desk.watcher(lease="5s"), url=proxy.url)
        with watching(watcher):
            watcher.waits_for("in sync", desk.origin.head)
            away.set()
            watcher.start_of("cluster away", 120)
            assert watcher.get("/readyz") == ""
            assert watcher.metric("osform_watch_cluster_up") == 0
            assert watcher.get("/healthz") == "alive\n"
            missed = desk.origin.commit("missed", desk.pipeline("two"))
            time.sleep(30)
            assert watcher.metric("osform_watch_cluster_up") == 0
            away.clear()
            watcher.waits_for("in sync", missed, 120)
            assert [event["event"] for event in watcher.events].count("cluster away") <= 2
            assert watcher.get("/readyz") == "ready\n"
    assert desk.live() == "two"

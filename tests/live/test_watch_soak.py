"""``osform watch`` for long: thirty commits with kills, a Git server that goes away, and ten minutes of nothing."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.recording import history
from osform.flows.stack import Stack
from tests import tiny
from tests.live.stacks import Project, add_model, lay_out
from tests.watched import Origin, Watcher, watching

LOG = logging.getLogger(__name__)
SEED = int(os.environ.get("OSFORM_SEED", "7"))
PIPELINE = "description: {words}\nprocessors: [{{set: {{field: a, value: b}}}}]\n"
POLICY = "resources: ingest_pipeline/*-extra-*\nrequire:\n  description: {like: ['good*', 'first*']}\n"
EXTRA = 14
BAD = ("yaml", "policy", "brake", "server")


@dataclass
class Story:
    """Somebody who commits good and bad, and knows which commit the cluster must be at."""

    origin: Origin
    project: Project
    cluster: Cluster
    random: random.Random
    good: str = ""
    bad: bool = False
    seed: int = 0
    told: list[str] = field(default_factory=list)

    def extra(self, number: int) -> str:
        return f"provision/ingest_pipeline/{self.project.name}-extra-{number}.yaml"

    def commit_good(self) -> None:
        words = f"good {len(self.told)}"
        self.good = self.origin.commit("good", {self.extra(self.random.randrange(EXTRA)): PIPELINE.format(words=words)})

    def commit_model(self) -> None:
        """Another model under the index, whose documents get other vectors."""
        self.seed += 1
        add_model(self.project, f"tiny{self.seed}", tiny.build(self.project.root / "cache", seed=self.seed))
        path = self.project.path("model/NAME")
        body = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**body, "model": f"tiny{self.seed}"}))
        self.good = self.origin.commit(f"model {self.seed}")

    def commit_bad(self, kind: str) -> None:
        number = self.random.randrange(EXTRA)
        match kind:
            case "yaml":
                files: dict[str, str | None] = {self.extra(number): "description: [\n"}
            case "policy":
                files = {self.extra(number): PIPELINE.format(words="forbidden")}
            case "brake":
                files = {self.extra(each): None for each in range(EXTRA - 4)}
            case _:
                grok = "description: good\nprocessors: [{grok: {field: a, patterns: ['%{NOPE:x}']}}]\n"
                files = {self.extra(number): grok, self.extra((number + 1) % EXTRA): PIPELINE.format(words="good too")}
        self.origin.commit(kind, files)
        self.bad = True

    def back(self, *, force: bool) -> None:
        """Out of a bad commit: by a revert, or by a branch that never had it."""
        if force:
            self.origin.git("reset", "--quiet", "--hard", self.good)
            self.origin.push()
        else:
            self.origin.git("revert", "--no-edit", "HEAD")
            self.origin.push()
            self.good = self.origin.head
        self.bad = False

    def step(self) -> str:
        """The next commit; what it was."""
        kind = self.random.choice(["revert", "force-push"]) if self.bad else self._any()
        match kind:
            case "revert" | "force-push":
                self.back(force=kind == "force-push")
            case "good":
                self.commit_good()
            case "model":
                self.commit_model()
            case _:
                self.commit_bad(kind)
        self.told.append(kind)
        return kind

    def _any(self) -> str:
        left = [kind for kind in ("good", "model", *BAD) if kind not in self.told]
        return self.random.choice(left or ["good", "good", *BAD, *(["model"] if self.seed < 3 else [])])

    def drift(self) -> None:
        """Somebody changes a pipeline by hand."""
        name = f"{self.project.name}-extra-{self.random.randrange(4) + EXTRA - 4}"
        body = {"description": "by hand", "processors": [{"set": {"field": "x", "value": "y"}}]}
        self.cluster.send(Request("PUT", f"/_ingest/pipeline/{name}", body))

    def wrong(self, folder: Path) -> list[str]:
        """In what the cluster is not as the last good commit's files say: by a plan, and by looking at it."""
        shutil.rmtree(folder, ignore_errors=True)
        self.origin.git("worktree", "prune")
        self.origin.git("worktree", "add", "--quiet", "--detach", "--force", str(folder), self.good)
        plan = Stack.load(folder / "provision", environ=os.environ).plan(self.cluster)
        found = [f"{change.action} {change.address} {change.reason}" for change in plan.changes]
        live = self.cluster.send(Request("GET", "/_ingest/pipeline"))
        for number in range(EXTRA):
            name = f"{self.project.name}-extra-{number}"
            path = folder / self.extra(number)
            asked = yaml.safe_load(path.read_text())["description"] if path.exists() else None
            is_there = live.get(name, {}).get("description")
            found += [f"{name} is {is_there}, asked {asked}"] if is_there != asked else []
        return found


@pytest.fixture
def story(live_url: str, tmp_path: Path) -> Iterator[Story]:
    origin, cluster = Origin(tmp_path / "git"), Cluster(live_url)
    project = lay_out(origin.clone, live_url, tiny.build(tmp_path))
    story = Story(origin, project, cluster, random.Random(SEED))
    files: dict[str, str | None] = {story.extra(n): PIPELINE.format(words=f"first {n}") for n in range(EXTRA)}
    files |= {"provision/policies/words.yaml": POLICY, ".gitignore": "cache/\ncopy.zip\n"}
    story.good = origin.commit("first", files)
    yield story
    done = project.take_away("--lock-timeout", "60")
    assert done.status == 0, done.err
    cluster.close()


def watcher_of(story: Story, tmp_path: Path, folder: str = "one", **more: str) -> Watcher:
    lines = {"name": story.project.name, "repository": str(story.origin.bare), "every": "1s", "lease": "10s", **more}
    file = tmp_path / f"{folder}.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()) + "stacks: [{provision: provision}]\n")
    return Watcher(file, story.cluster.url, tmp_path / folder, {"OSFORM_CACHE": str(story.project.root / "cache")})


def settled(story: Story, watcher: Watcher, seconds: float = 240.0) -> dict[str, Any]:
    """Wait until the watch says what it must of the branch's newest commit, on its page and in its metrics."""
    state = "refused" if story.bad else "in sync"
    standing = watcher.waits_for(state, story.origin.head, seconds)
    page = watcher.get("/")
    assert f">{state}<" in page
    assert story.origin.head[:10] in page
    assert watcher.metric("osform_watch_in_sync") == float(state == "in sync")
    assert standing["good"] == story.good, (standing, story.good, story.told)
    return standing


def documents(story: Story, count: int) -> None:
    lines = [
        line
        for number in range(count)
        for line in ({"index": {"_index": story.project.name, "_id": str(number)}}, {"text": f"a cat {number}"})
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    answer = story.cluster.send(Request("POST", "/_bulk", body, {"refresh": "true", "require_alias": "true"}))
    assert not answer["errors"], answer["items"][:2]


@pytest.mark.soak
def test_thirty_commits_ten_kills_and_a_git_server_that_goes_away(story: Story, tmp_path: Path) -> None:
    watcher = watcher_of(story, tmp_path)
    kills = set(story.random.sample(range(30), 10))
    away = story.random.randrange(10, 20)
    began = time.monotonic()
    with watching(watcher):
        settled(story, watcher)
        documents(story, 40)
        for number in range(30):
            kind = story.step()
            if number in kills:
                time.sleep(story.random.random() * 4)
                watcher.kill()
                watcher.start()
            if number == away:
                leave_for_a_minute(story, watcher)
            if number % 7 == 3:
                story.drift()
            settled(story, watcher)
            wait_until_right(story, tmp_path / "tree")
            LOG.info("%2d %-10s killed %s, %.0f s", number, kind, number in kills, time.monotonic() - began)
    count = story.cluster.send(Request("GET", f"/{story.project.name}/_count"))["count"]
    assert count == 40
    runs = history(story.cluster, story.project.name, "default", 200)
    LOG.info("%d runs: %s", len(runs), {s: sum(r.status == s for r in runs) for s in ("done", "failed", "stopped")})


def wait_until_right(story: Story, tree: Path, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while found := story.wrong(tree):
        assert time.monotonic() < ends, (found, story.told)
        time.sleep(0.5)


def leave_for_a_minute(story: Story, watcher: Watcher) -> None:
    """The Git server goes away; drift is repaired all the same."""
    settled(story, watcher)
    gone = story.origin.bare.with_suffix(".away")
    story.origin.bare.rename(gone)
    began = time.monotonic()
    while watcher.metric("osform_watch_source_up") != 0:
        assert time.monotonic() - began < 30
        time.sleep(0.2)
    story.drift()
    time.sleep(max(0.0, 60 - (time.monotonic() - began)))
    gone.rename(story.origin.bare)
    while watcher.metric("osform_watch_source_up") != 1:
        assert time.monotonic() - began < 120
        time.sleep(0.2)


def test_of_three_replicas_one_works_and_another_takes_over(story: Story, tmp_path: Path) -> None:
    watchers = [watcher_of(story, tmp_path, f"r{number}", lease="8s") for number in range(3)]
    with watching(*watchers):
        leader = wait_for_leader(watchers)
        leader.waits_for("in sync", story.origin.head, 90)
        assert sum(each.metric("osform_watch_leader") for each in watchers) == 1
        story.commit_good()
        leader.kill()
        killed = time.monotonic()
        rest = [each for each in watchers if each is not leader]
        second = wait_for_leader(rest)
        took = time.monotonic() - killed
        LOG.info("another one led %.1f s after the kill, with a lease of 8 s", took)
        assert took < 2 * 8
        second.waits_for("in sync", story.good, 90)
    assert not overlapping(story)


def wait_for_leader(watchers: list[Watcher]) -> Watcher:
    ends = time.monotonic() + 60
    while True:
        for each in watchers:
            if any(event["event"] == "leading" for event in each.events):
                return each
        assert time.monotonic() < ends
        time.sleep(0.05)


def overlapping(story: Story) -> list[str]:
    """Applies of the stack that were under way at the same time."""
    from datetime import datetime, timedelta

    runs = sorted(history(story.cluster, story.project.name, "default", 200), key=lambda run: run.started_at)
    ended = [datetime.fromisoformat(run.started_at) + timedelta(seconds=run.seconds or 0) for run in runs]
    pairs = zip(runs, ended, runs[1:], strict=False)
    return [f"{one.id} {two.id}" for one, end, two in pairs if datetime.fromisoformat(two.started_at) < end]


@pytest.mark.soak
def test_ten_minutes_of_nothing_cost_next_to_nothing(story: Story, tmp_path: Path) -> None:
    for number in range(EXTRA, 100 - len(Stack.load(story.origin.clone / "provision").spec.resources) + EXTRA):
        story.origin.write(story.extra(number), PIPELINE.format(words="first"))
    story.good = story.origin.commit("a hundred")
    minutes = float(os.environ.get("OSFORM_IDLE_MINUTES", "10"))
    watcher = watcher_of(story, tmp_path, every="10s", lease="30s")
    with watching(watcher):
        watcher.waits_for("in sync", story.good, 600)
        time.sleep(60)
        assert watcher.process is not None
        looks, sent, cpu = _looks(watcher), watcher.metric("osform_requests_total"), _cpu(watcher.process.pid)
        began, memory = time.monotonic(), []
        while time.monotonic() - began < minutes * 60:
            time.sleep(15)
            memory.append(watcher.metric("process_resident_memory_bytes") / 1e6)
        spent = time.monotonic() - began
        share = (_cpu(watcher.process.pid) - cpu) / spent
        looks, sent = _looks(watcher) - looks, watcher.metric("osform_requests_total") - sent
        many = (100, f"{share:.4f} of a core", f"{memory[0]:.1f} to {memory[-1]:.1f} MB", looks, sent, sent / looks)
        LOG.info("%d resources, CPU %s, memory %s, looks %d, requests %d, %.1f a look", *many)
        assert share < 0.02
        assert memory[-1] < memory[0] * 1.05 + 2


def _looks(watcher: Watcher) -> float:
    return watcher.metric("osform_watch_look_seconds_count")


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process and of the children that it has waited for: the Git commands."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

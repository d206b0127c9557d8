"""Two applies at once, a holder that dies, and one that stands still past its lease."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.lock import changes_something
from osform.core.address import Address
from osform.core.request import Request
from osform.core.state import Entry
from osform.errors import LockLost
from tests import tiny
from tests.live.disturbing import again, gone, hasty
from tests.live.stacks import Project
from tests.proxy import Call, PassOn, Proxy, Stall

UNHURRIED = "6"
# What a process says that stood still: in the middle of its work, or of its plan, while another made everything.
REFUSED = (
    "the lock is lost: this process stood still",
    "is on the cluster already, and no apply of this stack made it",
)
"""A lease that is not to be lost: a busy machine may keep a process waiting for most of a shorter one."""


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    project = hasty(tmp_path / "project", live_url, tiny.build(tmp_path))
    project.environ["OSFORM_LEASE"] = UNHURRIED
    yield project
    done = gone(project)
    assert done.status == 0, done.err


class Held:
    """An apply that is under way: its request for the search pipeline has arrived and waits for ``go``."""

    def __init__(self, project: Project) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()
        self.proxy = Proxy(project.url, self.script)
        self.project = project

    def script(self, call: Call) -> PassOn | Stall | None:
        if call.method != "PUT" or "_search/pipeline" not in call.path:
            return None
        self.arrived.set()
        self.go.wait(200)
        return None

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        command, environ = self.project.command("apply", "--yes", url=self.proxy.url)
        environ["OSFORM_TIMEOUT"] = "30"
        with (
            self.proxy,
            subprocess.Popen(
                command, cwd=self.project.root, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as process,
        ):
            try:
                assert self.arrived.wait(200)
                yield process
            finally:
                self.go.set()
                process.kill()

    def settle(self) -> None:
        """Wait until all else is done, and only the lock is renewed."""
        written = -1
        while written != (written := len(self.proxy.seen("osform-ledger/_bulk"))):
            time.sleep(1)

    def renewed(self) -> None:
        """Wait until the lock's renewal has been sent once more, and answered."""
        before, ends = len(self.proxy.seen("_update/lock")), time.monotonic() + 30
        while len(self.proxy.seen("_update/lock")) == before:
            assert time.monotonic() < ends
            time.sleep(0.05)
        time.sleep(1)

    def changes(self) -> int:
        """How many requests that change something the cluster has seen of this apply."""
        return changes(self.proxy)


def changes(proxy: Proxy) -> int:
    """How many requests that change something have come through."""
    return sum(changes_something(Request(seen.method, seen.path)) for seen in proxy.requests)


def test_of_two_applies_at_once_one_works_and_the_other_says_who_holds_the_lock(project: Project) -> None:
    held = Held(project)
    with held.running() as first:
        time.sleep(7)  # longer than the lease, which is renewed meanwhile
        second = project.apply()
        assert second.status == 1
        assert f"(pid {first.pid}) since 20" in second.err
        assert "its lease ends 20" in second.err
        assert project.run("unlock", "--cluster", project.url).status == 1
        held.go.set()
        assert first.wait(60) == 0
    assert project.plan().status == 0


def test_a_holder_that_was_killed_is_followed_when_its_lease_is_over(project: Project) -> None:
    with Held(project).running() as first:
        first.kill()
        done = again(project)
    assert done.status == 0, done.err
    assert f"waiting for the lock of {os.environ.get('USER', '')}" in done.err
    assert project.plan().status == 0


def test_a_holder_that_stood_still_past_its_lease_sends_nothing_more(project: Project) -> None:
    held = Held(project)
    with held.running() as first:
        held.settle()  # what is on its way to the wire when a process is stopped goes there when it goes on
        first.send_signal(signal.SIGSTOP)
        held.go.set()
        done = again(project)
        assert done.status == 0, done.err
        before = held.changes()
        first.send_signal(signal.SIGCONT)
        _, words = first.communicate(timeout=60)
        assert held.changes() == before
    assert first.returncode == 1
    assert "the lock is lost: this process stood still" in words
    assert project.plan().status == 0


@pytest.mark.soak
def test_a_holder_that_is_stopped_at_any_moment_sends_nothing_once_its_lease_is_over(
    live_url: str, tmp_path: Path
) -> None:
    model, moments = tiny.build(tmp_path), random.Random(4)
    for number in range(20):
        project = hasty(tmp_path / str(number), live_url, model)
        stopped_at(moments.uniform(0.8, 6.0), project)


def stopped_at(seconds: float, project: Project) -> None:
    """Stop an apply so long after its start, let another one follow it, and let it go on."""
    with Proxy(project.url) as proxy:
        command, environ = project.command("apply", "--yes", url=proxy.url)
        with subprocess.Popen(command, cwd=project.root, env=environ, text=True, stderr=subprocess.PIPE) as first:
            time.sleep(seconds)
            first.send_signal(signal.SIGSTOP)
            done = again(project)
            assert done.status == 0, done.err
            before, had_asked = changes(proxy), bool(proxy.seen("_update/lock"))
            first.send_signal(signal.SIGCONT)
            _, words = first.communicate(timeout=60)
            if had_asked:  # one that was stopped before that takes the lock now, and finds everything made
                assert changes(proxy) == before
            assert first.returncode == 0 or any(each in words for each in REFUSED), words
    assert project.plan().status == 0
    assert gone(project).status == 0


def test_a_lock_that_is_broken_by_force_stops_its_holder(project: Project) -> None:
    held = Held(project)
    with held.running() as first:
        broken = project.run("unlock", "--force", "--cluster", project.url)
        assert f"(pid {first.pid})" in broken.out
        held.renewed()
        held.go.set()
        _, words = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "the lock is lost: somebody broke it" in words
    assert project.run("unlock", "--cluster", project.url).out == "nobody holds the lock\n"


def test_a_run_that_is_cancelled_gives_the_lock_back(project: Project) -> None:
    held = Held(project)
    with held.running() as first:
        first.terminate()
        time.sleep(0.5)
        held.go.set()
        assert first.wait(60) == 130
    assert project.run("unlock", "--cluster", project.url).out == "nobody holds the lock\n"
    assert project.apply().status == 0


def test_the_ledger_refuses_the_late_write_of_an_earlier_holder(live_url: str) -> None:
    cluster = Cluster(live_url)
    older, newer = (Ledger(cluster, "fenced", "default", fence) for fence in (5, 6))
    newer.prepare()
    entry = Entry(Address("index", "images"), "applied", {}, applied_at="2026-05-04T08:15:30+00:00")
    older.write(entry)
    newer.write(entry)
    newer.write(entry)  # an answer that was lost makes the same write come twice
    for late in (older.write, lambda late: older.forget(late.address)):
        with pytest.raises(LockLost, match="a later run has written this entry"):
            late(entry)
    newer.forget(entry.address)
    assert entry.address not in newer.read().entries
    cluster.close()


def test_a_hundred_resources_are_written_down_in_few_requests(project: Project) -> None:
    folder = project.root / "provision" / "search_pipeline"
    for number in range(100):
        (folder / f"{project.name}-{number}.yaml").write_text(f"description: number {number}\n")

    def slowly(call: Call) -> Stall | None:
        return Stall(0.05) if call.path == "/osform-ledger/_bulk" else None

    with Proxy(project.url, slowly) as proxy:
        done = project.apply("--events", "events.jsonl", url=proxy.url)
        assert done.status == 0, done.err
        assert len(proxy.seen("osform-ledger/_bulk")) < 150  # of 2 x 106 entries
    assert (project.root / "events.jsonl").read_text().count('"status": "done"') == 106

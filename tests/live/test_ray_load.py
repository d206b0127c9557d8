"""``osform ingest --engine ray``: several workers of a Ray cluster read, decide and send, here on one machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.load import everything
from tests.live.stacks import Project, Ran, lay_out
from tests.proxy import Call, Proxy, Stall, each, nth

pytest.importorskip("ray")
pytestmark = pytest.mark.timeout(600)
FILES, ROWS = 3, 300
AUTHORITY = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "c0ffee" * 10}
HEAD = """
import ray
started = ray.init(
    address="local", num_cpus=2, include_dashboard=False, object_store_memory=100_000_000,
    _node_ip_address="127.0.0.1",
)
print(started.address_info["gcs_address"], flush=True)
input()
"""
LOST_AFTER = 6  # bulk requests


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A Ray cluster of one node, which ends with its process."""
    environ = os.environ | AUTHORITY | {"RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environ,
    ) as head:  # fmt: skip
        assert head.stdout is not None
        yield head.stdout.readline().strip()
        head.communicate("\n")


@pytest.fixture(scope="module")
def stack(live_url: str, ray_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = lay_out(tmp_path_factory.mktemp("stack"), live_url, tiny.build(tmp_path_factory.mktemp("tiny")))
    applied = project.apply()
    assert applied.status == 0, applied.err
    project.environ |= AUTHORITY | {"RAY_ADDRESS": ray_address}
    yield project
    assert project.take_away().status == 0


@pytest.fixture
def project(stack: Project, tmp_path: Path) -> Project:
    """The stack, its index empty, and Parquet beside it."""
    cluster = Cluster(stack.url)
    cluster.send(Request("POST", f"/{stack.name}/_delete_by_query", {"query": {"match_all": {}}}, {"refresh": "true"}))
    cluster.close()
    stack.environ["OSFORM_STATE"] = str(tmp_path / "state")
    for n in range(FILES):
        write(tmp_path / "rows" / f"{n}.parquet", [row(n * ROWS + each) for each in range(ROWS)])
    return stack


def row(number: int) -> dict[str, Any]:
    return {"id": f"r{number}", "text": f"a lamp beside door {number}", "number": number}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=100)


def command(project: Project, tmp_path: Path, url: str = "") -> list[str]:
    name = f"dead{len(list(tmp_path.iterdir()))}.jsonl"
    words = ["ingest", str(tmp_path / "rows"), "--into", project.name, "--engine", "ray", "--workers", "2"]
    words += ["--batch", "50", "--clients", "1", "--format", "json", "--dead-letter", str(tmp_path / name)]
    return [*words, "--cluster", url or project.url]


def send(project: Project, tmp_path: Path, url: str = "") -> Ran:
    return project.run(*command(project, tmp_path, url))


def all_with_vectors(project: Project) -> set[str]:
    cluster = Cluster(project.url)
    cluster.send(Request("POST", f"/{project.name}/_refresh"))
    found = everything(cluster, project.name)
    cluster.close()
    return {id for id, source in found.items() if len(source["vector"]) == tiny.DIMENSION}


def wanted() -> set[str]:
    return {f"r{number}" for number in range(FILES * ROWS)}


def test_workers_index_every_row_once_and_what_is_there_is_not_sent_again(project: Project, tmp_path: Path) -> None:
    again = {**row(17), "text": "another text under an id of the first file"}
    write(tmp_path / "rows" / "9.parquet", [row(3), again, {**row(0), "id": "x" * 600}, row(5000)])
    first = send(project, tmp_path)
    assert first.status == 3, first.err
    assert (first.json["read"], first.json["created"], first.json["repeated"]) == (904, 901, 1)
    assert first.json["failed"] == 2
    assert re.search(r"9\.parquet:2: the id 'r17' already belongs to another document, at \S*0\.parquet:18", first.err)
    assert all_with_vectors(project) == wanted() | {"r5000"}
    second = send(project, tmp_path)
    assert second.status == 3, second.err
    assert (second.json["unchanged"], second.json["created"], second.json["resumed"]) == (901, 0, 0)


@pytest.mark.soak
def test_a_load_that_is_killed_goes_on_from_there(project: Project, tmp_path: Path) -> None:
    running: list[subprocess.Popen[str]] = []

    def end(_call: Call) -> Stall:
        running[0].kill()
        return Stall(0.5)

    def slow(call: Call) -> Stall | None:
        return Stall(0.6) if "_bulk" in call.path else None  # so that there is a middle

    with Proxy(project.url, each(nth(2 * LOST_AFTER, end, path="_bulk"), slow)) as proxy:
        words, environ = project.command(*command(project, tmp_path, proxy.url))
        running.append(subprocess.Popen(words, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        running[0].communicate(timeout=120)
    assert running[0].returncode == -signal.SIGKILL
    again = send(project, tmp_path)
    assert again.status == 0, again.err
    assert again.json["resumed"] >= 50
    assert again.json["indexed"] == FILES * ROWS
    assert all_with_vectors(project) == wanted()


@pytest.mark.soak
def test_without_an_address_a_ray_cluster_is_started_for_the_time(project: Project, tmp_path: Path) -> None:
    without = project.environ.pop("RAY_ADDRESS")
    try:
        done = send(project, tmp_path)
    finally:
        project.environ["RAY_ADDRESS"] = without
    assert (done.status, done.json["created"]) == (0, FILES * ROWS), done.err


@pytest.mark.soak
def test_a_worker_that_is_killed_is_replaced(project: Project, tmp_path: Path) -> None:
    ended: list[int] = []

    def end(_call: Call) -> Stall:
        ended.append(worker_of(os.getpid()))  # the head of the Ray cluster is a child of this process
        os.kill(ended[0], signal.SIGKILL)
        return Stall(0.2)

    with Proxy(project.url, nth(LOST_AFTER, end, path="_bulk")) as proxy:
        done = send(project, tmp_path, proxy.url)
    assert (done.status, len(ended), bool(done.out)) == (0, 1, True), done.err
    assert done.json["indexed"] == FILES * ROWS
    assert all_with_vectors(project) == wanted()


def worker_of(ancestor: int) -> int:
    """A Ray worker that is loading a part, somewhere below a process."""
    shown = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in shown.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, _ in lines}
    for pid, _, args in lines:
        above = int(pid)
        while above not in (0, 1, ancestor):
            above = parents.get(above, 0)
        if above == ancestor and args.startswith("ray::_load"):
            return int(pid)
    raise AssertionError("no worker is at work")


def test_what_is_not_parquet_is_refused_before_anything_is_sent(project: Project, tmp_path: Path) -> None:
    (tmp_path / "rows" / "z.jsonl").write_text('{"id": "z"}\n')
    refused = send(project, tmp_path)
    assert refused.status == 1
    assert "z.jsonl is not Parquet" in refused.err
    assert all_with_vectors(project) == set()

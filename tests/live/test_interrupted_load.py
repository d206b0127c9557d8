"""A load that is cut off: its index is put back as it was, and the next run goes on from where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.ingesting import Ingested, Pace, ingest
from tests.live.stacks import Files
from tests.proxy import Call, Proxy, Stall, each, nth

ROWS = 6_000
INDEX = """
settings:
  index: {number_of_shards: 1, number_of_replicas: 1, refresh_interval: 2s}
mappings:
  properties:
    number: {type: integer}
    text: {type: text}
"""
AS_ASKED = {"index.refresh_interval": "2s", "index.number_of_replicas": "1"}
DURING = {"index.refresh_interval": "-1", "index.number_of_replicas": "0"}


@pytest.fixture
def stack(files: Files) -> Files:
    """A stack of one index."""
    files.write("index/NAME", INDEX)
    files.apply()
    return files


def lines(path: Path, count: int = ROWS) -> str:
    path.write_text("".join(json.dumps({"id": f"r{n}", "number": n, "text": f"row {n}"}) + "\n" for n in range(count)))
    return str(path)


def settings(stack: Files) -> dict[str, Any]:
    index = f"{stack.name}-v1"
    found = stack.cluster.send(Request("GET", f"/{index}/_settings", params={"flat_settings": "true"}))
    return {key: found[index]["settings"].get(key) for key in AS_ASKED}


def mapping(stack: Files) -> dict[str, Any]:
    return dict(stack.cluster.send(Request("GET", f"/{stack.name}-v1/_mapping"))[f"{stack.name}-v1"]["mappings"])


def stored(stack: Files) -> int:
    stack.cluster.send(Request("POST", f"/{stack.name}/_refresh"))
    return int(stack.cluster.send(Request("GET", f"/{stack.name}/_count"))["count"])


def send(stack: Files, file: str, tmp_path: Path, url: str = "", **options: Any) -> Ingested:
    cluster = Cluster(url or stack.cluster.url)
    dead = tmp_path / f"dead{len(list(tmp_path.iterdir()))}.jsonl"
    try:
        pace = Pace(count=500, clients=2, patience=60)
        return ingest(cluster, stack.name, [file], dead_letter=dead, pace=pace, state=tmp_path / "state", **options)
    finally:
        cluster.close()


def cut_off(stack: Files, file: str, tmp_path: Path, how: signal.Signals) -> tuple[int, str]:
    """Run the command and end it in the middle; its exit status and what it said."""
    running: list[subprocess.Popen[str]] = []

    def end(_call: Call) -> Stall:
        running[0].send_signal(how)
        return Stall(0.5)

    late = nth(4, Stall(2.2), path="_bulk")  # how far it has got is written down every two seconds
    with Proxy(stack.cluster.url, each(late, nth(7, end, path="_bulk"))) as proxy:
        command = [sys.executable, "-m", "osform", "ingest", file, "--into", stack.name, "--batch", "500"]
        command += ["--clients", "1", "--cluster", proxy.url]
        running.append(
            subprocess.Popen(
                # A suite that runs in the background of a shell has its interrupts off, and its children inherit that.
                ["env", "--default-signal=INT", *command], text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                cwd=tmp_path, env={**os.environ, "OSFORM_STATE": str(tmp_path / "state")},
            )
        )  # fmt: skip
        _, err = running[0].communicate(timeout=120)
    return running[0].returncode, err


def test_refreshes_and_copies_wait_for_the_end_of_a_load(stack: Files, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    plans: list[int] = []

    def look(_call: Call) -> None:
        seen.append(settings(stack))
        plans.append(len(stack.plan().changes))

    with Proxy(stack.cluster.url, nth(3, look, path="_bulk")) as proxy:
        done = send(stack, lines(tmp_path / "a.jsonl"), tmp_path, proxy.url)
    assert (seen, plans) == ([DURING], [0])
    assert (done.created, stored(stack), settings(stack)) == (ROWS, ROWS, AS_ASKED)
    assert "_meta" not in mapping(stack) or mapping(stack)["_meta"] == {}


def test_settings_can_be_left_alone(stack: Files, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    with Proxy(stack.cluster.url, nth(3, lambda _: seen.append(settings(stack)), path="_bulk")) as proxy:
        send(stack, lines(tmp_path / "a.jsonl"), tmp_path, proxy.url, keep_settings=True)
    assert seen == [AS_ASKED]


def test_a_load_that_is_killed_goes_on_from_there_and_puts_the_settings_back(stack: Files, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl")
    status, _ = cut_off(stack, file, tmp_path, signal.SIGKILL)
    assert (status, settings(stack)) == (-signal.SIGKILL, DURING)
    assert not stack.plan().changes
    there = stored(stack)
    again = send(stack, file, tmp_path)
    assert 2000 <= again.resumed <= there
    assert (again.indexed, again.failed, stored(stack), settings(stack)) == (ROWS, 0, ROWS, AS_ASKED)
    assert send(stack, file, tmp_path).resumed == 0


def test_what_was_deleted_after_the_kill_comes_back(stack: Files, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl")
    cut_off(stack, file, tmp_path, signal.SIGKILL)
    stack.cluster.send(Request("DELETE", f"/{stack.name}/_doc/r17"))
    again = send(stack, file, tmp_path)
    assert (again.resumed, again.indexed, stored(stack)) == (0, ROWS, ROWS)


def test_what_a_dead_load_left_is_named_as_drift_and_put_back_by_apply(stack: Files, tmp_path: Path) -> None:
    cut_off(stack, lines(tmp_path / "a.jsonl"), tmp_path, signal.SIGKILL)
    note = mapping(stack)["_meta"]["osform"]["load"]
    body = {"_meta": {"osform": {"load": {**note, "at": note["at"] - 1000}}}}
    stack.cluster.send(Request("PUT", f"/{stack.name}-v1/_mapping", body))
    (change,) = stack.plan().changes
    assert change.reason == "drifted"
    stack.apply()
    assert (settings(stack), mapping(stack).get("_meta", {})) == (AS_ASKED, {})
    assert not stack.plan().changes


def test_ctrl_c_puts_the_settings_back_and_says_how_to_go_on(stack: Files, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl")
    status, err = cut_off(stack, file, tmp_path, signal.SIGINT)
    assert (status, settings(stack)) == (130, AS_ASKED)
    assert f"to go on from there: osform ingest {file} --into {stack.name} --batch 500" in err
    again = send(stack, file, tmp_path)
    assert again.resumed >= 3000
    assert (again.indexed, stored(stack)) == (ROWS, ROWS)

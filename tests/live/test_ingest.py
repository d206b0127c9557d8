"""Ingest into a real OpenSearch, with the faults that a real network and a real file have."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.ingesting import Ingested, Pace, ingest
from tests.proxy import Answer, Call, Cut, Proxy, Script, Stall, each, nth

ALIAS = "rows"
NUMBERS = {"properties": {"number": {"type": "integer"}, "text": {"type": "text"}}}


@pytest.fixture
def cluster(live_url: str) -> Iterator[Cluster]:
    cluster = Cluster(live_url)
    body = {"mappings": NUMBERS, "settings": {"number_of_replicas": 0}, "aliases": {ALIAS: {}}}
    cluster.send(Request("PUT", "/rows-v1", body))
    yield cluster
    cluster.send(Request("DELETE", "/rows-v1", params={"ignore_unavailable": "true"}))
    cluster.close()


def lines(path: Path, count: int) -> str:
    path.write_text("".join(json.dumps({"id": f"r{n}", "number": n, "text": f"row {n}"}) + "\n" for n in range(count)))
    return str(path)


def stored(cluster: Cluster) -> int:
    cluster.send(Request("POST", f"/{ALIAS}/_refresh"))
    return int(cluster.send(Request("GET", f"/{ALIAS}/_count"))["count"])


def send(cluster: Cluster, file: str, tmp_path: Path, **pace: Any) -> Ingested:
    return ingest(cluster, ALIAS, [file], dead_letter=tmp_path / "dead.jsonl", pace=Pace(**{"count": 50, **pace}))


def through(live_url: str, script: Script, file: str, tmp_path: Path, **pace: Any) -> tuple[Ingested, Proxy]:
    with Proxy(live_url, script) as proxy:
        cluster = Cluster(proxy.url)
        done = send(cluster, file, tmp_path, **pace)
        cluster.close()
    return done, proxy


def osform(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "osform", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )


def test_a_file_is_indexed_once_however_often_it_is_sent(cluster: Cluster, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 500)
    first, again = (send(cluster, file, tmp_path) for _ in range(2))
    assert (first.read, first.indexed, first.created, first.failed) == (500, 500, 500, 0)
    assert (again.indexed, again.created, stored(cluster)) == (500, 0, 500)


def test_rows_without_an_id_are_indexed_once_too(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "number": 1}\n{"text": "b"}\n')
    (tmp_path / "b.jsonl").write_text('{"number": 1,   "text": "a"}\n')
    send(cluster, str(tmp_path / "a.jsonl"), tmp_path)
    assert send(cluster, str(tmp_path / "b.jsonl"), tmp_path).created == 0
    assert stored(cluster) == 2


@pytest.mark.parametrize("fault", [Cut(), Cut(after=True), Answer(429), Answer(503)])
def test_a_fault_on_the_wire_costs_no_row_and_makes_no_row_twice(
    cluster: Cluster, live_url: str, tmp_path: Path, fault: Cut | Answer
) -> None:
    file = lines(tmp_path / "a.jsonl", 400)
    script = each(nth(2, fault, path="_bulk"), nth(5, fault, path="_bulk"))
    done, proxy = through(live_url, script, file, tmp_path)
    assert (done.indexed, done.failed, stored(cluster)) == (400, 0, 400)
    assert len(proxy.seen("_bulk")) == 8 + 2


def test_a_stalled_request_is_sent_again_in_smaller_pieces(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 100)
    done, proxy = through(live_url, nth(1, Stall(30), path="_bulk"), file, tmp_path, timeout=2.0)
    assert (done.indexed, stored(cluster)) == (100, 100)
    assert len(proxy.seen("_bulk")) == 4


def test_a_wrong_row_is_reported_kept_and_replayed_once_it_is_right(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "a", "number": 1}\n{"id": "b", "number": "many"}\n{oops\n{"id": "c", "number": 3}\n'
    )
    done = send(cluster, str(tmp_path / "a.jsonl"), tmp_path)
    assert (done.read, done.indexed, done.failed, stored(cluster)) == (4, 2, 2, 2)
    letters = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
    reasons = {letter["_dead_letter"]["line"]: letter["_dead_letter"]["reason"] for letter in letters}
    assert "mapper_parsing_exception: failed to parse field [number]" in reasons[2]
    assert "not JSON" in reasons[3]
    mended = (tmp_path / "dead.jsonl").read_text().replace('"many"', "2").replace("{oops", '{\\"id\\": \\"d\\"}')
    (tmp_path / "mended.jsonl").write_text(mended)
    again = ingest(cluster, ALIAS, [str(tmp_path / "mended.jsonl")], dead_letter=tmp_path / "dead2.jsonl")
    assert (again.indexed, again.failed, stored(cluster)) == (2, 0, 4)


def test_a_missing_alias_is_an_error_and_never_a_new_index(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 3)
    told = osform("ingest", file, "--into", "nowhere", "--cluster", live_url)
    assert (told.returncode, told.stdout) == (1, "")
    assert "there is no alias 'nowhere'" in told.stderr
    assert "osform apply" in told.stderr
    assert "nowhere" not in cluster.send(Request("GET", "/_alias"))


def test_an_alias_that_goes_away_under_way_is_not_made_an_index(
    cluster: Cluster, live_url: str, tmp_path: Path
) -> None:
    def take_away(_call: Call) -> None:
        cluster.send(Request("DELETE", f"/rows-v1/_alias/{ALIAS}"))

    with Proxy(live_url, nth(2, take_away, path="_bulk")) as proxy:
        told = osform(
            "ingest", lines(tmp_path / "a.jsonl", 300), "--into", ALIAS, "--batch", "50", "--clients", "1",
            "--dead-letter", str(tmp_path / "dead.jsonl"), OSFORM_CLUSTER=proxy.url,
        )  # fmt: skip
    assert told.returncode == 1
    assert "require_alias" in told.stderr
    assert [index for index in cluster.send(Request("GET", "/_alias")) if index.startswith("rows")] == ["rows-v1"]


def test_an_index_is_refused_since_only_an_alias_can_be_insisted_on(cluster: Cluster, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 3)
    told = osform("ingest", file, "--into", "rows-v1", "--cluster", cluster.url)
    assert told.returncode == 1
    assert "'rows-v1' is an index, and osform writes through aliases only" in told.stderr


def test_a_write_block_is_waited_for(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    def block(_call: Call) -> None:
        cluster.send(Request("PUT", "/rows-v1/_block/write"))

    def unblock(_call: Call) -> None:
        cluster.send(Request("PUT", "/rows-v1/_settings", {"index.blocks.write": False}))

    script = each(nth(2, block, path="_bulk"), nth(5, unblock, path="_bulk"))
    done, _ = through(live_url, script, lines(tmp_path / "a.jsonl", 200), tmp_path)
    assert (done.indexed, done.failed, stored(cluster)) == (200, 0, 200)


def test_a_cluster_that_takes_nothing_ends_the_run_and_says_so(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    def busy(call: Call) -> Answer | None:
        return Answer(503) if "_bulk" in call.path and call.number > 4 else None

    with Proxy(live_url, busy) as proxy:
        told = osform(
            "ingest", lines(tmp_path / "a.jsonl", 900), "--into", ALIAS, "--patience", "3", "--batch", "50",
            "--dead-letter", str(tmp_path / "dead.jsonl"), OSFORM_CLUSTER=proxy.url,
        )  # fmt: skip
    assert told.returncode == 1
    assert "took no document" in told.stderr
    assert "run the same command again" in told.stderr
    again = ingest(cluster, ALIAS, [str(tmp_path / "a.jsonl")], dead_letter=tmp_path / "dead2.jsonl")
    assert (again.indexed, stored(cluster)) == (900, 900)


def test_a_run_that_is_killed_is_simply_run_again(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 1000)
    running: list[subprocess.Popen[str]] = []

    def kill(_call: Call) -> None:
        running[0].send_signal(signal.SIGKILL)

    with Proxy(live_url, nth(6, kill, path="_bulk")) as proxy:
        command = [
            sys.executable,
            "-m",
            "osform",
            "ingest",
            file,
            "--into",
            ALIAS,
            "--batch",
            "50",
            "--clients",
            "2",
            "--cluster",
            proxy.url,
        ]
        running.append(subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        assert running[0].wait(timeout=120) == -signal.SIGKILL
    assert 0 < stored(cluster) < 1000
    assert send(cluster, file, tmp_path).indexed == 1000
    assert stored(cluster) == 1000


def test_ctrl_c_ends_a_run_soon_and_without_a_traceback(cluster: Cluster, live_url: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", 1000)
    running: list[subprocess.Popen[str]] = []

    def interrupt(_call: Call) -> Stall:
        running[0].send_signal(signal.SIGINT)
        return Stall(1.0)

    with Proxy(live_url, nth(4, interrupt, path="_bulk")) as proxy:
        command = [
            sys.executable,
            "-m",
            "osform",
            "ingest",
            file,
            "--into",
            ALIAS,
            "--batch",
            "50",
            "--clients",
            "2",
            "--cluster",
            proxy.url,
        ]
        running.append(
            subprocess.Popen(
                # A suite that runs in the background of a shell has its interrupts off, and its children inherit that.
                ["env", "--default-signal=INT", *command],
                text=True,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=tmp_path,
            )
        )
        started = time.monotonic()
        out, err = running[0].communicate(timeout=120)
    assert (running[0].returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.endswith("stopped\n")
    assert time.monotonic() - started < 60
    assert 0 < stored(cluster) < 1000


def test_the_command_tells_programs_what_it_did_and_exits_with_3_where_something_failed(
    cluster: Cluster, tmp_path: Path
) -> None:
    told = osform(
        "ingest", "-", "--into", ALIAS, "--format", "json", "--dead-letter", str(tmp_path / "dead.jsonl"),
        stdin='{"id": 1, "number": 1}\n{"id": 2, "number": "x"}\n{"id": 1, "number": 2}\n', OSFORM_CLUSTER=cluster.url,
    )  # fmt: skip
    result = json.loads(told.stdout)
    assert told.returncode == 3
    assert (result["read"], result["indexed"], result["failed"]) == (3, 1, 2)
    assert result["dead_letter"] == str(tmp_path / "dead.jsonl")
    assert result["seconds"] > 0
    assert result["docs_per_second"] > 0
    assert "-:3: the id '1' already belongs to another document, at -:1" in told.stderr


def test_a_file_that_is_not_there_is_an_error_before_anything_is_sent(live_url: str, tmp_path: Path) -> None:
    with Proxy(live_url) as proxy:
        told = osform("ingest", str(tmp_path / "no.jsonl"), "--into", ALIAS, "--cluster", proxy.url)
        assert (told.returncode, proxy.requests) == (1, [])
    assert "no.jsonl: there is no such file" in told.stderr


def test_a_terminal_shows_a_bar_with_the_rate_and_the_time_that_is_left(cluster: Cluster, tmp_path: Path) -> None:
    file, shown = lines(tmp_path / "a.jsonl", 3000), b""
    with Proxy(cluster.url, lambda call: Stall(0.1) if "_bulk" in call.path else None) as proxy:
        mine, theirs = pty.openpty()
        command = [sys.executable, "-m", "osform", "ingest", file, "--into", ALIAS, "--cluster", proxy.url]
        command += ["--batch", "100", "--clients", "1"]
        environ = os.environ | {"TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
        with subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL, env=environ, cwd=tmp_path) as running:
            os.close(theirs)
            with contextlib.suppress(OSError):  # how a terminal ends that nobody writes to any more
                while block := os.read(mine, 10_000):
                    shown += block
        os.close(mine)
    assert running.returncode == 0
    assert re.search(rb"into rows .*\d+/3000 +[\d,]+/s +0:00:\d\d", shown)

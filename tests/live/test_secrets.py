"""Nothing that osform says, writes or runs as has a secret in it: each is searched for wherever it might be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.full import lay_out_all
from tests.live.loopback import Loopback
from tests.live.stacks import Project

MARK = "Sesame-7654-open"
"""Stands for every secret: the password, the token, the connector's key, the proxy's."""


@contextmanager
def watched() -> Iterator[set[str]]:
    """The command lines of all processes, as long as the block lasts, looked at every few milliseconds."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue  # it has ended

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def crashed(project: Project) -> str:
    """What Python says where osform comes to an end that nobody has foreseen, with every log turned on."""
    code = (
        "import logging, os; logging.basicConfig(level=logging.DEBUG); logging.debug(os.name)\n"
        "from osform.cluster.client import Cluster\n"
        "from osform.flows.connecting import connection\n"
        "from osform.flows.stack import Stack\n"
        "cluster, stack = Cluster(connection(os.environ)), Stack.load('provision')\n"
        "print(cluster.connection, stack.plan(cluster), stack.render())\n"
        "raise RuntimeError([cluster.connection, stack.plan(cluster), cluster.url])\n"
    )
    _, environ = project.command("plan")
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert "RuntimeError" in done.stderr
    assert "DEBUG" in done.stderr
    return done.stdout + done.stderr


@pytest.mark.soak
def test_no_secret_is_anywhere(owner_url: str, cluster: Cluster, tmp_path: Path) -> None:
    bare = owner_url.rpartition("@")[2].removeprefix("http://").removeprefix("https://")
    scheme = owner_url.partition("://")[0]
    with Loopback() as elsewhere:
        model = tiny.build(tmp_path)
        project = lay_out_all(tmp_path / "project", f"{scheme}://ana:{MARK}-password@{bare}", model, elsewhere)
        if "@" in owner_url:  # on a secured cluster that user is there, and with these rights
            user = {"password": f"{MARK}-password", "opendistro_security_roles": ["all_access"]}
            cluster.send(Request("PUT", "/_plugins/_security/api/internalusers/ana", user))
        project.forked = False  # else nobody sees the command lines
        (project.root / "rows.jsonl").write_text('{"id": "1", "text": "a cat on a sofa"}\n')
        project.environ |= {"KEY": f"{MARK}-key", "HTTPS_PROXY": f"http://p:{MARK}-proxy@127.0.0.1:1"}
        project.environ["OSFORM_STATE"] = str(project.root / "state")
        with watched() as lines:
            said = [
                project.run("plan", "--out", "plan.json"),
                *(project.run("plan", "--format", form) for form in ("json", "markdown", "html")),
                project.run("apply", "--yes", "--events", "events.jsonl"),
                project.run("drift"), project.run("status"), project.run("history"), project.run("render"),
                project.run("validate"), project.run("doctor", url=project.url),
                project.run("ingest", "rows.jsonl", "--into", project.name, url=project.url),
                project.run("search", project.name, "a cat", url=project.url),
                project.run("unlock", url=project.url),
                project.run("plan", url=f"http://ana:{MARK}-password@127.0.0.1:9"),
                project.run("plan", url=f"http://ana:{MARK}-password@search.example:9200"),
            ]  # fmt: skip
            crash = crashed(project)
        ledger = str(cluster.send(Request("GET", "/osform-ledger/_search", {"size": 1000})))
        said.append(project.run("destroy", "--yes", "--force"))
    assert [said[number].status for number in (4, 11, 12, -1)] == [0] * 4, [each.err for each in said]
    assert MARK not in "".join(each.out + each.err for each in said)
    assert MARK not in crash
    assert MARK not in ledger
    assert any("-m osform apply" in line for line in lines)
    assert not [line for line in lines if MARK in line]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]
    assert written == []
    assert os.environ.get("KEY") is None

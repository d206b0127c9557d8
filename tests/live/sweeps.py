"""An apply with a fault at one of its requests, and what must be true after the next one: nothing twice, nothing left.

The requests of an apply are counted by the proxy. Which one is the seventh differs a little from run to run, since
changes are made in parallel and deployments are polled; a sweep visits every number, so it visits every place.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import threading
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from osform.cli.main import main
from osform.cluster.client import Cluster
from osform.cluster.models import find_models
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request
from tests import tiny
from tests.live.stacks import Project, Ran, lay_out
from tests.proxy import Action, Answer, Call, Cut, PassOn, Proxy, Script, Stall

LEASE = "2"
REFUSED = {"error": {"type": "rejected_execution_exception", "reason": "the queue is full"}}
AWAY = {"error": {"type": "unavailable_shards_exception", "reason": "the primary shard is not active"}}


def _held(content: bytes) -> bytes:
    time.sleep(4)
    return content


FAULTS: dict[str, Action] = {
    "429": Answer(429, REFUSED),
    "503": Answer(503, AWAY),
    "reset before": Cut(),
    "reset after": Cut(after=True),
    "stalled answer": PassOn(answer=_held),
}


class Quick(Project):
    """A project whose commands are run in this process, since a sweep would spend half its time on starting Python."""

    def run(self, *words: str, url: str | None = None) -> Ran:
        command, environ = self.command(*words, url=url)
        usual, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
        out, err = io.StringIO(), io.StringIO()
        os.environ.update(environ)
        try:
            with chdir(self.root), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main(command[3:])
        finally:
            os.environ.clear()
            os.environ.update(usual)
            signal.signal(signal.SIGTERM, handler)
        return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def hasty(root: Path, url: str, model: tiny.Tiny) -> Project:
    """The small stack of every kind, with a short lease, and requests that are given up after two seconds."""
    project = Quick(**vars(lay_out(root, url, model)))
    project.environ |= {"OSFORM_LEASE": LEASE, "OSFORM_TIMEOUT": "2"}
    return project


def again(project: Project) -> Ran:
    """The next apply: it waits for the lock of the one that died, and has time."""
    return project.apply("--lock-timeout", "30", "--lease", "60")


def kill_before(project: Project, number: int) -> bool:
    """Run an apply that is killed before its ``number``-th request arrives; whether it had that many."""
    victim: list[subprocess.Popen[bytes]] = []
    started = threading.Event()

    def script(call: Call) -> Stall | None:
        if call.number < number:
            return None
        started.wait()
        victim[0].kill()
        return Stall(60, Cut())

    with Proxy(project.url, script) as proxy:
        command, environ = project.command("apply", "--yes", url=proxy.url)
        log = (project.root / "killed.log").open("wb")
        victim.append(subprocess.Popen(command, cwd=project.root, env=environ, stdout=log, stderr=log))
        log.close()
        started.set()
        return victim[0].wait(300) == -signal.SIGKILL


def at(number: int, action: Action) -> Script:
    """A script that acts on one request."""
    return lambda call: action if call.number == number else None


def leftovers(project: Project) -> dict[str, Any]:
    """Everything on the cluster that carries the project's name, by what it is, as far as two runs have it alike."""
    name, cluster = project.name, Cluster(project.url)

    def get(path: str) -> Any:
        return persist_if_there(cluster, Request("GET", path), Patience.of(30)) or {}

    def search(path: str, query: Any) -> list[Any]:
        found = persist_if_there(cluster, Request("POST", path, {"query": query, "size": 1000}), Patience.of(30))
        return [hit["_source"] for hit in found["hits"]["hits"]] if found else []

    cluster.send(Request("POST", "/osform-ledger/_refresh"))
    models = {key: model for key, model in find_models(cluster).items() if model.get("name") == name}
    chunks = search("/_plugins/_ml/models/_search", {"terms": {"model_id": list(models)}}) if models else []
    groups = search("/_plugins/_ml/model_groups/_search", {"term": {"name.keyword": name}})
    ledger = search("/osform-ledger/_search", {"term": {"stack": name}})
    found = {
        "models": [
            (model["model_version"], model["model_state"], model.get("description")) for model in models.values()
        ],
        "chunks": len(chunks),
        "groups": [group["name"] for group in groups],
        "pipelines": sorted(each for each in get("/_ingest/pipeline") if name in each),
        "search pipelines": sorted(each for each in get("/_search/pipeline") if name in each),
        "indices": sorted(get(f"/{name}*")),
        "ledger": sorted((source["kind"], source["status"], tuple(sorted(source["ids"]))) for source in ledger),
    }
    cluster.close()
    return {key: json.loads(json.dumps(value).replace(name, "NAME")) for key, value in found.items()}


def check_the_end(project: Project, expected: dict[str, Any]) -> None:
    """The same state as after an apply that nothing happened to, and nothing left to do."""
    found = leftovers(project)
    assert found == expected, f"{found} instead of {expected}"
    plan = project.plan()
    assert plan.status == 0, plan.out + plan.err


def undisturbed(project: Project) -> tuple[dict[str, Any], int]:
    """What an apply leaves that nothing happens to, and how many requests it is."""
    with Proxy(project.url) as proxy:
        done = project.apply(url=proxy.url)
        assert done.status == 0, done.err
    return leftovers(project), len(proxy.requests)


def killed(project: Project, number: int, expected: dict[str, Any]) -> bool:
    """Kill before one request, apply again, compare, and take all of it away; whether there was such a request."""
    died = kill_before(project, number)
    done = again(project)
    assert done.status == 0, done.err
    check_the_end(project, expected)
    return died


def faulty(project: Project, number: int, fault: str, expected: dict[str, Any]) -> str:
    """One fault at one request: the apply ends well or says what happened, and the next one completes it."""
    started = time.monotonic()
    with Proxy(project.url, at(number, FAULTS[fault])) as proxy:
        done = project.apply(url=proxy.url)
    assert time.monotonic() - started < 90, "a deadline was missed"
    if len(proxy.requests) < number:
        return "beyond"
    assert "Traceback" not in done.err
    assert done.status in (0, 1)
    if done.status:
        assert "error: " in done.err
        assert again(project).status == 0
    check_the_end(project, expected)
    return "well" if done.status == 0 else done.err

"""What it costs to find that nothing has changed: ``osform plan`` of the demo stack against a script that only reads.

The script (``bench.straight_line``) is what one writes by hand, a call a resource, and compares nothing. A third arm
sends the very requests that osform sends and ignores the answers: what osform takes beyond it is its own thinking.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch, Transport

from bench import straight_line
from bench.harness import Arm, DidNotFinish, Sample, Table
from bench.tracks.base import Context
from bench.tracks.startup import command
from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.stack import Stack

ABOUT = "an unchanged osform plan against a script that reads the same"
NEEDS_CLUSTER = True
ROUNDS = 10
PEER = "straight-line script"


class Recording(Cluster):
    """The cluster, with a list of what was sent to it. Nothing is retried below it, so it counts each request."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[Request] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        self.sent.append(request)
        return super().send(request, timeout=timeout)


class Counting(Transport):
    """opensearch-py's own transport, which also counts."""

    requests = 0

    def perform_request(self, *args: Any, **kwargs: Any) -> Any:
        self.requests += 1
        return super().perform_request(*args, **kwargs)


def run(context: Context) -> list[Table]:
    """Two tables, in milliseconds: inside one process that is warm, and as commands from start to end."""
    url, provision = context.stage.url, context.stage.provision
    rounds = context.settings.rounds_or(ROUNDS)
    _, requests = unchanged(url, provision)
    inside = [
        Arm("osform plan", lambda: planned(url, provision)),
        Arm(PEER, lambda: asked(url, straight_line.read)),
        Arm("osform's requests alone", lambda: asked(url, lambda client: replay(client, requests))),
    ]
    commands = [
        command("osform plan", [_osform(), "plan", "--provision", str(provision), "--cluster", url]),
        command(PEER, [sys.executable, "-m", "bench.straight_line", url]),
    ]
    tables = [
        context.measure(arms, rounds, title=title, unit="ms", better="less", reference=PEER)
        for title, arms in (("plan, in a warm process", inside), ("plan, as a command", commands))
    ]
    tables[0].notes.append("osform reads and renders the files, then the ledger and the cluster, and compares them")
    return tables


def _osform() -> str:
    return str(Path(sys.executable).parent / "osform")


def unchanged(url: str, provision: Path) -> tuple[float, list[Request]]:
    """Plan, which must find nothing to do: seconds that reading the files took, and what was sent."""
    cluster = Recording(url)
    begun = time.perf_counter()
    stack = Stack.load(provision)
    read = time.perf_counter() - begun
    plan = stack.plan(cluster)
    cluster.close()
    if not plan.empty:
        raise DidNotFinish(f"the plan is not empty: {[str(change.address) for change in plan.changes]}")
    return read, cluster.sent


def planned(url: str, provision: Path) -> Sample:
    """One round of osform: a plan from the files on."""
    cpu, begun = time.process_time(), time.perf_counter()
    read, sent = unchanged(url, provision)
    taken = _since(begun)
    return Sample(taken, {"requests": len(sent), "files ms": read * 1000, "CPU ms": (time.process_time() - cpu) * 1000})


def asked(url: str, read: Callable[[OpenSearch], object]) -> Sample:
    """One round of a peer that only reads."""
    cpu, begun = time.process_time(), time.perf_counter()
    client = OpenSearch(hosts=[url], transport_class=Counting)
    read(client)
    client.close()
    assert isinstance(client.transport, Counting)
    taken = _since(begun)
    return Sample(taken, {"requests": client.transport.requests, "CPU ms": (time.process_time() - cpu) * 1000})


def replay(client: OpenSearch, requests: list[Request]) -> None:
    """Send these requests, and do nothing with the answers."""
    for request in requests:
        client.transport.perform_request(request.method, request.path, params=dict(request.params), body=request.body)


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000

"""Each way in which a connection fails, made to happen, with the sentence shown: docs/security.md has the table.

``OSFORM_WRITE_DOCS=1`` writes the table anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from osform.cluster import nodes
from osform.cluster.client import Cluster
from osform.cluster.retry import ping
from osform.core.connection import Connection, Tls
from osform.core.request import Request
from osform.errors import OsformError, RequestFailed
from tests.certificates import Authority, Said, serving

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
TABLE = re.compile(r"<!-- failures -->\n.*<!-- /failures -->", re.DOTALL)
ROOT_CAUSE = {"type": "security_exception", "reason": "no permissions for [indices:admin/create] and User [name=ana]"}
FORBIDDEN = {"error": {**ROOT_CAUSE, "root_cause": [ROOT_CAUSE]}, "status": 403}


def blocked(status: int, reason: str) -> Said:
    return Said(status, {"error": {"type": "cluster_block_exception", "reason": reason}, "status": status})


@contextmanager
def plain(said: Said) -> Iterator[Cluster]:
    with serving(said) as server:
        yield Cluster(server.url, timeout=5)


@contextmanager
def secured(tmp: Path, name: str = "127.0.0.1", days: int = 10, *, other: bool = False) -> Iterator[Cluster]:
    ours = Authority(tmp, "ours")
    signer = Authority(tmp, "theirs") if other else ours
    with serving(pair=signer.issue(name, days=days)) as server:
        yield Cluster(Connection((server.url,), tls=Tls(ours.file), timeout=5))


@contextmanager
def at(url: str) -> Iterator[Cluster]:
    yield Cluster(url, timeout=5)


@contextmanager
def not_tls(tmp: Path) -> Iterator[Cluster]:
    with serving() as server:
        yield Cluster(server.url.replace("http:", "https:"), timeout=5)


@contextmanager
def pinned(tmp: Path) -> Iterator[Cluster]:
    with serving(pair=Authority(tmp).issue("127.0.0.1")) as server:
        yield Cluster(Connection((server.url,), tls=Tls(fingerprint="0" * 64), timeout=5))


def no_ml_nodes(method: str, path: str, headers: Any, body: bytes) -> Said:
    if path.startswith("/_nodes"):
        return Said(body={"nodes": {"n1": {"name": "data", "roles": ["data"]}}})
    return Said(body={"persistent": {}, "transient": {}, "defaults": {}})


@contextmanager
def without_ml(tmp: Path) -> Iterator[Cluster]:
    with serving(no_ml_nodes) as server:
        yield Cluster(server.url, timeout=5)


class Hurried:
    """A clock that only a sleep moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def first_question(cluster: Cluster, clock: Hurried) -> object:
    return ping(cluster, clock=clock, sleep=clock.sleep)


def first_look(cluster: Cluster, clock: Hurried) -> object:
    return nodes.require_ml_node(cluster, clock=clock, sleep=clock.sleep)


ES = {"version": {"number": "8.15.0"}, "tagline": "You Know, for Search"}
OLD = {"version": {"number": "1.3.20", "distribution": "opensearch"}}
FAILURES: dict[str, tuple[Callable[[Path], Any], Callable[[Cluster, Hurried], object]]] = {
    "unknown host": (lambda tmp: at("https://no-such-host.invalid:9200"), first_question),
    "connection refused": (lambda tmp: at("https://127.0.0.1:9"), first_question),
    "no TLS there": (not_tls, first_question),
    "signed by an unknown CA": (lambda tmp: secured(tmp, other=True), first_question),
    "expired certificate": (lambda tmp: secured(tmp, days=-1), first_question),
    "certificate for another name": (lambda tmp: secured(tmp, "elsewhere.example"), first_question),
    "not the pinned certificate": (pinned, first_question),
    "401": (lambda tmp: plain(Said(401, {"error": "Unauthorized"})), first_question),
    "403": (lambda tmp: plain(Said(403, FORBIDDEN)), first_question),
    "429": (
        lambda tmp: plain(Said(429, {"error": {"type": "rejected_execution_exception", "reason": "queue is full"}})),
        first_question,
    ),
    "read-only cluster": (
        lambda tmp: plain(blocked(403, "blocked by: [FORBIDDEN/6/cluster read-only (api)];")), first_question
    ),
    "no cluster manager": (
        lambda tmp: plain(blocked(503, "blocked by: [SERVICE_UNAVAILABLE/2/no cluster-manager];")), first_question
    ),
    "version not supported": (lambda tmp: plain(Said(body=OLD)), first_question),
    "no OpenSearch": (lambda tmp: plain(Said(body=ES)), first_question),
    "redirect": (lambda tmp: plain(Said(302, {}, {"location": "http://login.example/"})), first_question),
    "no ML node": (without_ml, first_look),
}  # fmt: skip
PASSING = {"429", "no cluster manager", "connection refused"}


def failed(name: str, tmp: Path) -> tuple[OsformError, float]:
    """The error, and the seconds that were waited before something was asked again."""
    (make, ask), clock = FAILURES[name], Hurried()
    with make(tmp) as cluster:
        with pytest.raises(OsformError) as caught:
            ask(cluster, clock)
        cluster.close()
    return caught.value, clock.now


def shown(error: OsformError) -> str:
    """The sentence and the remedy, with an address as it would be elsewhere."""
    there = re.sub(
        r"127\.0\.0\.1:\d+|no-such-host\.invalid:9200", "search.example:9200", f"{error.message}|{error.hint}"
    )
    return re.sub(r"[0-9a-f]{64}", "6e0b...", there)


def test_the_docs_have_the_sentence_of_every_failure(tmp_path: Path) -> None:
    rows = ["<!-- failures -->", "| | osform says | and what to do |", "|---|---|---|"]
    for number, name in enumerate(FAILURES):
        folder = tmp_path / str(number)
        folder.mkdir()
        sentence, remedy = shown(failed(name, folder)[0]).split("|")
        rows.append(f"| {name} | {sentence} | {remedy} |")
    made, page = "\n".join([*rows, "<!-- /failures -->"]), PAGE.read_text()
    if os.environ.get("OSFORM_WRITE_DOCS"):
        PAGE.write_text(TABLE.sub(lambda _: made, page))
    assert [row for row in rows if row not in PAGE.read_text()] == []
    assert made in PAGE.read_text()
    assert len(set(rows)) == len(FAILURES) + 3


@pytest.mark.parametrize("name", [name for name in FAILURES if name not in PASSING])
def test_what_can_not_pass_is_asked_once(name: str, tmp_path: Path) -> None:
    error, waited = failed(name, tmp_path)
    assert waited == 0
    assert "\n" not in error.message
    assert error.hint


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_a_service_behind_a_connector_says_is_not_taken_for_the_cluster_s_own_word(status: int) -> None:
    error = {"type": "status_exception", "reason": "Error from remote service: no such key"}
    with plain(Said(status, {"error": error, "status": status})) as cluster, pytest.raises(RequestFailed) as said:
        cluster.send(Request("POST", "/_plugins/_ml/models/m/_predict", {}))
    assert said.value.message.endswith(f"HTTP {status} status_exception: Error from remote service: no such key")
    assert said.value.elsewhere

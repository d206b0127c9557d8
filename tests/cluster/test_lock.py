"""The lock's lease: what its holder may still send, told by a server that is a function."""

from __future__ import annotations

import itertools
import socket
import time
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.lock import Guarded, Holding, Lease, Owner, acquire, changes_something, keeping
from osform.core.request import Request
from osform.errors import LockHeld, LockLost
from tests.proxy import Proxy

WRITE = Request("PUT", "/_ingest/pipeline/p", {})
READ = Request("POST", "/images/_search", {})
US, THEM = Owner("ann", "desk", 1, "ours"), Owner("bob", "lap", 2, "theirs")


class LockServer(Cluster):
    """Stands for a server that holds one lock, for whoever ``owner`` is; and for the clock, which ``sleep`` moves."""

    def __init__(self, owner: Owner = US) -> None:
        self.url, self.timeout = "memory", 60.0
        self.owner, self.now = owner, 0.0
        self.kept = True
        self.sent: list[tuple[str, float | None]] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        self.sent.append((request.method, timeout))
        source = {"lock": {**vars(self.owner), "since": 1000, "until": 61000, "fence": 7}}
        return {"result": "updated" if self.kept else "noop", "get": {"_source": source}}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def lease(self, seconds: float = 60.0, wait: float = 0.0) -> Lease:
        return acquire(self, US, seconds=seconds, wait=wait, clock=self.clock, sleep=self.sleep)


@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("GET", "/_cluster/settings", False),
        ("POST", "/images/_search", False),
        ("POST", "/_plugins/_ml/_predict/text_embedding/m1", False),
        ("POST", "/osform-ledger/_bulk", True),
        ("DELETE", "/images-v1", True),
        ("PUT", "/_search", True),
    ],
)
def test_what_changes_the_cluster_is_told_from_what_looks(method: str, path: str, changes: bool) -> None:
    assert changes_something(Request(method, path)) is changes


def test_a_request_may_not_take_longer_than_what_is_left_of_the_lease() -> None:
    server = LockServer()
    lease = server.lease()
    server.now = 40.0
    Guarded(server, lease).send(WRITE)
    assert server.sent[-1] == ("PUT", 10.0)


def test_a_holder_that_stood_still_sends_nothing_more() -> None:
    server = LockServer()
    guarded = Guarded(server, server.lease())
    server.now, server.sent = 51.0, []
    for request in (WRITE, READ):
        with pytest.raises(LockLost, match="stood still"):
            guarded.send(request)
    assert server.sent == []


def test_a_holder_that_stood_still_does_not_give_back_what_is_over() -> None:
    server = LockServer()
    lease = server.lease()
    server.now, server.sent = 51.0, []
    lease.release()
    assert server.sent == []


def test_looking_takes_its_time() -> None:
    server = LockServer()
    lease = server.lease()
    server.now = 40.0
    Guarded(server, lease).send(READ, timeout=30.0)
    assert server.sent[-1] == ("POST", 30.0)


def test_what_is_lost_stays_lost() -> None:
    server = LockServer()
    lease = server.lease()
    server.now = 51.0
    for _ in range(2):
        with pytest.raises(LockLost):
            lease.renew()
        server.now = 1.0


def test_a_renewal_counts_from_before_it_was_asked_for() -> None:
    server = LockServer()
    lease = server.lease()
    server.now = 30.0
    lease.renew()
    server.now = 79.0
    assert lease.left() == pytest.approx(1.0)


def test_a_lock_that_was_broken_is_noticed_at_the_next_renewal() -> None:
    server = LockServer()
    lease = server.lease()
    server.kept = False
    with pytest.raises(LockLost, match="osform unlock"):
        lease.renew()
    with pytest.raises(LockLost):
        Guarded(server, lease).send(WRITE)


def test_who_comes_second_is_told_who_is_there_since_when_and_until_when() -> None:
    words = r"bob@lap \(pid 2\) since 1970-01-01T00:00:01\+00:00, its lease ends 1970-01-01T00:01:01"
    with pytest.raises(LockHeld, match=words):
        LockServer(THEM).lease()


def test_who_waits_gives_up_when_the_time_is_over() -> None:
    server = LockServer(THEM)
    with pytest.raises(LockHeld):
        server.lease(wait=30.0)
    assert 30.0 <= server.now < 32.0


class Renewed(LockServer):
    """One whose clock goes on with each renewal alone, by half a lease: a busy machine makes no difference to it."""

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.body and "lease" in str(request.body):
            self.now += 0.15
        return super().send(request, timeout=timeout)


def test_a_lease_is_kept_while_the_work_goes_on_and_nothing_is_sent_once_it_is_given_back() -> None:
    server = Renewed()
    lease = server.lease(seconds=0.3)
    with keeping(lease):
        while server.now < 10 * lease.seconds:
            time.sleep(0.01)
        Guarded(server, lease).send(WRITE)
    with pytest.raises(LockLost, match="given back"):
        Guarded(server, lease).send(WRITE)


def until_look(number: int) -> Lease:
    """A lease that is over at the so-manieth look at it."""
    looks = itertools.count(1)
    holding = Holding(US, 1000, 61000, 7)
    return Lease(LockServer(), holding, 0.0, 60.0, lambda: 0.0 if next(looks) < number else 100.0)


def test_a_process_that_stood_still_between_its_decision_and_the_socket_sends_nothing() -> None:
    with Proxy("http://127.0.0.1:9") as proxy:
        cluster = Cluster(proxy.url)
        with pytest.raises(LockLost, match="stood still"):
            Guarded(cluster, until_look(2)).send(WRITE)
        cluster.close()
    assert proxy.requests == []


def test_a_process_that_stood_still_between_a_head_and_its_body_never_ends_the_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        cluster = Cluster(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(LockLost):
            Guarded(cluster, until_look(3)).send(Request("PUT", "/_ingest/pipeline/p", {"processors": []}))
        cluster.close()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as told:
            assert told.read().endswith(b"\r\n\r\n")

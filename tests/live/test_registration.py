"""Registration, deployment and probing on a real cluster, with the wire cut and the ML node gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.models import delete, delete_group, find_model, find_models
from osform.cluster.nodes import ml_nodes, require_ml_node, serving
from osform.cluster.predict import predict, probe
from osform.cluster.register import register
from osform.core.events import silent
from osform.core.request import Request
from osform.errors import NotReady, PredictionMismatch, RequestFailed, TaskFailed
from osform.flows import local_cluster
from osform.kinds import ml
from tests import tiny
from tests.proxy import Answer, Call, Cut, PassOn, Proxy, Script, nth

BUSY = Answer(429, {"error": {"type": "circuit_breaking_exception", "reason": "Memory Circuit Breaker is open"}})
AWAY = Answer(503, {"error": {"type": "no_shard_available_action_exception", "reason": "no shard available"}})
CHUNK = 6_000  # a tiny bundle in about nine chunks


@pytest.fixture(scope="module")
def cluster(live_url: str) -> Iterator[Cluster]:
    cluster = Cluster(live_url)
    setting = {"plugins.ml_commons.allow_registering_model_via_local_file": True}
    cluster.send(Request("PUT", "/_cluster/settings", {"persistent": setting}))
    yield cluster
    cluster.close()


@pytest.fixture
def group(cluster: Cluster) -> Iterator[str]:
    """A model group of the test's own; whatever is in it at the end is deleted."""
    group_id = cluster.send(ml.register_group({"name": f"test-{uuid.uuid4().hex[:12]}"}))["model_group_id"]
    yield group_id
    for model_id, model in find_models(cluster).items():
        if model.get("model_group_id") == group_id:
            delete(cluster, model_id)
    delete_group(cluster, group_id)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


def upload(url: str, model: tiny.Tiny, group: str, script: Script | None = None, **how: Any) -> tuple[str, Proxy]:
    options: dict[str, Any] = {"model_id": None, "remember": lambda _: None, "report": silent, "chunk_bytes": CHUNK}
    with Proxy(url, script) as proxy:
        cluster = Cluster(proxy.url)
        meta = model.meta("tiny", group, description="a bag of words", rate_limiter={"limit": 400, "unit": "MINUTES"})
        try:
            return register(cluster, meta, model.bundle, **{**options, "deadline_seconds": 120, **how}), proxy
        finally:
            cluster.close()


def bound(pid: int) -> set[str]:
    """The threads of a process that may not run where its first one may."""
    first = os.sched_getaffinity(pid)
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it ended meanwhile
            found |= {thread.name} if os.sched_getaffinity(int(thread.name)) != first else set()
    return found


def chunks_sent(proxy: Proxy) -> list[int]:
    return [int(seen.path.rsplit("/", 1)[1]) for seen in proxy.seen("upload_chunk")]


def in_group(cluster: Cluster, group: str) -> list[str]:
    return [model_id for model_id, model in find_models(cluster).items() if model.get("model_group_id") == group]


def versions(cluster: Cluster, group: str) -> int:
    return int(cluster.send(ml.get_group(group))["latest_version"])


def test_a_model_is_uploaded_deployed_and_answers_as_its_export_did(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny
) -> None:
    model_id, _ = upload(live_url, model, group)
    stored = find_model(cluster, model_id) or {}
    assert (stored["model_state"], stored["description"]) == ("REGISTERED", "a bag of words")
    assert stored["rate_limiter"] == {"limit": "400", "unit": "MINUTES"}
    assert deploy(cluster, model_id) == ml_nodes(cluster)
    assert probe(cluster, model_id, model.probes, least_cosine=0.9999) > 0.9999
    assert serving(cluster, [model_id])[model_id] == {node.id for node in ml_nodes(cluster)}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux tells which processors a thread is bound to")
def test_a_deployed_model_brings_no_threads_that_are_bound_to_processors(
    cluster: Cluster, live_url: str, live_name: str, group: str, model: tiny.Tiny
) -> None:
    pid = next(each.pid for each in local_cluster.status(live_name).nodes if "ml" in each.node.roles)
    assert pid is not None
    before = bound(pid)
    model_id, _ = upload(live_url, model, group)
    deploy(cluster, model_id, task_id=None, remember=lambda _: None, report=silent)
    predict(cluster, model_id, list(tiny.TEXTS) * 10)
    assert bound(pid) <= before


def test_the_last_chunk_is_sent_when_all_others_were_found(live_url: str, group: str, model: tiny.Tiny) -> None:
    _, proxy = upload(live_url, model, group)
    sent = proxy.seen("upload_chunk")
    assert len(sent) == -(-model.bundle.stat().st_size // CHUNK)
    assert sent[-1].path.endswith(f"/{len(sent) - 1}")
    between = proxy.requests[max(seen.number for seen in sent[:-1]) : sent[-1].number - 1]
    assert any("_search" in seen.path for seen in between)


def test_a_bundle_above_the_limit_goes_up_in_chunks_of_the_servers_size(
    cluster: Cluster, live_url: str, group: str, tmp_path: Path
) -> None:
    big = tiny.build(tmp_path, rows=180_000)
    model_id, proxy = upload(live_url, big, group, chunk_bytes=10_000_000)
    assert len(chunks_sent(proxy)) == 3
    assert deploy(cluster, model_id)


@pytest.mark.parametrize("journal", [True, False], ids=["remembered", "forgotten"])
def test_after_kill_9_only_the_missing_chunks_are_sent(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny, tmp_path: Path, journal: bool
) -> None:
    remembered = tmp_path / "journal"
    there = _killed_at_chunk(5, live_url, model, group, remembered)
    model_id, proxy = upload(live_url, model, group, model_id=remembered.read_text() if journal else None)
    total = -(-model.bundle.stat().st_size // CHUNK)
    assert sorted(chunks_sent(proxy)) == sorted(set(range(total)) - there)
    assert (in_group(cluster, group), versions(cluster, group)) == ([model_id], 1)
    assert remembered.read_text() == model_id
    assert deploy(cluster, model_id)
    assert probe(cluster, model_id, model.probes, least_cosine=0.9999)


def _killed_at_chunk(number: int, url: str, model: tiny.Tiny, group: str, remembered: Path) -> set[int]:
    """Run an upload in a process of its own, kill -9 it as it sends a chunk; returns the chunks that were stored."""
    meta = json.dumps(model.meta("tiny", group, description="a bag of words"))

    def kill(call: Call) -> Cut:
        process.kill()
        process.wait(30)
        return Cut()

    with Proxy(url, nth(number, kill, path="upload_chunk")) as proxy:
        arguments = [proxy.url, meta, str(model.bundle), str(remembered), str(CHUNK)]
        process = subprocess.Popen([sys.executable, "-m", "tests.live.uploader", *arguments])
        assert process.wait(60) == -signal.SIGKILL
        time.sleep(1)  # what the proxy had passed on before is answered by now
    cluster = Cluster(url)
    found = cluster.send(ml.chunks(remembered.read_text(), 100))["hits"]["hits"]
    cluster.close()
    assert found
    return {hit["_source"]["chunk_number"] for hit in found}


@pytest.mark.parametrize(
    "script",
    [
        nth(1, BUSY, path="_register_meta"),
        nth(1, AWAY, path="_register_meta"),
        nth(1, Cut(after=True), path="_register_meta"),
        nth(2, BUSY, path="upload_chunk"),
        nth(3, Cut(after=True), path="upload_chunk"),
        nth(9, Cut(after=True), path="upload_chunk"),
        nth(2, AWAY, path="_search"),
        nth(1, BUSY, path="/models/"),
    ],
    ids=[
        "429 to the POST",
        "503 to the POST",
        "POST without an answer",
        "429 to a chunk",
        "chunk without an answer",
        "last chunk without an answer",
        "503 to a search",
        "429 to a read",
    ],
)
def test_a_failure_on_the_way_still_ends_in_one_version(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny, script: Script
) -> None:
    model_id, _ = upload(live_url, model, group, script)
    stored = find_model(cluster, model_id) or {}
    assert (stored["model_state"], stored["description"]) == ("REGISTERED", "a bag of words")
    assert (in_group(cluster, group), versions(cluster, group)) == ([model_id], 1)


@pytest.mark.parametrize("trouble", [BUSY, Cut(), Cut(after=True)], ids=["429", "cut", "cut after"])
@pytest.mark.parametrize("path", ["_deploy", "/tasks/", "/profile/", "_nodes"])
def test_a_failure_on_the_way_does_not_stop_a_deployment(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny, path: str, trouble: Answer | Cut
) -> None:
    model_id, _ = upload(live_url, model, group)
    with Proxy(live_url, nth(1, trouble, path=path)) as proxy:
        through = Cluster(proxy.url)
        assert deploy(through, model_id) == ml_nodes(cluster)
        through.close()


def test_the_same_bytes_are_not_uploaded_again(cluster: Cluster, live_url: str, group: str, model: tiny.Tiny) -> None:
    first, _ = upload(live_url, model, group)
    deploy(cluster, first)
    second, proxy = upload(live_url, model, group)
    assert (second, chunks_sent(proxy), versions(cluster, group)) == (first, [], 1)
    assert serving(cluster, [first])[first]


def test_wrong_vectors_are_refused_with_the_text(cluster: Cluster, live_url: str, group: str, model: tiny.Tiny) -> None:
    model_id, _ = upload(live_url, model, group)
    deploy(cluster, model_id)
    (first, vector), (second, other), *rest = model.probes
    swapped = ((first, other), (second, vector), *rest)
    with pytest.raises(PredictionMismatch, match="2 of 4 texts are wrong"):
        probe(cluster, model_id, swapped, least_cosine=0.9999)


def test_a_bundle_that_no_node_can_load_fails_with_the_servers_reason(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny, tmp_path: Path
) -> None:
    model_id, _ = upload(live_url, replace(model, bundle=tiny.broken(tmp_path)), group)
    with pytest.raises(TaskFailed, match=r"could not be deployed: ml: .*(protobuf|[Mm]odel)"):
        deploy(cluster, model_id)


def test_a_chunk_that_was_changed_in_passing_fails_at_deployment(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny
) -> None:
    model_id, _ = upload(live_url, model, group, nth(3, PassOn(body=b"x" * CHUNK), path="upload_chunk"))
    with pytest.raises(TaskFailed, match="ml: model content changed") as failed:
        deploy(cluster, model_id)
    assert f"DELETE /_plugins/_ml/models/{model_id}" in (failed.value.hint or "")


def test_a_model_that_was_undeployed_by_hand_is_seen_and_deployed_again(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny
) -> None:
    model_id, _ = upload(live_url, model, group)
    deploy(cluster, model_id)
    cluster.send(ml.undeploy(model_id))
    assert serving(cluster, [model_id]) == {model_id: frozenset()}
    assert deploy(cluster, model_id)
    assert len(predict(cluster, model_id, ["a cat", ""])) == 2


def test_a_deleted_model_leaves_neither_chunks_nor_group_behind(
    cluster: Cluster, live_url: str, group: str, model: tiny.Tiny
) -> None:
    model_id, _ = upload(live_url, model, group)
    deploy(cluster, model_id)
    delete(cluster, model_id)
    assert find_model(cluster, model_id) is None
    assert cluster.send(ml.chunks(model_id, 100))["hits"]["hits"] == []


def test_a_group_name_that_is_taken_names_the_group_that_has_it(cluster: Cluster, group: str) -> None:
    name = cluster.send(ml.get_group(group))["name"]
    with pytest.raises(RequestFailed, match=group):
        cluster.send(ml.register_group({"name": name}))


@pytest.mark.soak
def test_without_the_ml_node_the_answer_comes_quickly_and_names_it(
    cluster: Cluster, live_url: str, live_name: str, group: str, model: tiny.Tiny
) -> None:
    model_id, _ = upload(live_url, model, group)
    local_cluster.down(live_name, node="ml")
    try:
        began = time.monotonic()
        with pytest.raises(NotReady, match=r"no node has the role ml; there is only data \("):
            deploy(cluster, model_id)
        assert time.monotonic() - began < 15
    finally:
        local_cluster.up(live_name)
    assert deploy(cluster, model_id)
    assert probe(cluster, model_id, model.probes, least_cosine=0.9999)


@pytest.mark.soak
def test_an_ml_node_that_dies_in_the_middle_of_a_deployment_is_noticed(
    cluster: Cluster, live_url: str, live_name: str, group: str, tmp_path: Path
) -> None:
    model_id, _ = upload(live_url, tiny.build(tmp_path, rows=180_000), group, chunk_bytes=10_000_000)
    pids = [each.pid for each in local_cluster.status(live_name).nodes if each.node.name == "ml" and each.pid]

    def kill(call: Call) -> None:
        os.kill(pids[0], signal.SIGKILL)

    began = time.monotonic()
    try:
        with Proxy(live_url, nth(1, kill, path="/tasks/")) as proxy:
            through = Cluster(proxy.url)
            with pytest.raises(NotReady, match="no node has the role ml"):
                deploy(through, model_id)
            through.close()
        assert time.monotonic() - began < 30
    finally:
        local_cluster.up(live_name)
    assert deploy(cluster, model_id)
    assert require_ml_node(cluster)

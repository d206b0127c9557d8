"""Deployment: what the task and the nodes say, in words; and what is tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy, plain_error
from osform.cluster.models import delete, delete_group, find_models, undeploy
from osform.cluster.nodes import ml_nodes, require_ml_node, serving
from osform.cluster.predict import predict, probe
from osform.core.closeness import cosine
from osform.errors import NotReady, PredictionMismatch, RequestFailed, TaskFailed
from tests.cluster.ml_commons import DATA, ML, MLCommons
from tests.proxy import Answer, Call, Cut, PassOn, Proxy, nth

SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of b"abc"

BUSY = Answer(429, {"error": {"type": "circuit_breaking_exception", "reason": "Memory Circuit Breaker is open"}})


@pytest.fixture
def server() -> Iterator[MLCommons]:
    with MLCommons() as server:
        server.models["m"] = {"model_state": "REGISTERED", "total_chunks": 1, "model_content_hash_value": SHA}
        server.chunks["m"] = {0: b"abc"}
        yield server


@pytest.fixture
def cluster(server: MLCommons) -> Iterator[Cluster]:
    cluster = Cluster(server.url)
    yield cluster
    cluster.close()


def test_a_deployed_model_is_on_every_eligible_node(server: MLCommons, cluster: Cluster) -> None:
    server.nodes["m2"] = {**ML, "name": "ml-2"}
    assert [node.name for node in deploy(cluster, "m")] == ["ml-1", "ml-2"]
    assert serving(cluster, ["m", "other"]) == {"m": {"m1", "m2"}, "other": frozenset()}


def test_a_model_that_is_deployed_already_is_left_alone(server: MLCommons, cluster: Cluster) -> None:
    deploy(cluster, "m")
    deploy(cluster, "m")
    assert len(server.tasks) == 1


def test_a_remote_model_needs_no_ml_node(server: MLCommons, cluster: Cluster) -> None:
    server.models["r"] = {"algorithm": "REMOTE", "model_state": "REGISTERED"}
    assert [node.name for node in deploy(cluster, "r")] == ["data-1", "ml-1"]
    del server.nodes["m1"]
    assert [node.name for node in deploy(cluster, "r")] == ["data-1"]
    server.settings["task_dispatcher"] = {"eligible_node_role": {"remote_model": ["ml"]}}
    with pytest.raises(NotReady, match=r"eligible_node_role\.remote_model is \[ml\]; there is only data-1"):
        deploy(cluster, "r")


def test_a_node_that_joined_since_gets_the_model_too(server: MLCommons, cluster: Cluster) -> None:
    deploy(cluster, "m")
    server.nodes["m2"] = {**ML, "name": "ml-2"}
    assert [node.name for node in deploy(cluster, "m")] == ["ml-1", "ml-2"]


@pytest.mark.parametrize("trouble", [BUSY, Cut(), Cut(after=True)], ids=["429", "cut", "cut after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_one_failure_on_the_wire_does_not_stop_a_deployment(server: MLCommons, trouble: Any, number: int) -> None:
    with Proxy(server.url, nth(number, trouble)) as proxy:
        cluster = Cluster(proxy.url)
        assert [node.name for node in deploy(cluster, "m")] == ["ml-1"]
        cluster.close()


def test_a_failure_that_passes_is_tried_once_more(server: MLCommons, cluster: Cluster) -> None:
    server.troubles = [{"m1": "model content changed"}]
    assert deploy(cluster, "m")
    assert len(server.tasks) == 2


def test_a_heap_that_is_full_is_given_the_time_to_free_its_garbage(server: MLCommons, cluster: Cluster) -> None:
    server.troubles = [{"m1": "Memory Circuit Breaker is open, please check your resources!"}] * 3
    waits: list[float] = []
    assert deploy(cluster, "m", sleep=waits.append)
    assert [wait for wait in waits if wait >= 5] == [5, 10, 20]


def test_a_failure_that_stays_names_the_node_the_reason_and_the_next_step(server: MLCommons, cluster: Cluster) -> None:
    server.troubles = [{"m1": "Disk Circuit Breaker is open, please check your resources!"}] * 2
    with pytest.raises(TaskFailed, match="could not be deployed: ml-1: Disk Circuit Breaker is open") as failed:
        deploy(cluster, "m")
    assert "free disk space" in (failed.value.hint or "")


def test_a_node_that_is_full_is_not_asked_twice(server: MLCommons, cluster: Cluster) -> None:
    server.troubles = [{"m1": "Exceed max local model per node limit"}]
    with pytest.raises(TaskFailed) as failed:
        deploy(cluster, "m")
    assert "max_model_on_node" in (failed.value.hint or "")
    assert len(server.tasks) == 1


def test_a_model_on_some_nodes_only_is_no_success(server: MLCommons, cluster: Cluster) -> None:
    server.nodes["m2"] = {**ML, "name": "ml-2"}
    server.troubles = [{"m2": "too small"}] * 2
    with pytest.raises(TaskFailed, match="ml-2: too small"):
        deploy(cluster, "m")


def test_other_bytes_than_were_announced_say_what_to_do(server: MLCommons, cluster: Cluster) -> None:
    server.chunks["m"] = {0: b"other"}
    with pytest.raises(TaskFailed, match="ml-1: model content changed") as failed:
        deploy(cluster, "m")
    assert "DELETE /_plugins/_ml/models/m)" in (failed.value.hint or "")


class Hurried:
    """A clock that only a sleep moves on: a busy machine takes nothing of a deadline."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def deploy(self, cluster: Cluster) -> object:
        return deploy(cluster, "m", deadline_seconds=20, clock=lambda: self.now, sleep=self.sleep)


def test_a_deployment_that_is_stuck_ends_at_the_deadline(server: MLCommons, cluster: Cluster) -> None:
    server.stuck, clock = True, Hurried()
    with pytest.raises(TaskFailed, match="its task is still RUNNING"):
        clock.deploy(cluster)
    assert 18 < clock.now <= 20


def test_a_task_that_goes_on_for_ever_ends_when_the_nodes_have_the_model(server: MLCommons) -> None:
    def for_ever(content: bytes) -> bytes:
        return content.replace(b"COMPLETED", b"RUNNING")

    began = time.monotonic()
    with Proxy(server.url, lambda call: PassOn(answer=for_ever) if "/tasks/" in call.path else None) as proxy:
        cluster = Cluster(proxy.url)
        assert [node.name for node in deploy(cluster, "m")] == ["ml-1"]
        cluster.close()
    assert (len(server.tasks), time.monotonic() - began < 10) == (1, True)


def test_a_deployment_left_stuck_by_another_run_is_undone_and_made_anew(server: MLCommons, cluster: Cluster) -> None:
    server.models["m"]["model_state"] = "DEPLOYING"
    assert Hurried().deploy(cluster)


def test_a_busy_node_has_time_to_say_that_it_is_still_stuck(server: MLCommons) -> None:
    def late(content: bytes) -> bytes:
        time.sleep(0.1)
        return content

    server.models["m"]["model_state"] = "DEPLOYING"
    with Proxy(server.url, lambda call: PassOn(answer=late) if call.path.endswith("/models/m") else None) as proxy:
        cluster = Cluster(proxy.url)
        assert Hurried().deploy(cluster)
        cluster.close()


def test_an_ml_node_that_vanishes_on_the_way_is_noticed_soon(server: MLCommons) -> None:
    def vanish(call: Call) -> None:
        server.nodes.pop("m1", None)

    server.stuck = True
    began = time.monotonic()
    with Proxy(server.url, nth(2, vanish, path="/tasks/")) as proxy:
        cluster = Cluster(proxy.url)
        with pytest.raises(NotReady, match="no node has the role ml"):
            deploy(cluster, "m", deadline_seconds=60)
        cluster.close()
    assert time.monotonic() - began < 10


def test_without_an_ml_node_one_sentence_says_what_is_missing(server: MLCommons, cluster: Cluster) -> None:
    del server.nodes["m1"]
    with pytest.raises(NotReady) as missing:
        deploy(cluster, "m")
    assert missing.value.message == (
        "no node can run a model: plugins.ml_commons.only_run_on_ml_node is true and no node has the role ml; "
        "there is only data-1 (cluster_manager, data, ingest)"
    )
    assert "only_run_on_ml_node: false" in (missing.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["ml-1"]),
        ({"only_run_on_ml_node": "false"}, ["data-1", "ml-1"]),
        ({"only_run_on_ml_node": "true", "exclude_nodes": {"_name": "ml-1"}}, []),
        (
            {"only_run_on_ml_node": "false", "task_dispatcher": {"eligible_node_role": {"local_model": ["ml"]}}},
            ["ml-1"],
        ),
    ],
)
def test_settings_decide_which_nodes_run_models(
    server: MLCommons, cluster: Cluster, settings: dict[str, Any], names: list[str]
) -> None:
    server.settings = settings
    assert [node.name for node in ml_nodes(cluster)] == names


def test_an_excluded_ml_node_is_named_with_its_setting(server: MLCommons, cluster: Cluster) -> None:
    server.settings = {"exclude_nodes": {"_name": "ml-1"}}
    with pytest.raises(NotReady, match=r"exclude_nodes\._name leaves out ml-1"):
        require_ml_node(cluster)


def test_a_warm_data_node_runs_no_models(server: MLCommons, cluster: Cluster) -> None:
    server.nodes = {"d1": {**DATA, "attributes": {"box_type": "warm"}}}
    server.settings = {"only_run_on_ml_node": "false"}
    assert ml_nodes(cluster) == ()


def test_an_error_that_is_the_same_on_all_nodes_is_said_once() -> None:
    error = '{"a": "no", "b": "no", "c": "never"}'
    assert plain_error(error, {"a": "ml-2", "b": "ml-1"}) == "ml-1, ml-2: no; c: never"
    assert plain_error("plain words", {}) == "plain words"


def test_a_model_is_undeployed_and_deleted_with_all_its_chunks(server: MLCommons, cluster: Cluster) -> None:
    deploy(cluster, "m")
    delete(cluster, "m")
    assert (server.models, server.chunks, server.loaded) == ({}, {}, {})
    delete(cluster, "m")


def test_a_registered_model_stays_registered_when_it_is_undeployed(server: MLCommons, cluster: Cluster) -> None:
    undeploy(cluster, "m")
    assert server.models["m"]["model_state"] == "REGISTERED"


def test_a_group_whose_model_is_just_gone_is_deleted_on_a_later_try(server: MLCommons) -> None:
    answers = iter([Answer(409), Answer(409), Answer(200)])
    with Proxy(server.url, lambda call: next(answers)) as proxy:
        cluster = Cluster(proxy.url)
        delete_group(cluster, "g")
        cluster.close()
    assert len(proxy.seen("model_groups/g")) == 3


def test_a_group_with_models_in_it_says_so(server: MLCommons) -> None:
    with Proxy(server.url, lambda call: Answer(409)) as proxy:
        cluster = Cluster(proxy.url)
        with pytest.raises(RequestFailed) as refused:
            delete_group(cluster, "g", deadline_seconds=0.3)
        cluster.close()
    assert refused.value.hint == "delete the models in it first"


def test_models_are_listed_over_several_pages(server: MLCommons, cluster: Cluster) -> None:
    server.models = {f"m{number}": {"name": str(number)} for number in range(7)}
    assert find_models(cluster, page=3) == server.models


def test_a_cluster_that_never_saw_a_model_has_none(server: MLCommons) -> None:
    with Proxy(server.url, lambda call: Answer(404, {"error": {"type": "index_not_found_exception"}})) as proxy:
        cluster = Cluster(proxy.url)
        assert find_models(cluster) == {}
        cluster.close()


def test_vectors_come_in_the_order_of_the_texts(server: MLCommons, cluster: Cluster) -> None:
    texts = [str(number) for number in range(40)]
    server.vectors = {text: [float(text), 1.0] for text in texts}
    deploy(cluster, "m")
    assert predict(cluster, "m", texts) == [[float(text), 1.0] for text in texts]


def test_a_probe_that_agrees_gives_the_least_cosine(server: MLCommons, cluster: Cluster) -> None:
    server.vectors = {"a": [1.0, 0.0], "b": [1.0, 1.0]}
    deploy(cluster, "m")
    least = probe(cluster, "m", [("a", [2.0, 0.0]), ("b", [1.0, 0.9])], least_cosine=0.99)
    assert least == pytest.approx(cosine([1, 1], [1, 0.9]))


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        ([0.0, 1.0], r"cosine 0\.000000 to its export, below 0\.9999 for 'a dog' \(1 of 2 texts are wrong\)"),
        (["NaN", 1.0], "cosine nan"),
        ([1.0], "dimension 1 instead of 2"),
        ([0.0, 0.0], "cosine nan"),
    ],
)
def test_a_wrong_vector_names_its_text(server: MLCommons, cluster: Cluster, vector: list[Any], says: str) -> None:
    server.vectors = {"a cat": [1.0, 0.0], "a dog": vector}
    deploy(cluster, "m")
    with pytest.raises(PredictionMismatch, match=says):
        probe(cluster, "m", [("a cat", [1.0, 0.0]), ("a dog", [1.0, 0.0])], least_cosine=0.9999)

"""What the doctor says of clusters that can't do a stack, and what helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from osform.cluster.nodes import Node
from osform.cluster.vitals import NodeVitals, Vitals
from osform.core.address import Address
from osform.flows.doctor import Diagnosis, Patient, diagnose
from tests.bounds import harmless

ML = "plugins.ml_commons."
GB = 2**30
PLUGINS = frozenset({"opensearch-ml", "opensearch-knn", "opensearch-neural-search"})
DATA = NodeVitals(Node("data", "1", ("data", "ingest")), "3.6.0", PLUGINS, 40, 60, 8 * GB, 50 * GB)
MLNODE = replace(DATA, node=Node("ml", "2", ("ml",)))
SETTINGS = {
    f"{ML}only_run_on_ml_node": "true",
    f"{ML}allow_registering_model_via_local_file": "false",
    f"{ML}local_model.enabled": "true",
    f"{ML}disk_free_space_threshold": "5gb",
    f"{ML}max_model_on_node": "10",
    f"{ML}trusted_connector_endpoints_regex": [r"^https://api\.openai\.com/.*$"],
    f"{ML}connector.private_ip_enabled": "false",
    f"{ML}remote_inference.enabled": "true",
}
VITALS = Vitals("c", "3.6.0", "opensearch", "green", (DATA, MLNODE), SETTINGS)
FIELD = {"type": "knn_vector", "dimension": 3, "method": {"name": "hnsw", "engine": "lucene"}}
BODIES: dict[Address, Any] = {
    Address("cluster_settings", "ml"): {"persistent": {f"{ML}allow_registering_model_via_local_file": "true"}},
    Address("model", "m"): {"model": "tiny", "function_name": "TEXT_EMBEDDING", "model_content_size_in_bytes": GB},
    Address("ingest_pipeline", "p"): {"processors": [{"text_embedding": {"model_id": "x", "field_map": {"a": "v"}}}]},
    Address("index", "i"): {"settings": {"index.number_of_replicas": "0"}, "mappings": {"properties": {"v": FIELD}}},
}

USERS: dict[Address, Any] = {Address("role", "reader"): {"cluster_permissions": ["cluster_monitor"]}}


def wrong(vitals: Vitals = VITALS, bodies: dict[Address, Any] = BODIES, **more: Any) -> list[Diagnosis]:
    """What is not well."""
    return [each for each in diagnose(Patient(bodies, vitals, **more)) if each.level != "ok"]


def ml(**changes: Any) -> Vitals:
    """The cluster with another ML node."""
    return replace(VITALS, nodes=(DATA, replace(MLNODE, **changes)))


def test_a_cluster_that_can_do_the_stack_gets_no_complaint_and_what_the_stack_sets_counts() -> None:
    assert wrong() == []
    (found,) = [each for each in diagnose(Patient(BODIES, VITALS)) if "local_file" in each.found]
    assert found.found.endswith("true, by the stack's own cluster_settings")


def test_a_setting_that_nobody_turns_on_is_a_problem_with_the_line_to_write() -> None:
    bodies = {address: body for address, body in BODIES.items() if address.kind != "cluster_settings"}
    (found,) = wrong(bodies=bodies)
    assert found.level == "problem"
    assert f"{ML}allow_registering_model_via_local_file: true" in found.remedy


@pytest.mark.parametrize(
    ("vitals", "level", "found", "remedy"),
    [
        (replace(VITALS, version="2.11.0"), "warning", "OpenSearch 2.11.0, older", "2.19 or later"),
        (replace(VITALS, version="8.1.0", distribution=""), "problem", "no OpenSearch", "--cluster"),
        (replace(VITALS, health="red"), "problem", "shards are missing", "allocation/explain"),
        (ml(version="3.5.0"), "warning", "different versions: 3.5.0, 3.6.0", "finish the upgrade"),
        (ml(plugins=PLUGINS - {"opensearch-knn"}), "problem", "opensearch-knn is not on ml", "plugin install"),
        (replace(VITALS, nodes=(DATA,)), "problem", "no node has the role ml", "start the ML node"),
        (ml(heap_percent=90), "problem", "ml: 90 % of the heap is in use", "more heap"),
        (ml(memory_percent=97), "warning", "97 % of memory", f"{ML}native_memory_threshold: 100"),
        (ml(memory_beside_heap=GB // 2), "problem", "1.0 GB of models, and 512 MB of memory", "more memory"),
        (ml(disk_free=4 * GB), "problem", "4.0 GB free on disk, and ML Commons refuses work below 5.0 GB", "make room"),
        (ml(models=frozenset("abcdefghij")), "problem", "1 models of this stack beside 10 others", "on_node: 11"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_cluster_is_told_with_what_helps(
    vitals: Vitals, level: str, found: str, remedy: str
) -> None:
    (said,) = wrong(vitals)
    assert said.level == level
    assert found in said.found
    assert remedy in said.remedy


def test_models_that_are_the_stack_s_own_are_counted_once() -> None:
    assert wrong(ml(models=frozenset("abcdefghij")), owned=frozenset("a")) == []


def test_replicas_without_a_node_are_a_warning() -> None:
    index = {"settings": {}, "mappings": {"properties": {"v": FIELD}}}
    (said,) = wrong(bodies=BODIES | {Address("index", "i"): index})
    assert (said.level, said.remedy) == ("warning", "number_of_replicas: 0, or more data nodes")


@pytest.mark.parametrize(
    ("engine", "attributes", "wrongs"),
    [
        ("faiss", {"osform_local": "true"}, 1),
        ("faiss", {}, 0),
        ("lucene", {"osform_local": "true"}, 0),
        ("nmslib", {}, 1),
    ],
)
def test_engines_that_the_cluster_can_t_do_are_named_in_templates_too(
    engine: str, attributes: dict[str, str], wrongs: int
) -> None:
    vitals = replace(VITALS, nodes=(replace(DATA, node=Node("data", "1", ("data",), attributes)), MLNODE))
    mapping = {"properties": {"v": FIELD | {"method": {"name": "hnsw", "engine": engine}}}}
    bodies = BODIES | {Address("index_template", "t"): {"template": {"mappings": mapping}}}
    assert [each.topic for each in wrong(vitals, bodies)] == ["vectors"] * wrongs


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.openai.com/v1/embeddings", None),
        ("https://${parameters.host}/v1", None),
        ("https://example.org/embed?key=s3cret", "connector/c: https://example.org/embed is no trusted endpoint"),
    ],
)
def test_a_connector_s_endpoint_has_to_be_trusted(url: str, said: str | None) -> None:
    connector = {"actions": [{"url": url}], "parameters": {"host": "api.openai.com"}}
    found = wrong(bodies=BODIES | {Address("connector", "c"): connector})
    assert [each.found for each in found] == ([said] if said else [])
    assert all(r"^https://example\.org/.*$" in each.remedy for each in found)


@pytest.mark.parametrize("pattern", ["^(.*a)*!$", "^(a|aa|/)+!$", "^.*.*.*.*.*.*!$", "^(.*){9}!$", "^((.*)a)\\2*!$"])
def test_a_pattern_of_the_cluster_s_that_takes_years_is_left_to_the_cluster(pattern: str) -> None:
    connector = {"actions": [{"url": f"https://example.org/{'a' * 300}"}]}
    vitals = replace(VITALS, settings=SETTINGS | {f"{ML}trusted_connector_endpoints_regex": [pattern]})
    with harmless():
        assert wrong(vitals, BODIES | {Address("connector", "c"): connector}) == []


def test_a_private_address_needs_a_setting_of_its_own() -> None:
    settings = {"persistent": {f"{ML}trusted_connector_endpoints_regex": ["^http://localhost:.*$"]}}
    bodies = {Address("cluster_settings", "s"): settings, Address("connector", "c"): {
        "actions": [{"url": "http://localhost:8000/embed"}],
    }}  # fmt: skip
    (said,) = wrong(bodies=bodies)
    assert f"{ML}connector.private_ip_enabled: true" in said.remedy


def test_users_and_roles_need_the_security_plugin() -> None:
    (said,) = {each.found for each in wrong(ml(plugins=PLUGINS | {"opensearch-security"}), BODIES | USERS)}
    assert said == "opensearch-security is not on data"


def test_replicas_that_the_cluster_adapts_to_its_nodes_are_no_warning() -> None:
    index = {"settings": {"index.auto_expand_replicas": "0-all"}, "mappings": {"properties": {"v": FIELD}}}
    assert wrong(bodies=BODIES | {Address("index", "i"): index}) == []


NEURAL, KNN, COMMONS = "opensearch-neural-search", "opensearch-knn", "opensearch-ml"


@pytest.mark.parametrize(
    ("pipeline", "missing"),
    [
        ({"request_processors": [{"neural_query_enricher": {"default_model_id": "m"}}]}, {NEURAL, KNN}),
        ({"response_processors": [{"rerank": {"by_field": {"target_field": "a"}}}]}, {NEURAL, KNN}),
        ({"response_processors": [{"ml_inference": {"model_id": "m"}}]}, {COMMONS}),
        ({"request_processors": [{"filter_query": {"query": {"match_all": {}}}}]}, set()),
    ],
)
def test_a_search_pipeline_alone_needs_the_plugins_of_its_processors(pipeline: Any, missing: set[str]) -> None:
    bare = replace(VITALS, nodes=(replace(DATA, plugins=frozenset()),))
    said = wrong(bare, {Address("search_pipeline", "p"): pipeline})
    assert {each.found for each in said} == {f"{plugin} is not on data" for plugin in missing}

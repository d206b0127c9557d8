"""The configuration files of a node."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from osform.local.places import NodePlace
from osform.local.settings import environment, jvm_options, log4j2_properties, opensearch, opensearch_yml
from osform.local.spec import Node, Spec

PLACE = NodePlace(Path("/data/clusters/default/ml"))
SPEC = Spec(port=9270)
DATA, ML = SPEC.nodes


def test_the_file_says_what_the_settings_say() -> None:
    assert yaml.safe_load(opensearch_yml(SPEC, ML, PLACE)) == opensearch(SPEC, ML, PLACE)


@pytest.mark.parametrize("node", [DATA, ML])
def test_a_node_listens_on_this_machine_alone(node: Node) -> None:
    assert opensearch(SPEC, node, PLACE)["network.host"] == "127.0.0.1"


@pytest.mark.parametrize("node", [DATA, ML])
def test_a_node_finds_the_cluster_through_the_data_node(node: Node) -> None:
    settings = opensearch(SPEC, node, PLACE)
    assert settings["discovery.seed_hosts"] == ["127.0.0.1:9370"]
    assert settings["cluster.initial_cluster_manager_nodes"] == ["data"]


def test_a_node_is_marked_as_one_without_the_libraries_of_knn() -> None:
    assert opensearch(SPEC, DATA, PLACE)["node.attr.osform_local"] == "true"


@pytest.mark.parametrize("single", [True, False])
def test_models_run_on_the_ml_node_alone_where_there_is_one(single: bool) -> None:
    spec = Spec(single=single)
    settings = opensearch(spec, spec.nodes[0], PLACE)
    assert settings["plugins.ml_commons.only_run_on_ml_node"] is not single


def test_what_a_stack_declares_is_left_to_the_stack() -> None:
    settings = opensearch(SPEC, DATA, PLACE)
    assert "plugins.ml_commons.allow_registering_model_via_local_file" not in settings
    assert "action.auto_create_index" not in settings


DISTRIBUTED = """\
## comment
-Xms1g
-Xmx1g
8-10:-XX:+UseConcMarkSweepGC
11-:-XX:+UseG1GC
-Djava.io.tmpdir=${OPENSEARCH_TMPDIR}
-XX:+HeapDumpOnOutOfMemoryError
-XX:HeapDumpPath=data
-XX:ErrorFile=logs/hs_err_pid%p.log
8:-Xloggc:logs/gc.log
9-:-Xlog:gc*,gc+age=trace,safepoint:file=logs/gc.log:utctime,pid,tags:filecount=32,filesize=64m
21-:-javaagent:agent/opensearch-agent.jar
25-:-XX:+UseCompactObjectHeaders
"""


def test_jvm_options_keep_what_the_distribution_needs_and_replace_the_rest() -> None:
    assert jvm_options(DISTRIBUTED, Spec(heap="768m"), PLACE).splitlines() == [
        "8-10:-XX:+UseConcMarkSweepGC",
        "11-:-XX:+UseG1GC",
        "21-:-javaagent:agent/opensearch-agent.jar",
        "25-:-XX:+UseCompactObjectHeaders",
        "-Xms768m",
        "-Xmx768m",
        "-Djava.io.tmpdir=/data/clusters/default/ml/tmp",
        "-XX:ErrorFile=/data/clusters/default/ml/logs/hs_err_pid%p.log",
        "-XX:G1PeriodicGCInterval=5000",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
    ]


def test_logs_have_an_end() -> None:
    assert "SizeBasedTriggeringPolicy" in log4j2_properties()
    assert "strategy.max" in log4j2_properties()


def test_a_node_takes_libtorch_from_here_and_nothing_from_the_users_environment() -> None:
    env = environment("/jdk", PLACE, "/native", "2.5.1")
    assert env["PYTORCH_LIBRARY_PATH"] == "/native"
    assert env["DJL_OFFLINE"] == "true"
    assert env["OPENSEARCH_JAVA_HOME"] == "/jdk"
    assert not {"JAVA_TOOL_OPTIONS", "OPENSEARCH_JAVA_OPTS"} & set(env)

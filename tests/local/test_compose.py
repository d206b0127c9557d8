"""``opensearch-compose.yml`` describes the cluster that ``osform cluster up`` starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.local.places import NodePlace
from osform.local.releases import DEFAULT_VERSION
from osform.local.settings import LOCAL_ATTRIBUTE, opensearch, shared
from osform.local.spec import Node, Spec

SPEC = Spec()
FILE = Path(__file__).parents[2] / "opensearch-compose.yml"


@pytest.fixture(name="services")
def compose_services() -> dict[str, Any]:
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    assert isinstance(services, dict)
    return services


def text(value: Any) -> str:
    """A setting as an environment variable says it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, list | tuple) else str(value)


def test_every_image_is_official_and_of_the_local_clusters_version(services: dict[str, Any]) -> None:
    assert {name: service["image"] for name, service in services.items()} == {
        "data": f"opensearchproject/opensearch:{DEFAULT_VERSION}",
        "ml": f"opensearchproject/opensearch:{DEFAULT_VERSION}",
        "dashboards": f"opensearchproject/opensearch-dashboards:{DEFAULT_VERSION}",
    }


@pytest.mark.parametrize("node", SPEC.nodes, ids=lambda node: node.name)
def test_a_node_has_the_settings_of_the_local_cluster(services: dict[str, Any], node: Node) -> None:
    environment = services[node.name]["environment"]
    expected = {key: text(value) for key, value in shared(SPEC).items()}
    assert {key: environment.get(key) for key in expected} == expected
    assert environment["node.roles"] == text(node.roles)
    assert environment["OPENSEARCH_JAVA_OPTS"] == f"-Xms{SPEC.heap} -Xmx{SPEC.heap}"


@pytest.mark.parametrize("node", SPEC.nodes, ids=lambda node: node.name)
def test_a_node_has_no_setting_that_the_local_cluster_lacks(services: dict[str, Any], node: Node) -> None:
    local = opensearch(SPEC, node, NodePlace(Path("/anywhere")))
    assert {key for key in services[node.name]["environment"] if "." in key} <= set(local)


@pytest.mark.parametrize("node", SPEC.nodes, ids=lambda node: node.name)
def test_a_node_is_not_marked_as_one_without_the_libraries_of_knn(services: dict[str, Any], node: Node) -> None:
    assert f"node.attr.{LOCAL_ATTRIBUTE}" not in services[node.name]["environment"]


def test_ports_are_open_on_this_machine_alone_and_are_the_local_clusters(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items()}
    assert published == {
        "data": [f"127.0.0.1:{SPEC.nodes[0].http_port}:9200"],
        "ml": [f"127.0.0.1:{SPEC.nodes[1].http_port}:9200"],
        "dashboards": ["127.0.0.1:5601:5601"],
    }


@pytest.mark.parametrize(
    ("password", "disabled", "hosts"),
    [("", "true", '["http://data:9200"]'), ("Long-enough-1", "Long-enough-1", '["https://data:9200"]')],
    ids=["off", "on"],
)
def test_one_variable_turns_security_on(services: dict[str, Any], password: str, disabled: str, hosts: str) -> None:
    def said(service: str, key: str) -> str:
        return interpolated(services[service]["environment"][key], {"OPENSEARCH_PASSWORD": password})

    assert said("data", "DISABLE_SECURITY_PLUGIN") == said("ml", "DISABLE_SECURITY_PLUGIN") == disabled
    assert said("dashboards", "DISABLE_SECURITY_DASHBOARDS_PLUGIN") == disabled
    assert said("dashboards", "OPENSEARCH_HOSTS") == hosts


def interpolated(value: str, env: dict[str, str]) -> str:
    """What Compose makes of ``${NAME:-default}`` and ``${NAME:+replacement}``."""

    def one(match: re.Match[str]) -> str:
        name, sign, other = match.groups()
        return (env.get(name) or other) if sign == "-" else (other if env.get(name) else "")

    return re.sub(r"\$\{(\w+):([-+])([^}]*)\}", one, value)

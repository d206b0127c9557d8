"""Objects that somebody else made by hand, which no apply may touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request
from tests.live.seeing import stored

SETTING = "cluster.routing.allocation.cluster_concurrent_rebalance"


@dataclass(frozen=True)
class Foreign:
    """One object of each kind that is made in no time, under names beside those of a test, and as each was made."""

    cluster: Cluster
    name: str
    before: dict[str, Any]

    @classmethod
    def made(cls, cluster: Cluster, name: str) -> Foreign:
        """Make them. Their names begin otherwise, so that no template of the test's matches them."""
        name = f"foreign-{name}"
        for path, body in _requests(name).items():
            cluster.send(Request("PUT", path, body))
        cluster.send(Request("PUT", f"/{name}/_doc/1", {"a": "b"}, {"refresh": "true"}))
        cluster.send(Request("POST", "/_plugins/_ml/model_groups/_register", {"name": name}))
        foreign = cls(cluster, name, {})
        foreign.before.update(foreign.now())
        return foreign

    def now(self) -> dict[str, Any]:
        """What the server says of them."""
        kinds = ("ingest_pipeline", "search_pipeline", "stored_script", "component_template", "index_template", "index")
        found = {kind: stored(self.cluster, kind, self.name) for kind in (*kinds, "model_group")}
        settings = self.cluster.send(Request("GET", "/_cluster/settings", params={"flat_settings": "true"}))
        count = self.cluster.send(Request("GET", f"/{self.name}/_count"))["count"]
        return found | {"setting": settings["persistent"].get(SETTING), "documents": count}

    def check(self) -> None:
        """They are as they were."""
        assert self.now() == self.before

    def take_away(self) -> None:
        """Delete them."""
        patience = Patience.of(30)
        for path in reversed(_requests(self.name)):
            if path != "/_cluster/settings":
                persist_if_there(self.cluster, Request("DELETE", path), patience)
        self.cluster.send(Request("PUT", "/_cluster/settings", {"persistent": {SETTING: None}}))
        query = {"query": {"term": {"name.keyword": self.name}}}
        found = self.cluster.send(Request("POST", "/_plugins/_ml/model_groups/_search", query))
        for hit in found["hits"]["hits"]:
            self.cluster.send(Request("DELETE", f"/_plugins/_ml/model_groups/{hit['_id']}"))


def _requests(name: str) -> dict[str, Any]:
    template = {"template": {"settings": {"number_of_replicas": 0}}}
    return {
        "/_cluster/settings": {"persistent": {SETTING: 3}},
        f"/_ingest/pipeline/{name}": {"processors": [{"set": {"field": "a", "value": 1}}]},
        f"/_search/pipeline/{name}": {"description": "foreign"},
        f"/_scripts/{name}": {"script": {"lang": "painless", "source": "1"}},
        f"/_component_template/{name}": template,
        f"/_index_template/{name}": {"index_patterns": [f"{name}-*"], "priority": 7, "composed_of": [name]},
        f"/{name}": template["template"] | {"aliases": {f"{name}-alias": {}}},
    }

"""The ledger: a hidden index on the cluster that remembers what each stack asked, and what was stored.

One document a resource, ``<stack>/<environment>/<kind>/<name>``, and one with the salt for fingerprints of secrets.
Bodies are stored without being indexed, so that no body can upset the ledger's own mapping.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.core.address import Address
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.errors import ClusterError, RequestFailed

INDEX = "osform-ledger"
MOST = 10_000  # documents that one search returns; beyond it the ledger would have to be paged

_KEYWORDS = ("type", "stack", "environment", "kind", "name", "status", "applied_by", "commit", "key", "needs")
_MAPPING = {
    "dynamic": "strict",
    "_meta": {"osform": "what each stack asked of this cluster; do not edit"},
    "properties": {
        **{field: {"type": "keyword"} for field in _KEYWORDS},
        "applied_at": {"type": "date"},
        "protect": {"type": "boolean"},
        **{field: {"type": "object", "enabled": False} for field in ("asked", "recorded", "ids")},
    },
}
_SETTINGS = {"index.hidden": "true", "index.number_of_shards": "1", "index.auto_expand_replicas": "0-1"}


@dataclass(frozen=True)
class Ledger:
    """The entries of one stack in one environment. Every write is visible to the next read."""

    cluster: Cluster
    stack: str
    environment: str
    seconds: float = 60.0
    """How long one read or write may take, retries included."""
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep

    @property
    def patience(self) -> Patience:
        """A fresh deadline for one read or write."""
        return Patience.of(self.seconds, self.clock, self.sleep)

    def read(self) -> State:
        """Everything that the ledger says; an empty State where there is none."""
        body = {"query": {"match_all": {}}, "size": MOST, "sort": ["_doc"]}
        request = Request("POST", f"/{INDEX}/_search", body, {"ignore_unavailable": "true"})
        answer = persist_if_there(self.cluster, request, self.patience)
        hits = answer["hits"]["hits"] if answer else []
        if len(hits) >= MOST:
            raise ClusterError(f"the ledger has more than {MOST:,} entries, which this version can't read")
        entries: dict[Address, Entry] = {}
        owners: dict[Address, str] = {}
        key = None
        for source in (hit["_source"] for hit in hits):
            if source["type"] == "key":
                key = source["key"]
            elif (source["stack"], source["environment"]) == (self.stack, self.environment):
                entry = _entry(source)
                entries[entry.address] = entry
            else:
                address = Address(source["kind"], source["name"])
                owners[address] = f"{source['stack']} ({source['environment']})"
        return State(entries, owners, key)

    def open(self) -> str:
        """Make the ledger where there is none, and return the salt for fingerprints."""
        create = Request("PUT", f"/{INDEX}", {"settings": _SETTINGS, "mappings": _MAPPING})
        try:
            persist(self.cluster, create, self.patience)
        except RequestFailed as error:
            if error.type != "resource_already_exists_exception":
                raise
        key = Request("GET", f"/{INDEX}/_doc/key")
        stored = persist_if_there(self.cluster, key, self.patience)
        if stored is None:
            document = {"type": "key", "key": secrets.token_hex(16)}
            try:
                self.cluster.send(self._put("key", document, {"op_type": "create"}))
            except RequestFailed as error:
                if error.status != 409:  # somebody else was first, and theirs is the one that counts
                    raise
            stored = persist(self.cluster, key, self.patience)
        return str(stored["_source"]["key"])

    def write(self, entry: Entry) -> None:
        """Store an entry in place of the one that was there."""
        document = {
            "type": "entry",
            "stack": self.stack,
            "environment": self.environment,
            "kind": entry.address.kind,
            "name": entry.address.name,
            "status": entry.status,
            "asked": entry.asked,
            "recorded": entry.recorded,
            "ids": entry.ids,
            "needs": [str(need) for need in entry.needs],
            "protect": entry.protect,
            "applied_by": entry.applied_by,
            "applied_at": entry.applied_at,
            "commit": entry.commit,
        }
        persist(self.cluster, self._put(self._id(entry.address), document, {}), self.patience)

    def forget(self, address: Address) -> None:
        """Take an entry out of the ledger."""
        path = f"/{INDEX}/_doc/{quote(self._id(address), safe='')}"
        persist_if_there(self.cluster, Request("DELETE", path, params={"refresh": "true"}), self.patience)

    def _id(self, address: Address) -> str:
        return f"{self.stack}/{self.environment}/{address}"

    def _put(self, identifier: str, document: Mapping[str, Any], params: Mapping[str, str]) -> Request:
        path = f"/{INDEX}/_doc/{quote(identifier, safe='')}"
        return Request("PUT", path, dict(document), {"refresh": "true", **params})


def _entry(source: Mapping[str, Any]) -> Entry:
    return Entry(
        Address(source["kind"], source["name"]),
        source["status"],
        source["asked"],
        source["recorded"],
        source["ids"],
        tuple(Address.parse(need) for need in source["needs"]),
        source["protect"],
        source["applied_by"],
        source["applied_at"],
        source.get("commit"),
    )

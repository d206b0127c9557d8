"""The moment in which aliases move: the old index takes no write, and nothing that it embedded reaches the new one.

A node looks up an index's pipeline when a write arrives, and where the alias points once the pipeline is through
(``TransportBulkAction`` of 2.19 and 3.6). A write that is being embedded while the alias moves would be stored in the
new index with the old model's vector. So while writes are refused, the old index names the new one's pipelines, and
the alias moves when whatever began before that has ended, which it does at the block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from osform.cluster import blocking
from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.request import Request
from osform.errors import NotReady

PIPELINES = ("index.default_pipeline", "index.final_pipeline")
"""The settings by which an index says what its writes go through."""
# Those that look up their alias themselves; a reindex and an update by query do so by their bulks.
_WRITES = ("indices:data/write/bulk", "indices:data/write/index", "indices:data/write/update")


@dataclass
class Gate:
    """Between two physical indices, of which ``source`` has the aliases. ``own`` is what ``PIPELINES`` of it say."""

    cluster: Cluster
    source: str
    target: str
    own: Mapping[str, str | None]
    _under_way: frozenset[str] = field(default=frozenset(), init=False)

    def shut(self, patience: Patience) -> None:
        """Refuse writes to the source, and send those that come all the same through the target's pipelines."""
        theirs = _named(self.cluster, self.target, patience)
        other = theirs != _named(self.cluster, self.source, patience)
        blocking.block(self.cluster, self.source, patience)
        if other:
            _name(self.cluster, self.source, theirs, patience)
            self._under_way = self._writes(patience)

    def drain(self, patience: Patience) -> None:
        """Wait for the writes that began before the gate was shut. Raises NotReady where they take too long."""
        attempt = 0
        while left := self._under_way & self._writes(patience):
            if patience.over:
                raise NotReady(
                    f"{self.source}: {len(left)} writes that began before the write block are still being embedded",
                    hint="have the writers send smaller bulks, and run osform apply again: it goes on from here",
                )
            patience.pause(attempt, first=0.05)
            attempt += 1

    def reopen(self, patience: Patience) -> None:
        """Let writes in again, through the source's own pipelines."""
        restore(self.cluster, self.source, self.own, patience)
        blocking.unblock(self.cluster, self.source, patience)

    def _writes(self, patience: Patience) -> frozenset[str]:
        """The writes under way that name the source, or an alias of it."""
        path = f"/{quote(self.source)}/_alias"
        aliases = persist(self.cluster, Request("GET", path), patience)[self.source].get("aliases", {})
        names = re.compile("|".join(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])" for name in (self.source, *aliases)))
        params = {"actions": ",".join(_WRITES), "detailed": "true", "group_by": "none"}
        tasks: list[dict[str, Any]] = persist(self.cluster, Request("GET", "/_tasks", params=params), patience)["tasks"]
        return frozenset(f"{task['node']}:{task['id']}" for task in tasks if names.search(task.get("description", "")))


def restore(cluster: Cluster, index: str, own: Mapping[str, str | None], patience: Patience) -> None:
    """Have an index name its own pipelines again; nothing where it is gone, or names them."""
    if own and _named(cluster, index, patience) not in (None, dict(own)):
        _name(cluster, index, own, patience)


def own_pipelines(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """What an index's settings, with dotted keys, say of ``PIPELINES``."""
    return {key: settings.get(key) for key in PIPELINES}


def _named(cluster: Cluster, index: str, patience: Patience) -> dict[str, str | None] | None:
    """What an index of this very name says; None where it is gone, also if another one has its name as an alias."""
    # Every index has a UUID; one without any of what is asked for would be left out of the answer.
    path = f"/{quote(index)}/_settings/{','.join((*PIPELINES, 'index.uuid'))}"
    found = persist_if_there(cluster, Request("GET", path, params={"flat_settings": "true"}), patience) or {}
    return own_pipelines(found[index]["settings"]) if index in found else None


def _name(cluster: Cluster, index: str, names: Mapping[str, str | None] | None, patience: Patience) -> None:
    persist(cluster, Request("PUT", f"/{quote(index)}/_settings", dict(names or {})), patience)

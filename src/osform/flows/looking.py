"""What is live: every resource of a stack looked up in a number of requests that doesn't grow with the stack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from osform.cluster import nodes
from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist_if_there
from osform.core.address import Address
from osform.core.request import Request
from osform.errors import NotReady
from osform.kinds import KINDS, alias, meaning
from osform.kinds.base import Live, Wanted
from osform.kinds.index import every_shard


@dataclass(frozen=True)
class Eyes:
    """Looks at a cluster; ``seconds`` is the time that all reads of one look may take, retries included.

    With ``seen``, no request is sent a second time.
    """

    cluster: Cluster
    seconds: float = 60.0
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    seen: dict[str, Any] | None = None

    def remembering(self) -> Eyes:
        """The same, but what was read once is not read again."""
        return replace(self, seen={})

    def look(self, wanted: Mapping[Address, Wanted]) -> dict[Address, Live]:
        """What is there of these resources. Raises Unreachable and RequestFailed."""
        patience = Patience.of(self.seconds, self.clock, self.sleep)
        live: dict[Address, Live] = {}
        for kind, module in KINDS.items():
            named = {address.name: want for address, want in wanted.items() if address.kind == kind}
            if named:
                answers: list[Any] = [self.read(request, patience) for request in module.reads(named)]
                live |= {Address(kind, name): found for name, found in self._found(kind, answers, named, patience)}
        return self._covered(live, patience)

    def _found(
        self, kind: str, answers: Sequence[Any], wanted: Mapping[str, Wanted], patience: Patience
    ) -> Iterable[tuple[str, Live]]:
        found = dict(KINDS[kind].found(answers, wanted))
        if kind == "index":
            closer = [self.read(request, patience) for request in meaning.reads(wanted, found)]
            found = meaning.understood(closer, wanted, found)
        return found.items()

    def get(self, request: Request) -> Any | None:
        """The answer to one request that reads, None for what is not there."""
        return self.read(request, Patience.of(self.seconds, self.clock, self.sleep))

    def names(self, kind: str) -> frozenset[str]:
        """The names that are taken on the cluster, by whomever: of pipelines of a kind, or of indices and aliases."""
        if kind == "index":
            stored = self.get(alias.reads({})[0]) or {}
            return frozenset(name for index, each in stored.items() for name in (index, *each.get("aliases", {})))
        return frozenset(self.get(KINDS[kind].reads({})[0]) or {})

    def read(self, request: Request, patience: Patience) -> Any | None:
        """The answer to a request that reads, None for what is not there."""
        if self.seen is None:
            return persist_if_there(self.cluster, request, patience)
        key = json.dumps([request.method, request.path, dict(request.params), request.body], sort_keys=True)
        if key not in self.seen:
            self.seen[key] = persist_if_there(self.cluster, request, patience)
        return self.seen[key]

    def _covered(self, live: dict[Address, Live], patience: Patience) -> dict[Address, Live]:
        """Models that are served by fewer nodes than run models say so in place of being deployed."""
        served = [each for each, found in live.items() if found.nodes and found.body.get("function_name") != "REMOTE"]
        if not served:
            return live
        every = {node.id for node in self._eligible()}
        for address in served:
            found = live[address]
            if found.body.get("deployed") is True and not every <= found.nodes:
                words = f"on {len(found.nodes & every)} of {len(every)} nodes"
                live[address] = replace(found, body={**found.body, "deployed": words})
        return live

    def _eligible(self) -> tuple[nodes.Node, ...]:
        key = "nodes that run models"
        if self.seen is None or key not in self.seen:
            found = nodes.ml_nodes(self.cluster, deadline_seconds=self.seconds, clock=self.clock, sleep=self.sleep)
            if self.seen is None:
                return found
            self.seen[key] = found
        eligible: tuple[nodes.Node, ...] = self.seen[key]
        return eligible

    def documents(self, live: Live) -> int:
        """How many documents an index has, those included that no search sees yet; 0 for what is no index.

        Raises NotReady where a part of it is not there to be counted.
        """
        if "index" not in live.ids:
            return 0
        index = quote(live.ids["index"])
        patience = Patience.of(self.seconds, self.clock, self.sleep)
        persist_if_there(self.cluster, Request("POST", f"/{index}/_refresh"), patience)
        answer = persist_if_there(self.cluster, Request("GET", f"/{index}/_count"), patience)
        if answer and not every_shard(answer):
            missing = answer["_shards"]["total"] - answer["_shards"]["successful"]
            raise NotReady(
                f"{live.ids['index']}: {missing} of its shards are on no node, so nobody knows what documents it has",
                hint="bring the node back, or restore the index; --force deletes it as it is",
            )
        return int(answer["count"]) if answer else 0

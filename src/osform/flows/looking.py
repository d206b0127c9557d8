"""What is live: every resource of a stack looked up in a number of requests that doesn't grow with the stack."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist_if_there
from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import KINDS
from osform.kinds.base import Live, Wanted


@dataclass(frozen=True)
class Eyes:
    """Looks at a cluster; ``seconds`` is the time that all reads of one look may take, retries included."""

    cluster: Cluster
    seconds: float = 60.0
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep

    def look(self, wanted: Mapping[Address, Wanted]) -> dict[Address, Live]:
        """What is there of these resources. Raises Unreachable and RequestFailed."""
        patience = Patience.of(self.seconds, self.clock, self.sleep)
        live: dict[Address, Live] = {}
        for kind, module in KINDS.items():
            named = {address.name: want for address, want in wanted.items() if address.kind == kind}
            if named:
                answers: list[Any] = [
                    persist_if_there(self.cluster, request, patience) for request in module.reads(named)
                ]
                live |= {Address(kind, name): found for name, found in module.found(answers, named).items()}
        return live

    def documents(self, live: Live) -> int:
        """How many documents an index has, those included that no search sees yet; 0 for what is no index."""
        if "index" not in live.ids:
            return 0
        index = quote(live.ids["index"])
        patience = Patience.of(self.seconds, self.clock, self.sleep)
        persist_if_there(self.cluster, Request("POST", f"/{index}/_refresh"), patience)
        answer = persist_if_there(self.cluster, Request("GET", f"/{index}/_count"), patience)
        return int(answer["count"]) if answer else 0

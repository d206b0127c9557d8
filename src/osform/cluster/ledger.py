"""The ledger: a hidden index on the cluster that remembers what each stack asked, and what was stored.

One document a resource, ``<stack>/<environment>/<kind>/<name>``, one with the salt for fingerprints of secrets, and the
lock (``osform.cluster.lock``). Bodies are stored without being indexed, so that no body can upset the ledger's own
mapping.

An entry is written with a version (``external_gte``) made of the lock's fencing number and the write's number in this
run: the server refuses the write of a run that lost the lock once the next one has written that entry, and a write that
was held up on its way and comes after a later one of the same run. The same write sent twice is harmless.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.lock import INDEX
from osform.cluster.retry import Clock, Patience, Sleep, passes, persist, persist_if_there
from osform.core.address import Address
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.errors import ClusterError, LockLost, RequestFailed, Unreachable

__all__ = ["INDEX", "MOST", "Ledger"]

MOST = 10_000  # documents that one search returns; beyond it the ledger would have to be paged
_WRITES = 1_000_000  # more than one run ever makes, and the fencing number times it is still a long

_KEYWORDS = (
    "type", "stack", "environment", "kind", "name", "status", "applied_by", "commit", "key", "needs", "role", "of",
)  # fmt: skip
_MAPPING = {
    "dynamic": "strict",
    "_meta": {"osform": "what each stack asked of this cluster; do not edit"},
    "properties": {
        **{field: {"type": "keyword"} for field in _KEYWORDS},
        "applied_at": {"type": "date"},
        "until": {"type": "date"},
        "protect": {"type": "boolean"},
        **{field: {"type": "object", "enabled": False} for field in ("asked", "recorded", "ids", "lock", "journal")},
    },
}
_SETTINGS = {"index.hidden": "true", "index.number_of_shards": "1", "index.auto_expand_replicas": "0-1"}


@dataclass(frozen=True)
class Ledger:
    """The entries of one stack in one environment. Every write is visible to the next read."""

    cluster: Cluster
    stack: str
    environment: str
    fence: int | None = None
    """The lock's number, without which nothing is safe to write while others may be at work."""
    seconds: float = 60.0
    """How long one read or write may take, retries included."""
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    writes: Iterator[int] = field(default_factory=itertools.count)

    @property
    def patience(self) -> Patience:
        """A fresh deadline for one read or write."""
        return Patience.of(self.seconds, self.clock, self.sleep)

    def read(self) -> State:
        """Everything that the ledger says; an empty State where there is none."""
        query = {"terms": {"type": ["entry", "key"]}}
        body = {"query": query, "size": MOST, "sort": ["_doc"]}
        request = Request("POST", f"/{INDEX}/_search", body, {"ignore_unavailable": "true"})
        answer = persist_if_there(self.cluster, request, self.patience)
        hits = answer["hits"]["hits"] if answer else []
        if len(hits) >= MOST:
            raise ClusterError(f"the ledger has more than {MOST:,} entries, which this version can't read")
        entries: dict[Address, Entry] = {}
        others: list[tuple[str, Entry]] = []
        key = None
        for source in (hit["_source"] for hit in hits):
            if source["type"] == "key":
                key = source["key"]
            elif (source["stack"], source["environment"]) == (self.stack, self.environment):
                entry = _entry(source)
                entries[entry.address] = entry
            else:
                others.append((f"{source['stack']} ({source['environment']})", _entry(source)))
        return State(entries, {entry.address: owner for owner, entry in others}, key, tuple(others))

    def prepare(self) -> None:
        """Make the ledger where there is none, and bring an older one's mapping up to date."""
        create = Request("PUT", f"/{INDEX}", {"settings": _SETTINGS, "mappings": _MAPPING})
        try:
            persist(self.cluster, create, self.patience)
        except RequestFailed as error:
            if error.type != "resource_already_exists_exception":
                raise
            persist(self.cluster, Request("PUT", f"/{INDEX}/_mapping", _MAPPING), self.patience)

    def salt(self) -> str:
        """The salt for fingerprints, made where there is none; the ledger must be there."""
        read = Request("GET", f"/{INDEX}/_doc/key")
        document = {"type": "key", "key": secrets.token_hex(16)}
        create = Request("PUT", f"/{INDEX}/_doc/key", document, {"refresh": "true", "op_type": "create"})
        patience, attempt = self.patience, 0
        while (stored := persist_if_there(self.cluster, read, patience)) is None:
            try:
                self.cluster.send(create, timeout=patience.timeout(15))
            except (Unreachable, RequestFailed) as error:
                # A conflict means that somebody else was first, and theirs is the one that counts.
                if not passes(error) or patience.over:
                    raise
                patience.pause(attempt)
                attempt += 1
        return str(stored["_source"]["key"])

    def write(self, entry: Entry) -> None:
        """Store an entry in place of the one that was there. Raises what ``change`` raises."""
        self.change([entry])

    def forget(self, address: Address) -> None:
        """Take an entry out of the ledger. Raises what ``change`` raises."""
        self.change([address])

    def change(self, items: Sequence[Entry | Address]) -> None:
        """Store entries and forget addresses, all in one request.

        Raises LockLost where a later run has written one of them, RequestFailed and Unreachable.
        """
        left, patience, attempt = list(items), self.patience, 0
        version = None if self.fence is None else self.fence * _WRITES + next(self.writes)
        while left:
            body = "".join(json.dumps(line) + "\n" for item in left for line in self._lines(item, version))
            bulk = Request("POST", f"/{INDEX}/_bulk", body, {"refresh": "true"})
            answer = persist(self.cluster, bulk, patience)
            left = [
                item for item, result in zip(left, answer["items"], strict=True) if not self._done(result, patience)
            ]
            if left:
                patience.pause(attempt)
                attempt += 1

    def _lines(self, item: Entry | Address, version: int | None) -> Iterable[Mapping[str, Any]]:
        address = item.address if isinstance(item, Entry) else item
        header: dict[str, Any] = {"_id": self._id(address)}
        if version is not None:
            header |= {"version": version, "version_type": "external_gte"}
        if isinstance(item, Address):
            return [{"delete": header}]
        return [{"index": header}, self._document(item)]

    def _done(self, result: Mapping[str, Any], patience: Patience) -> bool:
        """Whether one line of a _bulk has been carried out; False where it may be sent again."""
        ((_, answer),) = result.items()
        status, error = int(answer["status"]), answer.get("error") or {}
        if status < 300 or (status == 404 and not error):
            return True
        name = f"POST /{INDEX}/_bulk {answer.get('_id')}"
        if status == 409:
            raise LockLost(
                f"{name}: a later run has written this entry of the ledger; nothing more was sent",
                hint="osform plan shows what is left to do, osform apply goes on from there",
            )
        failed = RequestFailed(name, status, str(error.get("type")), str(error.get("reason")))
        if not passes(failed) or patience.over:
            raise failed
        return False

    def _document(self, entry: Entry) -> Mapping[str, Any]:
        return {
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
            "role": entry.role,
            "of": str(entry.of) if entry.of else None,
            "until": entry.until or None,
            "journal": entry.journal,
        }

    def _id(self, address: Address) -> str:
        return f"{self.stack}/{self.environment}/{address}"


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
        # An earlier osform knew of no replacements.
        source.get("role") or "current",
        Address.parse(source["of"]) if source.get("of") else None,
        source.get("until") or "",
        source.get("journal") or {},
    )

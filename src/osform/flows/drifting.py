"""Drift: what changed on the cluster behind the files' back, in documents and at run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from osform.cluster import vectors
from osform.cluster.client import Cluster
from osform.cluster.vectors import VectorMap
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.resource import in_order
from osform.core.state import Entry
from osform.core.values import concealed
from osform.flows.planning import drifted
from osform.flows.resolving import pipelines_of
from osform.flows.survey import Survey
from osform.kinds import model
from osform.kinds.vectors import made

What = Literal[
    "missing", "changed", "undeployed", "partly deployed", "not answering", "answers differently", "unfinished",
    "stale vectors", "made twice",
]  # fmt: skip
APPLY = "osform apply"


@dataclass(frozen=True)
class Drift:
    """One resource that is not as it was left: what happened to it, in what it differs, and what mends it."""

    address: Address
    what: What
    differences: tuple[Difference, ...] = ()
    detail: str = ""
    next: str = APPLY

    def to_json(self) -> dict[str, Any]:
        """The drift for programs: ``before`` is what was read back after the last apply, ``after`` what is live."""
        found = [
            {"path": dotted(each.path), "before": _shown(each.before), "after": _shown(each.after)}
            for each in self.differences
        ]
        said = {"drift": self.what, "detail": self.detail, "next": self.next}
        return {"address": str(self.address), **said, "differences": found}


def drifts(survey: Survey, wrong: Mapping[Address, str]) -> tuple[Drift, ...]:
    """All that differs from what was read back after the last apply, first-needed first; files play no part in it."""
    entries = survey.state.entries
    needs = {address: [need for need in entry.needs if need in entries] for address, entry in entries.items()}
    return tuple(drift for address in in_order(needs) for drift in _drifts(survey, address, wrong))


def stale(survey: Survey, cluster: Cluster, sample: int | None) -> Iterator[Drift]:
    """Indices whose vectors are not those of their texts: a sample of so many documents each, or with None all."""
    for address, used in pipelines_of(survey.spec).items():
        live = survey.live.get(address)
        bodies = [survey.live[each].body for each in used if each.kind == "ingest_pipeline" and each in survey.live]
        if live is None or address not in survey.state.entries:
            continue
        maps = [VectorMap.of(each, live.body["mappings"]) for body in bodies for each in made(body)]
        found = vectors.astray(cluster, live.ids["index"], maps, sample=sample)
        if found:
            looked = "all documents" if sample is None else f"a sample of {sample:,}"
            few = "; ".join(map(str, found[:3]))
            detail = f"{len(found):,} of {looked}: {few}"
            yield Drift(address, "stale vectors", detail=detail, next=f"{APPLY} --rebuild {address}")


def _drifts(survey: Survey, address: Address, wrong: Mapping[Address, str]) -> Iterator[Drift]:
    entry, live = survey.state.entries[address], survey.live.get(address)
    if entry.status == "applying":
        yield Drift(address, "unfinished", detail="an apply was cut off here")
        return
    if live is None:
        yield Drift(address, "missing", detail="it is not on the cluster any more")
        return
    if entry.role == "past":
        return  # nobody is served by it; its aliases and its write block come and go with the index that serves
    if live.strays:
        detail = f"a request that came late made {', '.join(live.strays)} beside it"
        yield Drift(address, "made twice", detail=detail)
    found = drifted(survey, address)
    runtime = tuple(each for each in found if address.kind == "model" and each.path == ("deployed",))
    if rest := tuple(each for each in found if each not in runtime):
        yield Drift(address, "changed", rest)
    for difference in runtime:
        after = "deployed" if difference.after is True else str(_shown(difference.after))
        name = _name(after)
        remote = name == "not answering" and live.body.get("function_name") == "REMOTE"
        yield Drift(address, name, runtime, wrong.get(address, after), _elsewhere(entry) if remote else APPLY)


def _elsewhere(entry: Entry) -> str:
    """What helps where a remote model gives no answer: it is not here that something is wrong, as far as is known."""
    connector = next((str(need) for need in entry.needs if need.kind == "connector"), "its connector")
    return f"the service behind {connector} has to answer, at that address and with that credential"


def _name(state: str) -> What:
    differs, silent = model.ASTRAY
    if state.startswith(differs):
        return "answers differently"
    if state.startswith(silent):
        return "not answering"
    partly = (state.startswith("on ") and state != "on no node") or state == "PARTIALLY_DEPLOYED"
    return "partly deployed" if partly else "undeployed"


def _shown(value: Any) -> Any:
    return None if value is ABSENT else concealed(value)

"""Drift: what changed on the cluster behind the files' back, in documents and at run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from osform.cluster import predict, vectors
from osform.cluster.client import Cluster
from osform.cluster.vectors import VectorMap
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.resource import in_order
from osform.core.values import concealed
from osform.errors import ClusterError, PredictionMismatch, RequestFailed
from osform.flows.planning import shown_live
from osform.flows.resolving import pipelines_of
from osform.flows.survey import Survey
from osform.kinds import KINDS, model
from osform.kinds.base import Live
from osform.kinds.vectors import made

What = Literal[
    "missing", "changed", "undeployed", "partly deployed", "not answering", "answers differently", "unfinished",
    "stale vectors", "made twice",
]  # fmt: skip
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Drift:
    """One resource that is not as it was left: what happened to it, and in what it differs."""

    address: Address
    what: What
    differences: tuple[Difference, ...] = ()
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """The drift for programs: ``before`` is what was read back after the last apply, ``after`` what is live."""
        found = [
            {"path": dotted(each.path), "before": _shown(each.before), "after": _shown(each.after)}
            for each in self.differences
        ]
        return {"address": str(self.address), "drift": self.what, "detail": self.detail, "differences": found}


def ask_models(survey: Survey, cluster: Cluster) -> dict[Address, str]:
    """Ask each deployed model of ``models/`` for the vectors of its probes; the survey then knows who answers wrongly.

    Returns what was wrong, by address. One request a model.
    """
    wrong: dict[Address, str] = {}
    live = dict(survey.live)
    for address, found in survey.live.items():
        packaged = survey.spec.models.get(str(found.body.get("model"))) if address.kind == "model" else None
        lock = packaged.lock if packaged else None
        if lock is None or found.body.get("deployed") is not True or address not in survey.state.entries:
            continue
        if found.body.get("is_enabled") is False:
            continue  # it answers nobody, and if that is not as it should be, it is drift by itself
        probes = [(probe.text, probe.vector) for probe in lock.probes]
        bundle = lock.made(str(found.body.get("model_content_hash_value")))
        if bundle is None:
            continue  # the files have moved on; what this one must answer is not known any more
        differs, silent = model.ASTRAY
        try:
            predict.probe(
                cluster,
                found.ids["model_id"],
                probes,
                least_cosine=bundle.least_live,
                function_name=bundle.function_name,
                deadline_seconds=_ANSWER_SECONDS,
            )
        except PredictionMismatch as error:
            live[address], wrong[address] = _said(found, f"{differs} than its export did"), error.message
        except ClusterError as error:
            if isinstance(error, RequestFailed) and error.status in (401, 403):
                raise  # that one may not ask says nothing of the model
            live[address], wrong[address] = _said(found, silent), error.message
    survey.live = live
    return wrong


def _said(live: Live, words: str) -> Live:
    return replace(live, body={**live.body, "deployed": words})


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
            yield Drift(address, "stale vectors", detail=f"{len(found):,} of {looked}: {few}")


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
    found = KINDS[address.kind].drift(entry.recorded, shown_live(survey, address).body)
    runtime = tuple(each for each in found if address.kind == "model" and each.path == ("deployed",))
    if rest := tuple(each for each in found if each not in runtime):
        yield Drift(address, "changed", rest)
    for difference in runtime:
        after = "deployed" if difference.after is True else str(_shown(difference.after))
        yield Drift(address, _name(after), runtime, wrong.get(address, after))


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

"""Deployed models asked whether they answer: those of ``models/`` as their export did, others at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from osform.cluster import predict
from osform.cluster.client import Cluster
from osform.core.address import Address
from osform.core.models import ModelLock
from osform.core.values import Secret, Unknown, concealed, leaves, revealed, scrubbed, secrets_in
from osform.errors import ClusterError, PredictionMismatch, RequestFailed
from osform.flows.survey import Survey
from osform.kinds import model
from osform.kinds.base import Live

_ANSWER_SECONDS = 20.0

Question = Callable[[Cluster], object]


def ask_models(survey: Survey, cluster: Cluster, *, remote: bool = False) -> dict[Address, str]:
    """Ask each deployed model that has probes, in its lock or its file; the survey then knows who answers wrongly.

    Those that run elsewhere, where an answer may cost money, are asked with ``remote`` alone. Returns what was wrong,
    by address, without the stack's secrets: services repeat what they refuse. One request a model.
    """
    wrong: dict[Address, str] = {}
    live = dict(survey.live)
    differs, silent = model.ASTRAY
    for address, found in survey.live.items():
        question = _question(survey, address, found, remote=remote)
        if question is None:
            continue
        try:
            question(cluster)
        except PredictionMismatch as error:
            live[address], wrong[address] = _said(found, f"{differs} than its export did"), error.message
        except ClusterError as error:
            if isinstance(error, RequestFailed) and error.status in (401, 403) and not error.elsewhere:
                raise  # that one may not ask says nothing of the model
            live[address], wrong[address] = _said(found, silent), scrubbed(error.message, tuple(_secrets(survey)))
    survey.live = live
    return wrong


def _said(live: Live, words: str) -> Live:
    return replace(live, body={**live.body, "deployed": words})


def _secrets(survey: Survey) -> Iterator[Secret]:
    for address in survey.spec.resources:
        yield from secrets_in(survey.asked(address))


def _question(survey: Survey, address: Address, found: Live, *, remote: bool) -> Question | None:
    """What to ask a model, or None for one that is not to be asked, or of which nothing is known to ask."""
    if address.kind != "model" or found.body.get("deployed") is not True or address not in survey.state.entries:
        return None
    if found.body.get("is_enabled") is False:
        return None  # it answers nobody, and if that is not as it should be, it is drift by itself
    packaged = survey.spec.models.get(str(found.body.get("model")))
    if packaged and packaged.lock:
        return _as_exported(packaged.lock, found)
    if found.body.get("function_name") == "REMOTE" and not remote:
        return None
    return _at_all(survey, address, found)


def _as_exported(lock: ModelLock, found: Live) -> Question | None:
    bundle = lock.made(str(found.body.get("model_content_hash_value")))
    if bundle is None:
        return None  # the files have moved on; what this one must answer is not known any more
    return partial(
        predict.probe,
        model_id=found.ids["model_id"],
        probes=[(probe.text, probe.vector) for probe in lock.probes],
        least_cosine=bundle.least_live,
        function_name=bundle.function_name,
        deadline_seconds=_ANSWER_SECONDS,
    )


def _at_all(survey: Survey, address: Address, found: Live) -> Question | None:
    probe = survey.asked(address).get("probe") if address in survey.spec.resources else None
    if concealed(probe) != survey.state.entries[address].asked.get("probe"):
        return None  # the files have moved on, and this one may never have answered what they ask now
    if probe is None or any(isinstance(leaf, Unknown) for _, leaf in leaves(probe)):
        return None
    model_id = found.ids["model_id"]
    return partial(predict.ask, model_id=model_id, question=revealed(probe), deadline_seconds=_ANSWER_SECONDS)

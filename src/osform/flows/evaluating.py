"""Acceptance: the searches of ``provision/checks/`` run against one index, or two side by side, and judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.guard import refuse_mixing
from osform.cluster.ledger import Ledger
from osform.cluster.queries import Found, default_mode, run, search_request
from osform.cluster.retry import Patience, persist, persist_if_there, reach
from osform.cluster.targets import Target, describe
from osform.core.checks import Checks, Mode, Query
from osform.core.events import Advanced, Begun, Ended, Note, Report, silent
from osform.core.request import Request
from osform.core.resource import StackSpec
from osform.core.verdicts import Answer, Evaluation, Verdict, compared
from osform.errors import InputError, NotAccepted, NotReady, OsformError, RequestFailed, VectorsAstray
from osform.flows import owning
from osform.flows.picture_files import bytes_of
from osform.flows.searching_pictures import Seer, Wish, asked_of, request_for
from osform.flows.verdict_words import summary, told
from osform.kinds.checks import nearest

MEASURED = 60
"""Searches whose time is taken, at least; the first search of each question warms up and is not among them."""

TRIES = 3
"""Times that latencies are measured before they count as too slow."""

_WITHOUT_A_PIPELINE: tuple[Mode, ...] = ("lexical", "picture")
"""Modes in which no ingest pipeline's model has a say."""

_PATIENCE = 60.0  # seconds for one search that fails in passing


@dataclass(frozen=True)
class Side:
    """An index to ask, by its physical name or its alias.

    ``models`` gives the model that made a vector field's vectors, by its id on the cluster; without it the index's own
    ingest pipeline says. ``lenient`` is for the index that is on its way out: what it can't answer is left out.
    """

    name: str
    models: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False


@dataclass(frozen=True)
class Accepted:
    """That an index may take over; ``verdict`` has the numbers, None where there are no checks."""

    verdict: Verdict | None = None


def evaluate_all(
    cluster: Cluster,
    spec: StackSpec,
    names: Sequence[str] = (),
    *,
    against: str | None = None,
    report: Report = silent,
) -> list[Verdict]:
    """Run the checks of some indices of a stack, by default of all that have any, on what serves now.

    Each is compared with the physical index that it replaced, while that is kept; or one with the index ``against``.
    Raises InputError for an index without checks, and what ``evaluate`` raises.
    """
    for name in names:
        if name not in spec.checks:
            hint = nearest(name, set(spec.checks)) or f"write provision/checks/{name}.yaml"
            raise InputError(f"there are no checks of index/{name}", hint=hint)
    chosen = [spec.checks[name] for name in dict.fromkeys(names)] or list(spec.checks.values())
    if not chosen:
        raise InputError("no index of this stack has checks", hint="write provision/checks/<index>.yaml")
    if against is not None and len(chosen) > 1:
        raise InputError("--against compares one index with another", hint="say which: osform evaluate INDEX --against")
    reach(cluster)
    kept = {chosen[0].index: against} if against is not None else replaced(cluster, spec)
    verdicts = []
    for checks in chosen:
        before = [Side(kept[checks.index], lenient=True)] if checks.index in kept else []
        verdicts.append(judged(cluster, checks, [*before, Side(checks.index)], report=report))
    return verdicts


def replaced(cluster: Cluster, spec: StackSpec) -> dict[str, str]:
    """The physical index that each index of the stack replaced last, where it is kept and still there."""
    state = Ledger(cluster, spec.name, spec.environment).read()
    now = [each for each in state.entries.values() if each.role == "current" and each.address.kind == "index"]
    pasts = {each.address.name: owning.before(each, state) for each in now}
    latest = {name: past.ids["index"] for name, past in pasts.items() if past is not None and "index" in past.ids}
    return {name: index for name, index in latest.items() if _is_there(cluster, index)}


def _is_there(cluster: Cluster, index: str) -> bool:
    return bool(persist_if_there(cluster, Request("HEAD", f"/{quote(index)}"), Patience.of(_PATIENCE)))


def evaluate(
    cluster: Cluster,
    checks: Checks,
    name: str,
    *,
    models: Mapping[str, str] | None = None,
    report: Report = silent,
    patience: Callable[[], Patience] = lambda: Patience.of(_PATIENCE),
) -> Evaluation:
    """Ask one index, by its physical name or its alias, every question of its checks. Reads only.

    Raises NotReady where the index is missing or its model is not deployed, VectorsAstray where another model made its
    vectors, RequestFailed, Unreachable.
    """
    (evaluation,) = side_by_side(cluster, checks, [Side(name, models or {})], report=report, patience=patience)
    return evaluation


def judged(cluster: Cluster, checks: Checks, sides: Sequence[Side], *, report: Report = silent) -> Verdict:
    """The verdict on the last of the sides, beside the one before it, if any.

    Where latencies are all that fails, they are taken anew, ``TRIES`` times in all: a busy moment of the cluster is no
    property of an index.
    """
    for number in range(TRIES):
        *answered, latest = side_by_side(cluster, checks, sides, report=report)
        verdict = compared(checks, latest, answered[0] if answered else None)
        if not verdict.only_slow or number == TRIES - 1:
            break
        report(Note(f"{verdict.new.index}: {'; '.join(verdict.reasons)}; measuring again"))
    return verdict


def side_by_side(
    cluster: Cluster,
    checks: Checks,
    sides: Sequence[Side],
    *,
    report: Report = silent,
    patience: Callable[[], Patience] = lambda: Patience.of(_PATIENCE),
) -> list[Evaluation]:
    """Ask several indices the same, in turn, so that whatever else the cluster does slows all of them alike."""
    seer = Seer()
    asked = [_known(cluster, side, checks, patience, seer) for side in sides]
    rounds = 1 + math.ceil(MEASURED / len(checks.queries))
    answers: list[list[Answer]] = [[Answer(query) for query in checks.queries] for _ in sides]
    task, total = f"searching {' and '.join(side.name for side in sides)}", rounds * len(checks.queries) * len(sides)
    report(Begun(task, total, "searches"))
    done = 0
    for number in range(rounds):
        for place in range(len(checks.queries)):
            for one, given in zip(asked, answers, strict=True):
                given[place] = one.again(given[place]) if number else one.first(given[place].query)
                done += 1
                report(Advanced(task, done, total))
    report(Ended(task))
    return [Evaluation(_name(one.target), tuple(given)) for one, given in zip(asked, answers, strict=True)]


def accept(
    cluster: Cluster,
    spec: StackSpec,
    index_name: str,
    *,
    old: str | None,
    new: str,
    old_models: Mapping[str, str],
    new_models: Mapping[str, str],
    report: Report = silent,
) -> Accepted:
    """Hold the physical index ``new`` to the checks of an index of the stack, beside ``old``, which it would replace.

    Raises NotAccepted with the numbers where it fails, and what ``evaluate`` raises.
    """
    checks = spec.checks.get(index_name)
    if checks is None:
        return Accepted()
    # What was copied a moment ago must be found; the old index shows its documents already.
    persist(cluster, Request("POST", f"/{quote(new)}/_refresh"), Patience.of(_PATIENCE))
    before = [Side(old, old_models, lenient=True)] if old is not None else []
    verdict = judged(cluster, checks, [*before, Side(new, new_models)], report=report)
    if not verdict.passed:
        message = f"{new} answers the checks of index/{index_name} worse than asked\n{told(verdict)}"
        stays = f"the alias {index_name} stays on {old}; " if old else ""
        ways = f"mend the files and apply again, or change {checks.document.file}"
        raise NotAccepted(message, hint=f"{stays}{ways}; osform apply --abandon takes the new index away")
    report(Note(summary(verdict)))
    return Accepted(verdict)


@dataclass(frozen=True)
class _Index:
    """One of the indices, as searches need to know it."""

    cluster: Cluster
    side: Side
    target: Target
    patience: Callable[[], Patience]
    seer: Seer
    astray: str = ""
    """Why its vectors can't be compared with a question's, where that is so."""

    def first(self, query: Query) -> Answer:
        """What a question finds; its time is that of a cold start, and not kept."""
        mode: Mode = query.mode or default_mode(self.target, None)
        if self.astray and mode not in _WITHOUT_A_PIPELINE:
            return Answer(query, mode=mode, refused=self.astray)
        try:
            found = self._search(query, mode)
        except InputError as error:
            return Answer(query, mode=mode, refused=error.message)
        except (NotReady, RequestFailed) as error:
            if not self.side.lenient:
                raise
            return Answer(query, mode=mode, refused=error.message)
        return Answer(query, tuple(hit.id for hit in found.hits), mode=mode)

    def again(self, answer: Answer) -> Answer:
        """The same question once more, for its time."""
        if answer.refused or answer.mode is None:
            return answer
        try:
            found = self._search(answer.query, answer.mode)
        except OsformError:
            if not self.side.lenient:
                raise
            return answer
        return replace(answer, took_ms=(*answer.took_ms, float(found.took_ms)))

    def _search(self, query: Query, mode: Mode) -> Found:
        if mode == "picture":
            return self._pictures(query)
        request = search_request(
            self.target, query.text, mode, field=query.field, size=query.size, pipeline=None, only=query.filter
        )
        return run(self.cluster, request, self.patience())

    def _pictures(self, query: Query) -> Found:
        field = asked_of(self.cluster, self.target, query.field)
        wish = Wish(query.text, bytes_of(query.picture) if query.picture else None)
        request, _ = request_for(
            self.cluster, self.target, field, wish, size=query.size, only=query.filter, seer=self.seer
        )
        return run(self.cluster, request, self.patience())


def _known(cluster: Cluster, side: Side, checks: Checks, patience: Callable[[], Patience], seer: Seer) -> _Index:
    described = describe(cluster, side.name)
    models = {each: side.models.get(each.vector, each.model_id) for each in described.embeddings}
    target = replace(described, embeddings=tuple(replace(each, model_id=id) for each, id in models.items()))
    index = _Index(cluster, side, target, patience, seer)
    if all((each.mode or default_mode(target, None)) in _WITHOUT_A_PIPELINE for each in checks.queries):
        return index
    try:
        refuse_mixing(cluster, target.name, target.embeddings)
    except VectorsAstray as error:
        if not side.lenient:
            raise
        return replace(index, astray=error.message)
    return index


def _name(target: Target) -> str:
    return target.indices[0] if len(target.indices) == 1 else target.name

"""Acceptance on a server that is a function: which index is asked what, by which model, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.checks import Checks, Query
from osform.core.document import Document
from osform.core.events import Advanced, Event, Note
from osform.core.resource import StackSpec
from osform.errors import InputError, NotAccepted, NotReady, VectorsAstray
from osform.flows.evaluating import MEASURED, Side, accept, evaluate, evaluate_all, side_by_side
from tests.proxy import Answer, Call, Proxy

DOCUMENT = Document("provision/checks/pics.yaml", {"queries": [{}, {}]}, {("queries", 0): 2, ("queries", 1): 5})
CATS = Query("cats", {"a": 1}, 1, path=("queries", 0))
DOGS = Query("dogs", {"d": 3, "a": 1}, path=("queries", 1))
CHECKS = Checks("pics", (CATS, DOGS), {"ndcg_at_10": 0.9}, {"ndcg_at_10": 0.1}, DOCUMENT)
MAPPING = {"properties": {"title": {"type": "text"}, "v": {"type": "knn_vector"}}}


@dataclass
class Indices:
    """Stands for an OpenSearch with some indices: what each finds for a question, best first.

    An index whose name is in ``plain`` has no vectors; one in ``away`` has a model that no node serves, one in
    ``astray`` vectors of another model than its pipeline's. ``busy`` searches are turned away at first, and so many are
    ``slow``. ``past`` is what the ledger knows of indices that were replaced. Each search is in ``asked``.
    """

    found: dict[str, Mapping[str, str]]
    plain: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    astray: set[str] = field(default_factory=set)
    past: list[str] = field(default_factory=list)
    slow: int = 0
    busy: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)

    def __call__(self, call: Call) -> Answer:
        name = call.path.strip("/").split("/")[0]
        if name == "osform-ledger":
            entries = [*map(_past, self.past), _entry("pics", ids={"index": "pics-v1"})]
            return Answer(200, {"hits": {"hits": [{"_source": each} for each in entries]}})
        if call.path.endswith("/_refresh"):
            self.refreshed.append(name)
            return Answer(200, {})
        if call.path.startswith("/_ingest"):
            processor = {"text_embedding": {"model_id": "m", "field_map": {"title": "v"}}}
            return Answer(200, {call.path.rpartition("/")[2]: {"processors": [processor]}})
        if not call.path.endswith("/_search"):
            return self.describe(name)
        return self.search(name, json.loads(call.body)["query"])

    def describe(self, name: str) -> Answer:
        physical = "pics-v1" if name == "pics" else name
        if physical not in self.found:
            return Answer(404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}})
        if name in self.plain:
            return Answer(200, {physical: {"aliases": {}, "settings": {}, "mappings": {"properties": {}}}})
        settings = {"index.default_pipeline": f"p-{physical}"}
        made = {"_meta": {"osform": {"vectors": {"v": {"from": "title", "model": "id another"}}}}}
        mapping = MAPPING | (made if name in self.astray else {})
        return Answer(200, {physical: {"aliases": {"pics": {}}, "settings": settings, "mappings": mapping}})

    def search(self, name: str, query: Any) -> Answer:
        words = [each["query"] for each in query.get("match", {}).values()]
        (asked,) = query["neural"].values() if not words else [{"query_text": words[0], "model_id": ""}]
        self.asked.append((name, asked["query_text"], asked["model_id"]))
        if self.busy:
            self.busy -= 1
            return Answer(429, {"error": {"type": "rejected_execution_exception", "reason": "queue is full"}})
        if name in self.away:
            return Answer(400, {"error": {"type": "illegal_argument_exception", "reason": "Model not ready yet."}})
        ids = self.found["pics-v1" if name == "pics" else name][asked["query_text"]]
        took, self.slow = (90, self.slow - 1) if self.slow else (7, 0)
        return Answer(200, {"took": took, "hits": {"hits": [{"_id": id, "_score": 1.0} for id in ids]}})


def _past(index: str) -> dict[str, Any]:
    """The ledger's entry of an index that was replaced."""
    return _entry(index, role="past", of="index/pics", until=index, ids={"index": index})


def _entry(name: str, **more: Any) -> dict[str, Any]:
    owner = {"type": "entry", "stack": "s", "environment": "default", "kind": "index", "name": name}
    nothing = {"asked": {}, "recorded": {}, "needs": [], "protect": False, "applied_by": "", "applied_at": ""}
    return owner | nothing | {"status": "applied"} | more


GOOD: Mapping[str, str] = {"cats": "ab", "dogs": "da"}
BAD: Mapping[str, str] = {"cats": "xy", "dogs": "ad"}


@pytest.fixture
def server() -> Iterator[tuple[Indices, Cluster]]:
    indices = Indices({"pics-v1": GOOD, "pics-v2": GOOD})
    with Proxy("http://127.0.0.1:9", indices) as proxy:
        cluster = Cluster(proxy.url)
        yield indices, cluster
        cluster.close()


def spec(checks: Checks | None = CHECKS) -> StackSpec:
    return StackSpec("s", "default", {}, {}, {}, checks={"pics": checks} if checks else {})


def taken(cluster: Cluster, *, old: str | None = "pics-v1", told: list[Event] | None = None, **models: str) -> Any:
    report = told.append if told is not None else lambda _event: None
    return accept(
        cluster, spec(), "pics", old=old, new="pics-v2", old_models={}, new_models=models, report=report
    )  # fmt: skip


def test_each_question_is_asked_of_the_index_by_its_physical_name(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    evaluation = evaluate(cluster, CHECKS, "pics-v2")
    assert (evaluation.index, evaluation.values["success"], evaluation.values["ndcg_at_10"]) == ("pics-v2", 1.0, 1.0)
    assert {name for name, _, _ in indices.asked} == {"pics-v2"}


def test_the_first_search_of_a_question_is_not_timed_and_enough_others_are(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    answers = evaluate(cluster, CHECKS, "pics-v2").answers
    assert [len(each.took_ms) for each in answers] == [MEASURED // 2] * 2
    assert len(indices.asked) == MEASURED + 2
    assert set(answers[0].took_ms) == {7.0}


def test_the_model_that_made_the_vectors_is_the_one_that_is_asked(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    side_by_side(cluster, CHECKS, [Side("pics-v1"), Side("pics-v2", {"v": "m2"})])
    assert {(name, model) for name, _, model in indices.asked} == {("pics-v1", "m"), ("pics-v2", "m2")}


def test_two_indices_are_asked_in_turn(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    side_by_side(cluster, CHECKS, [Side("pics-v1"), Side("pics-v2")])
    assert [name for name, _, _ in indices.asked[:4]] == ["pics-v1", "pics-v2"] * 2


def test_an_index_that_answers_as_well_is_accepted_and_the_numbers_are_told(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    told: list[Event] = []
    assert taken(cluster, told=told).verdict.passed
    assert indices.refreshed == ["pics-v2"]
    (note,) = [each.text for each in told if isinstance(each, Note)]
    assert note.startswith("pics-v2 passes its 2 checks: nDCG@10 1.000 (before 1.000), recall@10 1.000 (before 1.000)")
    assert max(each.done for each in told if isinstance(each, Advanced)) == len(indices.asked)


def test_an_index_that_answers_worse_is_not_accepted_and_the_message_has_it_all(
    server: tuple[Indices, Cluster],
) -> None:
    indices, cluster = server
    indices.found["pics-v2"] = BAD
    with pytest.raises(NotAccepted) as caught:
        taken(cluster)
    message = caught.value.message.splitlines()
    assert message[0] == "pics-v2 answers the checks of index/pics worse than asked"
    assert message[1].split() == ["metric", "pics-v1", "pics-v2", "asked"]
    assert message[2] == ("nDCG@10         1.000    0.355    at least 0.900, at most 0.100 below pics-v1: failed")
    assert "  nDCG@10 is 0.355 and was 1.000 in pics-v1, expected at least 0.900" in message
    assert message[-2:] == [
        "  provision/checks/pics.yaml:2 'cats': expected a (not found) within 1; found x, y; nDCG@10 0.000, was 1.000",
        "  provision/checks/pics.yaml:5 'dogs': expected d (grade 3), a (grade 1); found a, d; "
        "nDCG@10 0.710, was 1.000",
    ]
    assert caught.value.hint == (
        "the alias pics stays on pics-v1; mend the files and apply again, or change provision/checks/pics.yaml"
        "; osform apply --abandon takes the new index away"
    )


def test_without_checks_every_index_is_accepted_and_nothing_is_asked(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    done = accept(cluster, spec(None), "pics", old="pics-v1", new="pics-v2", old_models={}, new_models={})
    assert (done.verdict, indices.asked, indices.refreshed) == (None, [], [])


@pytest.mark.parametrize("trouble", ["plain", "away", "astray"])
def test_what_the_old_index_can_not_answer_stops_no_new_one(server: tuple[Indices, Cluster], trouble: str) -> None:
    indices, cluster = server
    getattr(indices, trouble).add("pics-v1")
    semantic = Checks("pics", tuple(_semantic(each) for each in CHECKS.queries), {}, {"ndcg_at_10": 0.0}, DOCUMENT)
    done = accept(cluster, StackSpec("s", "e", {}, {}, {}, checks={"pics": semantic}), "pics",
                  old="pics-v1", new="pics-v2", old_models={}, new_models={})  # fmt: skip
    assert done.verdict is not None
    assert len(done.verdict.unasked) == 2


def _semantic(query: Query) -> Query:
    return Query(query.text, query.grades, query.within, "semantic", path=query.path)


def test_vectors_of_another_model_than_the_pipeline_s_fail_the_new_index(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    indices.astray.add("pics-v2")
    with pytest.raises(VectorsAstray, match="were made by the model id another"):
        taken(cluster)
    words = Checks("pics", (Query("cats", {"a": 1}, 1, "lexical", path=("queries", 0)),), {}, {}, DOCUMENT)
    assert evaluate(cluster, words, "pics-v2").values["success"] == 1.0


def test_a_model_that_is_away_fails_the_new_index_with_what_to_do(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    indices.away.add("pics-v2")
    with pytest.raises(NotReady, match="is not deployed"):
        taken(cluster, old=None)


def test_a_search_that_fails_in_passing_is_sent_again(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    indices.busy = 2
    assert taken(cluster, old=None).verdict.passed


@pytest.mark.parametrize(("slow", "passes"), [(MEASURED, True), (3 * MEASURED + 6, False)])
def test_latencies_that_fail_are_measured_again_before_they_count(
    server: tuple[Indices, Cluster], slow: int, passes: bool
) -> None:
    indices, cluster = server
    indices.slow = slow
    told: list[Event] = []
    quick = Checks("pics", CHECKS.queries, {"median_ms": 20}, {}, DOCUMENT)
    (verdict,) = evaluate_all(cluster, spec(quick), report=told.append)
    assert verdict.passed == passes
    again = [each.text for each in told if isinstance(each, Note)]
    assert again[0] == "pics-v1: median latency is 90.0 ms, expected at most 20.0 ms; measuring again"
    assert len(again) == (1 if passes else 2)


def test_a_stack_s_checks_are_run_on_what_serves_now(server: tuple[Indices, Cluster]) -> None:
    _, cluster = server
    (verdict,) = evaluate_all(cluster, spec())
    assert (verdict.new.index, verdict.old) == ("pics-v1", None)
    (verdict,) = evaluate_all(cluster, spec(), ["pics"], against="pics-v2")
    assert verdict.old is not None
    assert verdict.old.index == "pics-v2"


def test_the_index_that_was_replaced_last_is_what_a_stack_s_is_compared_with(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    indices.found["pics-v0"] = BAD
    indices.past = ["pics-v0", "pics-v9"]
    assert [each.old for each in evaluate_all(cluster, spec())] == [None]
    indices.past = ["pics-v0"]
    (verdict,) = evaluate_all(cluster, spec())
    assert verdict.old is not None
    assert (verdict.old.index, verdict.new.index) == ("pics-v0", "pics-v1")


@pytest.mark.parametrize(
    ("names", "checks", "message", "hint"),
    [
        (["pcs"], CHECKS, "there are no checks of index/pcs", "did you mean pics?"),
        ([], None, "no index of this stack has checks", "write provision/checks/<index>.yaml"),
    ],
)
def test_checks_that_there_are_none_of_are_said_to_be_missing(
    server: tuple[Indices, Cluster], names: list[str], checks: Checks | None, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        evaluate_all(server[1], spec(checks), names)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_an_id_that_would_move_the_cursor_is_shown_as_an_escape(server: tuple[Indices, Cluster]) -> None:
    indices, cluster = server
    indices.found["pics-v2"] = {"cats": "\x1b", "dogs": "da"}
    with pytest.raises(NotAccepted) as caught:
        taken(cluster)
    assert "\x1b" not in caught.value.message
    assert "found '\\x1b'" in caught.value.message

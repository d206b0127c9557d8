"""Bulk requests: cutting, classifying, and going on until every document is settled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osform.cluster.answers import Verdict, classify, explain
from osform.cluster.bulk import BulkWriter, Means, Written, bulk_request
from osform.cluster.client import Cluster
from osform.core.events import Event, Warned, silent
from osform.core.request import Request
from osform.core.rows import Row
from osform.core.writes import Version, Write
from osform.errors import NotReady, Place, RequestFailed
from tests.proxy import Action, Answer, Call, Cut, Proxy, Script

NOT_READY = "Model not ready yet. Please run this first: POST /_plugins/_ml/models/m/_deploy"


def row(id: str, text: Any = "x") -> Write:
    return Write(Row(id, {"t": text}, Place("a.jsonl", 1)))


def item(status: int, type: str = "", reason: str = "", **more: Any) -> dict[str, Any]:
    return {"status": status, **({"error": {"type": type, "reason": reason}} if type else {}), **more}


def headers(line: Any) -> list[Any]:
    return [line[action] for action in ("index", "update") if action in line]


class Server:
    """Stands for `_bulk` of an OpenSearch: remembers what it stored, and answers as ``judge`` says of each document."""

    def __init__(self, judge: Callable[[str, int, int], dict[str, Any] | None] = lambda *_: None) -> None:
        self.judge = judge
        self.sizes: list[int] = []
        self.stored: dict[str, int] = {}
        self.before: list[Action] = []

    def __call__(self, call: Call) -> Action:
        if self.before:
            return self.before.pop(0)
        ids = [header["_id"] for line in call.body.decode().splitlines() for header in headers(json.loads(line))]
        self.sizes.append(len(ids))
        return Answer(200, {"errors": True, "items": [{"index": self.item(id, len(ids))} for id in ids]})

    def item(self, id: str, size: int) -> dict[str, Any]:
        verdict = self.judge(id, size, len(self.sizes))
        if verdict is None:
            self.stored[id] = self.stored.get(id, 0) + 1
        return verdict or item(201, result="created")


class Time:
    """Stands for the clock: passes while somebody sleeps, and a little with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        return False


class Steady:
    """Stands for pacing: one and the same pace, and a count of how often it was too much."""

    def __init__(self) -> None:
        self.complaints = 0

    def seconds_for(self, cost: float) -> float:
        return 5.0

    def answered(self, documents: int, cost: float) -> None:
        return

    def pushed_back(self) -> None:
        self.complaints += 1


def write(server: Script, rows: list[Write], *, patience: float = 60, **means: Any) -> Written:
    time = Time()
    with Proxy("http://127.0.0.1:9", server) as proxy:
        cluster = Cluster(proxy.url)
        usual = Means(Steady(), time.clock, time.sleep, chance=lambda: 1.0, report=silent)
        written = BulkWriter(cluster, "pics", replace(usual, **means), patience=patience).write(rows)
        cluster.close()
    return written


def indexed(written: Written) -> int:
    return len(written.done)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30)))
def test_a_rows_size_is_what_it_takes_in_a_request(texts: list[str]) -> None:
    rows = [row(text, text) for text in texts]
    assert sum(one.size for one in rows) == len(bulk_request("pics", rows).body.encode())


def test_a_bulk_request_insists_on_the_alias() -> None:
    assert bulk_request("pics", [row("a")]) == Request(
        "POST", "/pics/_bulk", '{"index":{"_id":"a"}}\n{"t":"x"}\n', {"require_alias": "true"}
    )


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (item(201, result="created"), Verdict.DONE),
        (item(429, "opensearch_rejected_execution_exception", "rejected"), Verdict.WAIT),
        (item(429, "circuit_breaking_exception", "Memory Circuit Breaker is open"), Verdict.WAIT),
        (item(503, "unavailable_shards_exception", "primary shard is not active"), Verdict.WAIT),
        (item(400, "illegal_argument_exception", NOT_READY), Verdict.WAIT),
        (item(400, "status_exception", "Error from remote service: too fast"), Verdict.WAIT),
        (item(400, "status_exception", "Error from remote service: ThrottlingException"), Verdict.WAIT),
        (item(404, "status_exception", "Error from remote service: no such deployment"), Verdict.WAIT),
        (item(401, "status_exception", "Error from remote service: bad key"), Verdict.WAIT),
        (item(400, "status_exception", "Error from remote service: maximum context length is 8192"), Verdict.ALONE),
        (item(400, "status_exception", "Error from remote service: Too many input tokens. Max: 8192"), Verdict.ALONE),
        (
            item(400, "status_exception", "Error from remote service: Too many tokens, wait before trying again"),
            Verdict.WAIT,
        ),
        (item(400, "status_exception", "Error from remote service: too many concurrent calls"), Verdict.WAIT),
        (item(500, "node_disconnected_exception", "[ml] disconnected"), Verdict.WAIT),
        (item(403, "cluster_block_exception", "index [x] blocked by: [FORBIDDEN/8/index write (api)]"), Verdict.WAIT),
        (item(400, "mapper_parsing_exception", "failed to parse field [n]: 'model not ready'"), Verdict.LOST),
        (item(400, "mapper_parsing_exception", "Preview of value: 'failed to find model'"), Verdict.LOST),
        (item(400, "strict_dynamic_mapping_exception", "not allowed"), Verdict.LOST),
        (item(409, "version_conflict_engine_exception", "conflict"), Verdict.LOST),
        (item(400, "illegal_argument_exception", "map type field is neither string nor nested"), Verdict.ALONE),
        (item(500, "m_l_exception", "failed to translate"), Verdict.ALONE),
        (item(404, "index_not_found_exception", "no such index [pics] and [require_alias] is true"), Verdict.STOP),
        (item(400, "illegal_argument_exception", "pipeline with id [p] does not exist"), Verdict.STOP),
        (item(404, "status_exception", "Failed to find model"), Verdict.STOP),
    ],
)
def test_an_answer_is_judged_by_its_reason_and_not_by_its_status_alone(
    answer: dict[str, Any], verdict: Verdict
) -> None:
    assert classify(answer) is verdict


@given(st.integers(200, 599), st.text(), st.text())
def test_every_error_has_a_verdict_and_none_is_taken_for_done(status: int, type: str, reason: str) -> None:
    assert classify({"status": status, "error": {"type": type, "reason": reason}}) is not Verdict.DONE


def test_an_explanation_goes_down_to_the_cause() -> None:
    cause = {"type": "a", "reason": "outer", "caused_by": {"type": "b", "reason": "inner"}}
    assert explain({"status": 400, "error": cause}) == "a: outer; b: inner"


def test_only_the_documents_that_were_refused_are_sent_again() -> None:
    server = Server(
        lambda id, size, turn: item(429, "rejected_execution_exception", "busy") if turn == 1 and id == "b" else None
    )
    written = write(server, [row("a"), row("b"), row("c")])
    assert (indexed(written), written.failed, server.sizes) == (3, [], [3, 1])


def test_one_poison_document_does_not_take_its_neighbours_with_it() -> None:
    def judge(id: str, size: int, turn: int) -> dict[str, Any] | None:
        return item(400, "illegal_argument_exception", "poison") if size > 1 or id == "b" else None

    server = Server(judge)
    written = write(server, [row("a"), row("b"), row("c")])
    assert sorted(server.stored) == ["a", "c"]
    assert [(one.id, one.reason) for one in written.failed] == [("b", "illegal_argument_exception: poison")]


BLANK = "map type field [t] has empty string value, cannot process it"


def test_a_blank_text_that_an_older_opensearch_refuses_is_sent_as_null() -> None:
    bodies: list[str] = []

    def judge(call: Call) -> Action:
        bodies.append(call.body.decode())
        rows = [json.loads(line) for line in bodies[-1].splitlines()[1::2]]
        refused = any(one["t"] == " " for one in rows)
        verdict = item(400, "illegal_argument_exception", BLANK) if refused else item(201, result="created")
        return Answer(200, {"errors": refused, "items": [{"index": verdict} for _ in rows]})

    written = write(judge, [row("a"), row("b", " ")])
    assert (indexed(written), written.failed) == (2, [])
    assert '{"index":{"_id":"b"}}\n{"t":null}\n' in bodies


@pytest.mark.parametrize("text", ["a cat", None])
def test_a_text_that_is_not_blank_stays_what_it_is(text: str | None) -> None:
    written = write(Server(lambda *_: item(400, "e", BLANK)), [row("a", text)])
    assert [one.document for one in written.failed] == [{"t": text}]


def test_a_document_on_which_the_server_breaks_is_tried_a_few_times_and_given_up() -> None:
    server = Server(lambda id, *_: item(500, "m_l_exception", "broken") if id == "b" else None)
    written = write(server, [row("a"), row("b")])
    assert (indexed(written), len(written.failed), written.gave_up) == (1, 1, None)
    assert server.sizes == [2, 1, 1, 1, 1, 1]


def test_a_model_that_is_not_ready_yet_is_waited_for() -> None:
    server = Server(lambda id, size, turn: item(400, "illegal_argument_exception", NOT_READY) if turn < 4 else None)
    said: list[Event] = []
    written = write(server, [row("a"), row("b")], report=said.append)
    assert (indexed(written), written.failed) == (2, [])
    assert isinstance(said[0], Warned)
    assert "Model not ready yet" in said[0].text


def test_a_model_that_never_gets_ready_ends_the_run_and_keeps_the_documents() -> None:
    server = Server(lambda *_: item(400, "illegal_argument_exception", NOT_READY))
    written = write(server, [row("a"), row("b")], patience=20)
    assert isinstance(written.gave_up, NotReady)
    assert "for 20 seconds pics took no document" in written.gave_up.message
    assert sorted(one.id or "" for one in written.given_up) == ["a", "b"]
    assert written.failed == []


def test_a_document_that_is_refused_for_ever_while_others_get_through_is_given_up_by_itself() -> None:
    time = Time()
    server = Server(lambda id, *_: item(429, "rejected_execution_exception", "busy") if id == "b" else None)
    with Proxy("http://127.0.0.1:9", server) as proxy:
        means = Means(
            Steady(), time.clock, chance=lambda: 1.0, report=silent,
            sleep=lambda seconds: (writer.write([row("other")]), time.sleep(seconds))[1],
        )  # fmt: skip
        writer = BulkWriter(Cluster(proxy.url), "pics", means, patience=30)
        written = writer.write([row("a"), row("b")])
    assert (indexed(written), [one.id for one in written.failed], written.gave_up) == (1, ["b"], None)


@pytest.mark.parametrize("fault", [Answer(429), Answer(503), Answer(502), Answer(500), Cut()])
def test_a_request_that_fails_as_a_whole_is_sent_again(fault: Action) -> None:
    server = Server()
    server.before = [fault, fault]
    assert indexed(write(server, [row("a"), row("b")])) == 2
    assert server.sizes == [2]


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_refused_as_a_whole_is_halved_down_to_the_culprit(status: int) -> None:
    class Strict(Server):
        def __call__(self, call: Call) -> Action:
            if b"bad" in call.body:
                return Answer(status, {"error": {"type": "content_too_long", "reason": "bad"}, "status": status})
            return super().__call__(call)

    server = Strict()
    written = write(server, [row(str(number), "bad" if number == 5 else "good") for number in range(9)])
    assert indexed(written) == 8
    assert [one.id for one in written.failed] == ["5"]


def test_an_alias_that_goes_away_ends_the_run_with_what_to_do() -> None:
    missing = item(404, "index_not_found_exception", "no such index [pics] and [require_alias] request flag is [true]")
    written = write(Server(lambda *_: missing), [row("a")])
    assert isinstance(written.gave_up, NotReady)
    assert "require_alias" in written.gave_up.message
    assert written.gave_up.hint == "osform apply makes what is missing"


def test_what_must_not_be_is_not_tried_again() -> None:
    server = Server()
    server.before = [Answer(401, {"error": {"type": "security_exception", "reason": "who are you"}})]
    written = write(server, [row("a")])
    assert isinstance(written.gave_up, RequestFailed)
    assert [one.id for one in written.given_up] == ["a"]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_the_server_says_every_document_ends_up_indexed_or_failed_and_not_both(data: st.DataObject) -> None:
    answers = [
        item(429, "rejected_execution_exception", "busy"),
        item(400, "illegal_argument_exception", "odd"),
        item(400, "mapper_parsing_exception", "wrong"),
        item(500, "m_l_exception", "broken"),
        None,
        None,
    ]
    fate = data.draw(st.lists(st.sampled_from(answers), min_size=40, max_size=40))
    server = Server(lambda id, size, turn: fate[(int(id) + turn) % 40])
    rows = [row(str(number)) for number in range(data.draw(st.integers(1, 12)))]
    written = write(server, rows, patience=5000)
    failed = [one.id or "" for one in (*written.failed, *written.given_up)]
    assert sorted([*server.stored, *failed]) == sorted(one.row.id for one in rows)
    assert indexed(written) == len(server.stored)


def test_a_poisoned_group_is_halved_and_not_taken_apart() -> None:
    def judge(id: str, size: int, turn: int) -> dict[str, Any] | None:
        return item(400, "illegal_argument_exception", "poison") if "13" in server.asked else None

    class Group(Server):
        """Fails all documents of a request with number 13 in it, as a pipeline that embeds them together does."""

        asked: list[str]

        def __call__(self, call: Call) -> Action:
            self.asked = [json.loads(line)["index"]["_id"] for line in call.body.decode().splitlines()[::2]]
            return super().__call__(call)

    server = Group(judge)
    written = write(server, [row(str(number)) for number in range(64)])
    assert (indexed(written), [one.id for one in written.failed]) == (63, ["13"])
    assert len(server.sizes) == 1 + 2 * 6


def test_a_part_of_a_document_is_written_only_over_the_version_that_was_looked_at() -> None:
    part = Write(row("a").row, patch={"n": 2}, version=Version(7, 1))
    assert part.lines == '{"update":{"_id":"a","if_seq_no":7,"if_primary_term":1}}\n{"doc":{"n":2}}\n'
    conflict = item(409, "version_conflict_engine_exception", "another one")
    written = write(Server(lambda *_: conflict), [part])
    assert (written.stale, written.failed) == ([part], [])


def test_a_document_that_brings_its_vector_goes_past_the_pipeline() -> None:
    ready = Write(row("a").row, ready={"t": "x", "v": [0.5]})
    assert ready.lines == '{"index":{"_id":"a","pipeline":"_none"}}\n{"t":"x","v":[0.5]}\n'


def test_a_model_that_is_away_is_called_and_nobody_is_told_to_send_less() -> None:
    server = Server(lambda id, size, turn: item(400, "illegal_argument_exception", NOT_READY) if turn < 3 else None)
    called: list[str] = []
    pace = Steady()
    assert indexed(write(server, [row("a")], wake=called.append, pace=pace)) == 1
    assert ([NOT_READY in each for each in called], pace.complaints) == ([True, True], 0)


@pytest.mark.parametrize(
    ("fault", "complaints"), [(Answer(429), 1), (Answer(503), 1), (Cut(), 0), (Cut(after=True), 0)]
)
def test_a_cluster_that_has_too_much_is_told_from_a_connection_that_broke(fault: Action, complaints: int) -> None:
    server, pace = Server(), Steady()
    server.before = [fault]
    assert indexed(write(server, [row("a")], pace=pace)) == 1
    assert pace.complaints == complaints

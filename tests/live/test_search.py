"""Search on a real OpenSearch whose ML node runs a real, small model: by words, by meaning, and both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.predict import predict
from osform.core.checks import Mode
from osform.core.request import Request
from osform.errors import InputError, NotReady, RequestFailed
from osform.flows.ingesting import Pace, ingest
from osform.flows.searching import search
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.proxy import Answer, Proxy, nth

ROWS = [
    {"id": "cat", "text": "a cat on a sofa", "place": "home"},
    {"id": "harbour", "text": "the old harbour", "place": "town"},
    {"id": "coffee", "text": "coffee and bread", "place": "home"},
    {"id": "dog", "text": "a dog and snow", "place": "street"},
]


@pytest.fixture(scope="module")
def stack(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small stack, applied, with four rows in its index."""
    project = lay_out(tmp_path_factory.mktemp("stack"), live_url, tiny.build(tmp_path_factory.mktemp("tiny")))
    applied = project.apply()
    assert applied.status == 0, applied.err
    rows = project.root / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    told = project.run("ingest", str(rows), "--into", project.name, "--cluster", live_url)
    assert told.status == 0, told.err
    yield project
    assert project.take_away().status == 0


@pytest.fixture
def plain(cluster: Cluster) -> Iterator[str]:
    """An index with words only, as somebody else may have made it."""
    cluster.send(Request("PUT", "/plain", {"mappings": {"properties": {"title": {"type": "text"}}}}))
    cluster.send(Request("PUT", "/plain/_doc/1", {"title": "Notes on cats"}, {"refresh": "true"}))
    yield "plain"
    cluster.send(Request("DELETE", "/plain"))


def model_of(cluster: Cluster, project: Project) -> str:
    pipeline = cluster.send(Request("GET", f"/_ingest/pipeline/{project.name}-pipeline"))
    return str(pipeline[f"{project.name}-pipeline"]["processors"][0]["text_embedding"]["model_id"])


def deploy(cluster: Cluster, model: str) -> None:
    """Until it answers, which takes a moment longer than the server's own."""
    cluster.send(Request("POST", f"/_plugins/_ml/models/{model}/_deploy"))
    for _ in range(100):
        with suppress(RequestFailed):
            predict(cluster, model, ["a cat"])
            return
        time.sleep(0.1)
    raise AssertionError(f"{model} does not answer")


def undeploy(cluster: Cluster, model: str) -> None:
    cluster.send(Request("POST", f"/_plugins/_ml/models/{model}/_undeploy"))


@pytest.mark.parametrize("mode", ["lexical", "semantic", "hybrid", None])
def test_the_nearest_document_comes_first_in_every_mode(cluster: Cluster, stack: Project, mode: Mode | None) -> None:
    answer = search(cluster, stack.name, "coffee bread", mode=mode, size=3)
    assert answer.found.hits[0].id == "coffee"
    assert answer.mode == (mode or "semantic")
    assert answer.found.took_ms >= 0


def test_meaning_finds_what_has_no_word_of_the_question(cluster: Cluster, stack: Project) -> None:
    assert search(cluster, stack.name, "nothing alike", mode="lexical").found.hits == ()
    assert len(search(cluster, stack.name, "nothing alike", mode="semantic").found.hits) == 4


def test_vectors_are_not_in_the_answer(cluster: Cluster, stack: Project) -> None:
    for hit in search(cluster, stack.name, "cat", mode="semantic").found.hits:
        assert set(hit.source) == {"id", "text", "place"}


def test_no_more_documents_come_than_were_asked_for(cluster: Cluster, stack: Project) -> None:
    assert len(search(cluster, stack.name, "cat", mode="semantic", size=2).found.hits) == 2


@pytest.mark.parametrize(("mode", "requests"), [("lexical", 3), ("semantic", 5), ("hybrid", 5)])
def test_a_search_is_few_requests(live_url: str, stack: Project, mode: Mode, requests: int) -> None:
    with Proxy(live_url) as proxy:
        cluster = Cluster(proxy.url)
        search(cluster, stack.name, "cat", mode=mode)
        cluster.close()
        assert len(proxy.requests) == requests


def test_a_search_that_met_the_next_index_of_another_dimension_is_asked_again(live_url: str, stack: Project) -> None:
    reason = "Query vector has invalid dimension: 384. Dimension should be: 256"
    moved = Answer(400, {"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400})
    with Proxy(live_url, nth(1, moved, path=f"{stack.name}/_search")) as proxy:
        cluster = Cluster(proxy.url)
        assert search(cluster, stack.name, "coffee", mode="semantic").found.hits[0].id == "coffee"
        cluster.close()
        assert [seen.status for seen in proxy.requests if seen.path.endswith("/_search")] == [400, 200]


def test_a_search_pipeline_may_be_named(cluster: Cluster, stack: Project) -> None:
    answer = search(cluster, stack.name, "coffee", pipeline=f"{stack.name}-hybrid")
    assert (answer.mode, answer.found.hits[0].id) == ("hybrid", "coffee")
    with pytest.raises(NotReady, match="there is no search pipeline 'nowhere'"):
        search(cluster, stack.name, "coffee", pipeline="nowhere")


def test_words_alone_are_searched_where_there_are_no_vectors(cluster: Cluster, plain: str) -> None:
    answer = search(cluster, plain, "notes")
    assert (answer.mode, [hit.id for hit in answer.found.hits]) == ("lexical", ["1"])
    with pytest.raises(InputError, match="plain has no vector field"):
        search(cluster, plain, "notes", mode="semantic")


def test_a_missing_alias_says_what_to_do(cluster: Cluster) -> None:
    with pytest.raises(NotReady, match="there is no alias 'nowhere'") as caught:
        search(cluster, "nowhere", "cat")
    assert "osform apply" in (caught.value.hint or "")


def test_a_model_that_is_not_deployed_says_what_to_do(cluster: Cluster, stack: Project) -> None:
    model = model_of(cluster, stack)
    undeploy(cluster, model)
    try:
        with pytest.raises(NotReady, match="is not deployed") as caught:
            search(cluster, stack.name, "cat", mode="semantic")
        assert "osform apply" in (caught.value.hint or "")
        assert search(cluster, stack.name, "cat", mode="lexical").found.hits[0].id == "cat"
    finally:
        deploy(cluster, model)


def test_the_command_prints_json_or_a_line_a_hit(stack: Project) -> None:
    told = stack.run("search", stack.name, "coffee", "-k", "2", "--format", "json", "--cluster", stack.url)
    assert set(told.json) >= {"took_ms", "hits"}
    assert [set(hit) for hit in told.json["hits"]] == [{"id", "score", "source"}] * 2
    lines = stack.run("search", stack.name, "coffee", "-k", "2", "--cluster", stack.url).out.splitlines()
    assert lines[0].split("\t")[1:] == ["coffee", "coffee and bread"]


def test_an_ingest_has_a_model_deployed_that_is_away_and_loses_no_document(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    undeploy(cluster, model_of(cluster, stack))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"id": f"late{n}", "text": f"snow {n}"}) + "\n" for n in range(20)))
    done = ingest(cluster, stack.name, [str(rows)], dead_letter=tmp_path / "dead.jsonl", pace=Pace(patience=120))
    assert (done.indexed, done.failed) == (20, 0)
    assert done.retries >= 1
    assert _with_vector(cluster, stack, "late*") == 20


def test_one_document_that_cannot_be_embedded_takes_no_neighbour_with_it(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{"id": f"many{n}", "text": "a cat"} for n in range(16)]
    rows[7]["text"] = {"not": ["a", "text"]}
    rows[9]["text"] = " "
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = ingest(cluster, stack.name, [str(tmp_path / "rows.jsonl")], dead_letter=tmp_path / "dead.jsonl")
    assert (done.indexed, done.failed) == (15, 1)
    assert dict(done.without_text) == {"text": 1}
    (letter,) = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert json.loads(letter)["_id"] == "many7"
    assert _with_vector(cluster, stack, "many*") == 14


def _with_vector(cluster: Cluster, stack: Project, ids: str) -> int:
    query = {"bool": {"filter": [{"exists": {"field": "vector"}}, {"wildcard": {"id.keyword": ids}}]}}
    return int(cluster.send(Request("GET", f"/{stack.name}/_count", {"query": query}))["count"])

"""What is in the index is not embedded again, whoever put it there, and no vector is of another text than its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.predict import predict
from osform.core.closeness import cosine
from osform.core.embeddings import DIGEST_SCRIPT
from osform.core.request import Request
from osform.flows.ingesting import Ingested, Pace, ingest
from tests import tiny
from tests.live.stacks import Project, lay_out
from tests.proxy import Proxy, nth

WORDS = ("a cat on a sofa", "the old harbour", "coffee and bread", "a dog and snow", "the street in the morning")
DIGEST = (
    "      batch_size: 4\n"
    "  - script:\n"
    "      lang: painless\n"
    f'      source: "{DIGEST_SCRIPT}"\n'
    "      params: {text: text, model: '${model/NAME.model_id}', digest: vector_of}\n"
)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def stack(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small stack whose pipeline also says which text a vector is of."""
    project = lay_out(tmp_path_factory.mktemp("stack"), live_url, tiny.build(tmp_path_factory.mktemp("tiny")))
    project.edit("ingest_pipeline/NAME-pipeline", "      batch_size: 4\n", DIGEST.replace("NAME", project.name))
    applied = project.apply()
    assert applied.status == 0, applied.err
    yield project
    assert project.take_away().status == 0


@pytest.fixture
def cluster(stack: Project, tmp_path: Path) -> Iterator[Cluster]:
    """The stack's cluster, its index empty."""
    cluster = Cluster(stack.url)
    everything: Rows = [{"query": {"match_all": {}}}]
    cluster.send(Request("POST", f"/{stack.name}/_delete_by_query", everything[0], {"refresh": "true"}))
    yield cluster
    cluster.close()


def rows(count: int, *, price: int = 1) -> Rows:
    """Rows whose texts all differ."""
    return [{"id": f"r{n}", "text": f"{WORDS[n % 5]} {n}", "price": price} for n in range(count)]


def send(stack: Project, tmp_path: Path, content: Rows, *, url: str = "", update: bool = False) -> Ingested:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in content))
    cluster = Cluster(url or stack.url)
    try:
        dead = tmp_path / f"dead{len(list(tmp_path.iterdir()))}"
        return ingest(cluster, stack.name, [str(file)], dead_letter=dead, update=update, pace=Pace(patience=60))
    finally:
        cluster.close()


def document(cluster: Cluster, stack: Project, id: str) -> dict[str, Any]:
    return dict(cluster.send(Request("GET", f"/{stack.name}/_doc/{id}"))["_source"])


def change(cluster: Cluster, stack: Project, id: str, **fields: Any) -> None:
    """What somebody else's program does: a partial update in a bulk request, which no pipeline sees."""
    body = json.dumps({"update": {"_id": id}}) + "\n" + json.dumps({"doc": fields}) + "\n"
    cluster.send(Request("POST", f"/{stack.name}/_bulk", body, {"refresh": "true"}))


def true(cluster: Cluster, stack: Project, id: str) -> bool:
    """Whether a document's vector is the one that the model gives its text."""
    pipeline = cluster.send(Request("GET", f"/_ingest/pipeline/{stack.name}-pipeline"))
    model = pipeline[f"{stack.name}-pipeline"]["processors"][0]["text_embedding"]["model_id"]
    found = document(cluster, stack, id)
    return cosine(found["vector"], predict(cluster, model, [found["text"]])[0]) > 0.9999


def test_what_is_there_is_neither_sent_nor_embedded_again(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    first = send(stack, tmp_path, rows(60))
    with Proxy(stack.url) as proxy:
        again = send(stack, tmp_path, rows(60), url=proxy.url)
        assert proxy.seen("_bulk") == []
    assert (first.created, again.indexed, again.unchanged) == (60, 60, 60)


def test_a_document_that_was_deleted_meanwhile_comes_back(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    send(stack, tmp_path, rows(20))
    cluster.send(Request("DELETE", f"/{stack.name}/_doc/r7"))
    again = send(stack, tmp_path, rows(20))
    assert (again.created, again.unchanged) == (1, 19)
    assert true(cluster, stack, "r7")


def test_a_changed_price_leaves_the_vector_as_it_is(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    send(stack, tmp_path, rows(20))
    before = document(cluster, stack, "r3")
    again = send(stack, tmp_path, [*rows(10), *rows(20, price=2)[10:]])
    assert (again.unchanged, again.patched, again.created, again.ingest_seconds) == (10, 10, 0, 0)
    assert document(cluster, stack, "r13")["price"] == 2
    assert document(cluster, stack, "r3") == before
    assert true(cluster, stack, "r13")


def test_a_changed_text_gets_its_own_vector(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    send(stack, tmp_path, rows(5))
    changed = rows(5)
    changed[2]["text"] = "snow and bread"
    assert send(stack, tmp_path, changed).unchanged == 4
    assert true(cluster, stack, "r2")


def test_a_text_that_somebody_changed_past_the_pipeline_does_not_keep_a_false_vector(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    send(stack, tmp_path, rows(5))
    change(cluster, stack, "r1", text="snow and bread")
    change(cluster, stack, "r2", text="snow and bread")
    assert not true(cluster, stack, "r1")
    wanted = rows(5)
    wanted[2]["text"] = "snow and bread"  # the rows say the same by now: only the digest tells
    assert send(stack, tmp_path, wanted).unchanged == 3
    assert true(cluster, stack, "r1")
    assert true(cluster, stack, "r2")
    assert document(cluster, stack, "r1")["text"] == wanted[1]["text"]


def test_a_price_that_somebody_changed_past_the_pipeline_leaves_a_true_vector(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    send(stack, tmp_path, rows(5))
    change(cluster, stack, "r1", price=9)
    again = send(stack, tmp_path, rows(5))
    assert (again.unchanged, again.patched) == (4, 1)
    assert true(cluster, stack, "r1")


def test_a_text_that_went_takes_its_vector_along(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    send(stack, tmp_path, rows(2))
    send(stack, tmp_path, [{"id": "r0", "text": " ", "price": 1}, {"id": "r1", "price": 1}])
    assert "vector" not in document(cluster, stack, "r0")
    assert document(cluster, stack, "r1") == {"id": "r1", "price": 1}


def test_equal_texts_are_embedded_once(cluster: Cluster, stack: Project, tmp_path: Path) -> None:
    content = [{"id": f"r{n}", "text": WORDS[n % 5], "price": n} for n in range(200)]
    done = send(stack, tmp_path, content)
    assert (done.indexed, done.copied) == (200, 195)
    assert all(true(cluster, stack, f"r{n}") for n in (0, 7, 199))
    assert document(cluster, stack, "r199")["price"] == 199
    assert send(stack, tmp_path, content).unchanged == 200


def test_a_text_that_is_in_the_index_lends_its_vector_to_new_rows(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    send(stack, tmp_path, rows(5))
    done = send(stack, tmp_path, [*rows(5), {"id": "new", "text": rows(5)[4]["text"]}])
    assert (done.unchanged, done.copied) == (5, 1)
    assert true(cluster, stack, "new")


def test_an_update_changes_what_its_rows_name_and_nothing_else(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    send(stack, tmp_path, rows(5))
    changes: Rows = [{"id": "r0", "price": 5}, {"id": "r1", "text": "snow"}, {"id": "r2"}, {"id": "r9", "price": 1}]
    done = send(stack, tmp_path, changes, update=True)
    assert (done.indexed, done.unchanged, done.patched, done.failed) == (3, 1, 1, 1)
    first, second = document(cluster, stack, "r0"), document(cluster, stack, "r1")
    assert (first["text"], first["price"]) == (rows(1)[0]["text"], 5)
    assert (second["text"], second["price"]) == ("snow", 1)
    assert true(cluster, stack, "r1")


def test_a_text_that_got_no_vector_is_counted_until_it_is_sent_again(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    def set_pipeline(name: str) -> None:
        cluster.send(Request("PUT", f"/{stack.name}/_settings", {"index.default_pipeline": name}))

    (found,) = cluster.send(Request("GET", f"/{stack.name}/_settings")).values()
    own = found["settings"]["index"]["default_pipeline"]
    blank = {"id": "blank", "text": "  "}
    with Proxy(stack.url, nth(1, lambda _call: set_pipeline("_none"), path="_bulk")) as proxy:
        done = send(stack, tmp_path, [*rows(6), blank], url=proxy.url)
    assert (done.indexed, done.without_vector) == (7, 6)
    set_pipeline(own)
    again = send(stack, tmp_path, [*rows(6), blank])
    assert (again.unchanged, again.without_vector) == (1, 0)
    assert true(cluster, stack, "r5")


def test_a_document_that_changes_between_the_look_and_the_write_is_looked_at_again(
    cluster: Cluster, stack: Project, tmp_path: Path
) -> None:
    send(stack, tmp_path, rows(5))
    meddled: list[int] = []

    def meddle(call: Any) -> None:
        if "_bulk" in call.path and not meddled:
            meddled.append(1)
            change(cluster, stack, "r1", text="snow")

    with Proxy(stack.url, meddle) as proxy:
        done = send(stack, tmp_path, rows(5, price=3), url=proxy.url)
    assert (done.indexed, done.failed) == (5, 0)
    assert document(cluster, stack, "r1")["text"] == rows(5)[1]["text"]
    assert true(cluster, stack, "r1")

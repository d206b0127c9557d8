"""Indices made anew beside the old one: another model, another mapping, and what is left when something fails."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.models import find_models
from osform.core.request import Request
from osform.local.releases import DEFAULT_VERSION
from tests import tiny
from tests.live.load import Load, everything
from tests.live.stacks import Project, add_model, lay_out
from tests.proxy import Call, PassOn, Proxy, nth

TEXTS = ("a cat on a sofa", "the old harbour", "coffee and bread in the morning", "a dog in the snow", "")


def row(n: int) -> dict[str, Any]:
    return {"text": f"{TEXTS[n % 5]} {n % 7}" if TEXTS[n % 5] else "", "n": n}


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A small stack with two models to choose from, applied, and 300 documents in its index."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    add_model(project, "tiny2", tiny.build(tmp_path, seed=1))
    assert project.apply().status == 0
    rows = [{"_id": str(n), **row(n)} for n in range(300)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = project.run("ingest", "rows.jsonl", "--into", project.name, "--cluster", live_url)
    assert done.status == 0, done.err
    yield project
    project.take_away()


ENRICHER = (
    "request_processors:\n"
    "  - neural_query_enricher:\n"
    "      default_model_id: ${model/NAME.model_id}\n"
    "phase_results_processors:\n"
)


def ask_by_default(project: Project) -> None:
    """Let questions be embedded with the model that the index's own search pipeline names."""
    project.edit("search_pipeline/NAME-hybrid", "phase_results_processors:\n", ENRICHER.replace("NAME", project.name))
    line = f"    default_pipeline: ${{ingest_pipeline/{project.name}-pipeline.name}}\n"
    search = f"    search.default_pipeline: ${{search_pipeline/{project.name}-hybrid.name}}\n"
    project.edit("index/NAME", line, line + search)
    assert project.apply().status == 0


def ask(cluster: Cluster, method: str, path: str, body: Any = None) -> Any:
    return cluster.send(Request(method, path, body))


def behind(cluster: Cluster, name: str) -> list[str]:
    return sorted(ask(cluster, "GET", f"/_alias/{name}"))


def test_another_model_means_a_new_index_with_all_documents_and_an_empty_plan(
    project: Project, cluster: Cluster
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    plan = project.plan()
    assert plan.status == 2, plan.err
    changes = {change["address"]: change for change in plan.json["changes"]}
    assert changes[f"index/{project.name}"]["action"] == "replace"
    assert changes[f"model/{project.name}"]["action"] == "replace"
    estimate = changes[f"index/{project.name}"]["estimate"]
    assert (estimate["documents"], estimate["bytes"] > 0, estimate["seconds"] is None) == (300, True, False)
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    stored = ask(cluster, "GET", f"/_ingest/pipeline/{project.name}-pipeline*")
    model = {name: body["processors"][0]["text_embedding"]["model_id"] for name, body in stored.items()}
    pipeline = f"{project.name}-pipeline"
    assert model[pipeline] == model[f"{pipeline}-v2"] != model[f"{pipeline}-v1"]
    again = project.plan()
    assert (again.status, again.json["changes"]) == (0, []), again.out


@pytest.mark.soak
def test_another_mapping_is_copied_too(project: Project, cluster: Cluster) -> None:
    project.edit("index/NAME", "m: 8,", "m: 12,")
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0


def vectors_of(cluster: Cluster, name: str) -> dict[str, Any]:
    hits = ask(cluster, "POST", f"/{name}/_search", {"size": 1000, "_source": ["text", "vector"]})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def test_a_rollback_goes_back_and_the_plan_says_what_differs(project: Project, cluster: Cluster) -> None:
    before = vectors_of(cluster, project.name)
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    assert project.apply().status == 0
    assert vectors_of(cluster, project.name)["0"]["vector"] != before["0"]["vector"]
    done = project.run("rollback", f"index/{project.name}", "--format", "json")
    assert done.status == 0, done.err
    assert (done.json["before"], done.json["now"]) == (f"{project.name}-v2", f"{project.name}-v1")
    assert vectors_of(cluster, project.name) == before
    assert project.run("drift").status == 0
    rows = {row["address"]: row for row in project.run("status", "--format", "json").json["resources"]}
    assert rows[f"index/{project.name}-v2"]["health"].startswith("kept until 20")
    assert all(row["healthy"] for row in rows.values())
    actions = {change["address"]: change["action"] for change in project.plan().json["changes"]}
    assert actions == {f"index/{project.name}": "replace", f"ingest_pipeline/{project.name}-pipeline": "update"}
    project.edit("model/NAME", "model: tiny2", "model: tiny")
    reverted = project.apply()
    assert reverted.status == 0, reverted.err
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    assert project.plan().status == 0


@pytest.mark.soak
def test_documents_written_since_stop_a_rollback_or_are_carried_over(project: Project, cluster: Cluster) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    assert project.apply().status == 0
    ask(cluster, "PUT", f"/{project.name}/_doc/new?refresh=true", {"text": "a dog in the snow"})
    ask(cluster, "DELETE", f"/{project.name}/_doc/7?refresh=true")
    refused = project.run("rollback", f"index/{project.name}")
    assert (refused.status, "1 documents were written" in refused.err) == (1, True), refused.err
    done = project.run("rollback", f"index/{project.name}", "--writes", "carry", "--format", "json")
    assert done.status == 0, done.err
    found = vectors_of(cluster, project.name)
    assert ("new" in found, "7" in found, len(found)) == (True, False, 300)
    assert len(found["new"]["vector"]) == tiny.DIMENSION
    again = project.run("rollback", f"index/{project.name}")
    assert again.status == 0, again.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]


@pytest.mark.soak
def test_an_old_index_is_deleted_once_its_time_is_over(project: Project, cluster: Cluster) -> None:
    stack = project.root / "provision" / "stack.yaml"
    stack.write_text(stack.read_text() + "retention: 1s\n")
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    assert project.apply().status == 0
    time.sleep(1.5)
    plan = project.plan()
    gone = {change["address"] for change in plan.json["changes"] if change["action"] == "delete"}
    assert {f"index/{project.name}-v1", f"ingest_pipeline/{project.name}-pipeline-v1"} < gone
    assert len(gone) == 3  # the model too
    done = project.apply()
    assert done.status == 0, done.err
    assert sorted(ask(cluster, "GET", f"/{project.name}*")) == [f"{project.name}-v2"]
    assert project.plan().status == 0


def test_under_load_nothing_is_lost_and_no_search_fails(project: Project, cluster: Cluster) -> None:
    ask_by_default(project)
    held = everything(cluster, project.name)
    for source in held.values():
        source.pop("vector", None)
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    with Load(project.url, project.name, held, TEXTS[:4]) as load:
        time.sleep(2)
        done = project.apply("--format", "json")
        assert done.status == 0, done.err
        time.sleep(2)
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert (load.failed_searches, load.failed_writes) == ([], [])
    assert load.differences(cluster, tiny.DIMENSION) == []
    assert load.searched > 50
    assert load.written > 50
    assert load.longest_write < 4


@pytest.mark.soak
def test_a_bulk_that_is_being_embedded_while_the_alias_moves_never_brings_the_old_models_vectors(
    project: Project, cluster: Cluster
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    stop = threading.Event()
    writers = [threading.Thread(target=send_bulks, args=(project, f"{n}", stop)) for n in range(2)]
    for writer in writers:
        writer.start()
    done = project.apply()
    stop.set()
    for writer in writers:
        writer.join()
    assert done.status == 0, done.err
    ask(cluster, "POST", f"/{project.name}/_refresh")
    drift = project.run("drift", "--vectors", "all")
    assert drift.status == 0, drift.out + drift.err


def send_bulks(project: Project, prefix: str, stop: threading.Event) -> None:
    """Bulks that spend most of their time in the pipeline; what a write block refuses is not sent again."""
    cluster, count = Cluster(project.url), 0
    while not stop.is_set():
        count += 1
        lines = [
            line
            for number in range(200)
            for line in ({"index": {"_id": f"{prefix}-{number}"}}, {"text": f"{TEXTS[number % 4]} {count} " * 60})
        ]
        body = "".join(json.dumps(line) + "\n" for line in lines)
        cluster.send(Request("POST", f"/{project.name}/_bulk", body, {"require_alias": "true"}))
        stop.wait(1.0)
    cluster.close()


@pytest.mark.soak
def test_a_copy_that_is_killed_goes_on_where_it_was(project: Project, cluster: Cluster) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    held = everything(cluster, project.name)
    for source in held.values():
        source.pop("vector", None)
    with Load(project.url, project.name, held, TEXTS[:4], searches=1) as load:
        for path, times in (("_reindex", 1), ("_tasks/", 2), ("_aliases", 1)):
            kill_at(project, path, times)
        done = project.apply("--lock-timeout", "60")
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert (load.failed_writes, load.differences(cluster, tiny.DIMENSION)) == ([], [])
    assert project.plan().status == 0


def kill_at(project: Project, path: str, times: int) -> None:
    """Apply, and kill -9 when a request to ``path`` is seen for the last of so many times."""
    running: list[subprocess.Popen[bytes]] = []

    def kill(_call: Call) -> PassOn:
        running[0].kill()
        return PassOn()

    with Proxy(project.url, nth(times, kill, path=path)) as proxy:
        command, environ = project.command("apply", "--yes", "--lease", "5", "--lock-timeout", "60", url=proxy.url)
        running.append(subprocess.Popen(command, cwd=project.root, env=environ))
        assert running[0].wait(120) == -signal.SIGKILL, "it never came so far"


def test_a_pipeline_switched_to_another_model_by_hand_is_said_by_all_and_mended(
    project: Project, cluster: Cluster
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    assert project.apply().status == 0
    stored = ask(cluster, "GET", f"/_ingest/pipeline/{project.name}-pipeline*")
    copy = f"{project.name}-pipeline-v2"
    ask(cluster, "PUT", f"/_ingest/pipeline/{copy}", stored[f"{project.name}-pipeline-v1"])
    ask(cluster, "PUT", f"/{project.name}/_doc/astray?refresh=true", {"text": TEXTS[0]})
    warned = project.plan()
    assert any("osform drift --vectors finds them" in each for each in warned.json["warnings"])
    for words in (("ingest", "rows.jsonl", "--into", project.name), ("search", project.name, "a cat")):
        said = project.run(*words, "--cluster", project.url)
        assert (said.status, "were made by the model" in said.err) == (1, True), said.err
    assert project.apply().status == 0
    drift = project.run("drift", "--vectors", "all", "--format", "json")
    assert (drift.status, [each["drift"] for each in drift.json["drift"]]) == (2, ["stale vectors"])
    assert "astray: vector: cosine" in drift.json["drift"][0]["detail"]
    rebuilt = project.apply("--rebuild", f"index/{project.name}")
    assert rebuilt.status == 0, rebuilt.err
    assert project.run("drift", "--vectors", "all").status == 0
    assert project.plan().status == 0


@pytest.mark.soak
def test_a_text_changed_by_a_bulk_partial_update_has_a_stale_vector_until_a_rebuild(
    project: Project, cluster: Cluster
) -> None:
    lines = [{"update": {"_id": "0"}}, {"doc": {"text": "a dog in the snow"}}]
    bulk = "".join(json.dumps(line) + "\n" for line in lines)
    cluster.send(Request("POST", f"/{project.name}/_bulk", bulk, {"refresh": "true"}))
    drift = project.run("drift", "--vectors", "all", "--format", "json")
    assert [each["drift"] for each in drift.json["drift"]] == ["stale vectors"], drift.out
    assert project.run("plan", "--rebuild", f"index/{project.name}", "--out", "plan.json").status == 0
    applied = project.run("apply", "plan.json")
    assert applied.status == 0, applied.err
    assert project.run("drift", "--vectors", "all").status == 0


@pytest.mark.soak
def test_a_new_analyzer_is_added_by_closing_where_the_file_allows_it(project: Project, cluster: Cluster) -> None:
    analysis = "    analysis: {analyzer: {mine: {type: custom, tokenizer: whitespace}}}\n"
    project.edit("index/NAME", "    knn: true\n", "    knn: true\n" + analysis)
    (change,) = project.plan().json["changes"]
    assert change["action"] == "replace"
    text = project.path("index/NAME").read_text()
    project.path("index/NAME").write_text(text + "osform: {may_close: true}\n")
    (change,) = project.plan().json["changes"]
    assert (change["action"], "closed for a moment" in change["notes"][0]) == ("update", True)
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    assert project.plan().status == 0


@pytest.mark.soak
def test_vectors_are_made_anew_where_the_pipeline_skips_what_exists(
    project: Project, cluster: Cluster, live_version: str
) -> None:
    if live_version != DEFAULT_VERSION:
        pytest.skip("skip_existing is newer than 2.19")
    project.edit(
        "ingest_pipeline/NAME-pipeline", "      batch_size: 4\n", "      batch_size: 4\n      skip_existing: true\n"
    )
    assert project.apply().status == 0
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    done = project.apply()
    assert done.status == 0, done.err
    assert project.run("drift", "--vectors", "all").status == 0


@pytest.mark.soak
def test_a_document_that_lost_the_pipeline_on_its_way_is_copied_again(project: Project, cluster: Cluster) -> None:
    new, lost = f"{project.name}-v2", [False]

    def lose(call: Call) -> PassOn | None:
        # What a server does that retries without the pipeline: the text arrives, and no vector.
        if not lost[0] and call.path.startswith(f"/_cluster/health/{new}"):
            lost[0] = True
            cluster.send(Request("PUT", f"/{new}/_doc/0", {"text": TEXTS[0]}, {"pipeline": "_none"}))
        return None

    project.edit("model/NAME", "model: tiny", "model: tiny2")
    with Proxy(project.url, lose) as proxy:
        done = project.apply(url=proxy.url)
    assert (done.status, lost) == (0, [True]), done.err
    assert project.run("drift", "--vectors", "all").status == 0


CHECKS = """queries:
  - {query: a cat on a sofa, mode: lexical, expect: ["ID"], within: 300}
"""


def test_an_index_that_fails_its_checks_does_not_take_over(project: Project, cluster: Cluster) -> None:
    checks = project.root / "provision" / "checks" / f"{project.name}.yaml"
    checks.parent.mkdir()
    checks.write_text(CHECKS.replace("ID", "nobody"))
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    refused = project.apply()
    assert refused.status == 1
    assert f"{project.name}-v2 answers the checks of index/{project.name} worse than asked" in refused.err
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    ask(cluster, "PUT", f"/{project.name}/_doc/0?refresh=true", {"text": "writes go on"})
    assert project.apply("--abandon").status == 0
    assert sorted(ask(cluster, "GET", f"/{project.name}*")) == [f"{project.name}-v1"]
    assert f"{project.name}-pipeline-v2" not in ask(cluster, "GET", "/_ingest/pipeline")
    checks.write_text(CHECKS.replace("ID", "5"))
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0


@pytest.mark.soak
def test_of_an_edit_that_failed_its_checks_nothing_is_left_once_it_is_taken_back(
    project: Project, cluster: Cluster
) -> None:
    checks = project.root / "provision" / "checks" / f"{project.name}.yaml"
    checks.parent.mkdir()
    checks.write_text(CHECKS.replace("ID", "nobody"))
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    refused = project.apply()
    assert (refused.status, "expected nobody" in refused.err) == (1, True), refused.err
    project.edit("model/NAME", "model: tiny2", "model: tiny")
    done = project.apply()
    assert done.status == 0, done.err
    assert sorted(ask(cluster, "GET", f"/{project.name}*")) == [f"{project.name}-v1"]
    assert f"{project.name}-pipeline-v2" not in ask(cluster, "GET", "/_ingest/pipeline")
    assert [each["name"] for each in find_models(cluster).values()].count(project.name) == 1
    assert (project.plan().status, project.run("drift").status) == (0, 0)


@pytest.mark.soak
def test_an_index_that_took_over_in_the_last_moment_of_an_apply_is_never_deleted(
    project: Project, cluster: Cluster
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    kill_at(project, "_aliases", 1)
    # The request was let through, or is sent now: the alias moved, and the ledger does not know it.
    actions = [
        {"add": {"index": f"{project.name}-v2", "alias": project.name}},
        {"remove": {"index": f"{project.name}-v1", "alias": project.name}},
    ]
    if behind(cluster, project.name) != [f"{project.name}-v2"]:
        ask(cluster, "POST", "/_aliases", {"actions": actions})
    assert "serves already" in project.run("apply", "--abandon", "--lock-timeout", "60").err
    project.edit("model/NAME", "model: tiny2", "model: tiny")
    refused = project.apply("--lock-timeout", "60")
    assert (refused.status, "is behind the alias" in refused.err) == (1, True), refused.err
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    done = project.apply()
    assert done.status == 0, done.err
    assert project.plan().status == 0

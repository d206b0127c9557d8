"""Indices made anew of documents that the new one refuses, or that don't have all that they hold in ``_source``."""

from __future__ import annotations

import json

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.stacks import Project
from tests.live.test_replacing import TEXTS, ask, behind, row, vectors_of
from tests.live.test_replacing import project as project  # its fixture


def test_documents_that_the_new_mapping_refuses_leave_the_old_index_serving(project: Project, cluster: Cluster) -> None:
    text = project.path("index/NAME").read_text()
    project.path("index/NAME").write_text(text.replace("    text:\n", "    n: {type: boolean}\n    text:\n"))
    done = project.apply()
    assert done.status == 1
    assert "documents that the new index does not take" in done.err
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    ask(cluster, "PUT", f"/{project.name}/_doc/0?refresh=true", {"text": "writes go on"})
    left = project.run("apply", "--abandon", "--format", "json")
    assert left.json["abandoned"] == [f"index/{project.name}-v2"]
    assert sorted(ask(cluster, "GET", f"/{project.name}*")) == [f"{project.name}-v1"]
    project.path("index/NAME").write_text(text)
    assert project.plan().status == 0


def versions_of(cluster: Cluster, name: str) -> dict[str, int]:
    found = ask(cluster, "POST", f"/{name}/_search", {"size": 1000, "_source": False, "version": True})
    return {hit["_id"]: hit["_version"] for hit in found["hits"]["hits"]}


def test_documents_at_which_the_pipeline_fails_are_named_alone_and_once_mended_the_copy_goes_on(
    project: Project, cluster: Cluster
) -> None:
    bad = {"5", "6", "123", "250"}
    texts = {str(n): 7 if str(n) in bad else TEXTS[n % 4] for n in range(300)}
    again = [line for id, text in texts.items() for line in ({"index": {"_id": id}}, {"text": text})]
    lines = "".join(json.dumps(line) + "\n" for line in again)
    written = cluster.send(Request("POST", f"/{project.name}/_bulk", lines, {"pipeline": "_none", "refresh": "true"}))
    assert not written["errors"]
    project.edit("index/NAME", "m: 8,", "m: 12,")
    done = project.apply()
    told = done.err.partition("error: ")[2].splitlines()[1:-2]
    assert (done.status, {line.split(":")[0].strip() for line in told}) == (1, bad), done.err
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    ask(cluster, "POST", f"/{project.name}-v2/_refresh")
    assert ask(cluster, "GET", f"/{project.name}-v2/_count")["count"] == 296
    versions = versions_of(cluster, f"{project.name}-v2")
    mended = [line for id in bad for line in ({"index": {"_id": id}}, {"text": "a dog in the snow"})]
    ask(cluster, "POST", f"/{project.name}/_bulk", "".join(json.dumps(line) + "\n" for line in mended))
    done = project.apply()
    assert done.status == 0, done.err
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    now = versions_of(cluster, project.name)
    assert {id: now[id] for id in versions} == versions  # copied once, and not again
    assert project.run("drift", "--vectors", "all").status == 0


def test_vectors_that_are_kept_out_of_source_are_made_anew_compared_and_never_lost(
    project: Project, cluster: Cluster
) -> None:
    project.edit("index/NAME", "mappings:\n", "mappings:\n  _source: {excludes: ['vec*']}\n")
    assert project.apply().status == 0
    assert "vector" not in vectors_of(cluster, project.name)["0"]
    (project.root / "rows.jsonl").write_text(json.dumps({"_id": "0", **row(0), "n": 1000}) + "\n")
    changed = project.run("ingest", "rows.jsonl", "--into", project.name, "--cluster", project.url)
    assert changed.status == 0, changed.err
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    done = project.apply()
    assert done.status == 0, done.err
    assert "copied again" not in done.err
    assert behind(cluster, project.name) == [f"{project.name}-v3"]
    assert project.run("drift", "--vectors", "all").status == 0
    wrong = {"text": TEXTS[0], "vector": [1.0] * tiny.DIMENSION}
    cluster.send(Request("PUT", f"/{project.name}/_doc/wrong", wrong, {"pipeline": "_none", "refresh": "true"}))
    for sample in ("all", "500"):
        drift = project.run("drift", "--vectors", sample)
        assert (drift.status, "1 of" in drift.out, "wrong: vector: cosine" in drift.out) == (2, True, True), drift.out

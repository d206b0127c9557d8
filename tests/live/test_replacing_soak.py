"""Another model under 20,000 documents that are searched and written to, with MiniLM itself; minutes each."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from examples.stdlib.docstrings import lines
from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows import local_cluster
from tests import tiny
from tests.live.load import Load, everything
from tests.live.stacks import Project, lay_out
from tests.live.test_replacing import ask_by_default, behind

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parent.parent.parent
MEASURED = logging.getLogger("measured")  # make soak shows it
SUMMARIES = [line["summary"] for line in itertools.islice(lines(Path(os.__file__).parent), 5000)]
QUESTIONS = ("run a program and read what it printed", "parse a date", "a queue of threads", "compress a file")


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A small stack whose models are those of the repository, their bundles from the user's own cache."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    project.own_cache = False
    shutil.rmtree(project.root / "models")
    for name in ("all-MiniLM-L6-v2", "all-MiniLM-L6-v2-256"):
        shutil.copytree(ROOT / "models" / name, project.root / "models" / name)
    project.edit("model/NAME", "model: tiny", "model: all-MiniLM-L6-v2")
    ask_by_default(project)
    # ML Commons refuses work while 85 % of the heap is taken, garbage included, and each of these tests deploys some.
    project.edit(
        "cluster_settings/ml", "persistent:\n", "persistent:\n  plugins.ml_commons.jvm_heap_memory_threshold: 100\n"
    )
    yield project
    project.take_away()


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Docstrings, again and again with small changes."""
    for number in range(count):
        yield {"_id": str(number), "text": f"{SUMMARIES[number % len(SUMMARIES)]} ({number})", "stamp": number}


def ingest(project: Project, count: int, into: str | None = None) -> float:
    """Documents a second of a plain ingest."""
    file = project.root / f"{count}.jsonl"
    file.write_text("".join(json.dumps(document) + "\n" for document in documents(count)))
    words = ("ingest", str(file), "--into", into or project.name, "--cluster", project.url, "--format", "json")
    command, environ = project.command(*words)
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["docs_per_second"])


def held(cluster: Cluster, project: Project) -> dict[str, dict[str, Any]]:
    cluster.send(Request("POST", f"/{project.name}/_refresh"))  # else what a load deleted last is still found
    found = everything(cluster, project.name)
    return {id: {key: value for key, value in source.items() if key != "vector"} for id, source in found.items()}


def apply(project: Project, *words: str) -> tuple[float, float]:
    """Seconds of an apply, and of those the seconds for which writes were refused."""
    began = time.monotonic()
    command, environ = project.command("apply", "--yes", *words)
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    blocked = re.search(r"writes waited for ([0-9.]+) s", done.stderr)
    assert blocked is not None, done.stderr
    return time.monotonic() - began, float(blocked[1])


def changed_under_load(
    project: Project, cluster: Cluster, dimension: int, *, require_alias: bool = True
) -> tuple[float, float]:
    with Load(project.url, project.name, held(cluster, project), QUESTIONS, require_alias=require_alias) as load:
        time.sleep(3)
        took, blocked = apply(project)
        time.sleep(3)
    wrong = load.differences(cluster, dimension)
    assert (load.failed_searches, load.failed_writes, wrong) == ([], [], [])
    assert load.blocked < 2
    across = load.embedded_before
    assert across == [] or max(across) - min(across) < 1  # only at the moment of the move
    MEASURED.info(
        f"{load.searched} searches, {len(across)} of them embedded across the move and asked again, "
        f"{load.written} writes, the longest {load.longest_write:.2f} s, refused for {load.blocked:.2f} s; "
        "{:.1f} searches and {:.1f} writes a second".format(*load.rates)
    )
    assert min(load.rates) > 0.75 * load.searches, f"{load.rates} searches and writes a second: too busy a machine"
    return took, blocked


def test_another_model_of_other_dimensions_under_twenty_thousand_documents(project: Project, cluster: Cluster) -> None:
    blocks: dict[int, float] = {}
    for count in (2_000, 20_000):
        ingest(project, count)
        project.edit("model/NAME", "model: all-MiniLM-L6-v2\n", "model: all-MiniLM-L6-v2-256\n")
        took, blocks[count] = changed_under_load(project, cluster, 256)
        MEASURED.info(f"{count} documents: {took:.1f} s, writes refused for {blocks[count]:.2f} s")
        if count == 2_000:
            project.edit("model/NAME", "model: all-MiniLM-L6-v2-256\n", "model: all-MiniLM-L6-v2\n")
            apply(project)
    assert max(blocks.values()) < 2
    assert blocks[20_000] < blocks[2_000] + 0.5


LINKS = ("m: 8,", "m: 12,")


def test_a_copy_takes_about_as_long_as_an_ingest_under_the_same_load(project: Project, cluster: Cluster) -> None:
    # What is written during a copy is embedded twice: the copy has to be fast beside the writes, as in production.
    count = 20_000
    project.edit("model/NAME", "model: all-MiniLM-L6-v2\n", "model: all-MiniLM-L6-v2\nprecision: int8\n")
    assert project.apply().status == 0
    ingest(project, count)
    ratios = []
    for number in range(3):
        before, after = LINKS if number % 2 == 0 else LINKS[::-1]
        with Load(project.url, project.name, held(cluster, project), QUESTIONS) as load:
            ingested, others = beside(project, count, load)
            project.edit("index/NAME", before, after)
            there = int(cluster.send(Request("GET", f"/{project.name}/_count"))["count"])
            so_far = load.done
            whole, copied = timed(project)
            others_then = (load.done - so_far) / whole
        wrong = load.differences(cluster, 384)
        assert (load.failed_searches, load.failed_writes, wrong) == ([], [], [])
        # What the load has added until then is copied, too, and was not ingested.
        ratios.append((copied / there) / (ingested / count))
        MEASURED.info(
            f"ingest of {count} {ingested:.1f} s, copy of {there} {copied:.1f} s, a document {ratios[-1]:.2f} times; "
            f"the whole apply {whole:.1f} s; {others:.1f} searches and writes a second beside the ingest, "
            f"{others_then:.1f} beside the apply, the longest write {load.longest_write:.2f} s"
        )
    assert statistics.median(ratios) <= 1.15


def beside(project: Project, count: int, load: Load) -> tuple[float, float]:
    """Seconds of a plain ingest into an index of the same kind, which is empty before and gone afterwards.

    And how many searches and writes the load got done a second meanwhile: all of them wait in the same queue.
    """
    other = f"{project.name}-beside"
    file = project.path("index/NAME").with_name(f"{other}.yaml")
    file.write_text(project.path("index/NAME").read_text())
    made = project.apply()
    assert made.status == 0, made.err
    began, so_far = time.monotonic(), load.done
    ingest(project, count, other)
    took = time.monotonic() - began
    others = (load.done - so_far) / took
    file.unlink()
    gone = project.apply("--force")
    assert gone.status == 0, gone.err
    return took, others


def timed(project: Project) -> tuple[float, float]:
    """Seconds of an apply, and of those the seconds that the index took."""
    began = time.monotonic()
    command, environ = project.command("apply", "--yes", "--format", "json")
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    took = {each["address"]: each["seconds"] for each in json.loads(done.stdout)["applied"]}
    return time.monotonic() - began, float(took[f"index/{project.name}"])


@pytest.mark.parametrize(
    "edit",
    [
        ("      type: text\n      fields:", "      type: text\n      analyzer: english\n      fields:"),
        ("m: 8,", "m: 12,"),
        ("    knn: true\n", "    knn: true\n    number_of_shards: 2\n"),
    ],
    ids=["analyzer", "hnsw m", "two shards"],
)
def test_another_mapping_or_setting_under_load(project: Project, cluster: Cluster, edit: tuple[str, str]) -> None:
    ingest(project, 2_000)
    project.edit("index/NAME", *edit)
    _, blocked = changed_under_load(project, cluster, 384)
    assert blocked < 2
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0


def test_an_index_adopted_under_its_plain_name_under_load(project: Project, cluster: Cluster) -> None:
    adopted(project, cluster)
    written_by_hand(project, 2_000)
    project.edit("model/NAME", "model: all-MiniLM-L6-v2\n", "model: all-MiniLM-L6-v2-256\n")
    _, blocked = changed_under_load(project, cluster, 256, require_alias=False)
    assert blocked < 2
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0


def adopted(project: Project, cluster: Cluster) -> None:
    """The stack's index deleted, made again by hand under its plain name, and taken over."""
    name, text = project.name, project.path("index/NAME").read_text()
    made = cluster.send(Request("GET", f"/{name}-v1"))[f"{name}-v1"]
    project.path("index/NAME").unlink()
    deleted = project.apply()
    assert deleted.status == 0, deleted.err
    settings = {"knn": True, "number_of_replicas": 0, "default_pipeline": f"{name}-pipeline"}
    settings["search"] = made["settings"]["index"]["search"]
    mappings = {"properties": made["mappings"]["properties"]}
    cluster.send(Request("PUT", f"/{name}", {"settings": {"index": settings}, "mappings": mappings}))
    project.path("index/NAME").write_text(text)
    adopted = project.apply("--adopt", f"index/{name}")
    assert adopted.status == 0, adopted.err


def written_by_hand(project: Project, count: int) -> None:
    """Documents in an index without an alias, which osform's own ingest refuses."""
    rows = list(documents(count))
    for first in range(0, count, 100):
        lines = [
            line
            for row in rows[first : first + 100]
            for line in ({"index": {"_id": row["_id"]}}, {key: row[key] for key in row if key != "_id"})
        ]
        answer = requests.post(
            f"{project.url}/{project.name}/_bulk?refresh=true",
            data="".join(json.dumps(line) + "\n" for line in lines),
            headers={"Content-Type": "application/x-ndjson"},
            timeout=120,
        ).json()
        assert not answer["errors"], answer


def test_a_new_text_field_under_load_is_made_in_place(project: Project, cluster: Cluster) -> None:
    ingest(project, 2_000)
    project.edit("index/NAME", "    text:\n", "    note: {type: text}\n    text:\n")
    with Load(project.url, project.name, held(cluster, project), QUESTIONS) as load:
        time.sleep(3)
        done = project.apply()
        time.sleep(3)
    assert done.status == 0, done.err
    wrong = load.differences(cluster, 384)
    assert (load.failed_searches, load.failed_writes, load.embedded_before, wrong) == ([], [], [], [])
    assert behind(cluster, project.name) == [f"{project.name}-v1"]
    assert project.plan().status == 0


def test_a_rollback_under_searches_takes_less_than_two_seconds(project: Project, cluster: Cluster) -> None:
    ingest(project, 2_000)
    project.edit("index/NAME", "m: 8,", "m: 12,")
    apply(project)
    with Load(project.url, project.name, held(cluster, project), QUESTIONS, writes=0.001) as load:
        time.sleep(3)
        done = project.run("rollback", f"index/{project.name}", "--format", "json")
        time.sleep(3)
    assert done.status == 0, done.err
    MEASURED.info(f"rollback {done.json['seconds']:.2f} s, {load.searched} searches meanwhile")
    assert done.json["seconds"] < 2
    assert (load.failed_searches, behind(cluster, project.name)) == ([], [f"{project.name}-v1"])


def test_killed_ten_times_and_with_nodes_restarted_the_next_apply_finishes(
    project: Project, cluster: Cluster, live_name: str
) -> None:
    chance = random.Random(5)
    ingest(project, 20_000)  # more than nine applies of some seconds get through
    project.edit("model/NAME", "model: all-MiniLM-L6-v2\n", "model: all-MiniLM-L6-v2-256\n")
    with Load(project.url, project.name, held(cluster, project), QUESTIONS, outage=True) as load:
        for number in range(10):
            killed(project, chance.uniform(4.0, 16.0), live_name, {3: "ml", 6: "data"}.get(number))
            assert behind(cluster, project.name) == [f"{project.name}-v1"], "it was through before it was killed"
        apply(project, "--lock-timeout", "120")
    assert (load.failed_searches, load.failed_writes) == ([], [])
    assert load.differences(cluster, 256) == []
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0


def killed(project: Project, seconds: float, name: str, restarted: str | None) -> None:
    """Kill an apply so long after its start, or after a node of the cluster was restarted under it."""
    command, environ = project.command("apply", "--yes", "--lease", "5", "--lock-timeout", "120")
    running = subprocess.Popen(command, cwd=project.root, env=environ, stderr=subprocess.DEVNULL)
    if restarted:
        time.sleep(8.0)  # until it copies
        local_cluster.down(name, node=restarted)
        local_cluster.up(name)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(seconds)
    running.kill()
    assert running.wait() != 0

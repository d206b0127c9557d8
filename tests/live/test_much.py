"""Loads of a size at which time and memory count; minutes each."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.embeddings import DIGEST_SCRIPT
from osform.core.request import Request
from tests import tiny
from tests.live.stacks import Project, lay_out

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parent.parent.parent
MEASURED = logging.getLogger("measured")  # make soak shows it
ROWS = 50_000
BIG = 2_000_000_000
MOST_MEMORY = 300_000_000
DIGEST = (
    "      batch_size: 16\n"
    "  - script:\n"
    "      lang: painless\n"
    f'      source: "{DIGEST_SCRIPT}"\n'
    "      params: {text: text, model: '${model/NAME.model_id}', digest: vector_of}\n"
)
COLOURS = ("red", "green", "blue", "white", "black", "yellow", "brown", "grey", "pink", "dark", "light", "old", "new")
THINGS = ("lamp", "chair", "coat", "bicycle", "kettle", "tent", "desk", "clock", "bag", "drum", "boot", "rug", "vase")
PLACES = ("kitchen", "garden", "office", "train", "school", "beach", "attic", "workshop", "hall", "balcony", "forest")


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A small stack with MiniLM in 8 bits, its bundle from the user's own cache."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    project.own_cache = False
    shutil.rmtree(project.root / "models")
    shutil.copytree(ROOT / "models" / "all-MiniLM-L6-v2", project.root / "models" / "all-MiniLM-L6-v2")
    project.edit("model/NAME", "model: tiny", "model: all-MiniLM-L6-v2\nprecision: int8")
    project.edit("ingest_pipeline/NAME-pipeline", "      batch_size: 4\n", DIGEST.replace("NAME", project.name))
    applied = project.apply()
    assert applied.status == 0, applied.err
    yield project
    project.take_away()


def short(count: int) -> Iterator[dict[str, Any]]:
    """Rows of about twelve words that all differ."""
    for n, (one, two, place) in enumerate(
        itertools.islice(itertools.cycle(itertools.product(COLOURS, THINGS, PLACES)), count)
    ):
        yield {
            "id": f"r{n}",
            "text": f"a {one} {two} for the {place}, number {n}, as good as on its first day",
            "price": n,
        }


def ingest(folder: Path, alias: str, url: str, file: Path) -> tuple[dict[str, Any], int]:
    """Run the command; what it says, and the most memory that it ever held, in bytes."""
    out = folder / "out.json"
    command = [
        sys.executable,
        "-m",
        "osform",
        "ingest",
        str(file),
        "--into",
        alias,
        "--format",
        "json",
        "--cluster",
        url,
    ]
    with out.open("w") as stream:
        running = subprocess.Popen(
            command, cwd=folder, stdout=stream, env={**os.environ, "OSFORM_STATE": str(folder / "state")}
        )
        _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return json.loads(out.read_text()), usage.ru_maxrss * 1024


def write(path: Path, rows: Iterator[dict[str, Any]]) -> Path:
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_what_is_there_already_is_decided_on_many_times_as_fast(project: Project, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", short(ROWS))
    first, _ = ingest(tmp_path, project.name, project.url, file)
    cluster = Cluster(project.url)
    cluster.send(Request("DELETE", f"/{project.name}/_doc/r77", params={"refresh": "true"}))
    again, _ = ingest(tmp_path, project.name, project.url, file)
    changed = write(
        tmp_path / "changed.jsonl",
        (row | ({"text": f"{row['text']}, mended"} if row["price"] % 100 == 3 else {}) for row in short(ROWS)),
    )
    third, _ = ingest(tmp_path, project.name, project.url, changed)
    cluster.close()
    MEASURED.info("first %s, again %s, 1 %% changed %s", *(each["seconds"] for each in (first, again, third)))
    assert (first["created"], again["created"], again["unchanged"]) == (ROWS, 1, ROWS - 1)
    assert third["unchanged"] == ROWS - ROWS // 100
    assert again["seconds"] * 8 <= first["seconds"]
    assert third["seconds"] * 6 <= first["seconds"]


def test_two_gigabytes_pass_through_little_memory(cluster: Cluster, tmp_path: Path) -> None:
    body = {"mappings": {"properties": {"text": {"type": "text", "index": False}}}, "aliases": {"big": {}}}
    cluster.send(Request("PUT", "/big-v1", body))
    file, count = tmp_path / "big.jsonl", 0
    with file.open("w") as stream:
        for row in short(BIG):
            if stream.tell() >= BIG:
                break
            stream.write(json.dumps({**row, "text": f"{row['text']} " * (5, 20, 80)[count % 3]}) + "\n")
            count += 1
    try:
        done, memory = ingest(tmp_path, "big", cluster.url, file)
    finally:
        cluster.send(Request("DELETE", "/big-v1"))
        file.unlink()
    MEASURED.info("%s rows, %.0f MB at most, %.0f a second", count, memory / 1e6, done["docs_per_second"])
    assert done["created"] == count
    assert memory < MOST_MEMORY

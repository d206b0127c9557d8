"""The demo's pictures: described by the toy, only the text on a real cluster, and found by what they mean."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from examples.drawn import draw
from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.flows.searching import search

ROOT = Path(__file__).parents[2]
PICTURES, SEED = 100, 1
QUERIES: list[dict[str, str]] = yaml.safe_load((ROOT / "examples" / "drawn" / "queries.yaml").read_text())


@pytest.fixture(scope="module")
def folder(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository's stack, applied, with the captions of the demo's pictures in the index ``drawn``."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("provision", "templates", "models", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    run(folder, live_url, "osform apply --yes")
    run(folder, live_url, f"python -m examples.drawn pictures --count {PICTURES} --seed {SEED}")
    run(folder, live_url, "osform caption pictures --model examples/toys/blip2 --device cpu --out captions.jsonl")
    run(folder, live_url, "osform ingest captions.jsonl --into drawn --id image")
    return folder


def run(folder: Path, url: str, command: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = os.environ | {"OSFORM_CLUSTER": url, "PATH": path, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command.split(), cwd=folder, env=environ, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_eighteen_of_twenty_questions_find_a_picture_with_the_right_thing(folder: Path, cluster: Cluster) -> None:
    truth = {each.name: each.truth.things for each in draw(PICTURES, SEED)}
    missed = []
    for query in QUERIES:
        hits = search(cluster, "drawn", query["query"], mode="semantic", size=3).found.hits
        if not any(query["thing"] in truth[Path(hit.id).name] for hit in hits):
            missed.append(query["query"])
    assert len(missed) <= 2, missed


def test_the_cluster_has_text_and_vectors_and_no_picture(folder: Path, cluster: Cluster) -> None:
    found = cluster.send(Request("POST", "/drawn/_search", {"size": PICTURES}))
    sources = [hit["_source"] for hit in found["hits"]["hits"]]
    assert len(sources) == PICTURES
    assert max(len(json.dumps({**each, "description_vector": None})) for each in sources) < 1000
    assert all(len(each["description_vector"]) == 384 for each in sources if "description_vector" in each)


def test_the_pictures_found_are_on_the_page(folder: Path, live_url: str) -> None:
    said = run(folder, live_url, "python -m examples.gallery drawn boats --html found.html")
    assert "boat" in said
    assert (folder / "found.html").read_text().count("data:image/png;base64,") == 3

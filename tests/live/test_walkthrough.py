"""The repository's own stack on a real ML node: raw descriptions in, searched by meaning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.predict import predict
from osform.core.closeness import cosine
from osform.core.request import Request
from osform.files.models import load_model
from tests.live.stacks import Ran

ROOT = Path(__file__).parent.parent.parent


def osform(url: str, *words: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "osform", *words],
        cwd=ROOT, env=os.environ | {"OSFORM_CLUSTER": url}, capture_output=True, text=True, timeout=540, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def url(live_url: str) -> str:
    """The cluster with the repository's stack applied and the photos' descriptions in it."""
    applied = osform(live_url, "apply", "--yes")
    assert applied.status == 0, applied.err
    ingested = osform(live_url, "ingest", "examples/photos/descriptions.jsonl", "--into", "images", "--format", "json")
    assert ingested.status == 0, ingested.err
    assert ingested.json["indexed"] == ingested.json["read"] >= 60
    cluster = Cluster(live_url)
    cluster.send(Request("POST", "/images/_refresh"))
    cluster.close()
    return live_url


def hits(url: str, *words: str) -> list[dict[str, Any]]:
    found = osform(url, "search", *words, "--format", "json")
    assert found.status == 0, found.err
    return list(found.json["hits"])


def test_after_apply_the_plan_is_empty(url: str) -> None:
    assert osform(url, "plan", "--detailed-exitcode").status == 0


def test_meaning_finds_the_coffee_with_no_word_in_common(url: str) -> None:
    question = "something hot to drink in the morning"
    first = hits(url, "images", question, "--mode", "semantic")[0]
    description = first["source"]["image_description"]
    assert "coffee" in description.lower()
    assert not set(question.split()) & set(description.lower().replace(",", "").split())
    assert first["id"] not in [hit["id"] for hit in hits(url, "images", question, "--mode", "lexical")]


def test_every_description_has_a_vector_and_no_answer_shows_it(url: str) -> None:
    cluster = Cluster(url)
    query = {"query": {"exists": {"field": "image_description_vector"}}}
    with_vector = cluster.send(Request("POST", "/images/_count", query))["count"]
    assert with_vector == cluster.send(Request("GET", "/images/_count"))["count"]
    cluster.close()
    assert "image_description_vector" not in hits(url, "images", "a boat")[0]["source"]


def test_hybrid_search_goes_through_the_stack_s_own_pipeline(url: str) -> None:
    found = hits(url, "images", "red shoes on a wire", "--mode", "hybrid", "--size", "3")
    assert "sneakers" in found[0]["source"]["image_description"]


@pytest.mark.export
@pytest.mark.parametrize("format", ["onnx", "torch_script"])
def test_the_deployed_model_agrees_with_its_source_on_every_probe(url: str, format: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from osform.core.events import silent
    from osform.export.sources import locate

    spec = load_model(ROOT / "models" / "all-MiniLM-L6-v2").spec
    source = SentenceTransformer(str(locate(spec.source, Path(spec.folder), silent)), device="cpu")
    expected = source.encode(list(spec.probes), normalize_embeddings=False).tolist()
    name = f"parity-{format.replace('_', '-')}"
    provision = tmp_path / "provision"
    for path, text in {
        "stack.yaml": f"name: {name}\n",
        f"model_group/{name}.yaml": "description: a test\n",
        f"model/{name}.yaml": (
            f"model: all-MiniLM-L6-v2\nformat: {format}\ngroup: ${{model_group/{name}.model_group_id}}\n"
        ),
    }.items():
        (provision / path).parent.mkdir(parents=True, exist_ok=True)
        (provision / path).write_text(text)
    (tmp_path / "models").symlink_to(ROOT / "models")
    applied = osform(url, "apply", "--yes", "--provision", str(provision))
    assert applied.status == 0, applied.err
    cluster = Cluster(url)
    query = {"query": {"term": {"name.keyword": name}}, "_source": ["name"]}
    (hit,) = cluster.send(Request("POST", "/_plugins/_ml/models/_search", query))["hits"]["hits"]
    found = predict(cluster, hit["_id"], spec.probes)
    cluster.close()
    assert "" in spec.probes
    worst = min(cosine(one, other) for one, other in zip(expected, found, strict=True))
    assert worst >= 0.9999, f"{format}: {worst}"
    for folder in ("model", "model_group"):
        (provision / folder / f"{name}.yaml").unlink()
    assert osform(url, "apply", "--yes", "--force", "--provision", str(provision)).status == 0


def test_the_standard_library_is_found_by_what_its_functions_do(url: str, tmp_path: Path) -> None:
    script = ROOT / "examples" / "stdlib" / "docstrings.py"
    lines = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert len(lines.splitlines()) > 3000
    wanted = [line for line in lines.splitlines() if json.loads(line)["module"].partition(".")[0] in SAMPLE]
    (tmp_path / "docstrings.jsonl").write_text("\n".join(wanted))
    ingested = osform(url, "ingest", str(tmp_path / "docstrings.jsonl"), "--into", "stdlib")
    assert ingested.status == 0, ingested.err
    cluster = Cluster(url)
    cluster.send(Request("POST", "/stdlib/_refresh"))
    cluster.close()
    found = hits(url, "stdlib", "run a program and read what it printed", "--size", "5")
    assert [hit["id"] for hit in found if hit["id"].startswith("subprocess.")]


# Enough of the library to be fooled by: what prints, what reads, what runs something else.
SAMPLE = {"subprocess", "os", "dis", "bdb", "pdb", "platform", "pprint", "pydoc", "traceback", "cmd", "code", "runpy"}

"""``osform evaluate`` on a server that is a function."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cli.main import main
from tests.docs.markdown import blocks, sections, text
from tests.proxy import Answer, Call, Proxy

BASE = Path(__file__).parents[1] / "specs" / "base"
MAPPING = {"properties": {"description": {"type": "text"}, "description_vector": {"type": "knn_vector"}}}
CHECKS = "thresholds: {ndcg_at_10: 0.8}\nqueries:\n- {query: a cat, judged: {a: 3, b: 1}}\n"


def server(call: Call) -> Answer:
    """Stands for an OpenSearch with an index of photos, which finds ``b`` and then ``a`` whatever it is asked."""
    if call.path.startswith("/osform-ledger"):
        return Answer(200, {"hits": {"hits": []}})
    if call.path.endswith("/_search"):
        hits = [{"_id": id, "_score": 1.0} for id in "ba"]
        return Answer(200, {"took": 4, "hits": {"hits": hits}})
    if call.path.startswith("/_ingest"):
        processor = {"text_embedding": {"model_id": "m", "field_map": {"description": "description_vector"}}}
        return Answer(200, {"describe": {"processors": [processor]}})
    settings = {"index.default_pipeline": "describe"}
    return Answer(200, {"images-v1": {"aliases": {"images": {}}, "settings": settings, "mappings": MAPPING}})


@pytest.fixture
def words(tmp_path: Path) -> Iterator[list[str]]:
    """The command line's words for a stack with checks, and a cluster."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "provision" / "checks").mkdir()
    (tmp_path / "provision" / "checks" / "images.yaml").write_text(CHECKS)
    with Proxy("http://127.0.0.1:9", server) as proxy:
        yield ["evaluate", "--provision", str(tmp_path / "provision"), "--cluster", proxy.url]


def ran(words: list[str]) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_a_table_and_the_questions_are_shown_and_the_status_is_1(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert ran(words) == 1
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.replace(f"{tmp_path}/", "").splitlines() == [
        "index/images: 1 query, failed",
        "metric          images-v1  asked",
        "nDCG@10         0.710      at least 0.800: failed",
        "recall@10       1.000",
        "median latency  4.0 ms",
        "p95 latency     4.0 ms",
        "  nDCG@10 is 0.710, expected at least 0.800",
        "  provision/checks/images.yaml:3 'a cat': expected a (grade 3), b (grade 1); found b, a; nDCG@10 0.710",
    ]


def test_checks_that_pass_end_with_0_and_show_the_other_index_beside(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "provision" / "checks" / "images.yaml"
    path.write_text(CHECKS.replace("0.8", "0.7"))
    assert ran([*words, "images", "--against", "images-v1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["metric", "images-v1", "images-v1", "asked"]


def test_the_json_has_the_keys_of_the_docs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ran([*words, "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (block,) = blocks(sections(text("docs/commands.md"))["osform evaluate"], "json")
    shown = json.loads(block)
    assert told.keys() == shown.keys()
    assert told["indices"][0].keys() == shown["indices"][0].keys()
    assert told["indices"][0]["queries"][0]["new"].keys() == shown["indices"][0]["queries"][0]["new"].keys()


def test_an_index_without_checks_is_told_the_nearest(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ran([*words, "image"]) == 1
    assert "there are no checks of index/image\nnext:  did you mean images?" in capsys.readouterr().err


def test_validate_says_what_has_checks(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(["validate", *words[1:3]]) == 0
    assert capsys.readouterr().out == "photos (default): 6 resources, checks of 1 index, no mistake found\n"
    assert ran(["validate", *words[1:3], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"] == ["images"]


def test_a_cluster_that_is_not_there_is_told_of_at_once(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert ran([*words[:-1], "http://127.0.0.1:1"]) == 1
    assert "connection refused, nothing listens there" in capsys.readouterr().err
    assert time.monotonic() - began < 10

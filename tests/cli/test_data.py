"""The commands `ingest` and `search`, on a server that is a function."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from osform.cli.data import ingest
from osform.cli.search import search
from osform.errors import InputError, Unreachable
from tests.proxy import Answer, Call, Proxy

INDEX = {
    "aliases": {"pics": {}},
    "settings": {"index.default_pipeline": "p"},
    "mappings": {"properties": {"title": {"type": "text"}, "v": {"type": "knn_vector"}}},
}
PIPELINE = {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"title": "v"}}}]}
HIT = {"_id": "1", "_score": 0.5, "_source": {"title": "a cat\n on a sofa"}}


def server(call: Call) -> Answer:
    """Stands for an OpenSearch with one alias, which takes every document except those that say "bad"."""
    if call.path.endswith("/_bulk"):
        rows = call.body.decode().splitlines()[1::2]
        return Answer(200, {"items": [{"index": verdict(row)} for row in rows]})
    if call.path.startswith(("/_nodes", "/_plugins", "/_cluster")):
        return Answer(200, {"nodes": {}})
    if call.path.endswith("/_count"):
        return Answer(200, {"count": 0})
    if call.path.endswith("/_search"):
        return Answer(200, {"took": 7, "hits": {"hits": [HIT] if b"cat" in call.body else []}})
    return Answer(200, {"p": PIPELINE} if call.path.startswith("/_ingest") else {"pics-v1": INDEX})


def verdict(row: str) -> dict[str, Any]:
    if "bad" in row:
        return {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no"}}
    return {"status": 201, "result": "created"}


@pytest.fixture
def url() -> Iterator[str]:
    with Proxy("http://127.0.0.1:9", server) as proxy:
        yield proxy.url


def run(command: Any, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False, **options)


def test_a_clean_ingest_says_how_much_went_in(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "x"}\n{"title": "y"}\n')
    done = run(ingest, str(tmp_path / "a.jsonl"), "--into", "pics", "--cluster", url)
    assert done.return_value == 0
    assert done.stdout.startswith("2 of 2 documents are in pics (")


def test_a_folder_of_tables_goes_in_under_other_names(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,descr\n1,x\n")
    (tmp_path / "b.tsv").write_text("sku\tdescr\n2\ty\n")
    words = ["--into", "pics", "--cluster", url, "--format", "json", "--map", "descr=title", "--id", "sku"]
    done = json.loads(run(ingest, str(tmp_path), *words).stdout)
    assert (done["indexed"], done["failed"], done["without_text"]) == (2, 0, {})


@pytest.mark.parametrize("wrong", ["descr", "=title"])
def test_a_new_name_needs_an_old_one(url: str, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "a.csv").write_text("sku,descr\n1,x\n")
    with pytest.raises(InputError, match=f"--map {wrong}: expected FROM=TO"):
        run(ingest, str(tmp_path), "--into", "pics", "--cluster", url, "--map", wrong)


def test_failures_are_told_with_their_place_and_how_to_replay_them(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "x"}\n{"title": "bad"}\n')
    dead = str(tmp_path / "dead.jsonl")
    done = run(ingest, str(tmp_path / "a.jsonl"), "--into", "pics", "--cluster", url, "--dead-letter", dead)
    assert done.return_value == 3
    assert f"osform ingest {dead} --into pics" in done.stdout
    assert f"warning: {tmp_path}/a.jsonl:2: mapper_parsing_exception: no" in done.stderr


def test_failures_are_to_be_replayed_in_the_way_in_which_they_were_read(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,descr\n,x\n")
    words = [str(tmp_path / "a.csv"), "--into", "pics", "--cluster", url, "--dead-letter", str(tmp_path / "dead.jsonl")]
    done = run(ingest, *words, "--id", "sku", "--map", "descr=title", "--update")
    assert f"osform ingest {tmp_path}/dead.jsonl --into pics --id sku --map descr=title --update" in done.stdout


def test_only_the_first_failures_are_told_one_by_one(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"title": "bad {n}"}}\n' for n in range(50)))
    dead = str(tmp_path / "dead.jsonl")
    done = run(ingest, str(tmp_path / "a.jsonl"), "--into", "pics", "--cluster", url, "--dead-letter", dead)
    assert done.stderr.count("mapper_parsing_exception") == 20
    assert "warning: and 30 more" in done.stderr
    assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 50


def test_documents_without_the_text_that_is_embedded_are_warned_of(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": " "}\n{"titel": "y"}\n{"title": "z"}\n')
    done = run(ingest, str(tmp_path / "a.jsonl"), "--into", "pics", "--cluster", url, "--format", "json")
    assert json.loads(done.stdout)["without_text"] == {"title": 2}
    assert "no vector is made where 'title' holds no text (2 of 3)" in done.stderr


def test_a_cluster_that_is_not_there_is_told_of_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "x"}\n')
    began = time.monotonic()
    with pytest.raises(Unreachable, match="connection refused, nothing listens there"):
        run(ingest, str(tmp_path / "a.jsonl"), "--into", "pics", "--cluster", "http://127.0.0.1:1")
    assert time.monotonic() - began < 10


def test_the_cluster_comes_from_the_environment_too(url: str) -> None:
    done = run(search, "pics", "cat", "--format", "json", env={"OSFORM_CLUSTER": url.removeprefix("http://")})
    assert json.loads(done.stdout) == {
        "took_ms": 7, "mode": "semantic", "hits": [{"id": "1", "score": 0.5, "source": HIT["_source"]}],
    }  # fmt: skip


def test_a_hit_is_one_line_when_nobody_looks(url: str) -> None:
    assert run(search, "pics", "cat", "--cluster", url).stdout == "0.5000\t1\ta cat on a sofa\n"


def test_nothing_found_is_no_error_and_no_output(url: str) -> None:
    done = run(search, "pics", "dog", "--cluster", url)
    assert (done.return_value, done.stdout, done.stderr) == (None, "", "nothing was found\n")

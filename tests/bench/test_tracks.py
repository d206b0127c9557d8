"""The pure parts of the tracks, and that the command knows all of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.harness import DidNotFinish, Settings
from bench.peak import operations
from bench.texts import Documents, histogram, long, sample, short
from bench.tracks import TRACKS, startup
from bench.tracks.base import Context
from bench.tracks.ingest import _actions
from bench.tracks.search import exactly, questions
from bench.tracks.startup import command
from osform.core.request import Request

LINES = [json.dumps({"id": f"d{number}", "summary": f"text {number}"}) for number in range(20)]


def test_the_same_seed_picks_the_same_documents() -> None:
    assert sample(LINES, 5, seed=1) == sample(LINES, 5, seed=1)
    assert sample(LINES, 5, seed=1).sha256 != sample(LINES, 5, seed=2).sha256


def test_a_sample_is_never_more_than_there_is() -> None:
    assert sorted(sample(LINES, 100, seed=1).lines) == sorted(LINES)


def test_what_is_embedded_is_the_summary(tmp_path: Path) -> None:
    documents = Documents(tuple(LINES[:2]))
    assert documents.texts == ["text 0", "text 1"]
    assert documents.write(tmp_path / "some.jsonl").read_text() == f"{LINES[0]}\n{LINES[1]}\n"


def test_made_up_descriptions_are_all_different_and_the_same_each_time() -> None:
    made = short(500, seed=1)
    assert (made, len(set(made.texts))) == (short(500, seed=1), 500)
    assert {len(text.split()) for text in made.texts} == {12}
    assert all(190 <= len(text.split()) <= 210 for text in long(20, seed=1).texts)


def test_every_length_is_in_the_histogram_once() -> None:
    shown = histogram([1, 16, 17, 64, 65, 129])
    assert shown == "up to 16: 2, 17 to 32: 1, 33 to 64: 1, 65 to 128: 1, more: 1; median 40.5, 95 % up to 129"


def test_peers_send_the_same_documents_with_ids_or_without(tmp_path: Path) -> None:
    file = Documents(tuple(LINES[:1])).write(tmp_path / "some.jsonl")
    document = {"id": "d0", "summary": "text 0"}
    assert list(_actions("a", file, ids=True)) == [{"_index": "a", "_id": "d0", "_source": document}]
    assert list(_actions("a", file, ids=False)) == [{"_index": "a", "_source": document}]


def test_a_command_that_fails_has_no_time() -> None:
    with pytest.raises(DidNotFinish, match="status 3"):
        command("ends badly", [sys.executable, "-c", "raise SystemExit(3)"]).run()


def test_the_start_up_track_gives_a_figure_an_arm() -> None:
    [table] = startup.run(Context(Settings(quick=True), lambda _line: None))
    assert [series.arm for series in table.series] == ["osform --help", startup.PEER, "python -c pass"]
    assert all(series.median and not series.failures for series in table.series)


def test_the_help_names_every_track() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    assert all(name in shown and track.ABOUT in shown for name, track in TRACKS.items())


def test_an_unknown_track_is_refused() -> None:
    assert CliRunner().invoke(main, ["nothing"]).exit_code == 2


def test_the_output_says_when_it_is_not_worth_quoting() -> None:
    told = CliRunner().invoke(main, ["start-up", "--quick"])
    assert told.exit_code == 0, told.output
    assert "not worth quoting: this was a quick run" in told.stdout


def test_the_operations_of_minilm_are_some_21_million_a_token() -> None:
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6}
    assert operations(config, [1]) == pytest.approx(21.2e6, rel=0.01)
    assert operations(config, [10, 30]) > 20 * operations(config, [1])


def test_questions_are_first_sentences_that_are_neither_short_nor_long() -> None:
    docstrings = ("Open a file and read it. Then close it.", "Yes.", "Open a file and read it. More.", "word " * 40)
    documents = Documents(tuple(json.dumps({"id": str(n), "docstring": text}) for n, text in enumerate(docstrings)))
    assert questions(documents, 10, seed=1) == ["Open a file and read it"]


def test_an_exact_search_is_the_same_but_for_the_graph() -> None:
    words, near = {"match": {"summary": "a"}}, {"neural": {"summary_vector": {"k": 100}}}
    hybrid = Request("POST", "/a/_search", {"size": 10, "query": {"hybrid": {"queries": [words, near]}}})
    body = exactly(hybrid, [1.0]).body
    first, second = body["query"]["hybrid"]["queries"]
    assert (first, list(second), body["size"]) == (words, ["script_score"], 10)

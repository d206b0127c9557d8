"""A cluster that answers what no OpenSearch would: whatever it says, there is a sentence and no harm."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from osform.cli.main import cli, main
from osform.errors import OsformError
from tests.certificates import Answering, Said, serving

ABOUT = {"cluster_name": "c", "cluster_uuid": "u", "version": {"number": "3.6.0", "distribution": "opensearch"}}
COMMANDS = (["plan"], ["drift"], ["status"], ["doctor"], ["history"], ["unlock"], ["search", "a", "text"])
WORDS = (
    "hits", "_source", "_id", "nodes", "name", "roles", "aliases", "mappings", "settings", "persistent", "a-v1",
    "index", "error", "items", "properties", "type", "default_pipeline", "osform-ledger", "stack", "address", "asked",
    "recorded",
)  # fmt: skip
WRONG: tuple[Any, ...] = (
    None, 3, "x", [], {}, [[]], [None], {"hits": 3}, {"hits": {"hits": {}}}, {"hits": {"hits": [3]}},
    {"hits": {"hits": [{"_id": 3, "_source": []}]}}, {"nodes": [], "a-v1": 3}, {"a-v1": {"aliases": 3, "settings": []}},
)  # fmt: skip
EVIL = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\u202e[x](javascript:alert(1))|`"


@pytest.fixture(name="folder", autouse=True)
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"stack": "name: odd\n", "index/a": "settings: {number_of_replicas: 0}\n"}.items():
        path = tmp_path / "provision" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSFORM_TIMEOUT", "3")
    return tmp_path


def told(url: str, command: list[str]) -> str:
    """What a command says; anything but an answer or an error of osform's own ends the test."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = CliRunner().invoke(cli, [*command, "--cluster", url])
    fine = done.exception is None or isinstance(done.exception, OsformError | SystemExit | click.ClickException)
    assert fine, (command, repr(done.exception))
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    return done.output + str(done.exception)


def always(answer: Callable[[str], Any]) -> Answering:
    def give(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        return Said(body=ABOUT if path == "/" else answer(path))

    return give


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_answer_of_another_shape_is_a_sentence(command: list[str]) -> None:
    for wrong in WRONG:
        with serving(always(lambda path, wrong=wrong: wrong)) as server:  # type: ignore[misc]
            assert "Traceback" not in told(server.url, command)


def grown(chance: random.Random, depth: int = 0) -> Any:
    """A tree of JSON that has words of OpenSearch's where OpenSearch has none."""
    if depth > 4 or chance.random() < 0.2:
        return chance.choice([None, 0, -1, 1e308, "", "x", True, [], {}, "1", EVIL])
    if chance.random() < 0.3:
        return [grown(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(WORDS): grown(chance, depth + 1) for _ in range(chance.randrange(5))}


def rounds(count: int) -> Iterator[tuple[int, list[str]]]:
    for seed in range(count):
        yield seed, COMMANDS[seed % len(COMMANDS)]


@pytest.mark.parametrize("count", [28, pytest.param(3000, marks=pytest.mark.soak)])
def test_answers_drawn_at_random_are_sentences(count: int) -> None:
    for seed, command in rounds(count):
        chance = random.Random(seed)
        with serving(always(lambda path, chance=chance: grown(chance))) as server:  # type: ignore[misc]
            told(server.url, command)


def test_what_a_cluster_calls_its_things_reaches_no_terminal_and_no_page() -> None:
    def answer(path: str) -> Any:
        body = {"aliases": {"a": {}}, "mappings": {}, "settings": {"index": {"uuid": EVIL, EVIL: EVIL}}}
        return {EVIL: body, "error": EVIL} if path.startswith(("/a", "/_alias")) else {"error": {"reason": EVIL}}

    with serving(always(answer)) as server:
        for form in ("text", "markdown", "html", "json"):
            said = told(server.url, ["plan", "--format", form])
            assert "\x1b" not in said.replace("\x1b[0m", "") or form == "json"
            assert "<script>" not in said or form == "json"


def test_what_a_cluster_says_in_an_error_is_shown_without_what_terminals_obey(capsys: Any) -> None:
    with serving(Said(400, {"error": {"type": "x", "reason": EVIL}})) as server, pytest.raises(SystemExit):
        main(["plan", "--cluster", server.url])
    said = capsys.readouterr().err
    assert "owned" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)

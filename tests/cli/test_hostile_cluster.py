"""A cluster that answers what no OpenSearch would: whatever it says, there is a sentence and no harm."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from osform.cli.main import cli, main
from osform.cli.plan_words import lines as shown
from osform.errors import OsformError
from tests.bounds import harmless
from tests.certificates import Answering, Said, serving
from tests.cli.odd_cluster import ABOUT, answer_of, gone_wrong

COMMANDS = tuple(
    each.split()
    for each in ("plan", "drift", "status", "doctor", "history", "history --all", "show 1", "unlock", "search a text")
)
WORDS = (
    "hits", "_source", "_id", "nodes", "name", "roles", "aliases", "mappings", "settings", "persistent", "a-v1",
    "index", "error", "items", "properties", "type", "default_pipeline", "osform-ledger", "stack", "address", "asked",
    "recorded",
)  # fmt: skip
WRONG: tuple[Any, ...] = (
    None, 3, "x", [], {}, [[]], [None], {"hits": 3}, {"hits": {"hits": {}}}, {"hits": {"hits": [3]}},
    {"hits": {"hits": [{"_id": 3, "_source": []}]}}, {"nodes": [], "a-v1": 3}, {"a-v1": {"aliases": 3, "settings": []}},
)  # fmt: skip
COLOURS = re.compile("\x1b\\[[0-9;]*m")
EVIL = "\x1b[2J\x1b]0;owned\x07\x9b2J<script>alert(1)</script>\u202e[x](javascript:alert(1))|`"


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
    with harmless():
        done = CliRunner().invoke(cli, [*command, "--cluster", url], color=True)
    fine = done.exception is None or isinstance(done.exception, OsformError | SystemExit | click.ClickException)
    assert fine, (command, repr(done.exception))
    return done.output + shown(str(done.exception))


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


def words_of(command: list[str], word: str) -> str:
    """What a command says of a cluster whose things have this word for a name, in colour as on a terminal."""

    def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        return Said(body=answer_of(path, body, word))

    with serving(answer) as server:
        return told(server.url, command)


@pytest.mark.parametrize("command", [*COMMANDS, ["import", "--all"], ["destroy"]], ids=" ".join)
def test_what_a_cluster_calls_its_things_is_shown_without_what_terminals_obey(command: list[str]) -> None:
    said = words_of(command, EVIL)
    assert "owned" in said or command[0] in ("plan", "doctor")
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(COLOURS.sub("", said))


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_what_a_cluster_calls_its_things_is_no_part_of_a_page(form: str) -> None:
    said = words_of(["plan", "--format", form], EVIL)
    assert "owned" in said
    assert "<script>" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("count", [36, pytest.param(3000, marks=pytest.mark.soak)])
def test_answers_with_one_thing_wrong_are_sentences(count: int) -> None:
    for seed, command in rounds(count):
        chance = random.Random(seed)

        def answer(method: str, path: str, headers: Mapping[str, str], body: bytes, chance: Any = chance) -> Said:
            right = answer_of(path, body, "a")
            return Said(body=right if chance.random() < 0.4 else gone_wrong(right, chance))

        with serving(answer) as server:
            told(server.url, command)


def test_what_a_cluster_says_in_an_error_is_shown_without_what_terminals_obey(capsys: Any) -> None:
    with serving(Said(400, {"error": {"type": "x", "reason": EVIL}})) as server, pytest.raises(SystemExit):
        main(["plan", "--cluster", server.url])
    said = capsys.readouterr().err
    assert "owned" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)

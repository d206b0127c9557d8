"""Watch files: what they say, and every mistake in them with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import SpecError
from osform.files.watch_file import read_watch_file

LEAST = "repository: stacks.git\nstacks: [{}]\n"


def read(tmp_path: Path, text: str, **environ: str) -> object:
    path = tmp_path / "watch.yaml"
    path.write_text(text)
    return read_watch_file(path, environ)


def test_a_path_starts_at_the_file_and_a_url_stays(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text(LEAST)
    assert read_watch_file(path, {}).repository == str(tmp_path / "stacks.git")
    for url in ("git@example.com:a/b.git", "https://example.com/b.git", "file:///b.git"):
        path.write_text(LEAST.replace("stacks.git", url))
        assert read_watch_file(path, {}).repository == url


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text(LEAST + "tell: [{webhook: '${env.HOOK}'}]\n")
    (teller,) = read_watch_file(path, {"HOOK": "https://chat.example.com"}).tellers
    assert teller.webhook == "https://chat.example.com"
    with pytest.raises(SpecError, match="NAME must be set"):
        read_watch_file(path, {})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("webhook: '${env.HOOK}', command: [x]", "either webhook or command"),
        ("command: '${env.HOOK}'", "tell[0].command: text ('${env.HOOK}'), expected a list"),
        ("on: ['${env.HOOK}'], command: [x]", "tell[0].on[0]: '${env.HOOK}', expected 'applied'"),
    ],
)
def test_a_mistake_beside_a_secret_shows_what_the_file_says(tmp_path: Path, entry: str, words: str) -> None:
    with pytest.raises(SpecError) as raised:
        read(tmp_path, LEAST + f"tell: [{{{entry}}}]\n", HOOK="https://h/4711")
    assert words in str(raised.value)
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LEAST.replace("[{}]", "[]"), "stacks"),
        (LEAST.replace("[{}]", "[{}, {}]"), "is there twice"),
        (LEAST.replace("[{}]", "[{apply: approve}]"), "approve: with tags or notes"),
        (LEAST.replace("[{}]", "[{provision: ../elsewhere}]"), "a folder inside the repository"),
        (LEAST + "every: soon\n", "watch.yaml:3 every: 'soon', expected a number and s, m, h or d"),
        (LEAST + "ref: --all\n", "expected a branch"),
        (LEAST + "interval: 5s\n", "unknown key 'interval'"),
        (LEAST + "tell: [{on: [applied]}]\n", "either webhook or command"),
    ],
)
def test_mistakes_are_found(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        read(tmp_path, text)

"""Git commands: how long they may take, and what they must not say."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from osform.errors import RepositoryError
from osform.files.repository import Repository
from osform.files.running_git import Git
from tests.watched import QUIET, Origin


def git(tmp_path: Path, url: str = "x", seconds: float = 20.0, beats: list[int] | None = None) -> Git:
    heard = [] if beats is None else beats
    return Git(url, tmp_path, os.environ | QUIET, seconds, lambda: heard.append(1))


def test_a_server_that_says_nothing_is_given_up_and_nothing_of_it_goes_on(tmp_path: Path) -> None:
    ssh, alive = tmp_path / "ssh", tmp_path / "alive"
    ssh.write_text(f"#!/bin/sh\nwhile sleep 0.2; do echo x >> {alive}; done\n")
    ssh.chmod(0o755)
    environ = os.environ | QUIET | {"GIT_SSH_COMMAND": str(ssh)}
    repository = Repository("git@git.example.com:a/b.git", tmp_path / "mirror", environ, seconds=3.0)
    repository.open()
    with pytest.raises(RepositoryError, match="git ls-remote took longer than 3 s"):
        repository.fetch()
    repository.close()
    before = alive.read_text() if alive.exists() else ""
    time.sleep(1)
    assert (alive.read_text() if alive.exists() else "") == before


def test_a_fetch_that_stops_in_the_middle_is_given_up_and_the_next_one_brings_it_all(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "git")
    origin.commit("first", {"a.txt": "a"})
    ssh, stuck = tmp_path / "ssh", tmp_path / "stuck"
    ssh.write_text(f'#!/bin/sh\n[ -e {stuck} ] && [ -e {stuck}.2 ] && exec sleep 600\n: > {stuck}.2\neval "$2"\n')
    ssh.chmod(0o755)
    stuck.touch()
    environ = os.environ | QUIET | {"GIT_SSH_COMMAND": str(ssh), "GIT_SSH_VARIANT": "simple"}
    repository = Repository(f"ssh://server{origin.bare}", tmp_path / "mirror", environ, seconds=8.0)
    repository.open()
    with pytest.raises(RepositoryError, match="git fetch said nothing for 8 s"):
        repository.fetch()
    stuck.unlink()
    repository.fetch()
    assert repository.resolve("main") == origin.head
    repository.close()


def test_a_long_command_may_go_on_for_as_long_as_something_is_heard_of_it(tmp_path: Path) -> None:
    beats: list[int] = []
    began = time.monotonic()
    talk = "alias.talk=!for each in 1 2 3 4 5 6 7 8 9; do echo $each >&2; sleep 0.5; done"
    git(tmp_path, seconds=4.0, beats=beats).steadily("-c", talk, "talk")
    assert time.monotonic() - began > 4.0
    assert len(beats) >= 6


def test_what_a_long_command_complains_of_is_told_without_its_progress(tmp_path: Path) -> None:
    talk = "alias.talk=!printf 'Receiving objects:  50%% (1/2)\\rfatal: the disk is full\\n' >&2; false"
    with pytest.raises(RepositoryError) as failed:
        git(tmp_path).steadily("-c", talk, "talk")
    assert failed.value.message == "x: git talk: fatal: the disk is full"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:s3cret@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://s3cret@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://me:p@s3cret@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://me:p/s3cret@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://git.example.com:8443/a@b.git", "https://git.example.com:8443/a@b.git"),
        ("ssh://git@git.example.com/a.git", "ssh://git.example.com/a.git"),
        ("git@git.example.com:a/b.git", "git@git.example.com:a/b.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(tmp_path: Path, url: str, shown: str) -> None:
    assert git(tmp_path, url).shown == shown


def test_a_password_is_blotted_out_wherever_git_repeats_it(tmp_path: Path) -> None:
    own = git(tmp_path, "https://me:p%40ss-word@git.example.com/a.git")
    said = "fatal: unable to access 'https://me:p%40ss-word@git.example.com/a.git/': no p@ss-word"
    assert own.scrubbed(said) == "fatal: unable to access 'https://git.example.com/a.git/': no ***"


def test_another_repository_that_the_environment_names_is_not_meant(tmp_path: Path) -> None:
    other = {"GIT_DIR": "/nowhere", "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_INDEX_FILE": "/nowhere"}
    own = Git("x", tmp_path / "m.git", os.environ | QUIET | other, 20.0, lambda: None)
    own("init", "--quiet", "--bare", str(tmp_path / "m.git"), bare=False)
    assert own("rev-parse", "--git-dir") == str(tmp_path / "m.git")

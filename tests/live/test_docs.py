"""What the docs tell a reader to type, typed: on a copy of this repository's stack, on a real cluster."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, sections, text, typed

LOG = logging.getLogger(__name__)
FOLDERS = ("provision", "templates", "models", "examples")


@dataclass(frozen=True)
class Reader:
    """Somebody who sits in a clone of the repository, with the demo's cluster running."""

    folder: Path
    environ: dict[str, str]

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line as a shell does, both streams in one."""
        return subprocess.run(
            command, shell=True, executable="/bin/bash", cwd=self.folder, env=self.environ, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip

    def succeeds(self, command: str) -> str:
        """Run a line that must do what it says."""
        done = self.types(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def clone(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("clone")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    reader = Reader(folder, os.environ | {"OSFORM_CLUSTER": live_url, "PATH": path, "NO_COLOR": "1"})
    reader.succeeds("osform apply --yes")
    reader.succeeds("osform ingest examples/photos/descriptions.jsonl --into images")
    yield reader
    restore(reader)


def restore(reader: Reader) -> None:
    """The stack as it is in the repository."""
    shutil.copytree(ROOT / "provision", reader.folder / "provision", dirs_exist_ok=True)
    reader.succeeds("osform apply --yes")


@pytest.fixture
def reader(clone: Reader) -> Reader:
    restore(clone)
    return clone


def weigh(reader: Reader, semantic: str, lexical: str) -> None:
    """Edit two variables of the stack: the weights of a hybrid search, whose sum is 1."""
    path = reader.folder / "provision" / "stack.yaml"
    stack = re.sub(r"semantic_weight: \S+", f"semantic_weight: {semantic}", path.read_text())
    path.write_text(re.sub(r"lexical_weight: \S+", f"lexical_weight: {lexical}", stack))


def settled(output: str) -> list[str]:
    """Output without what differs from one cluster and one run to the next: checksums, times, the last digits."""
    output = re.sub(r"checksum [0-9a-f]{64}", "checksum", output)
    output = re.sub(r"[\d.]+ s\b|\d+ documents a second", "some", output)
    return re.sub(r"^(0\.\d\d)\d\d\t", r"\1\t", output, flags=re.MULTILINE).strip().splitlines()


def test_the_commands_of_the_readme_write_what_it_shows(reader: Reader) -> None:
    shown = [each for each in typed(text("README.md")) if not each.command.startswith("make ")]
    assert len(shown) >= 8
    for each in shown:
        done = reader.types(each.command)
        assert settled(done.stdout) == settled(each.output), each.command
        assert done.returncode == (1 if "error: " in each.output else 0), each.command


def test_a_plan_that_was_reviewed_is_applied_as_gitops_says(reader: Reader) -> None:
    review, merge = blocks(text("docs/gitops.md"), "sh")
    weigh(reader, "0.6", "0.4")
    reader.succeeds(f"set -e; {review}")
    shown = (reader.folder / "plan.md").read_text()
    assert "search_pipeline/hybrid" in shown
    assert "0.6" in shown
    reader.succeeds(f"set -e; {merge}")


def test_a_plan_that_is_no_longer_that_of_the_review_is_refused(reader: Reader) -> None:
    review, merge = blocks(text("docs/gitops.md"), "sh")
    weigh(reader, "0.6", "0.4")
    reader.succeeds(f"set -e; {review}")
    weigh(reader, "0.5", "0.5")
    refused = reader.types(f"set -e; {merge}")
    assert refused.returncode == 1
    assert "the files or the cluster have changed" in refused.stdout


def walk(reader: Reader, folder: Path, lines: list[str]) -> str:
    """The commands of a new user, in one shell; what they wrote."""
    script = "set -e\ntrap 'kill %1 2> /dev/null || true' EXIT\n" + "\n".join(lines)
    identity = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@example.com", "OSFORM_LISTEN": "127.0.0.1:0"}
    identity |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@example.com"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=reader.environ | identity, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=500,
    )  # fmt: skip
    log = folder / "watch.log"
    assert done.returncode == 0, done.stdout + (log.read_text() if log.exists() else "")
    return done.stdout


@pytest.mark.soak  # a minute and a half
def test_somebody_new_gets_from_nothing_to_a_watched_stack_as_gitops_says(reader: Reader, tmp_path: Path) -> None:
    began = time.monotonic()
    written = walk(reader, tmp_path, blocks(text("docs/gitops.md"), "bash"))
    assert "batch_size" in written
    assert time.monotonic() - began < 15 * 60
    LOG.info("from nothing to a watched stack in %.0f s", time.monotonic() - began)


def test_somebody_new_gets_to_the_first_look_as_gitops_says(reader: Reader, tmp_path: Path) -> None:
    begin = blocks(text("docs/gitops.md"), "bash")[:3]
    assert "--once" in begin[-1]
    written = walk(reader, tmp_path, [*begin, "osform plan --detailed-exitcode", "osform destroy --yes --force"])
    assert " applied" in written


def test_somebody_new_gets_through_getting_started(reader: Reader, tmp_path: Path) -> None:
    written = walk(reader, tmp_path, blocks(text("docs/getting-started.md"), "bash"))
    assert "drift ends with exit status 2" in written
    assert "index/my-search is my-search-v1 again" in written
    shown, replaced = blocks(text("docs/getting-started.md"), "text")
    assert all(line in written for line in (*shown.splitlines(), *replaced.splitlines()))


def test_the_python_of_the_docs_runs(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    weigh(reader, "0.6", "0.4")
    monkeypatch.chdir(reader.folder)
    monkeypatch.setenv("OSFORM_CLUSTER", reader.environ["OSFORM_CLUSTER"])
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as written:
        for block in blocks(text("docs/python.md"), "python"):
            exec(compile(block, "docs/python.md", "exec"), names)
    assert "update search_pipeline/hybrid changed" in written.getvalue()
    assert "no-such-folder" in written.getvalue()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("osform validate", ""),
        ("osform plan", ""),
        ("osform ingest", "examples/photos/descriptions.jsonl --into images"),
        ("osform search", "images coffee"),
    ],
)
def test_the_json_of_a_command_has_the_keys_of_the_docs(reader: Reader, name: str, words: str) -> None:
    (block,) = blocks(sections(text("docs/commands.md"))[name], "json")
    done = reader.types(f"{name} {words} --format json 2> messages.txt")
    assert done.returncode == 0
    assert json.loads(done.stdout).keys() == json.loads(block).keys()

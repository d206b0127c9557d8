"""The README: its commands are commands. ``tests/live/test_docs.py`` runs them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest

from osform.cli.main import cli
from tests.docs.markdown import ROOT, blocks, text, typed

COMMANDS = [each.command for each in typed(text("README.md"))]
TARGETS = sorted(set(re.findall(r"(?:`|\$ )make ([a-z][a-z-]+)", text("README.md") + text("CONTRIBUTING.md"))))


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) >= 8
    assert len(blocks(text("README.md"), "console")) == text("README.md").count("```console")
    assert {"demo", "demo-clean", "test", "test-fast", "lint", "lock"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_exists(command: str) -> None:
    words = shlex.split(command)
    if words[0].endswith("osform"):
        context = cli.make_context("osform", words[1:2])
        found = cli.get_command(context, words[1])
        assert found is not None
        found.make_context(words[1], words[2:])  # refuses unknown options and arguments that are missing
    else:
        assert words[0] in {"make", "sed"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_of_the_docs_exists(target: str) -> None:
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

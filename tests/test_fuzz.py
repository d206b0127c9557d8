"""YAML, templates, references, answers, URLs and profiles that nobody would write: none of them brings osform down.

In the ordinary run, up to a minute of Hypothesis and atheris, which learns what code the bytes reach; in the soak run,
ten minutes of each.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.docs.markdown import ROOT
from tests.fuzz import TARGETS, tried

SNIPPETS = (
    "a: ", "- ", "[", "{", "]", "}", "\n  ", "\n", "'", '"', "&a ", "*a", "!!python/object:os.x ", "<<: *a", "|\n",
    "{{ ", " }}", "{% for x in ", "{% endfor %}", "{% set x = ", " %}", "range(99)", "|join", "~", "**9", "%",
    ".__class__", "${", "$${", "${env.A}", "${model/a.model_id}", "${var.x}", "parameters.", "hits", "\x00", "\x1b[31m",
    "\u202e", "\ud800", "[profiles.a]\n", "url = ", "https://", "user:pass@", "[::1]", ":9200", "1e999", "9" * 50,
    "null", "---\n", "\ufeff", ">\n",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=4), max_size=25).map("".join)
BYTES = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)


@pytest.mark.parametrize("name", TARGETS)
@given(data=BYTES)
@settings(max_examples=400)
def test_no_bytes_bring_it_down(name: str, data: bytes) -> None:
    tried(name, data)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_bring_it_down_in_ten_minutes_together(name: str) -> None:
    ends = time.monotonic() + 100

    @given(data=BYTES)
    @settings(max_examples=2000, database=None)
    def once(data: bytes) -> None:
        if time.monotonic() < ends:
            tried(name, data)

    while time.monotonic() < ends:
        once()


def guided(name: str, folder: Path, *how: str) -> str:
    """Let atheris look for crashes of a target, and return what it says at the end."""
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "tests.guided", name, "-rss_limit_mb=1000", "-timeout=60", *how]
    command.append(f"-artifact_prefix={folder}/")
    # By way of a shell: the peak of memory that libFuzzer goes by is handed down, and pytest's own may be gigabytes.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    logging.getLogger(__name__).info("%s: %s", name, done.stderr.splitlines()[-1])
    return done.stderr


def test_atheris_finds_no_crash_in_a_moment(tmp_path: Path) -> None:
    said = guided("all", tmp_path, "-seed=1", "-runs=20000", "-max_total_time=25")
    assert "cov: " in said


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_atheris_finds_no_crash_in_ten_minutes_together(name: str, tmp_path: Path) -> None:
    guided(name, tmp_path, "-max_total_time=100")

"""The watch file of docs/watching.md is one, and what it says of metrics and events is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from osform.cli.watch_board import Board
from osform.cluster.client import Cluster
from osform.cluster.counting import Counted
from osform.core.watching import Happened, Standing
from osform.files.repository import Repository
from osform.files.watch_file import Event, read_watch_file
from tests.docs.markdown import blocks, text

PAGE = text("docs/watching.md")


def board(tmp_path: Path) -> Board:
    (block,) = blocks(PAGE, "yaml")
    (tmp_path / "watch.yaml").write_text(block)
    spec = read_watch_file(tmp_path / "watch.yaml", {"CHAT_WEBHOOK": "https://chat.example.com/hook"})
    return Board(spec, Counted(Cluster("http://127.0.0.1:1")), Repository(spec.repository, tmp_path, {}))


def test_each_metric_of_the_docs_is_there_and_each_that_is_there_is_in_the_docs(tmp_path: Path) -> None:
    shown = board(tmp_path)
    shown.take(Happened("applied", standing=Standing("provision@production", "s", "e", "in sync"), seconds=1.0))
    there = set(re.findall(r"^# TYPE (osform_\w+) ", shown.metrics().decode(), re.MULTILINE))
    told = set(re.findall(r"`(osform_\w+)`", PAGE))
    assert {name for name in there if not name.endswith("_created")} == told


def test_each_event_that_can_be_told_is_in_the_docs() -> None:
    assert {name for name in get_args(Event) if f"`{name}`" not in PAGE} == set()


def test_the_page_escapes_what_comes_from_a_repository(tmp_path: Path) -> None:
    shown = board(tmp_path)
    bad = Standing("provision@production", "s", "e", "refused", message="<script>alert(1)</script>")
    shown.take(Happened("refused", "<script>", standing=bad))
    assert "<script>" not in shown.page()
    assert "&lt;script&gt;alert(1)" in shown.page()

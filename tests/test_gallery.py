"""Pictures that a search found, in terminals of all kinds and on a page."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from examples.gallery.page import Answer, Hit, page
from examples.gallery.terminal import BETWEEN, COLUMNS, Can, can, shown

ROOT = Path(__file__).parent.parent
RED, BLUE = (Image.new("RGB", (64, 64), colour) for colour in ((255, 0, 0), (0, 0, 255)))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, Can.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Can.ITERM),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/t", "KITTY_WINDOW_ID": "1", "COLORTERM": "truecolor"}, Can.COLOURS),
        ({"TERM": "xterm-256color"}, Can.PALETTE),
        ({"TERM": "xterm"}, Can.NOTHING),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, Can.NOTHING),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, Can.NOTHING),
        ({}, Can.NOTHING),
    ],
)
def test_a_terminal_is_given_what_it_can_show(environ: Mapping[str, str], expected: Can) -> None:
    assert can(environ, is_terminal=True) is expected
    assert can(environ, is_terminal=False) is Can.NOTHING


def test_half_blocks_show_two_pixels_a_character_side_by_side() -> None:
    lines = shown([RED, BLUE], Can.COLOURS).splitlines()
    assert len(lines) == COLUMNS // 2
    red, black, blue = (f"\x1b[38;2;{each};48;2;{each}m▀" for each in ("255;0;0", "0;0;0", "0;0;255"))
    assert set(lines) == {red * COLUMNS + black * BETWEEN + blue * COLUMNS + "\x1b[0m"}


def test_where_there_are_256_colours_the_nearest_is_taken() -> None:
    assert shown([RED], Can.PALETTE).startswith("\x1b[38;5;196;48;5;196m▀")
    assert shown([RED], Can.NOTHING) == ""


def test_kitty_gets_a_png_in_pieces_that_it_takes() -> None:
    noise = Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3))
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown([noise], Can.KITTY))
    assert pieces[0][0] == f"a=T,f=100,c={COLUMNS},m=1"
    assert {keys for keys, _ in pieces[1:-1]} <= {"m=1"}
    assert pieces[-1][0] == "m=0"
    assert max(len(content) for _, content in pieces) <= 4096
    assert Image.open(io.BytesIO(base64.b64decode("".join(content for _, content in pieces)))).size == (260, 260)


def test_iterm_gets_a_png() -> None:
    content = shown([RED], Can.ITERM).removesuffix("\x07\n").partition(":")[2]
    assert Image.open(io.BytesIO(base64.b64decode(content))).getpixel((5, 5)) == (255, 0, 0)


def test_the_page_has_the_pictures_in_it_and_escapes_what_others_wrote() -> None:
    text = page("Found", "about it", [Answer("a <b>vessel</b>", [Hit("a.png", 'a "red" <boat>', 0.5, RED)])])
    assert "a &lt;b&gt;vessel&lt;/b&gt;" in text
    assert "<boat>" not in text
    (address,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert Image.open(io.BytesIO(base64.b64decode(address))).size == RED.size
    assert not re.findall(r"https?://", text)


def test_from_a_search_to_a_page(tmp_path: Path) -> None:
    """Beside a Python that is a link, ``osform`` is a script that answers as a cluster would."""
    RED.save(tmp_path / "red.png")
    hits = {
        "took_ms": 1,
        "hits": [{"id": "1", "score": 0.75, "source": {"image": "red.png", "description": "a red boat"}}],
    }
    (tmp_path / "python").symlink_to(sys.executable)
    osform = tmp_path / "osform"
    osform.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(hits)}\nEND\n")
    osform.chmod(osform.stat().st_mode | stat.S_IXUSR)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [tmp_path / "python", "-m", "examples.gallery", "drawn", "a vessel", "--html", "found.html"], cwd=tmp_path,
        capture_output=True, text=True, check=True, env=environ,
    )  # fmt: skip
    assert done.stdout.startswith(
        '$ osform search drawn "a vessel" --mode semantic --size 3\n1. 0.7500  a red boat  (red.png)\n'
    )
    assert "a red boat" in (tmp_path / "found.html").read_text()

"""Grids draw what was found, all of it; thumbnails fit their terminal."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from osform.cluster.queries import Hit
from osform.flows.picture_files import cells_of
from osform.pictures.grids import GAP, SIDE, Cell, draw
from osform.pictures.thumbnails import can_show, lines


def png(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def red_cells(content: bytes) -> int:
    """How many places of the grid are red in their middle."""
    grid = Image.open(io.BytesIO(content))
    top = 2 * GAP + 16
    places = [
        (x + SIDE // 2, y + SIDE // 2)
        for x in range(GAP, grid.width - SIDE, SIDE + GAP)
        for y in range(top, grid.height - SIDE, SIDE + 40 + GAP)
    ]
    return sum(grid.getpixel(place) == (200, 0, 0) for place in places)


@pytest.mark.parametrize("count", [1, 3, 5, 7, 50])
def test_a_grid_draws_as_many_as_were_found(count: int) -> None:
    cells = [Cell("0.9", f"picture {number}", png((200, 0, 0))) for number in range(count)]
    assert red_cells(draw(cells, "a question")) == count


def test_what_is_no_picture_has_a_place_with_the_reason() -> None:
    cells = [Cell("0.9", "good", png((200, 0, 0))), Cell("0.8", "gone", reason="HTTP 404"), Cell("0.7", "bad", b"text")]
    assert red_cells(draw(cells, "")) == 1


def test_a_grid_of_nothing_is_a_title() -> None:
    assert Image.open(io.BytesIO(draw([], "a question"))).height < SIDE


def test_a_long_name_and_one_of_any_letters_are_drawn() -> None:
    draw([Cell("0.5", "日本 " * 100, png((1, 2, 3), (4000, 3)))], "Ü" * 500)


def test_a_thumbnail_has_its_lines_whatever_the_picture() -> None:
    for content in (png((1, 2, 3)), png((1, 2, 3), (3, 400)), b"no picture", None):
        assert len(lines(content, 5)) == 5
    assert "\x1b[38;2;1;2;3" in lines(png((1, 2, 3)))[0]


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, True),
        ({"TERM": "xterm"}, False),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, False),
        ({}, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
    ],
)
def test_thumbnails_are_for_terminals_with_colours(environment: dict[str, str], shown: bool) -> None:
    assert can_show(environment) is shown


def test_a_name_that_is_the_picture_itself_in_letters_is_cut_at_once() -> None:
    begun = time.process_time()
    draw([Cell("0.9", "data:image/jpeg;base64," + "/9j/4AAQ" * 2_000)] * 5, "a question" * 500)
    assert time.process_time() - begun < 5  # each took two minutes for half of that


def test_documents_that_name_pipes_and_devices_have_cells_with_the_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    hits = [
        Hit("1", 0.9, {"image": "pipe.png"}),
        Hit("2", 0.8, {"image": "/dev/zero"}),
        Hit("3", 0.7, {"image": "gone"}),
    ]
    assert [each.reason for each in cells_of(hits, tmp_path)] == ["not a file", "not a file", "no such file"]

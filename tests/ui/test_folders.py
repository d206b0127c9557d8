"""Pictures of documents on disk: those below the folders, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from osform.ui.folders import Folders, kind_of
from tests.ui.conftest import png


@pytest.mark.parametrize(
    "name", ["2019/boat.png", "shots/2019/boat.png", "/home/me/shots/2019/boat.png", "./x/../2019/boat.png"]
)
def test_a_picture_is_found_from_wherever_it_was_named(shots: Path, name: str) -> None:
    assert Folders((shots,)).address({"image": name}) == "/picture/0/2019/boat.png"


@pytest.mark.parametrize(
    "name", ["../secret.png", "out.png", "/etc/passwd", "", "2019", "\0", "x" * 5000, "2019/../../secret.png"]
)
def test_nothing_outside_is_found(shots: Path, name: str) -> None:
    folders = Folders((shots,))
    assert folders.address({"image": name}) == ""
    assert folders.file("0", name) is None


def test_a_picture_that_is_in_the_document_in_letters_is_not_looked_for(shots: Path) -> None:
    begun = time.process_time()
    Folders((shots,)).address({"image": "data:image/jpeg;base64," + "/9j/4AAQ" * 10_000})
    assert time.process_time() - begun < 1  # a path for each slash took minutes


@pytest.mark.parametrize("number", ["1", "-1", "x", "", "²"])
def test_a_folder_that_was_not_given_has_nothing(shots: Path, number: str) -> None:
    assert Folders((shots,)).file(number, "cat.png") is None


def test_the_field_may_be_named_and_lie_inside(shots: Path) -> None:
    source = {"image": "2019/boat.png", "shot": {"name": "cat.png"}}
    assert Folders((shots,), "shot.name").address(source) == "/picture/0/cat.png"


def test_pictures_of_the_web_are_shown_only_where_that_is_said() -> None:
    source = {"url": "https://example.org/a.jpg"}
    assert Folders().address(source) == ""
    assert Folders(web=True).address(source) == "https://example.org/a.jpg"


def test_a_document_that_may_have_scripts_is_no_picture() -> None:
    assert kind_of(png(1, 2, 3)[:16]) == "image/png"
    assert kind_of(b"<svg xmlns=") is None
    assert kind_of(b"") is None

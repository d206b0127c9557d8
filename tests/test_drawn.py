"""The drawn pictures are always the same, and what is said of them is true and can be found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import yaml

from examples.drawn import Scene, draw, paint, scene
from examples.drawn.canvas import COLOURS, SIDE
from examples.drawn.scene import NUMBERS
from examples.drawn.settings import SETTINGS
from examples.drawn.things import THINGS

ROOT = Path(__file__).parent.parent
LITTLE = {"a", "an", "the", "in", "on", "at", "under", "and", "of", "to", "for", "from", "with", "where"}
QUERIES: list[dict[str, str]] = yaml.safe_load((ROOT / "examples" / "drawn" / "queries.yaml").read_text())


def scenes(count: int, seed: int = 0) -> list[Scene]:
    return [scene(Random(f"{seed} {number}")) for number in range(count)]


def test_the_same_seed_draws_the_same_pictures_in_another_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.drawn", str(tmp_path), "--count", "3", "--seed", "5"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for each in draw(3, 5):
        again = tmp_path / f"again-{each.name}"
        each.image.save(again)
        assert again.read_bytes() == (tmp_path / each.name).read_bytes()


def test_the_first_pictures_are_the_same_however_many_are_drawn_and_another_seed_draws_others() -> None:
    few, many, other = draw(2, 1), draw(4, 1), draw(2, 2)
    assert [each.truth for each in few] == [each.truth for each in many[:2]]
    assert [each.truth for each in few] != [each.truth for each in other]


def test_the_truth_is_written_beside_the_pictures(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.drawn", str(tmp_path), "--count", "2"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == ["drawn-0000.png", "drawn-0001.png"]
    assert [line["caption"] for line in lines] == [each.truth.caption for each in draw(2, 1)]


def test_everything_that_can_be_drawn_is_drawn() -> None:
    items = [(item, each) for each in scenes(1500) for item in each.items]
    assert {(item.thing, item.colour) for item, _ in items} == {(thing, each) for thing in THINGS for each in COLOURS}
    assert {each.setting for _, each in items} == set(SETTINGS)
    assert {NUMBERS[item.number] for item, _ in items} == {"one", "two", "three"}
    assert {item.place for item, _ in items} - {None} == {
        "on the left", "in the middle", "on the right", "at the top", "at the bottom"
    }  # fmt: skip


def test_no_question_has_two_answers() -> None:
    for each in scenes(300):
        questions = each.questions()
        assert len({question.text for question in questions}) == len(questions)


def test_a_caption_names_every_thing_and_its_colour() -> None:
    for each in scenes(300):
        words = each.caption.split()
        assert all({item.colour, item.noun} <= set(words) for item in each.items)


@pytest.mark.parametrize("thing", THINGS)
def test_another_colour_is_another_picture(thing: str) -> None:
    found = next(each for each in scenes(300) if each.items[0].thing == thing and each.items[0].colour == "red")
    blue = Scene(found.setting, tuple(type(item)(item.thing, "blue", item.number, item.place) for item in found.items),
                 found.seed)  # fmt: skip
    image = paint(found)
    assert image.size == (SIDE, SIDE)
    assert image.tobytes() != paint(blue).tobytes()


def test_there_are_twenty_queries_and_two_for_each_thing() -> None:
    assert sorted(each["thing"] for each in QUERIES) == sorted([*THINGS, *THINGS])


def test_no_query_shares_a_word_with_any_caption() -> None:
    said = {word for each in scenes(1500) for word in each.caption.split()}
    asked = {word for each in QUERIES for word in each["query"].split()}
    assert (said & asked) - LITTLE == set()

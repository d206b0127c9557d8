"""Where things stand in files."""

from __future__ import annotations

import pytest

from osform.core.document import Document, Path, dotted
from osform.errors import Place, Problem, SpecError

VALUE = {"settings": {"index": {"knn": True, "search.default_pipeline": "h"}}, "processors": [{"set": {"a": 1}}]}
LINES: dict[Path, int] = {
    (): 1,
    ("settings",): 1,
    ("settings", "index"): 2,
    ("settings", "index", "knn"): 3,
    ("settings", "index", "search.default_pipeline"): 4,
    ("processors",): 5,
    ("processors", 0): 6,
    ("processors", 0, "set"): 6,
    ("processors", 0, "set", "a"): 7,
}
DOCUMENT = Document("f.yaml", VALUE, LINES)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("settings", "index.knn"), 3),
        (("settings", "index.search.default_pipeline"), 4),
        (("settings", "index", "codec"), 2),
        (("processors", 0, "set", "a"), 7),
        (("processors", 0, "set", "b"), 6),
        (("processors", 9, "set"), 5),
        (("mappings",), 1),
    ],
)
def test_a_path_in_any_spelling_has_its_line_and_a_missing_one_the_nearest_around_it(path: Path, line: int) -> None:
    assert DOCUMENT.place(path) == Place("f.yaml", line)


def test_a_path_is_shown_as_people_write_it() -> None:
    assert dotted(("processors", 0, "set", "a.b")) == "processors[0].set.a.b"


def test_mistakes_are_told_once_each_and_as_they_stand_in_the_files() -> None:
    last, first, whole = (Problem(Place("b", 9), "x"), Problem(Place("b", 10), "x"), Problem(Place("b"), "y"))
    assert SpecError([first, last, whole, last]).problems == (whole, last, first)


def test_a_place_in_a_template_names_the_file_that_it_was_rendered_for() -> None:
    assert str(Place("t.j2", 4, "i.yaml")) == "t.j2:4 (for i.yaml)"

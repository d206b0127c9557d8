"""A load beside others that write, over an index that moves, and through answers that get lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.retry import Patience
from osform.core.rows import Row
from osform.core.writes import Write
from osform.errors import Place, RequestFailed, Unreachable
from osform.files.seen import Seen
from osform.flows.load.twins import Twins
from osform.flows.load.whereabouts import Whereabouts
from tests.flows.shelf import ALIAS, Shelf, send

Rows = list[dict[str, Any]]


def photos(count: int, **more: Any) -> Rows:
    return [{"id": f"r{n}", "text": f"photo {n}", **more} for n in range(count)]


def true(shelf: Shelf) -> bool:
    """Whether every vector is what the model at work makes of the text."""
    return all(each.source["vector"] == f"{shelf.model}: {each.source['text']}" for each in shelf.docs.values())


def refused(_number: int) -> None:
    raise RequestFailed("POST /pics/_bulk", 401, "security_exception", "the token has expired")


def test_what_somebody_else_changed_meanwhile_is_kept_by_an_update(tmp_path: Path) -> None:
    shelf = Shelf()
    send(shelf, tmp_path, photos(2, price=1, stock=7))
    bulks = shelf.bulks

    def sold(number: int) -> None:
        if number == bulks + 1:
            shelf.put("r1", {**shelf.docs["r1"].source, "stock": 6})

    shelf.before = sold
    done = send(shelf, tmp_path, [{"id": "r1", "text": "a new one", "price": 2}], update=True)
    assert (done.indexed, done.failed) == (1, 0)
    found = shelf.docs["r1"].source
    assert (found["text"], found["price"], found["stock"]) == ("a new one", 2, 6)
    assert true(shelf)


def test_an_update_whose_answer_is_lost_has_not_failed(tmp_path: Path) -> None:
    shelf = Shelf()
    send(shelf, tmp_path, photos(2, price=1))
    bulks = shelf.bulks

    def reset(number: int) -> None:
        if number == bulks + 1:
            raise Unreachable("the connection was reset")

    shelf.after = reset
    done = send(shelf, tmp_path, photos(2, price=2))
    assert (done.indexed, done.failed) == (2, 0)
    assert [each.source["price"] for each in shelf.docs.values()] == [2, 2]


def test_rows_with_the_text_of_one_that_somebody_else_changed_do_not_wait_for_ever(tmp_path: Path) -> None:
    shelf = Shelf()
    send(shelf, tmp_path, photos(2))
    bulks = shelf.bulks

    def meddle(number: int) -> None:
        if number == bulks + 1:
            shelf.put("r0", {"id": "r0", "text": "photo 0", "price": 9})

    shelf.before = meddle
    done = send(shelf, tmp_path, [{"id": f"r{n}", "text": "the same"} for n in range(2)], update=True)
    assert (done.indexed, done.failed) == (2, 0)
    assert true(shelf)


def test_rows_that_were_given_up_are_not_taken_for_settled_by_the_next_run(tmp_path: Path) -> None:
    shelf = Shelf()
    send(shelf, tmp_path, photos(4, price=1))
    shelf.before = refused
    with pytest.raises(RequestFailed):
        send(shelf, tmp_path, photos(4, price=2))
    shelf.before = lambda _number: None
    file = tmp_path / "rows.jsonl"
    assert file.read_text() == "".join(json.dumps(row) + "\n" for row in photos(4, price=2))
    again = send(shelf, tmp_path, None)
    assert (again.indexed, again.patched, again.resumed) == (4, 4, 0)
    assert {each.source["price"] for each in shelf.docs.values()} == {2}


def test_a_row_that_failed_is_not_taken_for_settled_where_the_index_has_what_it_was_to_change(tmp_path: Path) -> None:
    shelf = Shelf()
    send(shelf, tmp_path, photos(6, price=1))
    bulks, shelf.wrong = shelf.bulks, "r1"

    def away(number: int) -> None:
        if number > bulks + 1:
            refused(number)

    shelf.before = away
    with pytest.raises(RequestFailed):
        send(shelf, tmp_path, photos(6, price=2), batch=3)
    shelf.before = lambda _number: None
    again = send(shelf, tmp_path, None)
    assert (again.resumed, again.indexed, again.failed) == (1, 5, 1)


def test_a_vector_that_a_row_brings_does_not_take_the_place_of_the_one_that_was_made(tmp_path: Path) -> None:
    shelf = Shelf()
    content = photos(2, vector="of a model of long ago")
    send(shelf, tmp_path, content)
    assert true(shelf)
    again = send(shelf, tmp_path, content)
    assert (again.unchanged, again.patched) == (2, 0)
    send(shelf, tmp_path, [{**row, "price": 2} for row in content])
    assert true(shelf)


def test_no_vector_of_the_old_model_is_copied_into_the_index_that_takes_the_place_of_its_own(tmp_path: Path) -> None:
    shelf = Shelf()

    def apply(number: int) -> None:
        if number == 2:
            shelf.swap("pics-v2", "m2")

    shelf.before = apply
    done = send(shelf, tmp_path, [{"id": f"r{n}", "text": f"photo {n % 4}"} for n in range(12)], batch=4)
    assert (done.indexed, done.created, done.failed) == (12, 12, 0)
    assert true(shelf)


def test_nothing_is_copied_past_a_pipeline_that_does_more_by_now() -> None:
    shelf = Shelf()
    where = Whereabouts(shelf, ALIAS, lambda: Patience.of(5))
    twins = Twins(shelf, where, Seen(), patience=lambda: Patience.of(5), settled=lambda _number: True)
    first, second = (Write(Row(f"r{n}", {"text": "a photo"}, Place("a.jsonl", n), n)) for n in (1, 2))
    assert list(twins.apart([first, second])) == [first]
    shelf.put("r1", {"text": "a photo"})
    shelf.also = {"season": "autumn"}
    where.look()
    assert list(twins.ready()) == [second]


def letter_of_an_update(shelf: Shelf, tmp_path: Path) -> Path:
    """What is left of an update of one field that the server refuses."""
    send(shelf, tmp_path, photos(1, stock=7))
    shelf.before = refused
    with pytest.raises(RequestFailed):
        send(shelf, tmp_path, [{"id": "r0", "stock": 6}], update=True)
    shelf.before = lambda _number: None
    (letter,) = tmp_path.glob("dead*")
    return letter


def test_an_update_that_fails_is_kept_as_it_was_read(tmp_path: Path) -> None:
    letter = letter_of_an_update(Shelf(), tmp_path)
    assert json.loads(letter.read_text())["document"] == {"id": "r0", "stock": 6}


def test_the_dead_letters_of_an_update_are_never_taken_for_whole_documents(tmp_path: Path) -> None:
    shelf = Shelf()
    letter = letter_of_an_update(shelf, tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(letter.read_bytes())
    done = send(shelf, tmp_path, None)
    assert (done.failed, shelf.docs["r0"].source["text"], shelf.docs["r0"].source["stock"]) == (1, "photo 0", 7)
    assert send(shelf, tmp_path, None, update=True).patched == 1
    assert (shelf.docs["r0"].source["text"], shelf.docs["r0"].source["stock"]) == ("photo 0", 6)

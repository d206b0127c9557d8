"""A load beside others that write, over an index that moves, and through answers that get lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osform.errors import Unreachable
from tests.flows.shelf import Shelf, send

Rows = list[dict[str, Any]]


def photos(count: int, **more: Any) -> Rows:
    return [{"id": f"r{n}", "text": f"photo {n}", **more} for n in range(count)]


def true(shelf: Shelf) -> bool:
    """Whether every vector is what the model at work makes of the text."""
    return all(each.source["vector"] == f"{shelf.model}: {each.source['text']}" for each in shelf.docs.values())


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

"""What is written of a row, given what the index has: never less than makes it so, and no vector that is not needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from osform.core.comparing import Decision, Need, Stored, canonical, decide, merged
from osform.core.embeddings import Embedding
from osform.core.writes import Version

TEXT = Embedding("text", "vector", "m1")
DIGESTED = Embedding("text", "vector", "m1", "vector_of")
SEEN = Version(1, 1)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
documents = st.dictionaries(st.sampled_from(["text", "price", "inner", "tags"]), values, min_size=1)


def stored(source: dict[str, Any], *, vector: bool = True, **digests: str) -> Stored:
    return Stored(source, SEEN, frozenset({"vector"} if vector else ()), digests)


def need(wanted: dict[str, Any], there: Stored | None, one: Embedding = TEXT, *, plain: bool = True) -> Need:
    return decide(wanted, there, (one,), plain=plain).need


def test_what_is_there_as_it_should_be_needs_nothing() -> None:
    assert need({"text": "a", "n": 1}, stored({"n": 1, "text": "a"})) is Need.NOTHING


def test_a_document_that_was_deleted_comes_back() -> None:
    assert need({"text": "a"}, None) is Need.ALL


def test_a_price_is_written_by_itself() -> None:
    decision = decide({"text": "a", "price": 2}, stored({"text": "a", "price": 1}), (TEXT,), plain=True)
    assert decision == Decision(Need.FIELDS, {"price": 2})


def test_what_a_row_brings_where_the_pipeline_makes_something_is_neither_compared_nor_written() -> None:
    of_long_ago = {"text": "a", "vector": [0.5], "vector_of": "another model's"}
    digest = DIGESTED.digest_of({"text": "a"})
    there = stored({"text": "a"}, vector_of=digest or "")
    assert need(of_long_ago, there, DIGESTED) is Need.NOTHING
    assert decide({**of_long_ago, "n": 1}, there, (DIGESTED,), plain=True).fields == {"n": 1}


def test_what_a_row_brings_for_a_vector_within_an_object_is_left_out_alone() -> None:
    inner = Embedding("photo.text", "photo.vector", "m1")
    there = Stored({"photo": {"text": "a", "n": 1}}, SEEN, frozenset({"photo.vector"}))
    wanted = {"photo": {"text": "a", "n": 2, "vector": [0.5]}}
    assert decide(wanted, there, (inner,), plain=True).fields == {"photo": {"text": "a", "n": 2}}


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"text": "b"}, stored({"text": "a"})),
        ({"text": "a"}, stored({"text": "a"}, vector=False)),
        ({"text": "a"}, stored({"n": 1})),
        ({"text": " "}, stored({"text": "a"})),
        ({"n": 1}, stored({"n": 1})),
        ({"text": "a"}, stored({"text": "a", "extra": 1})),
        ({"text": "a", "inner": {"x": 1}}, stored({"text": "a", "inner": {"x": 1, "y": 2}})),
    ],
    ids=["another text", "no vector", "no text", "a text that went", "a vector too many", "a field too many", "within"],
)
def test_what_no_partial_update_can_put_right_goes_through_the_pipeline(wanted: dict[str, Any], there: Stored) -> None:
    assert need(wanted, there) is Need.ALL


def test_a_vector_of_another_text_is_told_by_its_digest() -> None:
    source = {"text": "b"}
    old, new = (DIGESTED.digest_of({"text": text}) or "" for text in "ab")
    assert need(source, stored(source, vector_of=old), DIGESTED) is Need.ALL
    assert need(source, stored(source), DIGESTED) is Need.ALL
    assert need(source, stored(source, vector_of=new), DIGESTED) is Need.NOTHING


def test_a_pipeline_that_does_more_than_embed_is_never_gone_past() -> None:
    assert need({"text": "a", "price": 2}, stored({"text": "a", "price": 1}), plain=False) is Need.ALL
    assert need({"text": "a"}, stored({"text": "a"}), plain=False) is Need.NOTHING


def test_true_is_not_one() -> None:
    there = stored({"text": "a", "n": 1, "list": [1]})
    assert decide({"text": "a", "n": True, "list": [1]}, there, (TEXT,), plain=True).fields == {"n": True}
    assert decide({"text": "a", "n": 1, "list": [True]}, there, (TEXT,), plain=True).fields == {"list": [True]}


@example(wanted={"text": None}, before={"text": False}, vector=False)
@given(documents, documents, st.booleans())
def test_what_is_written_makes_the_document_and_its_vector_what_they_should_be(
    wanted: dict[str, Any], before: dict[str, Any], vector: bool
) -> None:
    decision = decide(wanted, stored(before, vector=vector), (TEXT,), plain=True)
    if decision.need is Need.ALL:
        return
    after = merged(before, decision.fields)
    assert canonical(after) == canonical(wanted)
    assert vector == (TEXT.text_of(wanted) is not None)
    assert not vector or TEXT.text_of(before) == TEXT.text_of(wanted)
